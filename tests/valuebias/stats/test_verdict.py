"""Verdicts: what may PASS, what may FAIL, and what must do neither."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.format import signed
from valuebias.stats import Cause, Effect, Margin, Outcome, judge
from valuebias.stats.checks import tied_share


def effect(estimate: float, se: float, *, df: float = 100.0, **changes: object) -> Effect:
    """An effect that only the words make uncertain."""
    base = Effect(
        estimate=estimate,
        parts=((se**2, df),),
        low=estimate - 1.98 * se,
        high=estimate + 1.98 * se,
        level=0.95,
        p=0.5,
        n_words=(104, 159),
        n_families=(70, 106),
        n_prompts=27,
        method="crossed-delong",
        p_high=0.5,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


T = float(stats.t.ppf(0.95, 100))


def test_the_three_outcomes():
    margin = Margin(-0.2, 0.2)
    inside = judge(effect(0.05, 0.08), margin)
    assert inside.outcome is Outcome.PASS
    assert (inside.gate_low, inside.gate_high) == pytest.approx((0.05 - T * 0.08, 0.05 + T * 0.08))
    assert inside.gate_level == pytest.approx(0.9)
    assert judge(effect(0.35, 0.08), margin).outcome is Outcome.FAIL
    assert judge(effect(-0.35, 0.08), margin).outcome is Outcome.FAIL
    assert judge(effect(0.25, 0.08), margin).outcome is Outcome.INCONCLUSIVE
    across = judge(effect(0.1, 0.08), margin)
    assert across.outcome is Outcome.INCONCLUSIVE
    # (1.645 x .08 / .1)^2 of 176 families: the interval would just reach the edge.
    assert across.families_needed == math.ceil(176 * (1.6449 * 0.08 / 0.1) ** 2)
    assert "crosses an edge" in across.reason


@pytest.mark.parametrize("low", [1e-157, 0.0])
def test_no_number_of_words_settles_an_estimate_on_an_edge(low):
    on_edge = judge(effect(0.0, 0.08), Margin(low, 0.5))
    assert on_edge.outcome is Outcome.INCONCLUSIVE
    assert on_edge.families_needed is None


def test_more_words_do_not_take_the_prompts_part_away():
    margin = Margin(-0.2, 0.2)

    def needed(prompts: float) -> int | None:
        """Of one standard error, of which the prompts make up that much."""
        parts = ((0.08**2 - prompts**2, 100.0), (prompts**2, 100.0))
        return judge(effect(0.1, 0.08, parts=parts), margin).families_needed

    # (1.645^2 x words' variance / (.1^2 - (1.660 x .04)^2)) of 176 families
    assert needed(0.04) == math.ceil(176 * 1.6449**2 * 0.0048 / (0.01 - (T * 0.04) ** 2))
    more, fewer = needed(0.04), judge(effect(0.1, 0.08), margin).families_needed
    assert more is not None
    assert fewer is not None
    assert more > fewer
    assert needed(0.07) is None
    assert judge(effect(0.2, 0.08), margin).families_needed is None  # on the edge itself


def test_a_margin_too_narrow_to_pass_is_an_error_unless_it_fails():
    narrow = Margin(-0.1, 0.1)
    with pytest.raises(StatisticsError, match="too narrow for these data"):
        judge(effect(0.0, 0.08), narrow)
    with pytest.raises(StatisticsError, match=r"Declare a margin wider than \.266"):
        judge(effect(0.2, 0.08), narrow)
    assert judge(effect(0.4, 0.08), narrow).outcome is Outcome.FAIL


@given(
    estimate=st.floats(-1, 1),
    se=st.floats(1e-4, 0.5),
    low=st.floats(-0.99, 0.9),
    width=st.floats(0.01, 1),
    df=st.floats(4, 500),
    words=st.floats(0.01, 1),
    alpha=st.sampled_from([0.01, 0.05, 0.1]),
    few=st.booleans(),
    exploratory=st.booleans(),
)
def test_no_wrong_pass(estimate, se, low, width, df, words, alpha, few, exploratory):
    """PASS only ever means: by either one-sided t test the effect is inside, even if all of its
    variance had the words' degrees of freedom; many families; no quick profile."""
    margin = Margin(low, min(low + width, 0.999))
    it = effect(
        estimate,
        se,
        parts=((se**2 * words, df), (se**2 * (1 - words), 2.0)),
        n_families=(12, 106) if few else (70, 106),
        method="permutation" if few else "crossed-delong",
        p_high=0.001,
        exploratory="quick" if exploratory else "",
    )
    try:
        outcome = judge(it, margin, alpha=alpha).outcome
    except StatisticsError:
        return
    above = stats.t.sf((estimate - margin.low) / se, max(df, 2))
    below = stats.t.cdf((estimate - margin.high) / se, max(df, 2))
    if outcome is Outcome.PASS:
        assert max(above, below) <= alpha + 1e-9
        assert not few
        assert not exploratory
    if outcome is Outcome.FAIL:
        assert not margin.low <= estimate <= margin.high


