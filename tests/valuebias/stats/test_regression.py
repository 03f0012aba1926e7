"""Is a scorer further from zero than another: bounds that hold whatever the signs are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from support.two_scorers import given_interval, scores
from valuebias.stats import Margin, Outcome, Regression, Term, judge, regression, single


def regressed(first, second, in_a, **how) -> Regression:
    return regression([Term(first)], [Term(second)], in_a, np.arange(len(in_a)), **how)


@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=2)))
def test_the_estimate_is_the_difference_of_distances_from_zero(signs):
    (new, old), in_a = scores(np.random.default_rng(1), 1.6 * signs[0], 0.8 * signs[1])
    found = regressed(new, old, in_a)
    mine, theirs = (single(v, in_a, np.arange(len(in_a))).estimate for v in (new, old))
    assert found.estimate == pytest.approx(abs(mine) - abs(theirs), abs=1e-12)
    assert found.estimate > 0
    assert found.low <= found.estimate <= found.high
    assert (found.low, found.high) == found.interval(0.95)
    assert found.interval(0.9)[0] > found.low
    assert found.difference.estimate == pytest.approx(mine - theirs, abs=1e-12)
    assert found.total.estimate == pytest.approx(mine + theirs, abs=1e-12)
    # Where the signs are beyond doubt, it is the interval of the one difference, at half the error.
    nearer = found.difference if signs[0] == signs[1] else found.total
    low, high = nearer.interval(0.975)
    bounds = (low, high) if signs[0] > 0 else (-high, -low)
    assert (found.low, found.high) == pytest.approx(bounds, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-1, 1),
    st.one_of(st.just(0.0), st.floats(-1, 1)),
    st.sampled_from([0.8, 0.9, 0.95, 0.99]),
)
def test_the_bounds_know_no_sign(seed, new, old, level):
    (first, second), in_a = scores(np.random.default_rng(seed), new, old)
    found = regressed(first, second, in_a, level=level)
    assert found.low <= found.estimate <= found.high
    assert found.low >= -1
    assert found.high <= 1
    for f, s in ((-first, -second), (first, -second), (-first, second)):
        turned = regressed(f, s, in_a, level=level)
        assert turned.estimate == pytest.approx(found.estimate, abs=1e-12)
        assert (turned.low, turned.high) == pytest.approx((found.low, found.high), abs=1e-9)
    sides = regressed(first, second, ~in_a, level=level)
    assert (sides.low, sides.high) == pytest.approx((found.low, found.high), abs=1e-9)
    # The old against the new is the opposite.
    back = regressed(second, first, in_a, level=level)
    assert (back.low, back.high) == pytest.approx((-found.high, -found.low), abs=1e-9)


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.001, 0.3), st.floats(0.001, 0.3), st.data())
def test_if_both_intervals_hold_the_truth_so_do_the_bounds(new, old, wide, wider, data):
    """Whatever the signs: the bounds are those of |new| - |old| over all that the two allow."""
    assume_d = new - old + data.draw(st.floats(-wide, wide))
    assume_t = new + old + data.draw(st.floats(-wider, wider))

    found = Regression(
        0.0, ((0.01, 50.0),), 0.0, 0.0, 0.95, 0.5, (50, 50), (50, 50), 27, "crossed-delong",
        difference=given_interval(assume_d, wide), total=given_interval(assume_t, wider),
    )  # fmt: skip
    low, high = found.interval(0.95)
    assert low - 1e-9 <= abs(new) - abs(old) <= high + 1e-9


@pytest.mark.parametrize("old_shift", [0.0, 0.5])
def test_what_has_moved_by_the_bound_passes_in_no_more_than_five_of_a_hundred(old_shift):
    """The true |new| - |old| is the bound itself, so that every PASS is wrong, and so is a FAIL."""
    rng = np.random.default_rng(10)
    runs, by = 400, 0.2
    deviation = np.sqrt(1 + 0.4**2 + 0.2**2)

    def shift(effect):
        return float(scipy_stats.norm.ppf((1 + effect) / 2) * np.sqrt(2) * deviation)

    old = 2 * scipy_stats.norm.cdf(old_shift / deviation / np.sqrt(2)) - 1
    wrong = {Outcome.PASS: 0, Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 0}
    for _ in range(runs):
        (first, second), in_a = scores(rng, shift(old + by), old_shift, prompts=12, own=0.4)
        wrong[judge(regressed(first, second, in_a), Margin.below(by)).outcome] += 1
    most = scipy_stats.binom.ppf(0.9995, runs, 0.05)
    assert wrong[Outcome.PASS] <= most
    assert wrong[Outcome.FAIL] <= most
    # And it can be passed, by one that has not moved.
    (first, second), in_a = scores(rng, old_shift, old_shift, n=(150, 150), own=0.1)
    assert judge(regressed(first, second, in_a), Margin.below(by)).outcome is Outcome.PASS
