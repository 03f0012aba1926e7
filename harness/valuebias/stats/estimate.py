"""An effect with its variance, from placements: what `effect` and its relatives all end in."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import numpy as np

from valuebias.errors import StatisticsError
from valuebias.format import signed
from valuebias.stats.checks import GATE_FAMILIES, GATE_PROMPTS, Layout
from valuebias.stats.crossed import (
    Floats,
    Parts,
    bounds,
    half_width,
    p_value,
    placements,
    prompt_parts,
    residual_variance,
    word_variance,
)
from valuebias.stats.disagreement import Asked, ByPrompt
from valuebias.stats.facets import Facets
from valuebias.stats.permutation import family_permutation
from valuebias.stats.specification import Robustness
from valuebias.stats.terms import Term
from valuebias.stats.word_families import WordFamilies, superiority_by_spelling

Method = Literal[
    "crossed-delong", "permutation", "separation", "families", "freedman-lane", "partial-spearman",
    "linearised", "prompts", "kendall",
]  # fmt: skip


@dataclass(frozen=True)
class Effect:
    """An estimate on the rank-biserial scale; positive means that category A is preferred.

    Of a single scorer it lies in [-1, 1]; a contrast lies in [-``span``, ``span``], the sum of its
    absolute weights: a difference of two (``span`` 2) is positive where the first scorer prefers A
    more than the second does. ``low`` and ``high`` bound it at ``level``; ``p`` tests zero,
    two-sided. ``parts`` are the parts of its variance, the words' first, with their degrees of
    freedom (empty for complete separation). Counts are (A, B).

    ``method`` is "crossed-delong"; "permutation" below 20 families in a category, where ``p`` comes
    from relabelling families and ``p_high`` is the upper 99.9% limit of its Monte-Carlo error;
    "separation" where every word of one category beats every word of the other; "families" of a
    difference between families of models (`family`); "freedman-lane" where covariates are
    controlled (`confounds`); "partial-spearman", which knows no categories and has one count
    (`inheritance`); "linearised" of a top share (`top`); or "prompts" of a forecast, whose words
    are given (`forecast`). A non-empty ``exploratory`` says why the effect may be shown but must
    never PASS.

    What else a PASS needs (`objections`): ``by_prompt`` has the effect on single prompts, ``tied``
    the share of pairs of an A and a B word that are tied, averaged over prompts (of several scorers
    the largest), None where they are not known; ``unseen`` is the share of such pairs with a word
    that has no score, where that is so large that it is asked about; ``beside`` is the effect with
    covariates controlled, where the categories differ much in them; ``facets`` are the effects of
    single facets of at least 5 families, and ``facet_sd`` is the standard deviation between the
    effects of a side's facets (of the side where it is larger) beyond what their few families
    explain; ``alternatives`` computes the effect in other ways, where there are any.
    ``by_spelling`` is the estimate with every spelling counted alike, for comparison; None where
    there is none.
    """

    estimate: float
    parts: Parts
    low: float
    high: float
    level: float
    p: float
    n_words: tuple[int, ...]
    n_families: tuple[int, ...]
    n_prompts: int
    method: Method
    notes: tuple[str, ...] = ()
    p_high: float = 1.0
    span: float = 1.0
    exploratory: str = ""
    fisher: bool = False
    tied: float | None = None
    unseen: float = 0.0
    beside: Effect | None = field(default=None, repr=False, compare=False)
    by_prompt: ByPrompt | None = field(default=None, repr=False, compare=False)
    by_spelling: float | None = None
    facets: tuple[FacetEffect, ...] = ()
    facet_sd: float = 0.0
    alternatives: Specified | None = field(default=None, repr=False, compare=False)

    @property
    def scale(self) -> tuple[float, float]:
        """The interval that an effect of this kind can lie in."""
        return -self.span, self.span

    @property
    def se(self) -> float:
        """The standard error."""
        return math.sqrt(sum(variance for variance, _ in self.parts))

    @property
    def se_prompts(self) -> float:
        """The part of the standard error that more words would not take away."""
        return math.sqrt(sum(variance for variance, _ in self.parts[1:]))

    @property
    def mde(self) -> float:
        """The smallest true effect that a test of zero would detect with 80% power."""
        if not self.parts:
            return self.high - self.low
        return half_width(self.parts, 1 - self.level) + half_width(self.parts, 0.4)

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided confidence interval at another level, within the scale's own bounds."""
        if self.method == "separation":
            # The n disjoint pairs of an A and a B family all came out one way: Clopper-Pearson.
            bound = float(2 * ((1 - level) / 2) ** (1 / min(self.n_families)) - 1)
            return (bound, 1.0) if self.estimate > 0 else (-1.0, -bound)
        return bounds(self.estimate, self.parts, level, self.span, fisher=self.fisher)

    def distance(self, value: float) -> float:
        """How far the estimate lies from a value, in the units of a half width."""
        if not self.fisher:
            return abs(self.estimate - value)
        if abs(value) >= 1:
            return math.inf
        return abs(math.atanh(self.estimate) - math.atanh(value)) * (1 - self.estimate**2)


class Specified(Protocol):
    """What computes an effect in other ways (`robustness.Alternatives`)."""

    def against(self, effect: Effect, low: float, high: float, level: float) -> Robustness:
        """The other ways against a margin that the effect's own interval lies in."""
        ...


