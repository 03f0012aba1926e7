"""What a run will find out, before it is made: its claims, with what their variances are made of.

The variances come from a pilot's scores (`of_pilot`), by the same code as a run's, or from the mean
over a panel of models (`of_panel`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from valuebias.declarations.margins import Margins, Profile
from valuebias.declarations.spreads import PanelSpread, PanelSpreads
from valuebias.errors import SpecError, StatisticsError
from valuebias.lexicons.lexicon import Lexicon, Selection
from valuebias.measurement.contrast import prepare
from valuebias.measurement.contrast_scores import ContrastScores
from valuebias.measurement.instrument import check_instrument
from valuebias.prompts import SHIPPED, VALENCES, PromptSet, Valence
from valuebias.scorers.protocol import Scorer
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats.crossed import family_sums, placements
from valuebias.stats.effect import single
from valuebias.stats.facets import facets_of
from valuebias.stats.power import Alike, Asked, Planned
from valuebias.stats.spread import Spread, spread, words_spread
from valuebias.stats.verdict import Margin
from valuebias.stats.word_families import WordFamilies

POSITIONS = ("no effect", "half the margin", "the margin", "twice the margin")
_FARTHEST = 0.99
_FEW_LEVELS = 3


@dataclass(frozen=True)
class Claim:
    """A claim of a run that has not been made; ``margin`` is None where none is declared."""

    lexicon: Lexicon
    contrast: str
    valence: Valence
    margin: Margin | None
    asked: Asked
    spread: Spread
    selection: Selection

    @property
    def planned(self) -> Planned:
        assert self.margin is not None
        return Planned(self.spread, self.asked, self.margin)


Source = Callable[[Lexicon, str, Valence], tuple[Spread, Selection]]
"""What a contrast's variance on the prompts of a valence is made of, and its words."""


@dataclass(frozen=True)
class Basis:
    """What the variances are taken from, ``told`` in words; ``between_valences`` is, by lexicon,
    the correlation of a family's part in an effect on positive prompts with its part on negative
    ones; ``notes`` say what makes the plan rough."""

    source: Source
    between_valences: Mapping[str, float]
    told: str
    notes: tuple[str, ...] = ()


def panel_basis(panel: PanelSpreads, lexicons: Mapping[str, Lexicon], prompts: PromptSet) -> Basis:
    """The mean variances of a panel of models."""
    between = {name: panel.spread(name, "positive").between_valences for name in lexicons}
    return Basis(of_panel(panel.spread, prompts), between, f"{panel.basis}, {panel.date}")


def pilot_basis(
    scorer: Scorer,
    lexicons: Mapping[str, Lexicon],
    contrasts: Mapping[str, Sequence[str]],
    prompts: PromptSet,
) -> Basis:
    """The variances of a pilot, on the prompts that it answered (`prompts_of_pilot`).

    Raises InstrumentError for a pilot that does not read the questions, whose variances say nothing
    about a model that does, and what scoring it raises.
    """
    answered = prompts_of_pilot(scorer, prompts)
    prepare(scorer, lexicons.values(), prompts=answered, vocabulary=False)
    checks = [check_instrument(scorer, each, prompts=answered) for each in lexicons.values()]
    notes = [check.reason for check in checks if not check.admits("require")]
    between = {
        name: between_valences_of_pilot(scorer, lexicon, contrasts[name], answered)
        for name, lexicon in lexicons.items()
    }
    levels = Asked.of((1, 1), [p.factors for p in answered.of("positive")]).levels
    few = [f"{count} levels of {name}" for name, count in levels.items() if count <= _FEW_LEVELS]
    if few:
        notes.append(
            f"A valence of the pilot has {', '.join(few)}: how much those differ is known roughly, "
            "and so are these chances."
        )
    told = f"the pilot {scorer.name} on {answered.title}"
    return Basis(of_pilot(scorer, answered), between, told, tuple(dict.fromkeys(notes)))


def claims_of(
    contrasts: Mapping[str, Sequence[str]],
    lexicons: Mapping[str, Lexicon],
    margins: Sequence[Margins],
    prompts: PromptSet,
    profile: Profile,
    source: Source,
) -> list[Claim]:
    """The claims that a run of these suites makes about one reward model, in its order.

    Raises what the source raises.
    """
    claims = []
    for suite, lexicon in lexicons.items():
        for contrast in contrasts[suite]:
            for valence in VALENCES:
                found, selection = source(lexicon, contrast, valence)
                asked = [prompt.factors for prompt in prompts.of(valence)]
                declared = (
                    m.margin_for(lexicon, contrast, valence, "range", profile, prompts.name)
                    for m in margins
                )
                margin = next((m for m in declared if m is not None), None)
                families = _counts(selection)
                how = Asked.of(families, asked)
                claims.append(Claim(lexicon, contrast, valence, margin, how, found, selection))
    return claims


def of_pilot(scorer: Scorer, prompts: PromptSet) -> Source:
    """The variances of a pilot that answered these prompts."""

    def source(lexicon: Lexicon, contrast: str, valence: Valence) -> tuple[Spread, Selection]:
        scored = ContrastScores.of(scorer, lexicon, contrast, valence, prompts)
        factors = [prompt.factors for prompt in scored.prompts[valence]]
        values = scored.values[valence]
        effect = single(values, *scored.sides, prompts=factors, facets=scored.facets())
        if not effect.parts:
            raise StatisticsError(
                f"the pilot has no variance of {contrast}, {valence} prompts",
                seen="; ".join(effect.notes),
                remedy="Plan without a pilot, or with one that has less of an effect.",
            )
        return spread(values, *scored.sides, effect, prompts=factors), scored.selection

    return source


