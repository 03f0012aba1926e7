"""The paper's own tests, as its released code computes them: a reproduction, not a gate.

The code of "Reward Models Inherit Value Biases from Pretraining" ranks the words of all categories
together on every prompt (rank 1 is the highest score, ties share their mean rank), takes each
category's median, and tests the medians with prompts x models for the sample. Words, not prompts,
are what such data sample: where there is no effect these tests call 60 to 80% of comparisons
significant. Every result here says so, and carries ``reproduction_only``.

Levels of a factor come in alphabetical order, as R's do; the positive valence comes first.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.format import bare, signed
from valuebias.prompts import Valence

Floats = npt.NDArray[np.float64]

LABEL = "REPRODUCTION ONLY"
WHY = (
    "they take prompts for the sample, where words are, and call 60 to 80% of comparisons "
    "without any effect significant"
)
VALENCES: tuple[Valence, Valence] = ("positive", "negative")
DRAWS = 9_999
_BLOCK = 1_024


def shown(p: float) -> str:
    """A p as text, never as zero."""
    return f"p = {bare(f'{p:.2g}')}" if p > 0 else "p < 1e-300"


class Reproduction:
    """Base of every result of the paper's tests, on which no release decision may be based."""

    reproduction_only: ClassVar[bool] = True

    @property
    def line(self) -> str:
        """The result in one line, without the label."""
        raise NotImplementedError

    def __str__(self) -> str:
        return f"{LABEL}: {self.line}"


@dataclass(frozen=True, eq=False)
class MedianRanks(Reproduction):
    """Median rank of each category's words, by model and prompt; a low rank is a preferred one.

    ``values`` is (models, prompts, categories), in ranks from 1; ``bases`` (models,) names each
    model's base family, ``valences`` (prompts,) each prompt's valence. ``n_words`` counts the
    ranked words by category.

    Raises StatisticsError if these do not fit one another or a rank is not finite.
    """

    values: Floats
    models: tuple[str, ...]
    bases: tuple[str, ...]
    valences: tuple[Valence, ...]
    categories: tuple[str, ...]
    n_words: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        expected = (len(self.models), len(self.valences), len(self.categories))
        if self.values.shape != expected or len(self.bases) != expected[0]:
            raise StatisticsError(
                "median ranks do not fit their models, prompts and categories",
                seen=f"{self.values.shape} for {expected}, {len(self.bases)} bases",
                remedy="Give values (models, prompts, categories), and a base for each model.",
            )
        if not np.isfinite(self.values).all():
            raise StatisticsError(
                "a median rank is not finite", remedy="Rank finite scores, without gaps."
            )

    @property
    def line(self) -> str:
        return (
            f"median ranks of {', '.join(self.categories)} in {len(self.models)} models on "
            f"{len(self.valences)} prompts"
        )

    def of(self, valence: Valence) -> Floats:
        """(models, prompts of the valence, categories). Raises StatisticsError below two."""
        ranks = self.values[:, np.array([v == valence for v in self.valences], bool)]
        if ranks.shape[1] < 2:
            raise StatisticsError(
                f"the paper's tests need at least two {valence} prompts",
                seen=ranks.shape[1],
                remedy="Give the 27 prompts of each valence.",
            )
        return ranks

    @property
    def families(self) -> tuple[str, str]:
        """The two base families, in alphabetical order. Raises StatisticsError on another count."""
        names = sorted(set(self.bases))
        if len(names) != 2:
            raise StatisticsError(
                "the paper's tests compare two base families",
                seen=f"{len(names)}: {', '.join(names)}",
                remedy="Give each model's base, of which there are two.",
            )
        return names[0], names[1]

    def family(self, name: str) -> npt.NDArray[np.intp]:
        """Indices of the family's models."""
        return np.flatnonzero(np.array([base == name for base in self.bases]))


def median_ranks(
    scores: Mapping[str, npt.NDArray[Any]],
    bases: Mapping[str, str],
    categories: Sequence[str],
    valences: Sequence[Valence],
) -> MedianRanks:
    """Median ranks of several models' scores.

    ``scores`` holds, by model, arrays (prompts, words), higher preferred, of the same prompts and
    words; ``bases`` the models' base families (a model not named there is its own); ``categories``
    (words,) each word's category and ``valences`` (prompts,) each prompt's valence.

    Raises StatisticsError on scores of another shape or that are not finite, and where there is
    no model or no word.
    """
    shape = (len(valences), len(categories))
    if not (scores and all(shape)):
        raise StatisticsError(
            "nothing to rank",
            seen=f"{len(scores)} models, {shape[0]} prompts, {shape[1]} words",
            remedy="Give at least one of each.",
        )
    names = np.asarray(categories)
    levels = tuple(sorted(set(categories)))
    rows = []
    for model, values in scores.items():
        if values.shape != shape or not np.isfinite(values).all():
            raise StatisticsError(
                f"the scores of {model} are not finite numbers for every prompt and word",
                seen=f"{values.shape} for {shape}",
                remedy="Score every model on the same words and prompts.",
            )
        ranks = stats.rankdata(-np.asarray(values, np.float64), axis=1)
        rows.append(np.stack([np.median(ranks[:, names == c], axis=1) for c in levels], axis=1))
    return MedianRanks(
        values=np.array(rows),
        models=tuple(scores),
        bases=tuple(bases.get(model, model) for model in scores),
        valences=tuple(valences),
        categories=levels,
        n_words=tuple(int((names == c).sum()) for c in levels),
    )


