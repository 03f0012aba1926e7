"""Two runs' gap and amounts of data: against other computations, and against the authors' runs."""

from __future__ import annotations

import csv
import math
import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from support.runs import FACTORS, two_runs
from valuebias.errors import StatisticsError
from valuebias.format import signed
from valuebias.stats import Cause, Margin, Outcome, judge, pair
from valuebias.stats.drift import drift
from valuebias.stats.gap import closed, gap, not_closed
from valuebias.stats.quantities import quantities


def test_a_gap_that_narrows_and_one_that_does_not():
    one, other, in_a, names = two_runs(words=200)
    found = gap(one, other, in_a, names, prompts=FACTORS)
    effects = [
        pair(a, b, in_a, names, prompts=FACTORS) for (_, a), (_, b) in zip(one, other, strict=True)
    ]
    assert found.trajectory.effects == tuple(effects)
    size = abs(effects[-1].estimate) - abs(effects[0].estimate)
    assert found.narrowing.estimate == pytest.approx(size)
    assert judge(found.narrowing, Margin.below(0)).outcome is Outcome.PASS
    mine, theirs = (
        [(s, v) for s, (_, v) in zip((1, 2, 3), r[::-1], strict=True)] for r in (one, other)
    )
    opened = gap(mine, theirs, in_a, names)
    assert judge(opened.narrowing, Margin.below(0)).outcome is Outcome.FAIL
    other_way = two_runs(words=200, first=(1.5, 0, -1.5), second=(-0.5, 0, 0.5))
    flipped = gap(*other_way)
    assert judge(flipped.narrowing, Margin.below(0)).outcome is Outcome.INCONCLUSIVE
    for told in (found, flipped):
        path, area = told.trajectory, told.area
        assert area is not None
        assert f"{signed(path.estimates[0])} [{signed(path.low[0])}" in told.summary
        assert f"area under it {signed(area.estimate)} [{signed(area.low)}" in told.summary


def test_the_area_is_the_integral_of_the_absolute_gap():
    found = gap(*two_runs(words=300, first=(1.5, -0.5, -0.3), second=(-0.5, 0.2, 0.4)))
    path = found.trajectory
    assert found.area is not None
    assert path.estimates[0] > 0 > path.estimates[1]  # it crosses zero between checkpoints
    fine = np.linspace(path.steps[0], path.steps[-1], 200_001)
    height = np.abs(np.interp(fine, path.steps, path.estimates)).mean()
    assert found.area.estimate == pytest.approx(height / abs(path.estimates[0]), abs=1e-5)
    assert found.area.low < found.area.estimate < found.area.high
    assert judge(found.area, Margin.below(0.95)).outcome is Outcome.PASS
    assert judge(found.area, Margin.below(0.1)).outcome is Outcome.FAIL
    assert judge(found.area, Margin.below(found.area.estimate)).outcome is Outcome.INCONCLUSIVE


def test_a_bound_that_no_area_could_miss_is_refused():
    found = gap(*two_runs(words=200, first=(1.5, -0.5, -0.3), second=(-0.5, 0.2, 0.4)))
    first = abs(found.trajectory.estimates[0])
    assert found.area is not None
    # As wide as gaps can be at the second checkpoint and the last.
    least, most = found.area.scale
    assert least == 0
    assert most == pytest.approx(((first + 2) / 2 + 2) / (2 * first))
    for bound in (50, most, 0.96 * most):
        with pytest.raises(StatisticsError, match="gates nothing"):
            judge(found.area, Margin.below(bound))
    for bound in (0, -1):
        with pytest.raises(StatisticsError, match="no estimate can lie"):
            judge(found.area, Margin.below(bound))


@pytest.mark.parametrize(("scale", "most"), [((-2, 2), 4), ((0, 2), 2)])
def test_a_bound_that_no_slope_could_miss_is_refused(scale, most):
    gaps: dict[float, list[float]]
    gaps = {100: [0.30, 0.31, 0.32], 200: [0.2, 0.22, 0.21]}  # one doubling: means 0.31 and 0.21
    slope = quantities(gaps, scale=scale).slope
    assert slope.scale == (-most, most)
    assert judge(slope, Margin.below(0)).outcome is Outcome.PASS
    for bound in (5, most, 0.95 * most):
        with pytest.raises(StatisticsError, match="gates nothing"):
            judge(slope, Margin.below(bound))
    with pytest.raises(StatisticsError, match="no estimate can lie"):
        judge(slope, Margin.above(most))
    with pytest.raises(StatisticsError, match="too narrow for these data"):
        judge(slope, Margin(-0.1001, -0.0999))
    with pytest.raises(StatisticsError, match="alpha must lie between 0 and"):
        judge(slope, Margin.below(0), alpha=0.5)
    with pytest.raises(StatisticsError, match="not a finite number"):
        judge(replace(slope, estimate=math.nan), Margin.below(0))
    raw = replace(slope, exploratory="six prompts")
    assert judge(raw, Margin.below(0)).cause is Cause.EXPLORATORY


