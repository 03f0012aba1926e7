"""What `valuebias plan` says beside what comes out: simulated runs judged as real ones are.

    python benchmarks/plan.py [--draws N] [--quick] [--json FILE]

Words of the starter lexicons are drawn as in prompts.py: of a word's score the share .8 is its own,
the rest that of word and prompt; each adjective leans for or against each category by a draw of d
standard deviations; families of one facet correlate by r. A contrast's first category is raised so
that the true effect is none, half the margin, the margin and twice it. The plan is made from the
mean of the variances that 100 other tables of no effect show. Each table is then judged, with
facets and all objections: "judged" are the verdicts, "interval" what the interval alone would say,
which is what the plan predicts. Of the whole run all 22 claims are without effect.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from valuebias.declarations.margins import load_margins
from valuebias.errors import StatisticsError
from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Lexicon, Selection
from valuebias.measurement.plan import POSITIONS, Claim, alike, claims_of, effects_at
from valuebias.prompts import SHIPPED, VALENCES, PromptSet, Valence
from valuebias.stats import Effect, Facets, Margin, Outcome, Term, judge, single
from valuebias.stats.facet_effects import facet_effects
from valuebias.stats.facets import FacetComponent, facet_component
from valuebias.stats.power import chances
from valuebias.stats.spread import Spread, spread
from valuebias_suites import CONTRASTS, MARGINS

ICC = 0.8
WORLDS = ((0.15, 0.0), (0.15, 0.25))
"""d of the adjectives, and r of a facet's families."""
TABLES = 100
SHOWN = (("big_two", "agency~communion"), ("mfd2", "care.virtue"))
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Layout:
    """A lexicon's words: of which category they are (categories, words), their facets' numbers."""

    lexicon: Lexicon
    words: tuple[str, ...]
    member: npt.NDArray[np.bool_]
    facet: npt.NDArray[np.intp]

    @classmethod
    def of(cls, name: str) -> Layout:
        lexicon = starter(name)
        words = lexicon.words()
        member = np.array([np.isin(words, held) for held in lexicon.expand(words).values()])
        facets = [lexicon.facet(word) or f"\x1f{lexicon.family(word)}" for word in words]
        return cls(lexicon, words, member, np.unique(facets, return_inverse=True)[1])

    def draw(
        self,
        rng: np.random.Generator,
        prompts: PromptSet,
        valence: Valence,
        world: tuple[float, float],
        raised: Mapping[str, float],
    ) -> Floats:
        """Scores (prompts, words)."""
        d, r = world
        names = [p.factors["adjective"] for p in prompts.of(valence)]
        adjective = np.unique(names, return_inverse=True)[1]
        lean = d * rng.standard_normal((adjective.max() + 1, len(self.member)))
        if len(self.member) == 2:  # the difference of two categories is what leans by d
            lean[:, 1] = 0
        lean += [raised.get(category, 0.0) for category in self.lexicon.categories]
        taste = math.sqrt(r) * rng.standard_normal(self.facet.max() + 1)[self.facet]
        taste += math.sqrt(1 - r) * rng.standard_normal(len(self.words))
        values = (lean @ self.member)[adjective] + math.sqrt(ICC) * taste
        noise: Floats = rng.standard_normal(values.shape)
        return np.asarray(values + math.sqrt(1 - ICC) * noise)

    def component(self, values: Floats) -> FacetComponent:
        """How alike the families of a facet are, over all of the lexicon."""
        at, categories, families, facets = _places(self.lexicon.name)
        return facet_component([Term(values[:, at])], categories, families, facets)

    def measured(
        self, values: Floats, alike: FacetComponent, claim: tuple[str, Valence], prompts: PromptSet
    ) -> tuple[Effect, Term, Selection, Facets]:
        """The effect with its facets' part, as a run measures it, and what it is of."""
        contrast, valence = claim
        chosen = _selected(self.lexicon.name, contrast)
        term = Term(values[:, chosen.columns], prompts=[p.factors for p in prompts.of(valence)])
        facets = Facets(chosen.facets, alike)
        effect = single(
            term.values, chosen.in_a, chosen.families, prompts=term.prompts, facets=facets
        )
        return effect, term, chosen, facets


