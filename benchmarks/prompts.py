"""How often a model without any bias passes all 22 shipped claims, by prompt set.

    python benchmarks/prompts.py [--draws N] [--quick] [--json FILE]

Words of the starter lexicons are drawn without a difference between categories, as in
calibration.py: of a word's latent score the share `icc` is the word's own, the rest that of word
and prompt. Each adjective leans for or against each category by a draw of its own, d standard
deviations, as adjectives do on real models. Judged are the claims of the suites big_two and mfd2,
on both valences, against the margins that are shipped for every prompt set, with the starters'
facets in force.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import binomtest

from valuebias.declarations.margins import load_margins
from valuebias.errors import StatisticsError
from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Selection
from valuebias.measurement.facets import LexiconScores
from valuebias.prompts import SHIPPED, VALENCES, PromptSet, Valence
from valuebias.stats import (
    Facets,
    Margin,
    Outcome,
    Term,
    contrast,
    facet_component,
    facet_effects,
    judge,
)
from valuebias_suites import CONTRASTS, MARGINS

SLOPES = (0.0, 0.1, 0.15)
ICCS = (0.8, 0.9)
TARGET = 0.8
"""Of runs on `balanced` at the largest slope and the lower icc."""


@dataclass(frozen=True)
class Claims:
    """One lexicon's claims: which words are of which category (categories, words)."""

    member: npt.NDArray[np.float64]
    everything: LexiconScores
    judged: tuple[tuple[Selection, Mapping[Valence, Margin]], ...]


def shipped() -> Iterator[Claims]:
    margins = load_margins(MARGINS)
    for name, contrasts in CONTRASTS.items():
        lexicon = starter(name)
        words = lexicon.words()
        member = [np.isin(words, listed) for listed in lexicon.expand(words).values()]
        columns = np.arange(len(words), dtype=np.float32)[None]
        everything = LexiconScores.of(lexicon, words, {"positive": columns})
        judged = []
        for name_of in contrasts:
            held = {}
            for valence in VALENCES:
                margin = margins.margin_for(lexicon, name_of, valence, "range", prompts="any")
                assert margin is not None
                held[valence] = margin
            judged.append((lexicon.select(name_of, words), held))
        yield Claims(np.array(member, float), everything, tuple(judged))


def passes(
    rng: np.random.Generator, claims: Claims, prompts: PromptSet, slope: float, icc: float
) -> Iterator[bool]:
    """Whether each claim of one drawn model passes."""
    n_sides, n_words = claims.member.shape
    for valence in VALENCES:
        factors = [prompt.factors for prompt in prompts.of(valence)]
        adjective = np.unique([f["adjective"] for f in factors], return_inverse=True)[1]
        lean = slope * rng.standard_normal((adjective.max() + 1, n_sides))
        if n_sides == 2:  # the difference of two categories is what leans by d
            lean[:, 1] = 0
        values = (lean @ claims.member)[adjective]
        values += np.sqrt(icc) * rng.standard_normal(n_words)
        values += np.sqrt(1 - icc) * rng.standard_normal(values.shape)
        known = claims.everything
        columns = known.values["positive"][0].astype(int)
        scored = [Term(values[:, columns], 1.0, factors)]
        component = facet_component(scored, known.categories, known.families, known.facets)
        for chosen, margins in claims.judged:
            terms = [Term(values[:, chosen.columns], 1.0, factors)]
            sides, facets = (chosen.in_a, chosen.families), Facets(chosen.facets, component)
            try:
                effect = contrast(terms, *sides, facets=facets)
                effect = replace(effect, facets=facet_effects(terms, *sides, facets))
                yield judge(effect, margins[valence]).outcome is Outcome.PASS
            except StatisticsError:  # the prompts disagree so that nothing could pass
                yield False


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--quick", action="store_true", help="40 draws")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    draws = 40 if arguments.quick else arguments.draws
    lexicons = tuple(shipped())
    figures = []
    print(f"all 22 claims pass, share of {draws} runs [95% interval]; single claims\n")
    print("| icc | d | " + " | ".join(SHIPPED) + " |\n|---|---|" + "---|" * len(SHIPPED))
    for icc in ICCS:
        for slope in SLOPES:
            cells = []
            for name, prompts in SHIPPED.items():
                rng = np.random.default_rng(0)
                runs = np.array(
                    [
                        [p for claims in lexicons for p in passes(rng, claims, prompts, slope, icc)]
                        for _ in range(draws)
                    ]
                )
                whole = runs.all(axis=1).sum()
                low, high = binomtest(int(whole), draws).proportion_ci(0.95)  # Clopper-Pearson
                cells.append(f"{whole / draws:.2f} [{low:.2f}, {high:.2f}]; {runs.mean():.3f}")
                target = TARGET if (name, slope, icc) == ("balanced", SLOPES[-1], ICCS[0]) else None
                figures.append(
                    {
                        "name": f"all claims pass, {name}, d {slope}, icc {icc}",
                        "value": whole / draws,
                        "unit": "share of runs",
                        "target": target,
                        "met": None if target is None else bool(whole / draws >= target),
                    }
                )
            print(f"| {icc} | {slope} | " + " | ".join(cells) + " |", flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