def test_no_area_where_there_is_no_gap_to_begin_with():
    found = gap(*two_runs(first=(0, 0, 1), second=(0, 0, 0)))
    assert found.area is None
    assert "cannot be distinguished from zero" in found.summary


def banded(low, high, exploratory=""):
    """A gap with a band put into it."""
    found = gap(*two_runs())
    path = replace(found.trajectory, low=low, high=high, exploratory=exploratory)
    return replace(found, trajectory=path)


@pytest.mark.parametrize(
    ("low", "high", "is_closed", "is_open"),
    [
        ((0.4, -0.1, -0.1), (0.6, 0.15, 0.1), ("PASS", 1000), "FAIL"),
        ((0.4, 0.1, -0.1), (0.6, 0.3, 0.1), ("PASS", 2000), "FAIL"),
        ((-0.1, 0.3, -0.1), (0.1, 0.6, 0.1), ("PASS", 2000), "FAIL"),  # it opened in between
        ((0.4, -0.1, 0.1), (0.6, 0.1, 0.3), ("INCONCLUSIVE", None), "FAIL"),
        ((0.4, 0.3, 0.21), (0.6, 0.5, 0.4), ("FAIL", 2000), "PASS"),
        ((-0.6, -0.5, -0.4), (-0.4, -0.3, -0.21), ("FAIL", 2000), "PASS"),
        ((0.4, 0.1, 0.3), (0.6, 0.3, 0.5), ("FAIL", 2000), "INCONCLUSIVE"),
        ((0.4, 0.3, -0.6), (0.6, 0.5, -0.4), ("FAIL", 2000), "INCONCLUSIVE"),  # it changed sides
        ((0.4, 0.3, 0.1), (0.6, 0.5, 0.3), ("INCONCLUSIVE", None), "INCONCLUSIVE"),
    ],
)
def test_closed_and_not_closed(low, high, is_closed, is_open):
    found = banded(low, high)
    answer = closed(found, 0.2)
    assert (answer.outcome, answer.step) == is_closed
    assert not_closed(found, 0.2).outcome == is_open
    few = banded(low, high, "6 prompts are too few")
    for of_few in (closed(few, 0.2), not_closed(few, 0.2)):
        assert of_few.outcome is Outcome.INCONCLUSIVE
        assert "6 prompts" in of_few.reason


def test_closed_by_a_step_and_not_closed_since_one():
    found = banded((0.4, 0.1, -0.1), (0.6, 0.3, 0.1))
    assert closed(found, 0.2, by=1000).outcome is Outcome.INCONCLUSIVE
    assert closed(found, 0.2, by=0).outcome is Outcome.FAIL
    late = banded((-0.1, 0.3, 0.3), (0.1, 0.6, 0.6))
    assert not_closed(late, 0.2).outcome is Outcome.FAIL
    answer = not_closed(late, 0.2, since=1000)
    assert (answer.outcome, answer.step) == (Outcome.PASS, 2000)
    assert "to step 2,000" in answer.reason
    for beyond in (3000, -1, math.nan):
        with pytest.raises(StatisticsError, match="not observed"):
            closed(found, 0.2, by=beyond)
    for delta in (0, -0.1, 2, math.nan):
        with pytest.raises(StatisticsError, match="counts as closed"):
            not_closed(found, delta)


def test_few_families_or_prompts_are_shown_and_never_pass():
    for options in ({"words": 30}, {"prompts": 6}):
        one, other, in_a, names = two_runs(first=(3, 2, 0.2), second=(-3, -2, 0.1), **options)
        mine, between = drift(one, in_a, names), gap(one, other, in_a, names)
        assert mine.trajectory.exploratory
        answers = [closed(between, 1.9), not_closed(between, 0.01, since=1000)]
        assert between.area is not None
        held = judge(between.area, Margin.below(1.5))
        assert {held.outcome, *(a.outcome for a in answers)} == {Outcome.INCONCLUSIVE}
        assert judge(between.narrowing, Margin.below(0)).outcome is Outcome.INCONCLUSIVE


def test_runs_that_cannot_be_set_side_by_side():
    one, other, in_a, names = two_runs()
    with pytest.raises(StatisticsError, match="do not have the same steps"):
        gap(one, other[:-1], in_a, names)
    with pytest.raises(StatisticsError, match="at step 0: the two scorers order every word alike"):
        gap(one, [one[0], *other[1:]], in_a, names)


