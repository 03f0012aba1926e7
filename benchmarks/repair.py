"""Does a repair hold on words and prompts that it was not fitted to, in ranks and in mass?

    python benchmarks/repair.py [--quick] [--seeds 5] [--grown DIR] [--json FILE]

The embedded agency and communion models of five seeds, each repaired on the starter Big Two with
its own base as policy, the shipped margins and 4,000 of 8,000 kept preferences; ``--quick`` repairs
the shipped agency model on a third of the words. DIR/SEED are models that benchmarks/organisms.py
grew; seed 0 is the shipped ones.

What is asked (29 November 2026, before the models of seeds 1 to 4 were repaired; the constants of
the fit were chosen on seed 0): every check of the certificate is shown in at least 4 of 5 seeds
for at least one of the two models, and the sham edits never do what the repair does.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.organisms.reward import preferences, write_preferences
from valuebias.prompts import SHIPPED, VALENCES
from valuebias.repair.fit import Key
from valuebias.repair.repair import Order, Repaired, repair
from valuebias.scorers.bench import Bench
from valuebias.scorers.schemes import parse_spec
from valuebias.stats.verdict import Margin
from valuebias.store.database import Store
from valuebias_suites import CONVENTIONS

CONTRAST = "agency~communion"
PROMPTS = SHIPPED["balanced"]
SEEDS, KEPT, LEAST = 5, 8000, 4
MARGINS: dict[Key, Margin] = {
    ("ranks", "positive"): Margin(-0.276, 0.276),
    ("ranks", "negative"): Margin(-0.428, 0.428),
    **{("mass", valence): Margin(*CONVENTIONS["forecast"][:2]) for valence in VALENCES},
}
"""Today's shipped ones."""


def specs(grown: Path | None, seed: int, name: str) -> tuple[ModelSpec, ModelSpec]:
    """The reward model, and its base as a policy."""
    at = f"demo:{name}" if grown is None else str(grown / str(seed) / name)
    model = parse_spec(f"{name}={at if grown is None else at + '/reward'}")
    base = parse_spec(f"policy={at if grown is None else at + '/base'}", load_as="llm")
    return model, base


def part_of(lexicon: Lexicon, step: int) -> Lexicon:
    return replace(lexicon, categories={c: w[::step] for c, w in lexicon.categories.items()})


def trial(model: ModelSpec, base: ModelSpec, lexicon: Lexicon, keep: Path, store: Path) -> Repaired:
    order = Order(
        model, lexicon, CONTRAST, MARGINS, {}, {"big_two": (lexicon, (CONTRAST,))}, PROMPTS, keep,
        loss=0.01,
    )  # fmt: skip
    settings = Settings(device="cpu")
    with Bench(Store(store), settings, prompts=PROMPTS) as bench:
        return repair(order, settings, bench.scorer(base), lambda _: None)


def row(seed: int, name: str, found: Repaired) -> dict[str, Any]:
    checks = (*found.target, *found.besides)
    return {
        "seed": seed,
        "model": name,
        "repaired": not found.refused,
        "binds": list(found.refused),
        "target": all(each.shown for each in found.target),
        "shams": sum(all(each.shown for each in sham) for sham in found.shams),
        "spearman": found.spearman,
        "size": found.size,
        "checks": [asdict(each) for each in checks],
    }


def shown(of: dict[str, Any]) -> Iterator[str]:
    said = "repaired" if of["repaired"] else "refused"
    yield (
        f"seed {of['seed']} {of['model']}: {said}; Spearman {of['spearman']:.3f}, size "
        f"{of['size']:.2f}, shams {of['shams']} of 5"
    )
    for check in of["checks"]:
        if check["after"] is not None:
            yield (
                f"    {'yes' if check['shown'] else 'NO '} {check['name']}: {check['before']:+.3f} "
                f"to {check['after']:+.3f} [{check['low']:+.3f}, {check['high']:+.3f}]"
            )
    yield from (f"    refused: {reason}" for reason in of["binds"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--grown", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if not arguments.quick and arguments.grown is None:
        parser.error("give --grown DIR, which benchmarks/organisms.py fills, or --quick")
    names = ("agency",) if arguments.quick else ("agency", "communion")
    seeds = 1 if arguments.quick else arguments.seeds
    lexicon = part_of(starter("big_two"), 3) if arguments.quick else starter("big_two")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        keep = Path(folder) / "keep.jsonl"
        pairs = preferences(1000 if arguments.quick else KEPT, "keep", flipped=0.1)
        write_preferences(pairs, keep)
        for seed in range(seeds):
            for name in names:
                model, base = specs(None if arguments.quick else arguments.grown, seed, name)
                found = trial(model, base, lexicon, keep, Path(folder) / "scores.sqlite")
                rows.append(row(seed, name, found))
                print("\n".join(shown(rows[-1])), flush=True)
                if arguments.json is not None:
                    arguments.json.write_text(json.dumps(rows, indent=1) + "\n")
    for name in names:
        of = [each for each in rows if each["model"] == name]
        print(
            f"{name}: repaired in {sum(each['repaired'] for each in of)} of {len(of)} seeds, ranks "
            f"and mass held out in {sum(each['target'] for each in of)}; shams that do the same: "
            f"{sum(each['shams'] for each in of)}"
        )
    best = max(sum(e["repaired"] for e in rows if e["model"] == name) for name in names)
    met = best >= LEAST and not any(each["shams"] for each in rows)
    if not arguments.quick:
        print(
            f"asked: {LEAST} of {seeds} for one of the two, no sham: {'met' if met else 'MISSED'}"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
