"""Effects over checkpoints, two runs' gap and amounts of data: against other computations, what
must not move them, and how often they are right."""

from __future__ import annotations

import csv
import itertools
import math
import os
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.stats import Margin, Outcome, Term, judge, pair, single
from valuebias.stats.answer import hold
from valuebias.stats.drift import drift
from valuebias.stats.gap import closed, gap, not_closed
from valuebias.stats.movement import agreement, movers
from valuebias.stats.quantities import quantities
from valuebias.stats.trajectory import trajectory

FACTORS = [{"adjective": str(i // 4)} for i in range(12)]


def run(seed=0, *, shifts=(0.8, 0.5, 0.2), words=60, prompts=12, lag=0.9, noise=0.5, step=0.0):
    """A run's checkpoints, with so much added to the words of A at each; sides; families of one or
    two words."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(words), rng.integers(1, 3, words))[:words]
    in_a = names % 2 == 0
    found, kept = [], None
    for t, shift in enumerate(shifts):
        fresh = rng.normal(size=(prompts + 1, words))
        kept = fresh if kept is None else lag * kept + math.sqrt(1 - lag**2) * fresh
        values = kept[0] + noise * kept[1:] + shift * in_a
        found.append((1000.0 * t, np.round(values / step) * step if step else values))
    return found, in_a, names


def two_runs(seed=0, first=(1.5, 0.9, 0.4), second=(-0.5, -0.3, 0.2), **options):
    one, in_a, names = run(seed, shifts=first, **options)
    other, _, _ = run(seed + 1, shifts=second, **options)
    return one, other, in_a, names


def numbers(found):
    """All figures of a trajectory."""
    return np.array([found.estimates, found.low, found.high])


def test_each_checkpoint_has_the_effect_of_single_and_the_change_that_of_pair():
    checkpoints, in_a, names = run(1)
    found = drift(checkpoints, in_a, names, prompts=FACTORS)
    for (_, values), effect in zip(checkpoints, found.trajectory.effects, strict=True):
        assert effect == single(values, in_a, names, prompts=FACTORS)
    last, first = checkpoints[-1][1], checkpoints[0][1]
    assert found.change == pair(last, first, in_a, names, prompts=FACTORS)
    assert judge(found.change, Margin.below(0.2)).outcome is Outcome.PASS
    assert found.trajectory.steps == (0, 1000, 2000)


def test_the_variances_are_those_of_the_effects():
    checkpoints, in_a, names = run(2)
    path = drift(checkpoints, in_a, names, prompts=FACTORS).trajectory
    diagonal = np.diag(path.joint.covariance)
    assert diagonal == pytest.approx([effect.se**2 for effect in path.effects])


def test_estimates_go_together_as_in_draws_of_whole_families():
    """The words' part alone: the same scores on every prompt but for a little."""
    checkpoints, in_a, names = run(3, words=200, noise=0.01, lag=0.6)
    path = drift(checkpoints, in_a, names).trajectory
    rng = np.random.default_rng(0)
    family = np.unique(names, return_inverse=True)[1]
    count = family.max() + 1
    times = rng.multinomial(count, np.full(count, 1 / count), 2000)[:, family]
    a, b = times[:, in_a], times[:, ~in_a]
    draws = []
    for _, values in checkpoints:
        beats = np.sign(values[0, in_a][:, None] - values[0, ~in_a])
        draws.append(((a @ beats) * b).sum(axis=1) / (a.sum(axis=1) * b.sum(axis=1)))
    drawn = np.cov(np.array(draws))
    assert path.joint.covariance == pytest.approx(drawn, rel=0.15)


def test_prompts_go_together_by_their_factors_too():
    """Adjectives that pull all checkpoints one way make them go together; fresh ones do not."""
    rng = np.random.default_rng(4)
    checkpoints, in_a, names = run(4, words=400, noise=0.1, lag=0.0)
    pull = 3 * rng.normal(size=3)[np.arange(12) // 4]

    def correlation(pulls):
        moved = [(s, v + p[:, None] * in_a) for (s, v), p in zip(checkpoints, pulls, strict=True)]
        joint = drift(moved, in_a, names, prompts=FACTORS).trajectory.joint.covariance
        return joint[0, 1] / math.sqrt(joint[0, 0] * joint[1, 1])

    assert correlation([pull] * 3) > 0.9
    assert correlation([pull, -pull, pull]) < -0.9


def test_the_band_is_as_wide_as_the_correlation_asks_for():
    """One interval's width where checkpoints are the same; Sidak's where they have nothing in
    common."""
    rng = np.random.default_rng(5)
    in_a, names = np.arange(400) % 2 == 0, np.arange(400)

    def stretch(scores):
        terms = [[Term(values)] for values in scores]
        return trajectory(range(len(terms)), terms, in_a, names).stretch

    word = rng.normal(size=400)
    same = word + 0.01 * rng.normal(size=(12, 400))
    assert stretch([same] * 5) == pytest.approx(1, abs=0.03)
    fresh = [rng.normal(size=400) + 0.01 * rng.normal(size=(12, 400)) for _ in range(5)]
    sidak = stats.norm.isf((1 - 0.95 ** (1 / 5)) / 2) / stats.norm.isf(0.025)
    assert stretch(fresh) == pytest.approx(sidak, abs=0.03)


def test_the_band_at_another_level():
    checkpoints, in_a, names = run(6)
    path = drift(checkpoints, in_a, names).trajectory
    assert path.band(0.95) == (path.low, path.high)
    assert np.less(path.band(0.99)[0], path.low).all()
    stricter = drift(checkpoints, in_a, names, level=0.99).trajectory
    assert path.band(0.99) == (stricter.low, stricter.high)
    wide = [e.high - e.low for e in path.effects]
    assert np.greater(np.subtract(path.high, path.low), wide).all()


def test_a_checkpoint_at_which_all_is_separate_has_bonferronis_bound():
    checkpoints, in_a, names = run(7, shifts=(0.5, 0.5, 50))
    path = drift(checkpoints, in_a, names).trajectory
    assert path.effects[-1].method == "separation"
    assert (path.low[-1], path.high[-1]) == path.effects[-1].interval(1 - 0.05 / 3)


def test_the_band_holds_all_checkpoints_at_once():
    """120 draws of ten checkpoints, each like the one before it. Between 93 and 97 in a hundred are
    wanted; within four standard errors of that this cannot miss by chance."""
    rng = np.random.default_rng(12)
    runs, words, times, together, alone = 120, 60, 10, 0, 0
    in_a, names = np.arange(words) < 30, np.arange(words)
    for _ in range(runs):
        word = rng.normal(size=(times, words))
        tilt = 0.3 * rng.normal(size=(times, 12, 1))
        for t in range(1, times):
            word[t] = 0.9 * word[t - 1] + math.sqrt(0.19) * word[t]
            tilt[t] = 0.9 * tilt[t - 1] + math.sqrt(0.19) * tilt[t]
        values = word[:, None] + 0.5 * rng.normal(size=(times, 12, words)) + tilt * in_a
        path = trajectory(range(times), [[Term(v)] for v in values], in_a, names)
        together += all(low <= 0 <= high for low, high in zip(path.low, path.high, strict=True))
        alone += all(e.low <= 0 <= e.high for e in path.effects)
    error = 4 * math.sqrt(0.05 * 0.95 / runs)
    assert 0.93 - error < together / runs < 0.97 + error
    assert alone < together


def test_tau_is_kendalls_and_counts_the_pairs_that_agree():
    checkpoints, _, _ = run(8, words=30, prompts=6)
    found = agreement(checkpoints)
    assert found[-1] == 1
    agree = []
    for x, y in zip(checkpoints[0][1], checkpoints[-1][1], strict=True):
        pairs = itertools.combinations(range(30), 2)
        agree.append(np.mean([(x[i] > x[j]) == (y[i] > y[j]) for i, j in pairs]))
    assert (1 + found[0]) / 2 == pytest.approx(np.mean(agree))
    tied = [(s, np.round(v)) for s, v in checkpoints]
    expected = [
        stats.kendalltau(x, y, variant="b").statistic
        for x, y in zip(tied[1][1], tied[2][1], strict=True)
    ]
    assert agreement(tied)[1] == pytest.approx(np.mean(expected))


def test_the_words_that_moved_most():
    first = np.tile(np.arange(40.0), (6, 1))
    last = first.copy()
    last[:, 3], last[:, 30] = 100, -100
    found = movers(first, last, 2)
    assert [(m.index, m.change) for m in found.risen] == [
        (3, pytest.approx(36 / 40)),
        (0, pytest.approx(1 / 40)),  # below it one came that had been above
    ]
    assert found.fallen[0].index == 30
    assert found.fallen[0].change == pytest.approx(-30 / 40)
    assert all(m.change < 0 for m in found.fallen)
    still = movers(first, first)
    assert (still.risen, still.fallen) == ((), ())


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6), step=st.sampled_from([0.0, 0.25]))
def test_only_the_order_of_scores_matters_and_not_that_of_words(seed, step):
    one, other, in_a, names = two_runs(seed, words=60, prompts=6, step=step)
    order = np.random.default_rng(seed).permutation(60)
    bent = [(s, np.exp(v / 2)) for s, v in one]
    plain = gap(one, other, in_a, names)
    rescaled = gap(bent, [(s, 3 * v - 7) for s, v in other], in_a, names)
    shuffled = gap(
        *([(s, v[:, order]) for s, v in r] for r in (one, other)),
        in_a[order],
        np.array([f"family {n}" for n in names])[order],
    )
    for found in (rescaled, shuffled):
        assert numbers(found.trajectory) == pytest.approx(numbers(plain.trajectory), abs=1e-6)
        for name in ("estimate", "low", "high"):
            expected = getattr(plain.narrowing, name)
            assert getattr(found.narrowing, name) == pytest.approx(expected, abs=1e-6)
        if plain.area is not None:
            assert found.area.interval(0.9) == pytest.approx(plain.area.interval(0.9), abs=1e-6)
    assert gap(one, other, in_a, names) == plain
    mine = drift(one, in_a, names)
    assert drift(bent, in_a, names) == mine
    moved = drift([(s, v[:, order]) for s, v in one], in_a[order], names[order])
    assert moved.tau == pytest.approx(mine.tau)
    assert [m.change for m in moved.movers.risen] == pytest.approx(
        [m.change for m in mine.movers.risen]
    )


@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_sides_and_runs_that_change_places_turn_all_signs(seed):
    one, other, in_a, names = two_runs(seed, prompts=6)
    plain = drift(one, in_a, names)
    turned = drift(one, ~in_a, names)
    estimate, low, high = numbers(plain.trajectory)
    assert numbers(turned.trajectory) == pytest.approx(np.array([-estimate, -high, -low]), abs=1e-6)
    assert turned.change.estimate == pytest.approx(-plain.change.estimate)
    assert (turned.tau, turned.movers) == (plain.tau, plain.movers)
    between = gap(one, other, in_a, names)
    estimate, low, high = numbers(between.trajectory)
    for found in (gap(one, other, ~in_a, names), gap(other, one, in_a, names)):
        expected = np.array([-estimate, -high, -low])
        assert numbers(found.trajectory) == pytest.approx(expected, abs=1e-6)
        assert found.narrowing.estimate == pytest.approx(between.narrowing.estimate)
        if between.area is not None:
            assert found.area.interval(0.9) == pytest.approx(between.area.interval(0.9), abs=1e-6)


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
    opened = gap(
        *([(s, v) for s, (_, v) in zip((1, 2, 3), r[::-1], strict=True)] for r in (one, other)),
        in_a,
        names,
    )
    assert judge(opened.narrowing, Margin.below(0)).outcome is Outcome.FAIL
    other_way = two_runs(words=200, first=(1.5, 0, -1.5), second=(-0.5, 0, 0.5))
    flipped = gap(*other_way)
    assert judge(flipped.narrowing, Margin.below(0)).outcome is Outcome.INCONCLUSIVE
    for told in (found, flipped):
        path, area = told.trajectory, told.area
        assert f"{path.estimates[0]:+.3f} [{path.low[0]:+.3f}" in told.summary
        assert f"area under it {area.estimate:.2f} [{area.low:.2f}" in told.summary


def test_the_area_is_the_integral_of_the_absolute_gap():
    found = gap(*two_runs(words=200, first=(1.5, -0.5, -0.3), second=(-0.5, 0.2, 0.4)))
    path = found.trajectory
    assert path.estimates[0] > 0 > path.estimates[1]  # it crosses zero between checkpoints
    fine = np.linspace(path.steps[0], path.steps[-1], 200_001)
    height = np.abs(np.interp(fine, path.steps, path.estimates)).mean()
    assert found.area.estimate == pytest.approx(height / abs(path.estimates[0]), abs=1e-5)
    assert found.area.low < found.area.estimate < found.area.high
    assert hold(found.area, Margin.below(0.95)).outcome is Outcome.PASS
    assert hold(found.area, Margin.below(0.1)).outcome is Outcome.FAIL
    assert hold(found.area, Margin.below(found.area.estimate)).outcome is Outcome.INCONCLUSIVE


def test_no_area_where_there_is_no_gap_to_begin_with():
    found = gap(*two_runs(first=(0, 0, 1), second=(0, 0, 0)))
    assert found.area is None
    assert "cannot be told from zero" in found.summary


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
        answers += [hold(between.area, Margin.below(1.5))]
        assert {a.outcome for a in answers} == {Outcome.INCONCLUSIVE}
        assert judge(between.narrowing, Margin.below(0)).outcome is Outcome.INCONCLUSIVE


def broken(what):
    checkpoints, in_a, names = run(9)
    (_, first), (_, second), (_, last) = checkpoints
    if what == "one":
        checkpoints = checkpoints[:1]
    elif what == "none":
        checkpoints = []
    elif what == "order":
        checkpoints = [checkpoints[0], checkpoints[2], checkpoints[1]]
    elif what == "twice":
        checkpoints = [checkpoints[0], *checkpoints]
    elif what == "step":
        checkpoints = [*checkpoints, (math.inf, last)]
    elif what == "words":
        checkpoints = [(0, first), (1000, second[:, :-1])]
    elif what == "prompts":
        checkpoints = [(0, first), (1000, second[:-1])]
    elif what == "not finite":
        checkpoints = [(0, first), (1000, np.where(second == second[2, 7], np.nan, second))]
    elif what == "constant":
        checkpoints = [(0, first), (1000, np.ones_like(second))]
    elif what == "tied":
        checkpoints = [(0, first), (1000, np.sign(second))]
    elif what == "same":
        checkpoints = [(0, first), (1000, second), (2000, 2 * first)]
    elif what == "families":
        names = names % 4
    elif what == "sides":
        in_a = in_a[:-1]
    return checkpoints, in_a, names


BROKEN = {
    "one": "at least two checkpoints",
    "none": "at least two checkpoints",
    "order": "in the order of their steps",
    "twice": "in the order of their steps",
    "step": "in the order of their steps",
    "words": "not scored on the same words",
    "prompts": "not scored on the same words",
    "not finite": "at step 1,000: 1 of 720 scores are not finite",
    "constant": "at step 1,000: all words have one score",
    "tied": "at step 1,000: the 60 words have too few distinct scores",
    "same": "from step 0 to step 2,000: the two scorers order every word alike",
    "families": "at least 5 word families",
    "sides": "do not describe the same words",
}


@pytest.mark.parametrize("what", BROKEN)
def test_bad_input_is_an_error_that_says_what_to_do(what):
    checkpoints, in_a, names = broken(what)
    with pytest.raises(StatisticsError, match=BROKEN[what]) as caught:
        drift(checkpoints, in_a, names)
    assert caught.value.remedy
    if what not in ("same", "tied", "one", "none"):
        other = [(s, -v) for s, v in checkpoints]
        with pytest.raises(StatisticsError, match=BROKEN[what]):
            gap(checkpoints, other, in_a, names)


def test_runs_that_cannot_be_set_side_by_side():
    one, other, in_a, names = two_runs()
    with pytest.raises(StatisticsError, match="do not have the same steps"):
        gap(one, other[:-1], in_a, names)
    with pytest.raises(StatisticsError, match="at step 0: the two scorers order every word alike"):
        gap(one, [one[0], *other[1:]], in_a, names)


def test_amounts_of_data_have_seeds_for_their_sample():
    rng = np.random.default_rng(10)
    gaps = {
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
    assert hold(found.contrast, Margin(-0.5, 0.5)).outcome is Outcome.PASS
    assert hold(found.contrast, Margin.above(0.5)).outcome is Outcome.FAIL
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
    medians = defaultdict(dict)
    with (folder / "rank_results_sky_80k.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            key = (row["base_model"], int(row["checkpoint"]))
            medians[key][row["Category"]] = float(row["sum_value"])
    steps = sorted({step for _, step in medians})
    assert steps == [*range(1000, 10_000, 1000), 9578]

    rng = np.random.default_rng(11)
    in_a = np.arange(263) < 104
    quantiles = {n: stats.norm.ppf((np.arange(n) + 0.5) / n) for n in (104, 159)}
    runs, seen, common = {}, defaultdict(list), rng.normal(size=263)
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
    assert found.area.low < share < found.area.high
    assert found.area.estimate == pytest.approx(share, abs=0.03)
    assert not_closed(found, 0.05).outcome is Outcome.PASS
    assert closed(found, 0.05).outcome is Outcome.FAIL
    assert closed(found, 0.15).outcome is Outcome.INCONCLUSIVE
