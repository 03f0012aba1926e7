"""How much one category of words is preferred over another, with its uncertainty.

The measure is the rank-biserial correlation (Cliff's delta): of all pairs of a word of category A
and a word of category B, the share in which A's word scores higher minus the share in which B's
does, ties counting for neither; averaged over prompts. +1 means that every word of A beats every
word of B, -1 the reverse, 0 that neither is preferred. It depends on the order of the scores alone.

Its variance treats words and prompts as two crossed samples. The word part is DeLong's (DeLong,
DeLong and Clarke-Pearson, Biometrics 1988), summed over word families ("freedom" and "freedoms"
score alike and are one draw) as Obuchowski does for clustered data (Biometrics 1997), with her
covariance term for families that have words on both sides. Degrees of freedom are Satterthwaite's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.stats.permutation import family_permutation

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]
Cluster = Literal["family", "word"]
Method = Literal["crossed-delong", "permutation", "separation"]

MIN_FAMILIES = 5
"""Below this many word families in a category nothing is estimated."""
GATE_FAMILIES = 20
"""Below this many the interval is not trusted: a permutation p is given, and never a PASS."""
MIN_PROMPTS = 6
"""Below this many prompts nothing is estimated."""
GATE_PROMPTS = 12
"""Below this many (the quick profile has six) an effect is exploratory: never a PASS."""
MIN_DISTINCT = 10
MAX_TIED = 0.9
"""Fewer distinct scores on a prompt, or a greater share of tied pairs of words, is an error."""


@dataclass(frozen=True)
class Effect:
    """An estimate on the rank-biserial scale; positive means that category A is preferred.

    Of a single scorer it lies in [-1, 1]; a difference of two (``span`` 2) in [-2, 2], positive
    where the first scorer prefers A more than the second does. ``low`` and ``high`` bound it at
    ``level``; ``p`` tests zero, two-sided. ``mde`` is the smallest true effect that a test at
    ``1 - level`` would find with 80 % power. Counts are (A, B).

    ``se_prompts`` is the part of ``se`` that more words would not take away. ``method`` is
    "crossed-delong"; "permutation" below 20 families in a category, where ``p`` comes from
    relabelling families and ``p_high`` is the upper 99.9 % limit of its Monte-Carlo error; or
    "separation" where every word of one category beats every word of the other. A non-empty
    ``exploratory`` says why the effect may be shown but must never PASS.
    """

    estimate: float
    se: float
    df: float
    low: float
    high: float
    level: float
    p: float
    n_words: tuple[int, int]
    n_families: tuple[int, int]
    n_prompts: int
    mde: float
    method: Method
    notes: tuple[str, ...] = ()
    se_prompts: float = 0.0
    p_high: float = 1.0
    span: float = 1.0
    exploratory: str = ""

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided confidence interval at another level, within the scale's own bounds."""
        return _interval(
            self.method, self.estimate, self.se, self.df, self.span, min(self.n_families), level
        )


def single(
    values: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    level: float = 0.95,
    cluster: Cluster = "family",
    seed: int = 0,
) -> Effect:
    """The effect in one scorer: category A against category B.

    ``values`` is (prompts, words), higher is preferred; ``in_a`` (words,) is True for a word of A
    and False for one of B; ``families`` (words,) names each word's family. ``cluster="word"`` takes
    every spelling for a draw of its own; its intervals are too short and serve for comparison.
    ``seed`` is used where a permutation is.

    Raises StatisticsError for data no honest interval can come from: scores that are not finite or
    nearly all tied, fewer than 5 families in a category, fewer than 6 prompts, prompts with the
    same scores throughout, no variance.
    """
    layout = _Layout.of(values, in_a, families, cluster, level)
    _check_scores(values)
    return _effect(layout, *_placements(values, in_a), _ranks(values), null=0.5, seed=seed)


def pair(
    values: npt.NDArray[Any],
    reference: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    level: float = 0.95,
    cluster: Cluster = "family",
    seed: int = 0,
) -> Effect:
    """The effect in one scorer minus that in another, over the same words and prompts.

    Positive means that the first prefers A more than ``reference`` does. Arguments and errors as
    for `single`; two scorers that order all words alike are an error too, since they are either
    one model under two names or the same numbers recorded twice.
    """
    layout = _Layout.of(values, in_a, families, cluster, level)
    if reference.shape != values.shape:
        raise StatisticsError(
            "the two scorers were not scored on the same words and prompts",
            seen=f"{values.shape} and {reference.shape}",
            remedy="Take the words and prompts that both have, in one order.",
        )
    _check_scores(values)
    _check_scores(reference)
    ranks = _ranks(values) - _ranks(reference)
    if not ranks.any():
        raise StatisticsError(
            "the two scorers order every word alike on every prompt",
            remedy="They look like one model under two names: give the reference you mean.",
        )
    (a1, b1), (a2, b2) = _placements(values, in_a), _placements(reference, in_a)
    return _effect(layout, a1 - a2, b1 - b2, ranks, null=0.0, seed=seed)