@cache
def _selected(lexicon: str, contrast: str) -> Selection:
    return starter(lexicon).select(contrast, starter(lexicon).words())


@cache
def _places(name: str) -> tuple[list[int], list[str], list[str], list[str]]:
    """Of each word in each of its categories its column, category, family and facet."""
    lexicon, words = starter(name), starter(name).words()
    found = [(c, word) for c, held in lexicon.expand(words).items() for word in held]
    return (
        [words.index(word) for _, word in found],
        [category for category, _ in found],
        [lexicon.family(word) for _, word in found],
        [lexicon.facet(word) for _, word in found],
    )


def judged(
    layout: Layout,
    values: Floats,
    alike: FacetComponent,
    claim: Claim,
    prompts: PromptSet,
    *,
    whole: bool = True,
) -> tuple[str, str]:
    """The verdict with all objections, or without the facets' one, and that of the interval alone.
    An objection only ever takes a PASS away."""
    effect, term, chosen, facets = layout.measured(
        values, alike, (claim.contrast, claim.valence), prompts
    )
    found = verdicts(effect, claim.planned.margin)
    if found[0] == "PASS" and whole:
        effect = replace(effect, facets=facet_effects([term], chosen.in_a, chosen.families, facets))
        return verdicts(effect, claim.planned.margin)
    return found


def verdicts(effect: Effect, margin: Margin) -> tuple[str, str]:
    """What `judge` says, and what the interval alone would."""
    low, high = effect.interval(0.9)
    alone = "INCONCLUSIVE"
    if margin.low <= low and high <= margin.high:
        alone = "PASS"
    elif high < margin.low or low > margin.high:
        alone = "FAIL"
    try:
        return judge(effect, margin).outcome.value, alone
    except StatisticsError:  # too narrow a margin
        return "INCONCLUSIVE", alone


def planned(
    layouts: Mapping[str, Layout], prompts: PromptSet, world: tuple[float, float]
) -> list[Claim]:
    """The claims with the mean of the variances that tables of no effect show."""
    rng = np.random.default_rng(1)
    seen: dict[tuple[str, str, Valence], list[Spread]] = {}
    for _ in range(TABLES):
        for name, layout in layouts.items():
            for valence in VALENCES:
                values = layout.draw(rng, prompts, valence, world, {})
                component = layout.component(values)
                for contrast in CONTRASTS[name]:
                    effect, term, chosen, _ = layout.measured(
                        values, component, (contrast, valence), prompts
                    )
                    found = spread(
                        term.values, chosen.in_a, chosen.families, effect, prompts=term.prompts
                    )
                    seen.setdefault((name, contrast, valence), []).append(found)

    def source(lexicon: Lexicon, contrast: str, valence: Valence) -> tuple[Spread, Selection]:
        found = seen[lexicon.name, contrast, valence]

        def mean(part: str) -> float:
            return float(np.mean([getattr(s, part) for s in found]))

        factors = {n: float(np.mean([s.factors[n] for s in found])) for n in found[0].factors}
        parts = (mean("words"), mean("df"), found[0].families, mean("noise"), mean("prompt"))
        return Spread(*parts, factors), _selected(lexicon.name, contrast)

    lexicons = {name: layout.lexicon for name, layout in layouts.items()}
    return claims_of(CONTRASTS, lexicons, [load_margins(MARGINS)], prompts, "ci", source)


def raised(claim: Claim, effect: float, d: float) -> dict[str, float]:
    """How far the first category is raised for a true effect."""
    leaning = d**2 * (1 if len(claim.lexicon.categories) == 2 else 1.25)
    shift = float(scipy_stats.norm.ppf((1 + effect) / 2)) * math.sqrt(2 + leaning)
    return {claim.selection.contrast.a[0]: shift}