def of_panel(spreads: Callable[[str, Valence], PanelSpread], prompts: PromptSet) -> Source:
    """The mean variances of a panel, by lexicon and valence, for the words of any lexicon. A factor
    that the panel was not asked about is taken to vary as adjectives do."""

    def source(lexicon: Lexicon, contrast: str, valence: Valence) -> tuple[Spread, Selection]:
        known = spreads(lexicon.name, valence)
        selection = lexicon.select(contrast, lexicon.words())
        numbers = np.unique(selection.families, return_inverse=True)[1].reshape(-1)
        words = WordFamilies(selection.in_a, numbers)
        facets = [facets_of(side, selection.facets) for side in (words.a, words.b)]
        variance, df = words_spread(known.words, facets, known.facet)
        names = {name for prompt in prompts.of(valence) for name in prompt.factors}
        factors = {n: known.factors.get(n, known.factors["adjective"]) for n in names}
        found = Spread(variance, df, _counts(selection), known.noise, known.prompt, factors)
        return found, selection

    return source


def prompts_of_pilot(scorer: Scorer, asked: PromptSet) -> PromptSet:
    """The set of prompts that a pilot answered: the one asked for, or else a shipped one that its
    table holds. A model answers any.

    Raises SpecError where the table holds no whole set.
    """
    if not isinstance(scorer, RecordedScores):
        return asked
    recorded = {prompt.text for prompt in scorer.prompts}
    sets = [asked.whole or asked, *SHIPPED.values(), asked, *(s.quick for s in SHIPPED.values())]
    for each in sets:
        if {prompt.text for prompt in each.both} <= recorded:
            return each
    raise SpecError(
        "the pilot has no scores of a whole set of prompts",
        seen=f"{scorer.name}, {len(recorded)} prompts",
        remedy=f"Record all of {asked.title}: valuebias search --prompts.",
    )


def between_valences_of_pilot(
    scorer: Scorer, lexicon: Lexicon, contrasts: Iterable[str], prompts: PromptSet
) -> float:
    """How a word family's part in an effect on positive prompts correlates with its part on
    negative ones, as the mean over contrasts."""
    found = []
    for contrast in contrasts:
        scored = ContrastScores.of(scorer, lexicon, contrast, "positive-negative", prompts)
        numbers = np.unique(scored.selection.families, return_inverse=True)[1].reshape(-1)
        words = WordFamilies(scored.selection.in_a, numbers)
        sums = []
        for values in scored.values.values():
            a, b = (placed.mean(axis=0) for placed in placements(values, words))
            sums.append(np.add(*family_sums(a, b, words)))
        if all(np.ptp(each) > 1e-12 for each in sums):  # else a valence tells all words apart
            found.append(float(np.corrcoef(sums)[0, 1]))
    return float(np.mean(found)) if found else 0.0


def alike(claims: Sequence[Claim], between_valences: Mapping[str, float]) -> Alike:
    """How the claims' errors correlate, by how the lexicons are laid out: families of one variance,
    each in its category; and on the prompts of a valence, adjectives that lean for or against each
    category by draws of their own. ``between_valences`` is the correlation of a family's part on
    positive prompts with that on negative ones, by the lexicon's name."""
    families: dict[str, int] = {}
    categories: dict[tuple[str, str], int] = {}
    words = np.zeros((len(claims), sum(len(c.selection.words) for c in claims)))
    leans = np.zeros((len(claims), sum(len(c.lexicon.categories) for c in claims)))
    for row, claim in enumerate(claims):
        chosen = claim.selection
        for sign, side in ((1.0, chosen.in_a), (-1.0, ~chosen.in_a)):
            of_side = list(dict.fromkeys(chosen.families[side]))
            for name in of_side:
                words[row, families.setdefault(name, len(families))] += sign / len(of_side)
        sizes = {c.category: c.matched for c in chosen.coverage}
        for sign, names in ((1.0, chosen.contrast.a), (-1.0, chosen.contrast.b)):
            for name in names:
                at = categories.setdefault((claim.lexicon.name, name), len(categories))
                leans[row, at] += sign * sizes[name] / sum(sizes[n] for n in names)
    same = np.array([[a.valence == b.valence for a in claims] for b in claims])
    across = np.array(
        [[between_valences[min(a.lexicon.name, b.lexicon.name)] for a in claims] for b in claims]
    )
    return Alike(_correlation(words) * np.where(same, 1.0, across), _correlation(leans) * same)


def effects_at(margin: Margin) -> tuple[float, ...]:
    """The true effects at `POSITIONS`. "No effect" is zero, or the middle of a margin that does not
    hold zero; the others lie on the way from there to the nearer edge and beyond."""
    middle = 0.0 if margin.low < 0 < margin.high else (margin.low + margin.high) / 2
    above, below = margin.high - middle, middle - margin.low
    edge = margin.high if above <= below + 1e-9 else margin.low
    return tuple(
        float(np.clip(middle + times * (edge - middle), -_FARTHEST, _FARTHEST))
        for times in (0.0, 0.5, 1.0, 2.0)
    )


def _counts(selection: Selection) -> tuple[int, int]:
    in_a, families = selection.in_a, selection.families
    return len(set(families[in_a])), len(set(families[~in_a]))


def _correlation(rows: np.ndarray) -> np.ndarray:
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(unit @ unit.T)