def test_amounts_of_data_have_seeds_for_their_sample():
    rng = np.random.default_rng(10)
    gaps: dict[float, Any] = {
        n: 0.3 - 0.05 * i + 0.02 * (1 + i) * rng.normal(size=4)
        for i, n in enumerate((53_000, 13_000, 106_000))
    }
    found = quantities(gaps)
    assert (found.pairs, found.seeds) == ((13_000, 53_000, 106_000), (4, 4, 4))
    means = [np.mean(gaps[n]) for n in found.pairs]
    assert found.means == pytest.approx(means)
    fit = sm.OLS(means, sm.add_constant(np.log2(found.pairs))).fit()
    assert found.slope.estimate == pytest.approx(fit.params[1])
    welch = stats.ttest_ind(gaps[106_000], gaps[13_000], equal_var=False)
    assert found.contrast.p == pytest.approx(welch.pvalue)
    low, high = welch.confidence_interval(0.95)
    assert (found.contrast.low, found.contrast.high) == pytest.approx((low, high))
    assert found.contrast.interval(0.95) == (found.contrast.low, found.contrast.high)
    assert judge(found.contrast, Margin(-0.5, 0.5)).outcome is Outcome.PASS
    assert judge(found.contrast, Margin.above(0.5)).outcome is Outcome.FAIL
    turned = quantities({n: [-x for x in of_seeds] for n, of_seeds in gaps.items()})
    assert turned.slope.estimate == pytest.approx(-found.slope.estimate)
    assert turned.slope.p == pytest.approx(found.slope.p)


@pytest.mark.parametrize(
    ("gaps", "message"),
    [
        ({13_000: [0.1, 0.2, 0.3], 53_000: [0.1, 0.2]}, "at least 3 seeds.*2 of 53,000 pairs"),
        ({13_000: [0.1], 53_000: [0.2]}, "at least 3 seeds"),
        ({13_000: [0.1, 0.2, 0.3]}, "at least two"),
        ({}, "at least two"),
        ({0: [0.1, 0.2, 0.3], 5: [0.1, 0.2, 0.3]}, "positive number of pairs"),
        ({1: [0.1, 0.2, math.nan], 5: [0.1, 0.2, 0.3]}, "not a finite number"),
        ({1: [0.1] * 3, 5: [0.2] * 3}, "does not vary from seed to seed"),
    ],
)
def test_amounts_of_data_that_nothing_can_be_said_of(gaps, message):
    with pytest.raises(StatisticsError, match=message) as caught:
        quantities(gaps)
    assert caught.value.remedy


# The gap of the authors' two runs, in units of a median rank of which 1 is the best.
SKYWORK = (417, 274, 194, 162, 147, 140, 142, 137, 135, 133)


@pytest.mark.skipif(
    not os.environ.get("VALUEBIAS_PUBLISHED_DATA"), reason="needs VALUEBIAS_PUBLISHED_DATA"
)
def test_the_authors_skywork_runs():
    """Their files hold medians of a category's ranks alone. Words are put about these as normal
    quantiles, so that there are scores with these medians. What is said of the gap beyond its
    course rests on two things the files do not tell: a standard deviation of 400 ranks, and that
    two runs' tastes correlate by .75, as those of public reward models do."""
    folder = Path(os.environ["VALUEBIAS_PUBLISHED_DATA"]) / "data/reward_model_training"
    medians: dict[tuple[str, int], dict[str, float]] = defaultdict(dict)
    with (folder / "rank_results_sky_80k.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = (row["base_model"], int(row["checkpoint"]))
            medians[key][row["Category"]] = float(row["sum_value"])
    steps = sorted({step for _, step in medians})
    assert steps == [*range(1000, 10_000, 1000), 9578]

    rng = np.random.default_rng(11)
    in_a = np.arange(263) < 104
    quantiles = {n: stats.norm.ppf((np.arange(n) + 0.5) / n) for n in (104, 159)}
    runs: dict[str, list[tuple[float, Any]]] = {}
    seen, common = defaultdict(list), rng.normal(size=263)
    for base in ("Gemma", "Llama"):
        own = rng.normal(size=263) + 0.4 * rng.normal(size=(12, 263))
        taste = math.sqrt(0.75) * common + math.sqrt(0.25) * own
        runs[base] = []
        for step in steps:
            taste = taste + 0.05 * rng.normal(size=taste.shape)
            ranks = np.empty_like(taste)
            for side, category in ((in_a, "Agency"), (~in_a, "Communion")):
                order = stats.rankdata(taste[:, side], axis=1).astype(int) - 1
                ranks[:, side] = medians[base, step][category] + 400 * quantiles[side.sum()][order]
            runs[base].append((step, -ranks))
            seen[base].append(np.median(ranks[:, in_a]) - np.median(ranks[:, ~in_a]))
    course = np.subtract(seen["Gemma"], seen["Llama"])
    assert course == pytest.approx(np.array(SKYWORK), abs=0.5)

    found = gap(runs["Gemma"], runs["Llama"], in_a, np.arange(263))
    path = found.trajectory
    assert path.estimates[0] < path.low[-1] < 0  # Gemma's is the more communal throughout
    assert np.corrcoef(path.estimates, course)[0, 1] < -0.99
    assert judge(found.narrowing, Margin.below(0)).outcome is Outcome.PASS
    share = np.trapezoid(course, steps) / (course[0] * (steps[-1] - steps[0]))
    assert found.area is not None
    assert found.area.low < share < found.area.high
    assert found.area.estimate == pytest.approx(share, abs=0.03)
    assert not_closed(found, 0.05).outcome is Outcome.PASS
    assert closed(found, 0.05).outcome is Outcome.FAIL
    assert closed(found, 0.15).outcome is Outcome.INCONCLUSIVE
