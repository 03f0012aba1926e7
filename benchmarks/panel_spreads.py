"""The mean variances of ten public reward models, for `valuebias plan` without a pilot.

    python benchmarks/panel_spreads.py --data DIR [--write] [--json FILE]

DIR is as in panel.py. Of each model, contrast and valence the variance of an effect is taken apart
(`valuebias.stats.spread`: families, single scores, single prompts, levels of adjective, scope and
style), each part at no effect; what is written are means over models and contrasts, by lexicon and
valence, with no variance cut off at zero before the mean. The correlation of two families of one
facet is from those words of the starter lexicons that the models were scored on. --write rewrites
`suites/valuebias_suites/spreads.yaml`. It takes about ten seconds.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import numpy as np
from panel import CORPORA, SCORES, load

from valuebias.errors import LexiconError
from valuebias.lexicons.files import load_lexicon, starter
from valuebias.measurement.facets import LexiconScores, component
from valuebias.measurement.plan import between_valences_of_pilot, of_pilot
from valuebias.prompts import PAPER, VALENCES
from valuebias.stats.checks import GATE_FAMILIES
from valuebias_suites import CONTRASTS, SPREADS

HEADER = """\
# Mean variances of ten public reward models' effects, at no effect, on the rank-biserial scale: of
# one word family, one score of a family, one prompt, one level of a factor; and correlations.
# Written by benchmarks/panel_spreads.py, which says how; do not edit by hand.
basis: ten public reward models on the paper's prompts
"""
PARTS = ("words", "noise", "prompt", "adjective", "scope", "style", "facet", "between_valences")
SOURCES = (
    ("big_two", "dict_big2_nouns", "dict_big2_nouns.csv"),
    ("mfd2", "dict_MFD_20", "moral-foundations-dictionary-20.dicx"),
)


def rows(data: Path, name: str, folder: str, file: str) -> dict[str, dict[str, float]]:
    """The mean of each part, by valence."""
    models = load(data / SCORES / folder)
    lexicon, ours = load_lexicon(name, data / CORPORA / file), starter(name)
    found: dict[str, list[dict[str, float]]] = {valence: [] for valence in VALENCES}
    facets: dict[str, list[float]] = {valence: [] for valence in VALENCES}
    between = []
    for scorer in models.values():
        source, used = of_pilot(scorer, PAPER), []
        for contrast in CONTRASTS[name]:
            try:
                chosen = lexicon.select(contrast, scorer.responses)
            except LexiconError:
                continue
            sides = (chosen.in_a, ~chosen.in_a)
            if min(len(set(chosen.families[side])) for side in sides) < GATE_FAMILIES:
                continue
            used.append(contrast)
            for valence in VALENCES:
                each, _ = source(lexicon, contrast, valence)
                parts = {"words": each.words, "noise": each.noise, "prompt": each.prompt}
                found[valence].append(parts | dict(each.factors))
        between.append(between_valences_of_pilot(scorer, lexicon, used, PAPER))
        for valence in VALENCES:
            scores = scorer.score(PAPER.of(valence), scorer.candidates(ours))
            of_ours = LexiconScores.of(ours, scorer.responses, {valence: scores.values})
            facets[valence].append(component([(of_ours, 1.0)], {valence: 1.0}).correlation)
    return {
        valence: {
            part: float(np.mean([each[part] for each in found[valence]])) for part in PARTS[:6]
        }
        | {"facet": float(np.mean(facets[valence])), "between_valences": float(np.mean(between))}
        for valence in VALENCES
    }


def line(lexicon: str, valence: str, parts: Mapping[str, float]) -> str:
    """One line of the file."""
    numbers = ", ".join(f"{part}: {parts[part]:.5f}" for part in PARTS)
    return f"  - {{lexicon: {lexicon}, valence: {valence}, {numbers}}}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="copy of the authors' repository")
    parser.add_argument("--write", action="store_true", help="rewrite spreads.yaml")
    parser.add_argument("--quick", action="store_true", help="Big Two only")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    if args.write and args.quick:
        parser.error("--write needs both lexicons: leave --quick out")
    text, figures = f"{HEADER}date: {date.today()}\nspreads:\n", []
    for source in SOURCES[:1] if args.quick else SOURCES:
        for valence, parts in rows(args.data, *source).items():
            text += line(source[0], valence, parts)
            figures += [
                {"name": f"panel {source[0]} {valence} {part}", "value": value, "unit": "variance"}
                for part, value in parts.items()
            ]
    print(text)
    if args.write:
        SPREADS.write_text(text, encoding="utf-8")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