def test_an_exploratory_effect_never_passes_but_may_fail():
    quick = effect(0.0, 0.01, exploratory="6 prompts")
    assert judge(quick, Margin(-0.5, 0.5)).outcome is Outcome.INCONCLUSIVE
    assert "6 prompts" in judge(quick, Margin(-0.5, 0.5)).reason
    assert judge(replace(quick, estimate=0.8), Margin(-0.5, 0.5)).outcome is Outcome.FAIL
    # A narrow margin is not what keeps it from passing.
    assert judge(quick, Margin(-0.001, 0.001)).outcome is Outcome.INCONCLUSIVE


def test_few_families_never_pass_and_fail_on_both_grounds():
    margin = Margin(-0.2, 0.2)
    few = effect(0.0, 0.01, n_families=(12, 100), method="permutation")
    verdict = judge(few, margin)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.families_needed == math.ceil(112 * 20 / 12)
    far = replace(few, estimate=0.8, p=0.0001, p_high=0.0009)
    assert judge(far, margin).outcome is Outcome.FAIL
    assert judge(replace(far, p_high=0.2), margin).outcome is Outcome.INCONCLUSIVE
    assert judge(far, Margin(-0.4, -0.1)).outcome is Outcome.INCONCLUSIVE  # zero is outside too


def test_a_separation_fails_but_never_passes():
    whole = effect(1.0, 0.0, method="separation", n_families=(30, 30), parts=())
    assert judge(whole, Margin(-0.3, 0.3)).outcome is Outcome.FAIL
    assert judge(whole, Margin(0.2, 1.0)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("low", "high", "message"),
    [
        (0.2, -0.2, "two finite numbers"),
        (0.1, 0.1, "two finite numbers"),
        (math.nan, 0.2, "two finite numbers"),
        (-math.inf, math.inf, "two finite numbers"),
        (math.inf, 0.2, "two finite numbers"),
        (0.2, -math.inf, "two finite numbers"),
        (-math.inf, math.nan, "two finite numbers"),
        (-0.2, np.float32("nan"), "two finite numbers"),
        (0, 10**400, "two finite numbers"),
        (-1, 1, "gates nothing"),
        (-2, 3, "gates nothing"),
        (-0.96, 0.96, "gates nothing"),
        (-1.5, 0.5, "gates nothing"),
        ("-0.2", 0.2, r"bounds must be numbers. Seen: '-0\.2' \(str\)"),
        (-0.2, None, r"bounds must be numbers. Seen: None \(NoneType\)"),
        (False, 0.2, r"bounds must be numbers. Seen: False \(bool\)"),
        (-0.2, 0.2j, r"bounds must be numbers. Seen: 0\.2j \(complex\)"),
        (np.bool_(False), 0.2, "bounds must be numbers"),
        ([-0.2], 0.2, "bounds must be numbers"),
    ],
)
def test_margins_that_mean_nothing_are_refused(low, high, message):
    with pytest.raises(StatisticsError, match=message):
        Margin(low, high)


def test_margins_that_mean_something():
    for low, high in ((-0.95, 0.95), (0, 1), (-1, 0.9), (np.float64(-0.2), np.float32(0.2))):
        assert Margin(low, high).high == high  # type: ignore[arg-type]