@dataclass(frozen=True)
class FacetEffect:
    """One facet's families against all of the other side: ``in_a`` says which side it is of. The
    direction is that of the contrast: positive means that A is preferred.

    ``parts`` are those of its variance. The spread of its families is that within all facets of its
    side, which is better known than the own one of so few, and is not made small where all of a
    facet's families lie at one end; or the own one, where that is greater. Its interval is on the
    scale of the estimate.
    """

    name: str
    in_a: bool
    estimate: float
    n_families: int
    parts: Parts
    span: float

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided confidence interval, within the scale's own bounds."""
        return bounds(self.estimate, self.parts, level, self.span)


@dataclass(frozen=True)
class Scale:
    """The sum of absolute weights, what the summed placements average to where nothing is
    preferred, and whether this is one scorer of weight one."""

    span: float
    null: float
    lone: bool

    @classmethod
    def of(cls, terms: Sequence[Term]) -> Scale:
        span = float(sum(abs(t.weight) for t in terms))
        null = 0.5 * sum(t.weight for t in terms)
        return cls(span, null, lone=len(terms) == 1 and span == 1)


def placed_groups(groups: Mapping[str, Sequence[Term]], words: WordFamilies) -> list[Asked]:
    """The placements of each group's terms, summed by their weights."""
    placed = []
    for group in groups.values():
        weights = np.array([t.weight for t in group])
        values = np.array([t.values for t in group])  # (scorers, prompts, words)
        a, b = (np.einsum("s,spf->pf", weights, x) for x in placements(values, words))
        placed.append(Asked(a, b, group[0].prompts, group[0].ids))
    return placed


def by_spelling(groups: Mapping[str, Sequence[Term]], words: WordFamilies) -> float:
    """The weighted sum of the terms' probabilities of superiority, every spelling counted alike."""
    return sum(
        t.weight * float(superiority_by_spelling(t.values, words).mean())
        for group in groups.values()
        for t in group
    )


def averaged(placed: Sequence[Asked]) -> tuple[Floats, Floats, list[tuple[float, float]]]:
    """Placements summed over groups and averaged over prompts, (families of A,) and (families of
    B,), and the parts of the variance of their mean that the prompts have."""
    word_a = np.sum([group.a.mean(axis=0) for group in placed], axis=0)
    word_b = np.sum([group.b.mean(axis=0) for group in placed], axis=0)
    # Noise of single scores is in the word part and in the prompt part: it is taken out once.
    by_prompt = [
        part
        for group in placed
        for part in prompt_parts(
            group.a.mean(axis=1),
            group.factors,
            residual_variance(group.a) + residual_variance(group.b),
        )
    ]
    return word_a, word_b, by_prompt


def effect_of(
    layout: Layout,
    placed: Sequence[Asked],
    moved: Floats | None,
    scale: Scale,
    facets: Facets | None,
    *,
    alpha: float,
    seed: int,
) -> Effect:
    """From each prompt group's summed placements, and, where families are so few that they are
    permuted, the families' summed mean ranks."""
    level, few, span = layout.level, min(layout.n_families), scale.span
    estimate = 2 * (sum(float(group.a.mean()) for group in placed) - scale.null)
    word_a, word_b, by_prompt = averaged(placed)
    words = word_variance(word_a, word_b, layout.words)
    notes: list[str] = []
    of_facets, facet_sd = [], 0.0
    if facets is not None:
        facet_sd = 2 * facets.spread(word_a, word_b, layout.words)
        words, note = facets.widen(words, word_a, word_b, layout.words)
        of_facets.append(note)
    method: Method = "crossed-delong"
    if words[0] < 1e-18:  # the scale is [0, 1]: this is zero but for rounding
        if scale.lone and abs(abs(estimate) - span) < 1e-12:
            method, estimate = "separation", math.copysign(span, estimate)
            words, by_prompt = (0.0, few - 1.0), []
            notes.append("every word of one category beats every word of the other")
        else:
            raise StatisticsError(
                "the effect does not vary from word to word, so it has no interval",
                seen=signed(estimate),
                remedy="Give more words, or look at how the scores were made.",
            )
    parts = tuple((4 * variance, df) for variance, df in (words, *by_prompt) if variance)
    fisher = scale.lone and bool(parts) and abs(estimate) < 1
    scaled = math.atanh(estimate) * (1 - estimate**2) if fisher else estimate
    p = p_value(scaled, parts) if parts else 0.5 ** (few - 1)  # of a sign test of families
    p_high = p
    if moved is not None:
        if method == "crossed-delong":
            method = "permutation"
        p, p_high = family_permutation(moved, layout.words, alpha=alpha, seed=seed)
        notes.append(
            f"fewer than {GATE_FAMILIES} word families in a category "
            f"({layout.n_families[0]} and {layout.n_families[1]}): an effect can be shown, "
            "its absence cannot"
        )
    exploratory = ""
    n_prompts = min(len(group.a) for group in placed)
    if n_prompts < GATE_PROMPTS:
        exploratory = (
            f"{n_prompts} prompts are too few for a verdict that can pass "
            f"({GATE_PROMPTS} are needed)"
        )
        notes.append(exploratory)
    effect = Effect(
        estimate=estimate,
        parts=parts,
        low=-span,
        high=span,
        level=level,
        p=p,
        n_words=layout.n_words,
        n_families=layout.n_families,
        n_prompts=sum(len(group.a) for group in placed),
        method=method,
        notes=(*notes, *of_facets),
        p_high=p_high,
        span=span,
        exploratory=exploratory,
        fisher=fisher,
        facet_sd=facet_sd,
    )
    low, high = effect.interval(level)
    return replace(effect, low=low, high=high)
