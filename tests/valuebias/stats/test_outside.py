"""Is a scorer further from zero than another, or across it: bounds whatever the signs are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from support.two_scorers import given_interval, scores
from valuebias.stats import Margin, Outcome, Outside, Term, judge, outside, single


def measured(first, second, in_a, **how) -> Outside:
    return outside([Term(first)], [Term(second)], in_a, np.arange(len(in_a)), **how)


def beyond(new: float, old: float) -> float:
    """How far new lies outside the span from zero to old, by its definition."""
    low, high = sorted((0.0, old))
    return max(low - new, new - high)


@pytest.mark.parametrize("signs", list(itertools.product((1, -1), repeat=2)))
def test_the_estimate_is_how_far_outside_the_span_from_zero_to_the_old_one(signs):
    (new, old), in_a = scores(np.random.default_rng(1), 1.6 * signs[0], 0.8 * signs[1])
    found = measured(new, old, in_a)
    mine, theirs = (single(v, in_a, np.arange(len(in_a))).estimate for v in (new, old))
    assert found.estimate == pytest.approx(beyond(mine, theirs), abs=1e-12)
    across = signs[0] != signs[1]
    assert found.estimate == pytest.approx(abs(mine) - (not across) * abs(theirs), abs=1e-12)
    assert found.crossed is across
    assert found.estimate > 0
    assert found.low <= found.estimate <= found.high
    assert (found.low, found.high) == found.interval(0.95)
    assert found.interval(0.9)[0] > found.low
    assert found.difference.estimate == pytest.approx(mine - theirs, abs=1e-12)
    assert (found.alone.estimate, found.old) == pytest.approx((mine, theirs), abs=1e-12)
    first, second = found.weights
    assert found.estimate == pytest.approx(first * mine + second * theirs, abs=1e-12)
    # Where the signs are beyond doubt, it is the interval of the one contrast, at half the error.
    nearer = found.alone if across else found.difference
    low, high = nearer.interval(0.975)
    bounds = (low, high) if signs[0] > 0 else (-high, -low)
    assert (found.low, found.high) == pytest.approx(bounds, abs=1e-12)


def test_an_effect_that_changes_its_sign_and_keeps_its_size_does_not_pass():
    (new, old), in_a = scores(np.random.default_rng(2), -0.7, 0.7, n=(150, 150))
    found = measured(new, old, in_a)
    assert abs(found.alone.estimate) <= abs(found.old)  # no further from zero
    assert found.crossed
    assert judge(found, Margin.below(0.2)).outcome is not Outcome.PASS
    assert judge(found, Margin.below(0.1)).outcome is Outcome.FAIL
    # What has become weaker without a change of sign passes as before.
    (new, old), in_a = scores(np.random.default_rng(3), 0.8, 2.0, n=(150, 150))
    assert judge(measured(new, old, in_a), Margin.below(0.1)).outcome is Outcome.PASS


@settings(max_examples=25, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.floats(-1, 1),
    st.one_of(st.just(0.0), st.floats(-1, 1)),
    st.sampled_from([0.8, 0.9, 0.95, 0.99]),
)
def test_the_bounds_know_no_sign(seed, new, old, level):
    (first, second), in_a = scores(np.random.default_rng(seed), new, old)
    found = measured(first, second, in_a, level=level)
    assert found.low <= found.estimate <= found.high
    assert found.low >= -1
    assert found.high <= 1
    turned = measured(-first, -second, in_a, level=level)
    assert turned.estimate == pytest.approx(found.estimate, abs=1e-12)
    assert (turned.low, turned.high) == pytest.approx((found.low, found.high), abs=1e-9)
    sides = measured(first, second, ~in_a, level=level)
    assert (sides.low, sides.high) == pytest.approx((found.low, found.high), abs=1e-9)
    # It is never more than the size of the shift, and no shift is hidden behind a change of sign.
    low, high = found.difference.interval(1 - (1 - level) / 2)
    assert found.high <= max(high, -low) + 1e-12
    mine = found.alone.estimate
    assert found.estimate >= abs(mine) - abs(found.old) - 1e-12
    if found.crossed:
        assert found.estimate >= abs(mine) - 1e-12


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0.001, 0.3), st.floats(0.001, 0.3), st.data())
def test_if_both_intervals_hold_the_truth_so_do_the_bounds(new, old, wide, wider, data):
    """Whatever the signs: the bounds are those of the truth over all that the two allow."""
    assume_d = new - old + data.draw(st.floats(-wide, wide))
    assume_n = new + data.draw(st.floats(-wider, wider))

    found = Outside(
        0.0, ((0.01, 50.0),), 0.0, 0.0, 0.95, 0.5, (50, 50), (50, 50), 27, "crossed-delong",
        difference=given_interval(assume_d, wide), alone=given_interval(assume_n, wider),
    )  # fmt: skip
    low, high = found.interval(0.95)
    assert low - 1e-9 <= beyond(new, old) <= high + 1e-9


@pytest.mark.parametrize(("old_shift", "across"), [(0.0, False), (0.5, False), (0.5, True)])
def test_what_has_moved_by_the_bound_passes_in_no_more_than_five_of_a_hundred(old_shift, across):
    """The true distance is the bound itself, so that every PASS is wrong, and so is a FAIL."""
    rng = np.random.default_rng(10)
    runs, by = 400, 0.2
    deviation = np.sqrt(1 + 0.4**2 + 0.2**2)

    def shift(effect):
        return float(scipy_stats.norm.ppf((1 + effect) / 2) * np.sqrt(2) * deviation)

    old = 2 * scipy_stats.norm.cdf(old_shift / deviation / np.sqrt(2)) - 1
    wrong = {Outcome.PASS: 0, Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 0}
    for _ in range(runs):
        moved = shift(-by if across else old + by)
        (first, second), in_a = scores(rng, moved, old_shift, prompts=12, own=0.4)
        wrong[judge(measured(first, second, in_a), Margin.below(by)).outcome] += 1
    most = scipy_stats.binom.ppf(0.9995, runs, 0.05)
    assert wrong[Outcome.PASS] <= most
    assert wrong[Outcome.FAIL] <= most
    # And it can be passed, by one that has not moved.
    (first, second), in_a = scores(rng, old_shift, old_shift, n=(150, 150), own=0.1)
    assert judge(measured(first, second, in_a), Margin.below(by)).outcome is Outcome.PASS
