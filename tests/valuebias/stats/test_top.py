"""The top share: against brute force, its interval against simulation, and what never passes."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from valuebias.errors import StatisticsError
from valuebias.prompts import select
from valuebias.stats.effect import Term
from valuebias.stats.top import MOST_TIED, TOP, TopShare, expected, included, top
from valuebias.stats.verdict import Cause, Margin, Outcome, judge

Floats = npt.NDArray[np.float64]
FACTORS = [prompt.factors for prompt in select("positive")]


def one(values: Floats, in_a: npt.NDArray[np.bool_], families: npt.NDArray[np.str_]) -> TopShare:
    return top([Term(values)], in_a, families)


def words(n_a: int, n_b: int) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.str_]]:
    return np.arange(n_a + n_b) < n_a, np.arange(n_a + n_b).astype(str)


def brute_share(
    row: Floats, in_a: npt.NDArray[np.bool_], families: npt.NDArray[np.str_], part: float
) -> dict[tuple[bool, str], float]:
    """Of each family of a side the mean part of its words in the top: the top is filled from the
    best score downwards, the words of one score at once, until its room is gone."""
    sides = list(zip(in_a.tolist(), families.tolist(), strict=True))
    weight = [1 / sides.count(side) for side in sides]
    room = part * len(set(sides))
    inside = dict.fromkeys(sides, 0.0)
    for score in sorted(set(row.tolist()), reverse=True):
        tied = [i for i, value in enumerate(row) if value == score]
        size = sum(weight[i] for i in tied)
        taken = min(1.0, room / size)
        room = max(0.0, room - size)
        for i in tied:
            inside[sides[i]] += weight[i] * taken
    return inside


def brute(
    values: Floats, in_a: npt.NDArray[np.bool_], families: npt.NDArray[np.str_]
) -> tuple[float, float]:
    """The estimate, and the word part of its variance, family by family."""
    shares, moved = [], []
    for row in values:
        inside = brute_share(row, in_a, families, 0.1)
        around = brute_share(row, in_a, families, 0.2)
        n_top = 0.1 * len(inside)
        at_cut = sum(v for (a, _), v in around.items() if a) / (2 * n_top)
        shares.append(sum(v for (a, _), v in inside.items() if a) / n_top)
        moved.append({k: v * (k[0] - at_cut) / n_top for k, v in inside.items()})
    sides = list(moved[0])
    mean = {side: float(np.mean([each[side] for each in moved])) for side in sides}
    added: dict[str, float] = {}
    for a in (True, False):
        mine = [side for side in sides if side[0] is a]
        centre = np.mean([mean[side] for side in mine])
        for side in mine:
            # What a family adds, set right for its own weight in the mean.
            own = (mean[side] - centre) / np.sqrt(1 - 1 / len(mine))
            added[side[1]] = added.get(side[1], 0.0) + own
    of_all = sum(a for a, _ in sides) / len(sides)
    return float(np.mean(shares)) - of_all, sum(v**2 for v in added.values())


@pytest.mark.parametrize("seed", range(6))
def test_estimate_and_word_variance_are_those_of_brute_force(seed: int) -> None:
    g = np.random.default_rng(seed)
    n = 70
    families = g.integers(0, 45, size=n).astype(str)  # some of both sides, some of several words
    in_a = g.random(n) < 0.4
    values = np.round(g.normal(size=(8, n)) + g.normal(size=n), 1)  # with ties
    share = one(values, in_a, families)
    estimate, variance = brute(values, in_a, families)
    assert share.estimate == pytest.approx(estimate, abs=1e-12)
    assert share.parts[0][0] == pytest.approx(variance, rel=1e-9)


@given(st.integers(0, 10_000), st.booleans())
def test_the_top_is_always_full_and_ties_share_it_alike(seed: int, tied: bool) -> None:
    g = np.random.default_rng(seed)
    values = g.normal(size=(3, 30))
    values = np.round(values) if tied else values
    weight = 1 / g.integers(1, 4, size=30)
    part = included(values, weight, TOP)
    assert part @ weight == pytest.approx(TOP * weight.sum())
    assert ((part >= 0) & (part <= 1)).all()
    for row, parts in zip(values, part, strict=True):
        assert all(np.ptp(parts[row == score]) < 1e-12 for score in row)
        order = np.argsort(row)
        assert (np.diff(parts[order]) > -1e-12).all()  # a better word is never less inside


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 10_000), st.integers(12, 40), st.integers(12, 40))
def test_range_reversal_and_order_alone(seed: int, n_a: int, n_b: int) -> None:
    g = np.random.default_rng(seed)
    in_a, families = words(n_a, n_b)
    values = g.normal(size=(12, n_a + n_b)) + 0.3 * g.normal(size=n_a + n_b)
    share = one(values, in_a, families)
    least, most = share.scale
    assert least <= share.low <= share.estimate <= share.high <= most
    other = one(values, ~in_a, families)
    assert other.estimate == pytest.approx(-share.estimate, abs=1e-12)
    assert (other.low, other.high) == pytest.approx((-share.high, -share.low))
    assert one(np.exp(values), in_a, families).estimate == pytest.approx(share.estimate)
    # A second spelling with the first one's scores counts as the same family, not as a word more.
    doubled = one(np.c_[values, values[:, 0]], np.append(in_a, True), np.append(families, "0"))
    assert doubled.estimate == pytest.approx(share.estimate)


def test_zero_on_average_where_labels_are_exchangeable() -> None:
    """Over all ways to call five of ten families A, whatever their scores."""
    values = np.random.default_rng(0).normal(size=(6, 10))
    weight = np.ones(10)
    inside = included(values, weight, TOP).mean(axis=0)
    total = sum(inside[list(of_a)].sum() / (10 * TOP) - 0.5 for of_a in combinations(range(10), 5))
    assert total == pytest.approx(0, abs=1e-10)
    _, families = words(5, 5)
    in_a = np.isin(np.arange(10), (0, 3, 4, 6, 9))
    assert one(values, in_a, families).estimate == pytest.approx(inside[in_a].sum() - 0.5)


def simulated(d: float, n: int, seed: int = 0) -> list[TopShare]:
    """Tables of lasting tastes in as many words as the Big Two starter has."""
    g = np.random.default_rng(seed)
    in_a, families = words(165, 157)
    shares = []
    for _ in range(n):
        values = np.sqrt(0.9) * g.normal(size=322) + np.sqrt(0.1) * g.normal(size=(27, 322))
        shares.append(top([Term(values + d * in_a, 1.0, FACTORS)], in_a, families))
    return shares


@pytest.mark.parametrize("d", [0.0, 0.8])
def test_the_interval_holds_the_true_share_as_often_as_it_says(d: float) -> None:
    shares, true = simulated(d, 200), expected(d, 165 / 322)
    assert np.mean([s.estimate for s in shares]) == pytest.approx(true, abs=0.015)
    deviation = np.std([s.estimate for s in shares])
    assert np.mean([s.se for s in shares]) == pytest.approx(deviation, rel=0.15)
    assert 0.92 <= np.mean([s.low <= true <= s.high for s in shares]) <= 0.99


def test_no_taste_passes_the_shipped_margin_and_its_edge_does_not() -> None:
    margin = Margin(expected(-0.8, 165 / 322), expected(0.8, 165 / 322))
    passed = [judge(s, margin).outcome is Outcome.PASS for s in simulated(0.0, 60, seed=1)]
    assert np.mean(passed) >= 0.95
    wrong = [judge(s, margin).outcome is Outcome.PASS for s in simulated(0.8, 100, seed=2)]
    assert np.mean(wrong) <= 0.10  # .05, and the error of 100 tables


@pytest.mark.parametrize(("d", "of_all"), [(0.8, 165 / 322), (-0.5, 0.2), (2.5, 0.05), (0.0, 0.4)])
def test_the_expected_share_is_that_of_the_densities_beyond_the_cut(
    d: float, of_all: float
) -> None:
    share = expected(d, of_all) + of_all
    # Where is the cut, by the density of both: found anew by bisection of an integral.
    low, high = -10.0, 10.0
    for _ in range(60):
        cut = (low + high) / 2
        of_a, of_b = (integrate.quad(stats.norm(m).pdf, cut, 15)[0] for m in (d, 0.0))
        low, high = (cut, high) if of_all * of_a + (1 - of_all) * of_b > TOP else (low, cut)
    assert share == pytest.approx(of_all * of_a / TOP, abs=1e-6)
    assert expected(0.0, of_all) == pytest.approx(0, abs=1e-9)


def test_a_top_of_one_category_is_a_bound_and_never_passes() -> None:
    in_a, families = words(120, 120)
    g = np.random.default_rng(0)
    values = g.normal(size=(12, 240)) + np.where(np.arange(240) < 60, 20.0, 0.0)
    share = one(values, in_a, families)
    assert (share.method, share.estimate, share.high) == ("separation", 0.5, 0.5)
    # All of 24 families at the top: the lower limit of their share is .025 ** (1 / 24).
    assert share.low == pytest.approx(0.025 ** (1 / 24) - 0.5)
    assert judge(share, Margin(-0.3, 0.3)).outcome is Outcome.FAIL
    assert judge(share, Margin(0.2, 0.5)).cause is Cause.SEPARATION


def test_few_words_at_the_top_never_pass() -> None:
    in_a, families = words(60, 60)
    values = np.random.default_rng(0).normal(size=(12, 120))
    share = one(values, in_a, families)
    assert share.n_top == pytest.approx(12)
    assert "the top 10% are 12 word families" in share.exploratory
    assert judge(share, Margin(-0.45, 0.45)).cause is Cause.EXPLORATORY


def test_a_top_that_ties_never_passes() -> None:
    in_a, families = words(120, 120)
    values = np.random.default_rng(0).normal(size=(12, 240))
    assert not one(values, in_a, families).exploratory
    capped = np.minimum(values, np.quantile(values, 0.6, axis=1, keepdims=True))
    share = one(capped, in_a, families)
    assert f"tie with words below it (more than {MOST_TIED:.0%})" in share.exploratory
    assert judge(share, Margin(-0.3, 0.3)).cause is Cause.EXPLORATORY


def test_a_difference_is_that_of_the_two() -> None:
    in_a, families = words(120, 110)
    g = np.random.default_rng(4)
    values, other = g.normal(size=(2, 12, 230)) + g.normal(size=230)
    difference = top([Term(values, 1.0), Term(other, -1.0)], in_a, families)
    alone = [one(x, in_a, families).estimate for x in (values, other)]
    assert difference.estimate == pytest.approx(alone[0] - alone[1])
    assert difference.scale == (-1.0, 1.0)
    assert difference.low == pytest.approx(2 * difference.estimate - difference.high)
    # Words that both models rank alike cancel: the difference is surer than two separate tables'.
    apart = g.normal(size=(12, 230)) + g.normal(size=230)
    assert difference.se < top([Term(values, 1.0), Term(apart, -1.0)], in_a, families).se
    with pytest.raises(StatisticsError, match="does not vary from word to word"):
        top([Term(values, 1.0), Term(values, -1.0)], in_a, families)


def test_six_prompts_never_pass_and_bad_scores_are_refused() -> None:
    in_a, families = words(120, 120)
    values = np.random.default_rng(0).normal(size=(6, 240))
    assert "6 prompts are too few" in one(values, in_a, families).exploratory
    values[0, 0] = np.nan
    with pytest.raises(StatisticsError, match="not finite"):
        one(values, in_a, families)
