"""The difference of two shares of the same cases, such as an accuracy before and after."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
from scipy import special

from valuebias.errors import StatisticsError

Bools = npt.NDArray[np.bool_]


def paired_share(after: Bools, before: Bools, level: float = 0.9) -> tuple[float, float, float]:
    """The share of True ``after`` less that ``before``, both (cases,), with its interval.

    Half a case is added to each of the four cells of the paired table, so that cases which all stay
    as they were leave an interval too (Agresti and Min, Statistics in Medicine 2005). Raises
    StatisticsError unless both are of the same cases, at least one.
    """
    after, before = np.asarray(after, bool), np.asarray(before, bool)
    if after.shape != before.shape or not after.size:
        raise StatisticsError(
            "two shares must be of the same cases",
            seen=f"{after.shape} and {before.shape}",
            remedy="Give one outcome before and one after for every case.",
        )
    n, gained = len(after), int((after & ~before).sum())
    lost = int((before & ~after).sum())
    up, down, all_ = gained + 0.5, lost + 0.5, n + 2.0
    middle = (up - down) / all_
    width = math.sqrt((up + down) - (up - down) ** 2 / all_) / all_
    half = float(special.ndtri((1 + level) / 2)) * width
    return (gained - lost) / n, middle - half, middle + half