def test_broken_effects_and_levels_are_refused():
    with pytest.raises(StatisticsError, match="not a finite number"):
        judge(effect(math.nan, 0.1), Margin(-0.2, 0.2))
    with pytest.raises(StatisticsError, match="not a finite number"):
        judge(effect(0.0, math.nan), Margin(-0.2, 0.2))
    with pytest.raises(StatisticsError, match="alpha"):
        judge(effect(0.0, 0.1), Margin(-0.2, 0.2), alpha=0.5)


@pytest.mark.parametrize("side", [Margin.above, Margin.below])
@pytest.mark.parametrize(
    "bound", [math.nan, math.inf, -math.inf, "0.1", True, None, np.bool_(False), 0.1j, 10**400]
)
def test_bounds_that_are_no_number_are_refused(side, bound):
    with pytest.raises(StatisticsError, match="one finite number"):
        side(bound)


def test_a_margin_on_one_side_is_one_test():
    it = effect(0.3, 0.08)
    edge = 0.3 - T * 0.08
    assert judge(it, Margin.above(edge - 1e-9)).outcome is Outcome.PASS
    inside = judge(it, Margin.above(edge + 1e-9))
    assert inside.outcome is Outcome.INCONCLUSIVE
    assert "above +.167" in inside.reason
    edge = 0.3 + T * 0.08
    assert judge(it, Margin.above(edge - 1e-9)).outcome is Outcome.INCONCLUSIVE
    assert judge(it, Margin.above(edge + 1e-9)).outcome is Outcome.FAIL
    assert judge(it, Margin.below(edge + 1e-9)).outcome is Outcome.PASS
    assert judge(it, Margin.below(edge - 1e-9)).outcome is Outcome.INCONCLUSIVE
    assert judge(it, Margin.below(0.3 - T * 0.08 - 1e-9)).outcome is Outcome.FAIL
    # No width can be too narrow: however uncertain, some estimate would do.
    assert judge(effect(0.0, 0.5), Margin.below(0.1)).outcome is Outcome.INCONCLUSIVE
    assert judge(effect(0.3, 0.08, exploratory="quick"), Margin.above(0.0)).outcome is (
        Outcome.INCONCLUSIVE
    )
    few = effect(0.3, 0.01, n_families=(12, 70), method="permutation", p=0.0001, p_high=0.0008)
    assert judge(few, Margin.above(0.0)).outcome is Outcome.INCONCLUSIVE
    assert judge(few, Margin.below(0.1)).outcome is Outcome.FAIL
    assert judge(few, Margin.below(-0.1)).outcome is Outcome.INCONCLUSIVE  # zero is outside too


@pytest.mark.parametrize(
    ("margin", "span", "message"),
    [
        (Margin.below(1.5), 1, "gates nothing"),  # every effect there is lies below
        (Margin.below(1.0), 1, "gates nothing"),
        (Margin.above(-1.0), 1, "gates nothing"),
        (Margin.above(-0.95), 1, "gates nothing"),
        (Margin.below(2.5), 2, "gates nothing"),
        (Margin.above(1.0), 1, "no estimate can lie"),
        (Margin.below(-1.5), 1, "no estimate can lie"),
        (Margin(1.1, 1.9), 1, "no estimate can lie"),
    ],
)
def test_bounds_that_no_effect_could_miss_or_meet_are_errors(margin, span, message):
    for estimate in (-0.9, 0.0, 0.9):
        with pytest.raises(StatisticsError, match=message):
            judge(effect(estimate, 0.01, span=span), margin)


def test_bounds_inside_the_scale_are_judged():
    assert judge(effect(0.0, 0.01), Margin.below(0.9)).outcome is Outcome.PASS
    assert judge(effect(0.0, 0.01, span=2), Margin.below(1.2)).outcome is Outcome.PASS
    assert judge(effect(0.0, 0.01, span=2), Margin.above(1.2)).outcome is Outcome.FAIL


