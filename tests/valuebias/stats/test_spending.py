"""The error that releases may spend adds up to that of one claim, however many there are."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.errors import StatisticsError
from valuebias.stats.spending import share


@given(st.integers(1, 2000))
def test_all_releases_together_spend_less_than_the_whole(releases: int) -> None:
    spent = sum(Fraction(1, k * (k + 1)) for k in range(1, releases + 1))
    assert spent == Fraction(releases, releases + 1) < 1
    assert sum(map(share, range(1, releases + 1))) == pytest.approx(float(spent), rel=1e-12)


@given(st.integers(1, 10**6))
def test_a_later_release_spends_less_and_never_nothing(release: int) -> None:
    assert 0 < share(release + 1) < share(release) <= 0.5


@pytest.mark.parametrize("number", [0, -1])
def test_the_anchor_is_not_a_release_since_itself(number: int) -> None:
    with pytest.raises(StatisticsError, match="integer >= 1"):
        share(number)