@dataclass(frozen=True)
class _Layout:
    """What does not depend on the scores: sides, families (as numbers) and the level."""

    in_a: Bools
    family: Ints
    n_words: tuple[int, int]
    n_families: tuple[int, int]
    n_prompts: int
    level: float

    @classmethod
    def of(
        cls,
        values: npt.NDArray[Any],
        in_a: Bools,
        families: Sequence[str] | npt.NDArray[Any],
        cluster: Cluster,
        level: float,
    ) -> _Layout:
        names = np.asarray(families)
        if values.ndim != 2 or values.shape[1:] != in_a.shape or names.shape != in_a.shape:
            raise StatisticsError(
                "scores, sides and families do not describe the same words",
                seen=f"{values.shape}, {in_a.shape}, {names.shape}",
                remedy="Give values (prompts, words), in_a (words,) and families (words,).",
            )
        if not 0 < level < 1:
            raise StatisticsError(
                "a confidence level lies between 0 and 1", seen=level, remedy="Give 0.95."
            )
        n_prompts = len(values)
        if n_prompts < MIN_PROMPTS:
            raise StatisticsError(
                f"prompts are a sample too, and {MIN_PROMPTS} is the least that shows how much "
                "the effect varies from one to the next",
                seen=f"{n_prompts} prompt{'s' if n_prompts != 1 else ''}",
                remedy=f"Give at least {MIN_PROMPTS} prompts of the valence; {GATE_PROMPTS} or "
                "more for a verdict that can pass.",
            )
        if cluster == "word":
            names = np.arange(len(names))
        family = np.unique(names, return_inverse=True)[1].reshape(-1)
        n_families = (len(np.unique(family[in_a])), len(np.unique(family[~in_a])))
        if min(n_families) < MIN_FAMILIES:
            raise StatisticsError(
                f"a category needs at least {MIN_FAMILIES} word families",
                seen=f"{n_families[0]} and {n_families[1]}",
                remedy=f"Add words that are not forms of those present; {GATE_FAMILIES} families "
                "a category allow a verdict.",
            )
        n_a = int(in_a.sum())
        return cls(in_a, family, (n_a, len(in_a) - n_a), n_families, n_prompts, level)


def _check_scores(values: npt.NDArray[Any]) -> None:
    finite = np.isfinite(values)
    if not finite.all():
        raise StatisticsError(
            f"{int((~finite).sum())} of {values.size} scores are not finite",
            seen=values[~finite][0],
            remedy="Score in float32 (dtype=float32) and look at the model's weights.",
        )
    n = values.shape[1]
    for prompt, row in enumerate(values, 1):
        counts = np.unique(row, return_counts=True)[1]
        if len(counts) < max(2, min(MIN_DISTINCT, math.ceil(n / 2))):
            raise StatisticsError(
                f"the {n} words have too few distinct scores on prompt {prompt}",
                seen=len(counts),
                remedy="Compute the head in float32; a model that gives all words one score "
                "cannot be judged.",
            )
        tied = float((counts * (counts - 1)).sum()) / (n * (n - 1))
        if tied > MAX_TIED:
            raise StatisticsError(
                f"nearly all pairs of words are tied on prompt {prompt}",
                seen=f"{tied:.0%} of pairs",
                remedy="Compute the head in float32.",
            )
    if len(np.unique(values, axis=0)) < len(values):
        raise StatisticsError(
            "two prompts have the same score for every word",
            seen=f"{len(np.unique(values, axis=0))} different rows for {len(values)} prompts",
            remedy="Give every prompt once; if they differ, the model does not read its prompt "
            "(look at the chat template).",
        )


def _ranks(values: npt.NDArray[Any]) -> Floats:
    """(prompts, words): midranks from the lowest score, scaled to (0, 1)."""
    ranks: Floats = (stats.rankdata(values, axis=1) - 0.5) / values.shape[1]
    return ranks


def _placements(values: npt.NDArray[Any], in_a: Bools) -> tuple[Floats, Floats]:
    """DeLong's placement values, (prompts, words of A) and (prompts, words of B).

    Of a word of A: the share of B's words it beats; of a word of B: the share of A's words that
    beat it; ties count one half. Each row's mean is the probability that A beats B on that prompt.
    """
    ranks = stats.rankdata(values, axis=1)
    n_a = int(in_a.sum())
    n_b = len(in_a) - n_a
    a = (ranks[:, in_a] - stats.rankdata(values[:, in_a], axis=1)) / n_b
    b = 1 - (ranks[:, ~in_a] - stats.rankdata(values[:, ~in_a], axis=1)) / n_a
    return a, b


