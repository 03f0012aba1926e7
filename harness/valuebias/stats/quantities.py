"""How a gap depends on the amount of training data: seeds are the sample.

quantities({n_pairs: [final gap of each seed]}, *, scale=(-2, 2), level=.95) -> Quantities
Quantities.slope     Trend: change of the gap per doubling of the data
Quantities.contrast  Trend: gap at the largest amount minus that at the smallest
Trend.estimate, .low, .high, .p, .interval(level); `judge` holds it against a margin
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import special, stats

from valuebias.errors import StatisticsError
from valuebias.format import signed
from valuebias.stats.crossed import satterthwaite

SEEDS = 3
"""Fewer seeds per amount of data do not show how much a seed matters."""


@dataclass(frozen=True)
class Trend:
    """A weighted sum of cells' means over seeds, with Welch and Satterthwaite's t interval.

    ``scale`` is where such a sum can lie at all, given where a gap can.
    """

    estimate: float
    se: float
    df: float
    low: float
    high: float
    level: float
    p: float
    scale: tuple[float, float]
    exploratory: str = ""

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided interval at another level."""
        half = self.se * float(special.stdtrit(self.df, (1 + level) / 2))
        return self.estimate - half, self.estimate + half


@dataclass(frozen=True)
class Quantities:
    """Final gaps by amount of data, seeds as the sample.

    ``pairs``, ``means`` and ``seeds`` (how many) are by amount, the smallest first. ``slope`` is
    the change of the gap per doubling of the data, ``contrast`` the gap at the largest amount minus
    that at the smallest: positive where more data go with a more positive gap.
    """

    pairs: tuple[float, ...]
    means: tuple[float, ...]
    seeds: tuple[int, ...]
    slope: Trend
    contrast: Trend


def quantities(
    gaps: Mapping[float, Sequence[float]],
    *,
    scale: tuple[float, float] = (-2.0, 2.0),
    level: float = 0.95,
) -> Quantities:
    """Does the final gap depend on the number of preference pairs it was trained on?

    ``gaps`` holds of each number of pairs the final gap of every seed: signed, or their absolute
    values if how far apart the runs are is the question; ``scale`` is where one can lie: (0, 2) for
    absolute values. The slope is that of least squares through
    the cells' means, by log2 of the pairs; its variance comes from what seeds of one cell differ by
    alone, cell by cell.

    Raises StatisticsError for fewer than three seeds of an amount, fewer than two amounts, amounts
    that are not positive numbers, gaps that are not finite, and seeds that never differ.
    """
    if not 0 < level < 1:
        raise StatisticsError(
            "a confidence level must lie between 0 and 1", seen=level, remedy="Give 0.95."
        )
    if len(gaps) < 2:
        raise StatisticsError(
            "a claim about amounts of data needs at least two amounts",
            seen=", ".join(f"{n:g}" for n in gaps) or "none",
            remedy="Train on a smaller and on a larger part of the data.",
        )
    for n, of_seeds in gaps.items():
        if not (math.isfinite(n) and n > 0):
            raise StatisticsError(
                "an amount of data must be a positive number of pairs",
                seen=n,
                remedy="Give the count.",
            )
        if len(of_seeds) < SEEDS:
            raise StatisticsError(
                f"a claim about amounts of data needs at least {SEEDS} seeds of each",
                seen=f"{len(of_seeds)} of {n:,g} pairs",
                remedy=f"Train {n:,g} pairs with {SEEDS - len(of_seeds)} more: one run cannot "
                "separate the effect of the data from that of its seed.",
            )
        if not all(map(math.isfinite, of_seeds)):
            raise StatisticsError(
                f"a gap of {n:,g} pairs is not a finite number",
                seen=", ".join(f"{x:g}" for x in of_seeds),
                remedy="Look at the run it comes from.",
            )
    cells = sorted((float(n), np.array(of_seeds, float)) for n, of_seeds in gaps.items())
    doublings = np.log2([n for n, _ in cells])
    centred = doublings - doublings.mean()
    ends = np.zeros(len(cells))
    ends[0], ends[-1] = -1.0, 1.0
    values = [of_seeds for _, of_seeds in cells]
    return Quantities(
        pairs=tuple(n for n, _ in cells),
        means=tuple(float(x.mean()) for x in values),
        seeds=tuple(len(x) for x in values),
        slope=_trend(centred / (centred @ centred), values, scale, level),
        contrast=_trend(ends, values, scale, level),
    )


def _trend(
    weights: np.ndarray, values: Sequence[np.ndarray], scale: tuple[float, float], level: float
) -> Trend:
    estimate = float(sum(w * x.mean() for w, x in zip(weights, values, strict=True)))
    parts = [
        (float(w**2 * x.var(ddof=1) / len(x)), len(x) - 1.0)
        for w, x in zip(weights, values, strict=True)
    ]
    variance = sum(v for v, _ in parts)
    if variance < 1e-18:
        raise StatisticsError(
            "the gap does not vary from seed to seed",
            seen=signed(estimate),
            remedy="Give every seed's own gap; runs with the same gap have the same seed.",
        )
    se, df = math.sqrt(variance), satterthwaite(parts, variance)
    p = float(2 * stats.t.sf(abs(estimate) / se, df))
    up, down = weights.clip(min=0).sum(), weights.clip(max=0).sum()
    reach = float(up * scale[0] + down * scale[1]), float(up * scale[1] + down * scale[0])
    trend = Trend(estimate, se, df, math.nan, math.nan, level, p, reach)
    low, high = trend.interval(level)
    return replace(trend, low=low, high=high)
