"""A permutation test that relabels whole word families."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import special, stats

from valuebias.errors import StatisticsError
from valuebias.stats.word_families import Floats, WordFamilies

DRAWS = 9_999
MORE_DRAWS = 99_999
_BLOCK = 2_048


def family_permutation(
    moved: Floats, words: WordFamilies, *, alpha: float = 0.05, seed: int = 0
) -> tuple[float, float]:
    """Two-sided p of no difference between the categories, and the upper limit of its own error.

    ``moved`` is each family's mean rank (A's families, then B's), as `WordFamilies.ranks` gives it,
    averaged over prompts (or a difference of two scorers' ranks). Families exchange their labels;
    one with words on both sides keeps them. The statistic is that of the effect, the difference of
    the categories' means, studentised so that categories of unequal spread raise no false alarms
    (Janssen 1997). The second figure is the upper limit of p's Monte-Carlo error (`monte_carlo_p`).

    Raises StatisticsError if there are too few labellings for any p as small as ``alpha``.
    """
    first = np.arange(len(moved)) < len(words.a.numbers)
    centred = moved - moved.mean()
    moments = np.stack([centred, centred**2, np.ones(len(moved))], axis=1)
    mixed = np.isin(words.numbers, np.intersect1d(words.a.numbers, words.b.numbers))
    free = moments[~mixed]
    n_a = int((first & ~mixed).sum())
    labellings = special.comb(len(free), n_a)
    if labellings * alpha < 1:
        raise StatisticsError(
            f"too few ways to relabel the word families for a p as small as {alpha:g}",
            seen=int(labellings),
            remedy="Add word families that belong to one category only.",
        )
    fixed_a, fixed_b = (moments[side & mixed].sum(axis=0) for side in (first, ~first))
    total = free.sum(axis=0)

    def statistic(in_first: Floats) -> Floats:
        of_a = in_first @ free
        return np.abs(_studentised(of_a + fixed_a, total - of_a + fixed_b))

    labels = first[~mixed].astype(float)
    observed = statistic(labels[None])[0]

    def exceeding(rng: np.random.Generator, rows: int) -> int:
        chosen = np.argpartition(rng.random((rows, len(free))), n_a - 1, axis=1)[:, :n_a]
        draw = np.zeros((rows, len(free)))
        np.put_along_axis(draw, chosen, 1.0, axis=1)
        # Not "<": a draw without spread is nan and counts against significance.
        return int((~(statistic(draw) < observed - 1e-9)).sum())

    return monte_carlo_p(exceeding, alpha=alpha, seed=seed)


def monte_carlo_p(
    exceeding: Callable[[np.random.Generator, int], int], *, alpha: float, seed: int
) -> tuple[float, float]:
    """p = (b + 1) / (R + 1), and the upper limit of its own error.

    ``exceeding`` draws so many permutations and counts those at least as extreme as what was
    observed. R = 9,999, and 99,999 where the 99.9% Clopper-Pearson interval of p holds ``alpha``;
    the second figure is that interval's upper limit.
    """
    rng = np.random.default_rng(seed)
    done = beyond = 0
    for target in (DRAWS, MORE_DRAWS):
        while done < target:
            rows = min(_BLOCK, target - done)
            beyond += exceeding(rng, rows)
            done += rows
        low = stats.beta.ppf(0.0005, beyond, done - beyond + 1) if beyond else 0.0
        high = stats.beta.ppf(0.9995, beyond + 1, done - beyond) if beyond < done else 1.0
        if not low <= alpha <= high:
            break
    return (beyond + 1) / (done + 1), float(high)


def _studentised(a: Floats, b: Floats) -> Floats:
    """Difference of the two means over its standard error, from summed moments (sum, sum of
    squares, families) of shape (..., 3)."""
    means, variance = [], 0.0
    for side in (a, b):
        total, squares, n = np.moveaxis(side, -1, 0)
        means.append(total / n)
        variance = variance + np.maximum(squares - total**2 / n, 0) / (n * (n - 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = (means[0] - means[1]) / np.sqrt(variance)
    return result