@dataclass(frozen=True)
class Cell(Reproduction):
    """One category and valence, the first base family's medians against the second's.

    Positive ``d`` and ``t`` mean that the first family ranks the words further down: that it
    prefers them less. ``d`` divides the difference of means by the root of the mean of both
    variances. ``p`` is Welch's, which is also what the paper reports for its permutation t-test
    (MKinfer's ``$p.value``); ``perm_p`` is the permutation's own. ``p_bonferroni`` and ``p_fdr``
    (Benjamini-Hochberg) correct ``p`` for all cells computed together. ``n`` counts the rows
    (models x prompts) of each family.
    """

    category: str
    valence: Valence
    first: str
    second: str
    means: tuple[float, float]
    n: tuple[int, int]
    d: float
    t: float
    df: float
    p: float
    p_bonferroni: float
    p_fdr: float
    perm_p: float

    @property
    def line(self) -> str:
        return (
            f"{self.category} {self.valence}, {self.first} minus {self.second}: d "
            f"{signed(self.d)}, Welch t({self.df:.1f}) {signed(self.t)}, {shown(self.p)}"
        )


def cells(medians: MedianRanks, *, seed: int = 0, draws: int = DRAWS) -> tuple[Cell, ...]:
    """Welch's test, the permutation t-test and Cohen's d in every category and valence.

    The permutation relabels the pooled rows and studentises as Welch does (MKinfer); its p is
    (b + 1) / (draws + 1). Raises StatisticsError where there are not two base families, or where
    one family's medians do not vary.
    """
    first, second = medians.families
    columns, keys = [], []
    for valence, (k, category) in itertools.product(VALENCES, enumerate(medians.categories)):
        rows = medians.of(valence)[:, :, k]
        x, y = (rows[medians.family(name)].reshape(-1) for name in (first, second))
        if not (np.ptp(x) and np.ptp(y)):
            raise StatisticsError(
                f"the median ranks of {category} do not vary on {valence} prompts",
                seen=f"{x[0]:g} and {y[0]:g}",
                remedy="Give more prompts or words, or look at how the scores were made.",
            )
        columns.append((x, y))
        keys.append((category, valence))
    tests = [stats.ttest_ind(x, y, equal_var=False) for x, y in columns]
    p = np.array([float(test.pvalue) for test in tests])
    fdr = stats.false_discovery_control(p)
    tested = []
    for i, ((category, valence), (x, y)) in enumerate(zip(keys, columns, strict=True)):
        tested.append(
            Cell(
                category,
                valence,
                first,
                second,
                means=(float(x.mean()), float(y.mean())),
                n=(len(x), len(y)),
                d=cohens_d(x, y),
                t=float(tests[i].statistic),
                df=float(tests[i].df),
                p=float(p[i]),
                p_bonferroni=min(1.0, float(p[i]) * len(p)),
                p_fdr=float(fdr[i]),
                perm_p=permutation_t(x, y, seed=seed, draws=draws),
            )
        )
    return tuple(tested)


def cohens_d(x: Floats, y: Floats) -> float:
    """The paper's d: difference of means over the root of the mean of both variances. Its
    denominator is the spread of medians, so that it compares with no d of words or persons."""
    return float((x.mean() - y.mean()) / np.sqrt((x.var(ddof=1) + y.var(ddof=1)) / 2))


def permutation_t(x: Floats, y: Floats, *, seed: int = 0, draws: int = DRAWS) -> float:
    """Two-sided p of Welch's t under relabelling of the pooled rows."""
    pooled = np.concatenate([x, y])
    pooled = pooled - pooled.mean()
    moments = np.stack([pooled, pooled**2], axis=1)
    whole = moments.sum(axis=0)

    def statistic(in_first: Floats) -> Floats:
        sides = in_first @ moments
        variance: Floats = np.zeros(len(sides))
        difference: Floats = np.zeros(len(sides))
        for sums, n, sign in ((sides, len(x), 1.0), (whole - sides, len(y), -1.0)):
            mean = sums[:, 0] / n
            variance += np.maximum(sums[:, 1] - n * mean**2, 0) / ((n - 1) * n)
            difference += sign * mean
        with np.errstate(divide="ignore", invalid="ignore"):
            result: Floats = np.abs(difference) / np.sqrt(variance)
        return result

    labels = np.zeros((1, len(pooled)))
    labels[0, : len(x)] = 1
    observed = statistic(labels)[0]
    rng = np.random.default_rng(seed)
    exceeding = 0
    for start in range(0, draws, _BLOCK):
        rows = min(_BLOCK, draws - start)
        block = rng.permuted(np.repeat(labels, rows, axis=0), axis=1)
        # Not "<": a draw without spread is nan and counts against significance.
        exceeding += int((~(statistic(block) < observed - 1e-9)).sum())
    return (exceeding + 1) / (draws + 1)
