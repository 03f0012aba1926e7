"""How much one category of words is preferred over another, with its uncertainty.

The measure is the rank-biserial correlation (Cliff's delta): of all pairs of a word of category A
and a word of category B, the share in which A's word scores higher minus the share in which B's
does, ties counting for neither; averaged over prompts. +1 means that every word of A beats every
word of B, -1 the reverse, 0 that neither is preferred. It depends on the order of the scores alone.

Its interval takes words and prompts for two crossed samples (`crossed`): word families, not
spellings, are the draws ("freedom" and "freedoms" score alike), and prompts that share an adjective
are not independent draws either.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.format import signed
from valuebias.stats.checks import (
    GATE_FAMILIES,
    GATE_PROMPTS,
    Cluster,
    Layout,
    check_scores,
    tied_share,
)
from valuebias.stats.crossed import (
    Bools,
    Factors,
    Floats,
    Parts,
    half_width,
    p_value,
    placements,
    prompt_parts,
    ranks,
    residual_variance,
    word_variance,
)
from valuebias.stats.disagreement import Asked, ByPrompt
from valuebias.stats.permutation import family_permutation
from valuebias.stats.terms import Term as Term
from valuebias.stats.terms import grouped

Method = Literal[
    "crossed-delong", "permutation", "separation", "families", "freedman-lane", "partial-spearman",
    "linearised",
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
    (`inheritance`); or "linearised" of a top share (`top`). A non-empty ``exploratory`` says why
    the effect may be shown but must never PASS.

    What else a PASS needs (`objections`): ``by_prompt`` has the effect on single prompts, ``tied``
    the share of pairs of an A and a B word that are tied, averaged over prompts (of several scorers
    the largest), None where they are not known; ``unseen`` is the share of such pairs with a word
    that has no score, where that is so large that it is asked about; ``beside`` is the effect with
    covariates controlled, where the categories differ much in them.
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
        half = half_width(self.parts, 1 - level)
        if self.fisher:
            centre, half = math.atanh(self.estimate), half / (1 - self.estimate**2)
            return math.tanh(centre - half), math.tanh(centre + half)
        return max(self.estimate - half, -self.span), min(self.estimate + half, self.span)

    def distance(self, value: float) -> float:
        """How far the estimate lies from a value, in the units of a half width."""
        if not self.fisher:
            return abs(self.estimate - value)
        if abs(value) >= 1:
            return math.inf
        return abs(math.atanh(self.estimate) - math.atanh(value)) * (1 - self.estimate**2)


def single(
    values: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    prompts: Factors | None = None,
    level: float = 0.95,
    cluster: Cluster = "family",
    alpha: float = 0.05,
    seed: int = 0,
) -> Effect:
    """The effect in one scorer: category A against category B.

    ``values`` is (prompts, words), higher is preferred; ``in_a`` (words,) is True for a word of A
    and False for one of B; ``families`` (words,) names each word's family; ``prompts`` holds each
    prompt's factors (``[p.factors for p in prompts]``), without which prompts count as independent
    draws. ``cluster="word"`` takes every spelling for a draw of its own; its intervals are too
    short and serve for comparison. ``seed`` is used where a permutation is, which goes on until its
    p is settled at ``alpha``.

    Raises StatisticsError for data without a valid interval: scores that are not finite or
    nearly all tied, fewer than 5 families in a category, fewer than 6 prompts, prompts with the
    same scores throughout, no variance.
    """
    return contrast(
        [Term(values, 1.0, prompts)],
        in_a,
        families,
        level=level,
        cluster=cluster,
        alpha=alpha,
        seed=seed,
    )


def pair(
    values: npt.NDArray[Any],
    reference: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    prompts: Factors | None = None,
    level: float = 0.95,
    cluster: Cluster = "family",
    alpha: float = 0.05,
    seed: int = 0,
) -> Effect:
    """The effect in one scorer minus that in another, over the same words and prompts.

    Positive means that the first prefers A more than ``reference`` does. Arguments and errors as
    for `single`; two scorers that order all words alike are an error too, since they are either
    one model under two names or the same numbers recorded twice.
    """
    terms = [Term(values, 1.0, prompts), Term(reference, -1.0, prompts)]
    return contrast(terms, in_a, families, level=level, cluster=cluster, alpha=alpha, seed=seed)


def contrast(
    terms: Sequence[Term],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    level: float = 0.95,
    cluster: Cluster = "family",
    alpha: float = 0.05,
    seed: int = 0,
) -> Effect:
    """A weighted sum of effects over the same words: any scorers, any sets of prompts.

    Positive minus negative prompts is weights +1 and -1 on two groups; the mean of k models is
    weights 1/k in one group. The estimate lies within plus and minus the sum of absolute weights.
    Prompt sets of different groups are independent samples; words are one sample throughout.
    Arguments and errors as for `single` and `pair`.
    """
    layout = Layout.of(in_a, families, cluster, level)
    groups = grouped(terms)
    for term in terms:
        check_scores(term.values, layout)
    placed: list[Asked] = []
    for group in groups.values():
        weights = np.array([t.weight for t in group])
        values = np.array([t.values for t in group])  # (scorers, prompts, words)
        a, b = (np.einsum("s,spw->pw", weights, x) for x in placements(values, in_a))
        placed.append(Asked(a, b, group[0].prompts, group[0].ids))
        if len(group) > 1 and max(np.ptp(a), np.ptp(b)) < 1e-12:
            raise StatisticsError(
                "the two scorers order every word alike on every prompt",
                remedy="They look like one model under two names: give the reference you mean.",
            )
    moved = None
    if min(layout.n_families) < GATE_FAMILIES:
        moved = np.sum([t.weight * ranks(t.values).mean(axis=0) for t in terms], axis=0)
    span = float(sum(abs(t.weight) for t in terms))
    null = 0.5 * sum(t.weight for t in terms)
    lone = len(terms) == 1 and span == 1
    effect = _effect(layout, placed, moved, span=span, null=null, lone=lone, alpha=alpha, seed=seed)
    return replace(
        effect,
        tied=max(tied_share(term.values, in_a) for term in terms),
        by_prompt=ByPrompt.of(
            placed,
            in_a,
            layout.family,
            mean=effect.estimate,
            df=effect.parts[0][1] if effect.parts else 1.0,
        ),
    )


def _effect(
    layout: Layout,
    placed: Sequence[Asked],
    moved: Floats | None,
    *,
    span: float,
    null: float,
    lone: bool,
    alpha: float,
    seed: int,
) -> Effect:
    """From each prompt group's summed placements, and, where families are so few that they are
    permuted, the words' summed mean ranks."""
    level, few = layout.level, min(layout.n_families)
    estimate = 2 * (sum(float(group.a.mean()) for group in placed) - null)
    word_a = np.sum([group.a.mean(axis=0) for group in placed], axis=0)
    word_b = np.sum([group.b.mean(axis=0) for group in placed], axis=0)
    words = word_variance(word_a, word_b, layout.in_a, layout.family)
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
    notes: list[str] = []
    method: Method = "crossed-delong"
    if words[0] < 1e-18:  # the scale is [0, 1]: this is zero but for rounding
        if lone and abs(abs(estimate) - span) < 1e-12:
            method = "separation"
            words, by_prompt = (0.0, few - 1.0), []
            notes.append("every word of one category beats every word of the other")
        else:
            raise StatisticsError(
                "the effect does not vary from word to word, so it has no interval",
                seen=signed(estimate),
                remedy="Give more words, or look at how the scores were made.",
            )
    parts = tuple((4 * variance, df) for variance, df in (words, *by_prompt) if variance)
    fisher = lone and bool(parts) and abs(estimate) < 1
    scaled = math.atanh(estimate) * (1 - estimate**2) if fisher else estimate
    p = p_value(scaled, parts) if parts else 0.5 ** (few - 1)  # of a sign test of families
    p_high = p
    if moved is not None:
        if method == "crossed-delong":
            method = "permutation"
        p, p_high = family_permutation(moved, layout.in_a, layout.family, alpha=alpha, seed=seed)
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
        notes=tuple(notes),
        p_high=p_high,
        span=span,
        exploratory=exploratory,
        fisher=fisher,
    )
    low, high = effect.interval(level)
    return replace(effect, low=low, high=high)