def test_the_level_is_the_claims_own():
    it = effect(0.0, 0.08)
    edge = float(stats.t.ppf(1 - 0.0025, 100)) * 0.08
    verdict = judge(it, Margin(-edge - 1e-9, edge + 1e-9), alpha=0.0025)
    assert verdict.outcome is Outcome.PASS
    assert "99.5% interval" in verdict.reason
    assert judge(it, Margin(-edge + 1e-9, edge + 0.1), alpha=0.0025).outcome is Outcome.INCONCLUSIVE


# An interval inside that is no PASS


def test_no_pass_where_a_fifth_of_the_pairs_are_tied():
    margin = Margin(-0.2, 0.2)
    inside = effect(0.0, 0.05)
    assert judge(replace(inside, tied=0.2), margin).outcome is Outcome.PASS
    verdict = judge(replace(inside, tied=0.21), margin)
    assert (verdict.outcome, verdict.cause) == (Outcome.INCONCLUSIVE, Cause.TIED)
    assert "21% of the pairs of words" in verdict.reason
    assert judge(replace(inside, tied=0.5, estimate=0.4), margin).outcome is Outcome.FAIL
    above = judge(replace(inside, tied=0.5, estimate=0.4), Margin.above(0.1))
    assert above.cause is Cause.TIED


def test_tied_pairs_are_those_across_the_categories():
    values = np.array([[1.0, 1.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 3.0, 3.0]])
    in_a = np.array([True, True, False, False, False])
    assert tied_share(values, in_a) == pytest.approx((2 / 6 + 0) / 2)


def test_missing_words_at_either_end_must_leave_the_interval_inside():
    margin = Margin(-0.2, 0.2)
    inside = effect(0.05, 0.05)
    low, high = inside.interval(0.9)
    enough = (0.2 - high) / (1 - high)  # (1 - c) high + c = .2
    assert judge(replace(inside, unseen=enough - 1e-6), margin).outcome is Outcome.PASS
    verdict = judge(replace(inside, unseen=enough + 1e-6), margin)
    assert (verdict.outcome, verdict.cause) == (Outcome.INCONCLUSIVE, Cause.MISSING)
    c = enough + 1e-6
    bound = f"[{signed((1 - c) * low - c)}, {signed((1 - c) * high + c)}]"
    assert bound in verdict.reason
    # A difference of two models may be moved twice as far, and a bound on one side counts alone.
    twice = replace(inside, unseen=enough * 0.6, span=2.0)
    assert judge(twice, margin).cause is Cause.MISSING
    assert judge(replace(inside, unseen=0.1), Margin.above(-0.3)).outcome is Outcome.PASS
    assert judge(replace(inside, unseen=0.1), Margin.above(-0.1)).cause is Cause.MISSING


def test_a_controlled_estimate_outside_is_no_pass():
    margin = Margin(-0.2, 0.2)
    inside = effect(0.05, 0.05)
    assert judge(replace(inside, beside=effect(0.19, 0.05)), margin).outcome is Outcome.PASS
    verdict = judge(replace(inside, beside=effect(-0.21, 0.05)), margin)
    assert (verdict.outcome, verdict.cause) == (Outcome.INCONCLUSIVE, Cause.CONFOUNDED)
    assert "with these controlled the effect is -.210 [-.293, -.127]" in verdict.reason
    outside = replace(inside, estimate=0.4, beside=effect(0.0, 0.05))
    assert judge(outside, margin).outcome is Outcome.FAIL


def test_prompts_alone_too_wide_is_no_error_and_names_no_remedy_in_words():
    parts = ((0.03**2, 100.0), (0.1**2, 2.0))
    verdict = judge(effect(0.0, 0.05, parts=parts), Margin(-0.2, 0.2))
    assert (verdict.outcome, verdict.cause) == (Outcome.INCONCLUSIVE, Cause.PROMPTS)
    assert verdict.families_needed is None
    assert "the prompts disagree" in verdict.reason
    with pytest.raises(StatisticsError, match="too narrow for these data"):
        judge(effect(0.0, 0.05, parts=((0.2**2, 100.0), (0.1**2, 2.0))), Margin(-0.2, 0.2))
