"""Effects over checkpoints: against other computations, what must not move them, and how often a
band holds all."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from support.runs import FACTORS, numbers, run, two_runs
from valuebias.errors import StatisticsError
from valuebias.stats import Margin, Outcome, Term, agreement, gap, judge, movers, pair, single
from valuebias.stats.drift import drift
from valuebias.stats.trajectory import trajectory


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
    drawn = rng.multinomial(count, np.full(count, 1 / count), 2000)
    times = drawn[:, family] / np.bincount(family)[family]  # a family's words average to one draw
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
    risen: list[tuple[int, Any]] = [(m.index, m.change) for m in found.risen]
    assert risen == [
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
    first, second = ([(s, v[:, order]) for s, v in r] for r in (one, other))
    shuffled = gap(
        first,
        second,
        in_a[order],
        np.array([f"family {n}" for n in names])[order],
    )
    for found in (rescaled, shuffled):
        assert numbers(found.trajectory) == pytest.approx(numbers(plain.trajectory), abs=1e-6)
        for name in ("estimate", "low", "high"):
            expected = getattr(plain.narrowing, name)
            assert getattr(found.narrowing, name) == pytest.approx(expected, abs=1e-6)
        if plain.area is not None:
            assert found.area is not None
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
            assert found.area is not None
            assert found.area.interval(0.9) == pytest.approx(between.area.interval(0.9), abs=1e-6)


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
