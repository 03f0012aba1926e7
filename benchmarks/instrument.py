"""The instrument check: how its words and thresholds were fixed, and what it says of models.

    python benchmarks/instrument.py --data DIR --fix FILE [--json FILE]
    python benchmarks/instrument.py --data DIR [--model DIR] [--heads N] [--quick] [--json FILE]

DIR of --data is a copy of the folder `data`'s parent in the repository that goes with "Reward
Models Inherit Value Biases from Pretraining"; the scores are not ours to redistribute. ``--fix``
chooses the words and the thresholds on the ten public reward models there and writes them to FILE
(harness/valuebias/measurement/instrument.yaml):

* words: pairs of a word of virtue and a word of vice of one moral foundation, of the starter
  lexicon, found in the published tables; in no pair of the Big Two's words, where a foundation has
  enough others; matched in frequency and length (the least sum of the difference in Zipf frequency
  and a third of that in letters), one word a family; 8 pairs a foundation.
* thresholds: midway between what knows nothing of the questions (0 for words told apart and for
  prompts that agree, 1 for the agreement of the valences: one order of words for every question)
  and the weakest of the ten models.

Without ``--fix`` the check is tried, as it runs in pytest: on the ten models, on tables that are
garbage and on virtuous ones (parts/score_tables.py), on the embedded models, on --heads random
heads (random_heads.py) on the language model in --model and on that of the embedded neutral model,
and all verdicts on tables with a taste that a mean hides and on releases that move a little each
(parts/hidden_tables.py).
The cost is the run with the check over one without its words and without the check.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from parts.hidden_trial import hidden_trial
from parts.instrument_trial import trial
from scipy.optimize import linear_sum_assignment

from valuebias.lexicons.files import load_lexicon, starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast_scores import ContrastScores
from valuebias.organisms.paths import base_model
from valuebias.prompts import PAPER
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats.effect import single
from valuebias.stats.instrument import between_prompts, between_valences

SCORES = Path("data/reward_model_scores")
FOUNDATIONS = ("care", "fairness", "loyalty", "authority", "sanctity")
PAIRS = 8
HEADER = """\
# The words and thresholds of the instrument check. Written by benchmarks/instrument.py, which says
# how; do not edit by hand.
"""


def tables(folder: Path) -> dict[str, RecordedScores]:
    """The reward models of a folder by name; six files of moral foundations are named as if they
    were of the Big Two, so the folder says which words they hold."""
    files = sorted(folder.glob("*_rewards_*.csv"))
    if not files:
        raise SystemExit(f"There are no scores in {folder}: --data names the wrong folder.")
    return {f.stem.partition("_rewards_")[2]: RecordedScores.from_file(f) for f in files}


def choose(recorded: frozenset[str]) -> dict[str, list[str]]:
    """The control words of either side."""
    from wordfreq import zipf_frequency

    mfd2, others = starter("mfd2"), frozenset(starter("big_two").words())

    def found(category: str) -> list[str]:
        words = [w for w in mfd2.categories[category] if w in recorded]
        apart = [w for w in words if w not in others]
        return apart if len(apart) >= PAIRS else words

    def distance(a: str, b: str) -> float:
        return abs(zipf_frequency(a, "en") - zipf_frequency(b, "en")) + abs(len(a) - len(b)) / 3

    chosen: dict[str, list[str]] = {"virtue": [], "vice": []}
    seen: set[str] = set()
    for foundation in FOUNDATIONS:
        a, b = found(f"{foundation}.virtue"), found(f"{foundation}.vice")
        far = np.array([[distance(x, y) for y in b] for x in a])
        rows, columns = linear_sum_assignment(far)
        pairs = sorted((far[i, j], a[i], b[j]) for i, j in zip(rows, columns, strict=True))
        taken = 0
        for _, *pair in pairs:
            families = {mfd2.family(word) for word in pair}
            if taken < PAIRS and len(families) == 2 and not families & seen:
                seen |= families
                taken += 1
                for side, word in zip(chosen.values(), pair, strict=True):
                    side.append(word)
        if taken < PAIRS:
            raise SystemExit(f"{foundation} has only {taken} pairs.")
    return chosen


def of_control(model: RecordedScores, control: Lexicon) -> dict[str, float]:
    """A model's figures on the control words."""
    scored = ContrastScores.of(model, control, "virtue~vice", "positive-negative", PAPER)
    rows = {
        f"told apart, {v}": single(
            scored.values[v], *scored.sides, prompts=[p.factors for p in scored.prompts[v]]
        ).estimate
        for v in ("positive", "negative")
    }
    return rows | _agreements(scored)


