"""A permutation test that relabels whole word families."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from valuebias.errors import StatisticsError

Floats = npt.NDArray[np.float64]

DRAWS = 9_999
MORE_DRAWS = 99_999
_BLOCK = 2_048


def family_permutation(
    word: Floats,
    in_a: npt.NDArray[np.bool_],
    family: npt.NDArray[np.intp],
    *,
    alpha: float = 0.05,
    seed: int = 0,
) -> tuple[float, float]:
    """Two-sided p of no difference between the categories, and the upper limit of its own error.

    ``word`` (words,) is each word's mean rank over prompts (or a difference of two scorers' ranks),
    ``family`` numbers the families from 0. Families, not words, exchange their labels; a family
    with words on both sides keeps them. The statistic is studentised over families, so that
    categories of unequal spread raise no false alarms (Janssen 1997). The second figure is the
    upper limit of p's Monte-Carlo error (`monte_carlo_p`).

    Raises StatisticsError if there are too few labellings for any p as small as ``alpha``.
    """
    count = int(family.max()) + 1
    moments = []
    for side in (in_a, ~in_a):
        n = np.bincount(family[side], minlength=count).astype(float)
        s = np.bincount(family[side], weights=word[side] - word.mean(), minlength=count)
        moments.append(np.stack([s, n, s * s, s * n, n * n, (n > 0).astype(float)], axis=1))
    a, b = moments
    mixed = (a[:, 1] > 0) & (b[:, 1] > 0)
    free = (a + b)[~mixed]
    n_a = int(((a[:, 1] > 0) & ~mixed).sum())
    labellings = special.comb(len(free), n_a)
    if labellings * alpha < 1:
        raise StatisticsError(
            f"too few ways to relabel the word families for a p as small as {alpha:g}",
            seen=int(labellings),
            remedy="Add word families that belong to one category only.",
        )
    fixed_a, fixed_b = a[mixed].sum(axis=0), b[mixed].sum(axis=0)
    total = free.sum(axis=0)

    def statistic(in_first: Floats) -> Floats:
        first = in_first @ free
        return np.abs(_studentised(first + fixed_a, total - first + fixed_b))

    labels = (a[~mixed, 1] > 0).astype(float)
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
    """Difference of the two means over its family-level standard error, from summed moments
    (sum, words, sum squared, sum x words, words squared, families) of shape (..., 6)."""
    means, variance = [], 0.0
    for side in (a, b):
        s, n, ss, sn, nn, families = np.moveaxis(side, -1, 0)
        mean = s / n
        spread = np.maximum(ss - 2 * mean * sn + mean**2 * nn, 0) / n**2
        variance = variance + spread * families / (families - 1)
        means.append(mean)
    with np.errstate(divide="ignore", invalid="ignore"):
        result: Floats = (means[0] - means[1]) / np.sqrt(variance)
    return result