def cells(draws: int) -> Iterator[dict[str, object]]:
    layouts = {name: Layout.of(name) for name in CONTRASTS}
    for prompts in SHIPPED.values():
        prompts = replace(prompts, name="any")  # no panel margins
        title = "paper" if prompts.prompts == SHIPPED["paper"].prompts else "balanced"
        for world in WORLDS:
            claims = planned(layouts, prompts, world)
            like = alike(claims, dict.fromkeys(layouts, 0.0))
            all_planned = [claim.planned for claim in claims]
            for at, where in enumerate(POSITIONS):
                effects = [effects_at(each.margin)[at] for each in all_planned]
                said = chances(all_planned, effects, like=like)
                for i, claim in enumerate(claims):
                    if (
                        claim.lexicon.name,
                        claim.contrast,
                    ) in SHOWN and claim.valence == "positive":
                        one = _claim(layouts, claim, prompts, world, effects[i], draws)
                        yield _row(
                            f"{title} {world} {claim.contrast} {where}", said.by_claim[i], one
                        )
            none = chances(all_planned, [0.0] * len(claims), like=like)
            whole = _whole(layouts, claims, prompts, world, draws)
            yield _row(f"{title} {world} whole run {POSITIONS[0]}", none.whole, whole)


def _claim(
    layouts: Mapping[str, Layout],
    claim: Claim,
    prompts: PromptSet,
    world: tuple[float, float],
    effect: float,
    draws: int,
) -> list[tuple[str, str]]:
    rng, layout = np.random.default_rng(2), layouts[claim.lexicon.name]
    up, found = raised(claim, effect, world[0]), []
    for _ in range(draws):
        values = layout.draw(rng, prompts, claim.valence, world, up)
        found.append(judged(layout, values, layout.component(values), claim, prompts))
    return found


def _whole(
    layouts: Mapping[str, Layout],
    claims: Sequence[Claim],
    prompts: PromptSet,
    world: tuple[float, float],
    draws: int,
) -> list[tuple[str, str]]:
    rng, found = np.random.default_rng(3), []
    for _ in range(draws):
        values = {
            (name, valence): layout.draw(rng, prompts, valence, world, {})
            for name, layout in layouts.items()
            for valence in VALENCES
        }
        outcomes = _verdicts(layouts, claims, prompts, values, whole=False)
        if all(verdict == "PASS" for verdict, _ in outcomes):
            outcomes = _verdicts(layouts, claims, prompts, values, whole=True)
        found.append((_of_run([a for a, _ in outcomes]), _of_run([b for _, b in outcomes])))
    return found


def _verdicts(
    layouts: Mapping[str, Layout],
    claims: Sequence[Claim],
    prompts: PromptSet,
    values: Mapping[tuple[str, Valence], Floats],
    *,
    whole: bool,
) -> list[tuple[str, str]]:
    """Of every claim of one run (`judged`)."""
    components = {key: layouts[key[0]].component(each) for key, each in values.items()}
    found = []
    for claim in claims:
        key = claim.lexicon.name, claim.valence
        layout = layouts[key[0]]
        found.append(judged(layout, values[key], components[key], claim, prompts, whole=whole))
    return found


def _of_run(outcomes: Sequence[str]) -> str:
    if "FAIL" in outcomes:
        return "FAIL"
    return "PASS" if set(outcomes) == {"PASS"} else "INCONCLUSIVE"


def _row(name: str, said: Sequence[float], found: Sequence[tuple[str, str]]) -> dict[str, object]:
    n = len(found)
    judged, interval = ([each[i] for each in found] for i in (0, 1))
    figures = {
        "said": [float(said[0]), float(said[1])],
        "interval": [interval.count(o.value) / n for o in (Outcome.PASS, Outcome.FAIL)],
        "judged": [judged.count(o.value) / n for o in (Outcome.PASS, Outcome.FAIL)],
    }
    shown = ", ".join(f"{k} {v[0]:.3f} {v[1]:.3f}" for k, v in figures.items())
    print(f"{name}: {shown}", flush=True)
    return {
        "name": name,
        **figures,
        "unit": f"P(PASS), P(FAIL) of {n}",
        "target": None,
        "met": None,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=400)
    parser.add_argument("--quick", action="store_true", help="40 draws")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    rows = list(cells(40 if arguments.quick else arguments.draws))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
