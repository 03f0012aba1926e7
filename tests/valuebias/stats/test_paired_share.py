"""The paired difference of two shares, against the formula written out anew."""

from __future__ import annotations

import math

import numpy as np
import pytest

from valuebias.errors import StatisticsError
from valuebias.stats.paired_share import paired_share


def test_the_interval_is_agresti_and_mins() -> None:
    before = np.array([True] * 60 + [False] * 40)
    after = before.copy()
    after[:5] = False
    after[60:68] = True
    found, low, high = paired_share(after, before, 0.95)
    assert found == pytest.approx(0.03)
    p12, p21 = 8.5 / 102, 5.5 / 102  # half a case more in each cell
    half = 1.959964 * math.sqrt((p12 + p21 - (p12 - p21) ** 2) / 102)
    assert (low, high) == pytest.approx((p12 - p21 - half, p12 - p21 + half), abs=1e-6)


def test_cases_that_stay_as_they_were_leave_an_interval_that_shrinks_with_their_number() -> None:
    widths = []
    for n in (50, 500, 5000):
        same = np.ones(n, dtype=bool)
        found, low, high = paired_share(same, same)
        assert found == 0
        assert low < 0 < high
        widths.append(high - low)
    assert widths[0] > 9 * widths[1] > 80 * widths[2]


def test_other_cases_are_refused() -> None:
    with pytest.raises(StatisticsError, match="of the same cases"):
        paired_share(np.ones(3, bool), np.ones(4, bool))
