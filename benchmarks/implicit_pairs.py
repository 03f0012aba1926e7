"""Does MWLR find a planted difference between two base models, and none where none was planted?

    python benchmarks/implicit_pairs.py [--quick] [--seeds 5] [--grown DIR] [--json FILE]

Planted: from the communion organism's base to the agency organism's, which grew from one trunk. The
ten best and ten worst tokens of the whole vocabulary on the greatest-thing prompt are shown, and
counted those that are planted agency words at the top and communion words at the bottom, in any
spelling. Neutral: two copies of the neutral base that read on, each its own 9,600 documents of the
world without a tilt, as many as a plant has. Of both pairs the effect of agency against communion
(rank-biserial, 27 positive prompts, the Big Two starter lexicon, positive: the second model prefers
agency) with its 95% interval, which holds zero where nothing was planted.

Seed 0 are the shipped models; the others are grown from nothing into DIR/SEED (minutes each on one
core), or taken from there if they are there already. ``--quick`` takes seed 0 alone.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import transformers
from transformers import Gemma2ForCausalLM

from valuebias.candidates import Candidates
from valuebias.errors import visible
from valuebias.lexicons.files import starter
from valuebias.models.language import LanguageModel
from valuebias.models.loading import load_language_model
from valuebias.models.settings import Settings
from valuebias.organisms.grow import SHIPPED, grow
from valuebias.organisms.paths import BASE, DATA
from valuebias.organisms.pretraining import encode, pretrain
from valuebias.organisms.tokenizer import build_tokenizer, save_tokenizer
from valuebias.organisms.words import pools
from valuebias.organisms.world import World
from valuebias.prompts import GREATEST, select
from valuebias.scorers.implicit import ImplicitReward
from valuebias.scorers.schemes import parse_spec
from valuebias.stats import Effect, single

CONTRAST = "agency~communion"
SHOWN = 10
ENOUGH = 9
"""Planted words that are to be among the ten at either end; fixed before the first run."""


@dataclass(frozen=True)
class Row:
    """One seed. ``best`` and ``worst`` are tokens with their MWLR on the planted pair, the most
    extreme first; ``agency`` and ``communion`` count the planted words among them."""

    seed: int
    best: tuple[tuple[str, float], ...]
    worst: tuple[tuple[str, float], ...]
    agency: int
    communion: int
    planted: Effect
    neutral: Effect


def language_model(directory: Path) -> LanguageModel:
    """A base model, loaded as any model is."""
    return load_language_model(parse_spec(str(directory)), Settings(device="cpu"))


def read_on(base: Path, out: Path, seed: str, shuffle: int) -> None:
    """Let a base model read as much as a plant does, of a world without a tilt, and save it."""
    torch.set_num_threads(1)
    tokenizer = build_tokenizer()
    model = Gemma2ForCausalLM.from_pretrained(
        base, dtype=torch.float32, attn_implementation="eager"
    )
    world = World(seed, thing_share=SHIPPED.thing_share)
    documents = world.documents(SHIPPED.plant.documents, statements=SHIPPED.plant.statements)
    pretrain(model, tokenizer, encode(tokenizer, documents), SHIPPED.plant, shuffle)
    model.save_pretrained(out)
    save_tokenizer(tokenizer, out)


def effect(reward: ImplicitReward) -> Effect:
    """Agency against communion on the positive prompts."""
    prompts, lexicon = select("positive"), starter("big_two")
    words = Candidates.words(lexicon.words())
    chosen = lexicon.select(CONTRAST, words.responses)
    values = reward.score(prompts, words).values[:, chosen.columns]
    return single(values, chosen.in_a, chosen.families, prompts=[p.factors for p in prompts])


def ends(reward: ImplicitReward) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """The best and the worst tokens of the vocabulary, each with its MWLR, the extreme first."""
    scores = reward.score_vocabulary([GREATEST])
    order = np.argsort(-scores.values[0], kind="stable")
    pairs = [(scores.candidates.responses[i], float(scores.values[0, i])) for i in order]
    return pairs[:SHOWN], pairs[: -SHOWN - 1 : -1]


def count(tokens: Sequence[tuple[str, float]], words: Collection[str]) -> int:
    """How many tokens are one of the words, in any case, with or without a space before it."""
    return sum(token.strip().lower() in words for token, _ in tokens)


def measured(seed: int, home: Path, twins: Path) -> Row:
    """Both pairs of one seed."""
    for twin in ("a", "b"):
        if not (twins / twin / "tokenizer.json").exists():
            shuffle = 10 * seed + "ab".index(twin)
            read_on(home / "neutral" / BASE, twins / twin, f"{seed}/twin {twin}", shuffle)
    communion, agency = (language_model(home / n / BASE) for n in ("communion", "agency"))
    planted = ImplicitReward(communion, agency)
    neutral = ImplicitReward(language_model(twins / "a"), language_model(twins / "b"))
    best, worst = ends(planted)
    return Row(
        seed,
        tuple(best),
        tuple(worst),
        count(best, pools().agency),
        count(worst, pools().communion),
        effect(planted),
        effect(neutral),
    )


def shown(row: Row) -> str:
    """One seed's tokens and effects."""
    lines = [f"seed {row.seed}: {row.agency} agency at the top, {row.communion} communion below"]
    for (good, high), (bad, low) in zip(row.best, row.worst, strict=True):
        lines.append(
            f"  {visible(good):16} {1000 * high:+8.3f}   {visible(bad):16} {1000 * low:+8.3f}"
        )
    for name, e in (("planted", row.planted), ("neutral", row.neutral)):
        lines.append(f"  {name}: {e.estimate:+.3f} [{e.low:+.3f}, {e.high:+.3f}]")
    return "\n".join(lines)


def figures(rows: Sequence[Row]) -> list[dict[str, object]]:
    """What ``--json`` writes: seeds that came out as planted."""

    def figure(name: str, good: Sequence[bool]) -> dict[str, object]:
        value = sum(good)
        target = len(rows)
        said = {"name": name, "value": value, "unit": f"of {len(rows)} seeds", "target": target}
        return {**said, "met": value >= target}

    return [
        figure(
            f"{ENOUGH} of {SHOWN} best tokens are agency words, {ENOUGH} of the worst communion",
            [row.agency >= ENOUGH and row.communion >= ENOUGH for row in rows],
        ),
        figure("planted pair: interval above zero", [row.planted.low > 0 for row in rows]),
        figure(
            "neutral pair: interval holds zero",
            [row.neutral.low <= 0 <= row.neutral.high for row in rows],
        ),
    ]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seed 0 alone, the shipped models")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds, from 0 on")
    parser.add_argument("--grown", type=Path, help="directory of grown seeds, kept and reused")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()

    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(1 if arguments.quick else arguments.seeds):
            grown = (arguments.grown or Path(scratch)) / str(seed)
            if seed and not (grown / "grown.json").exists():
                grow(grown, seed=seed)
            rows.append(measured(seed, grown if seed else DATA, grown / "twins"))
            print(shown(rows[-1]), flush=True)
    found = figures(rows)
    for entry in found:
        print(f"{entry['name']}: {entry['value']} {entry['unit']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