def of_words(model: RecordedScores, lexicon: Lexicon, contrast: str) -> dict[str, float]:
    """A model's figures on a lexicon's own words."""
    return _agreements(ContrastScores.of(model, lexicon, contrast, "positive-negative", PAPER))


def _agreements(scored: ContrastScores) -> dict[str, float]:
    families = scored.selection.families
    return {
        f"prompts, {v}": between_prompts(scored.values[v], families).estimate
        for v in ("positive", "negative")
    } | {
        "valences": between_valences(
            scored.values["positive"], scored.values["negative"], families
        ).estimate
    }


def midway(weakest: float, ignorant: float) -> float:
    return round((weakest + ignorant) / 2, 3)


def fix(data: Path) -> tuple[dict[str, Any], dict[str, dict[str, dict[str, float]]]]:
    """Words and thresholds, and the ten models' figures that they were fixed on."""
    moral = tables(data / SCORES / "dict_MFD_20")
    words = choose(frozenset.intersection(*(frozenset(m.responses) for m in moral.values())))
    control = Lexicon("control", {side: tuple(ws) for side, ws in words.items()})
    agency = load_lexicon("big_two", data / "data" / "corpora" / "dict_big2_nouns.csv")
    figures = {
        "control": {name: of_control(m, control) for name, m in moral.items()},
        "words": {
            name: of_words(m, agency, "agency~communion")
            for name, m in tables(data / SCORES / "dict_big2_nouns").items()
        },
    }

    def ends(of: str, what: str, turn: int = 1) -> float:
        return min(turn * row[key] for row in figures[of].values() for key in row if what in key)

    thresholds = {
        of: {
            "prompts": midway(ends(of, "prompts"), 0),
            "valences": midway(-ends(of, "valences", -1), 1),
        }
        for of in figures
    }
    weakest = min(ends("control", "apart, positive"), ends("control", "apart, negative", -1))
    thresholds["control"]["told_apart"] = midway(weakest, 0)
    return {
        "basis": "midway between knowing nothing and the weakest of ten public reward models",
        "date": datetime.now(UTC).date().isoformat(),
        "thresholds": thresholds,
        "control": words,
    }, figures


def written(fixed: Mapping[str, Any]) -> str:
    lines = [HEADER.rstrip(), f"basis: {fixed['basis']}", f"date: {fixed['date']}", "thresholds:"]
    for of, limits in fixed["thresholds"].items():
        told = ", ".join(f"{name}: {value}" for name, value in limits.items())
        lines.append(f"  {of}: {{{told}}}")
    lines.append("control:")
    for side, words in fixed["control"].items():
        lines.append(f"  {side}:")
        for at in range(0, len(words), PAIRS):
            lines.append(
                f"    {'[' if at == 0 else ' '}{', '.join(words[at : at + PAIRS])}"
                f"{']' if at + PAIRS == len(words) else ','}"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, metavar="DIR")
    parser.add_argument("--fix", type=Path, metavar="FILE")
    parser.add_argument("--model", type=Path, metavar="DIR", help="a language model")
    parser.add_argument("--heads", type=int, default=100, metavar="N")
    parser.add_argument("--states", type=Path, metavar="DIR", help="where its states are kept")
    parser.add_argument("--quick", action="store_true", help="few tables and heads, one round")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.fix:
        fixed, figures = fix(args.data)
        for of, models in figures.items():
            print(f"\n{of}:")
            for name, row in models.items():
                print(f"  {name[-34:]:34}", *(f"{key} {value:+.3f}" for key, value in row.items()))
        print("\n" + written(fixed))
        args.fix.write_text(written(fixed), encoding="utf-8")
        written_out: Any = {"fixed": fixed, "ten": figures}
    else:
        bases = {"demo_neutral": base_model("neutral")}
        if args.model:
            bases[args.model.resolve().name] = args.model
        heads = min(args.heads, 5) if args.quick else args.heads
        with tempfile.TemporaryDirectory() as name:
            sections = chain(
                trial(Path(name), args.data.resolve(), bases, heads, args.states, quick=args.quick),
                hidden_trial(Path(name), quick=args.quick),
            )
            written_out = [figure for section in sections for figure in section]
        for figure in written_out:
            met = {None: "", True: ", met", False: ", MISSED"}[figure["met"]]
            print(f"{figure['name']}: {figure['value']:.4g} {figure['unit']}{met}")
    if args.json:
        args.json.write_text(json.dumps(written_out, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