def _effect(
    layout: _Layout, a: Floats, b: Floats, ranks: Floats, *, null: float, seed: int
) -> Effect:
    n_prompts, level = layout.n_prompts, layout.level
    span = 1.0 if null else 2.0
    estimate = float(2 * (a.mean() - null))
    words, df_words = word_variance(a, b, layout.in_a, layout.family)
    prompts = float(a.mean(axis=1).var(ddof=1)) / n_prompts
    # Noise of single scores is in the word part and in the prompt part: it is taken out once.
    total = max(words + prompts - _residual(a) - _residual(b), words, prompts)
    notes: list[str] = []
    method: Method = "crossed-delong"
    if words < 1e-18:  # the scale is [0, 1]: this is zero but for rounding
        if span == 1 and abs(estimate) == 1:
            method = "separation"
            total, prompts = 0.0, 0.0
            notes.append("every word of one category beats every word of the other")
        else:
            raise StatisticsError(
                "the effect does not vary from word to word, so it has no interval",
                seen=f"{estimate:+.3f}",
                remedy="Give more words, or look at how the scores were made.",
            )
    se = 2 * math.sqrt(total)
    few = min(layout.n_families)
    df, p, mde = few - 1.0, 0.5 ** (few - 1), 0.0  # of a sign test, where all is separate
    if method != "separation":
        df = (words + prompts) ** 2 / (words**2 / df_words + prompts**2 / (n_prompts - 1))
        p = float(2 * stats.t.sf(abs(estimate) / se, df))
        mde = float((stats.t.ppf(0.5 + level / 2, df) + stats.t.ppf(0.8, df)) * se)
    p_high = p
    if few < GATE_FAMILIES:
        if method == "crossed-delong":
            method = "permutation"
        p, p_high = family_permutation(
            ranks.mean(axis=0), layout.in_a, layout.family, alpha=1 - level, seed=seed
        )
        notes.append(
            f"fewer than {GATE_FAMILIES} word families in a category "
            f"({layout.n_families[0]} and {layout.n_families[1]}): an effect can be shown, "
            "its absence cannot"
        )
    exploratory = ""
    if n_prompts < GATE_PROMPTS:
        exploratory = (
            f"{n_prompts} prompts are too few for a verdict that can pass "
            f"({GATE_PROMPTS} are needed)"
        )
        notes.append(exploratory)
    low, high = _interval(method, estimate, se, df, span, few, level)
    if method == "separation":
        mde = high - low
    return Effect(
        estimate=estimate,
        se=se,
        df=df,
        low=low,
        high=high,
        level=level,
        p=p,
        n_words=layout.n_words,
        n_families=layout.n_families,
        n_prompts=n_prompts,
        mde=mde,
        method=method,
        notes=tuple(notes),
        se_prompts=2 * math.sqrt(max(total - words, 0.0)),
        p_high=p_high,
        span=span,
        exploratory=exploratory,
    )


def word_variance(a: Floats, b: Floats, in_a: Bools, family: Ints) -> tuple[float, float]:
    """Variance of the prompt-averaged probability of superiority from the draw of word families,
    and its degrees of freedom.

    ``a`` and ``b`` are placements (prompts, words of a side). A family with words on both sides
    adds Obuchowski's covariance term, which is negative as a rule; the degrees of freedom then
    fall with the variance, so that the shorter interval is not trusted blindly.
    """
    count = int(family.max()) + 1
    sums, own, dfs = [], [], []
    for placements, names in ((a, family[in_a]), (b, family[~in_a])):
        word = placements.mean(axis=0)
        g = np.bincount(names, weights=word - word.mean(), minlength=count) / len(word)
        n = len(np.unique(names))
        sums.append(g)
        own.append(float(g @ g) * n / (n - 1))
        dfs.append(n - 1)
    n = len(np.unique(family))
    covariance = float(sums[0] @ sums[1]) * n / (n - 1)
    variance = own[0] + own[1] + 2 * covariance
    if variance <= 0:
        return 0.0, 1.0
    return variance, variance**2 / (own[0] ** 2 / dfs[0] + own[1] ** 2 / dfs[1])


def _residual(placements: Floats) -> float:
    """The word x prompt interaction's part in the variance of the grand mean."""
    n_prompts, n = placements.shape
    rest = (
        placements
        - placements.mean(axis=0)
        - placements.mean(axis=1, keepdims=True)
        + placements.mean()
    )
    mean_square = (rest**2).sum() / ((n - 1) * (n_prompts - 1))
    return float(mean_square / (n * n_prompts))


def _interval(
    method: Method, estimate: float, se: float, df: float, span: float, families: int, level: float
) -> tuple[float, float]:
    if method == "separation":
        # The n disjoint pairs of an A and a B family all came out one way: Clopper-Pearson.
        bound = float(2 * ((1 - level) / 2) ** (1 / families) - 1)
        return (bound, 1.0) if estimate > 0 else (-1.0, -bound)
    half = float(stats.t.ppf(0.5 + level / 2, df)) * se
    return max(estimate - half, -span), min(estimate + half, span)
