"""Prompts that disagree: what cancels in the mean is seen, and what lies inside is let be."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.naive_effect import placements
from valuebias.errors import StatisticsError
from valuebias.prompts import select
from valuebias.stats import Cause, Margin, Outcome, Term, contrast, controlled, judge, regression
from valuebias.stats.crossed import word_variance
from valuebias.stats.disagreement import ByPrompt, Unit, holm, named
from valuebias.stats.effect import Effect
from valuebias.stats.word_families import WordFamilies

PROMPTS = select("positive")
FACTORS = [p.factors for p in PROMPTS]
N = 300
IN_A = np.arange(N) < 150
FAMILIES = np.arange(N) // 2  # two words each
WORDS = WordFamilies(IN_A, FAMILIES)
MARGIN = Margin(-0.276, 0.276)
Floats = npt.NDArray[np.float64]


def scores(shift: Floats | float = 0.0, *, seed: int = 0, drawn: bool = False) -> Floats:
    """(27, N): tastes that last over prompts, and A's words raised on each prompt by ``shift``.
    Unless each word's taste is ``drawn``, both sides have the same ones, in another order."""
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=N)
    if not drawn:
        taste[IN_A] = rng.permutation(taste[~IN_A])
    values = np.sqrt(0.9) * taste + np.sqrt(0.1) * rng.normal(size=(27, N))
    values[:, IN_A] += np.broadcast_to(shift, 27)[:, None]
    return values


def measured(values: Floats, weight: float = 1.0) -> Effect:
    term = Term(values, weight, FACTORS, ids=tuple(p.id for p in PROMPTS))
    return contrast([term], IN_A, FAMILIES)


def by_adjective(**shift: float) -> Floats:
    return np.array([shift.get(p.factors["adjective"], 0.0) for p in PROMPTS])


def latin(shift: float) -> Floats:
    """Up in a third of the prompts and down in another, so that every factor's levels cancel."""
    names = [sorted({f[k] for f in FACTORS}) for k in ("adjective", "scope", "style")]
    sums = [sum(n.index(f[k]) for n, k in zip(names, f, strict=True)) for f in FACTORS]
    return np.array([(shift, -shift, 0.0)[total % 3] for total in sums])


def test_what_cancels_in_the_mean_and_in_every_factor_is_seen():
    effect = measured(scores(latin(0.9)))
    assert effect.by_prompt is not None
    assert abs(effect.estimate) < 0.1
    assert all(abs(u.estimate) < 0.1 for u in effect.by_prompt.units if u.factor)
    verdict = judge(effect, MARGIN)
    assert MARGIN.low <= verdict.gate_low <= verdict.gate_high <= MARGIN.high
    assert (verdict.outcome, verdict.cause) == (Outcome.INCONCLUSIVE, Cause.PROMPTS)
    found = effect.by_prompt.outside(MARGIN.low, MARGIN.high, 0.05)
    moved = {p.id for p, s in zip(PROMPTS, latin(0.9), strict=True) if s}
    assert len(found) >= 6
    assert {u.name for u in found} <= moved
    assert found[0].name in verdict.reason
    assert f"{len(found)} of 27 prompts" in verdict.reason


def test_adjectives_that_disagree_are_named_and_are_no_error():
    verdict = judge(measured(scores(by_adjective(greatest=0.45, good=-0.45))), MARGIN)
    assert (verdict.outcome, verdict.cause) == (Outcome.INCONCLUSIVE, Cause.PROMPTS)
    assert '"greatest" +' in verdict.reason
    assert '"good" -' in verdict.reason
    assert '"best"' not in verdict.reason
    assert "wider" not in verdict.reason
    assert verdict.families_needed is None


def test_a_level_outside_the_margin_is_named_before_its_prompts():
    effect = measured(scores(by_adjective(greatest=0.9)))
    verdict = judge(effect, Margin(-0.4, 0.45))
    assert verdict.cause is Cause.PROMPTS
    assert effect.by_prompt is not None
    assert effect.by_prompt.outside(-0.2, 0.276, 0.05)[0].name == "greatest"


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shift", [0.0, 0.2])
def test_prompts_that_differ_inside_the_margin_pass(seed: int, shift: float):
    """Each prompt has a taste of its own of up to .2 SD (.11 on the scale)."""
    own = np.random.default_rng(seed).uniform(-shift, shift, size=27)
    verdict = judge(measured(scores(own, seed=seed)), MARGIN)
    assert (verdict.outcome, verdict.cause) == (Outcome.PASS, Cause.INSIDE)


def test_a_margin_too_narrow_whatever_the_prompts_is_still_an_error():
    with pytest.raises(StatisticsError, match="too narrow for these data"):
        judge(measured(scores()), Margin(-0.05, 0.05))
    with pytest.raises(StatisticsError, match="too narrow for these data"):
        judge(measured(scores(by_adjective(greatest=0.45, good=-0.45))), Margin(0, 0.05))


def test_prompts_that_are_all_outside_fail():
    verdict = judge(measured(scores(1.0 + 0.3 * latin(1.0))), MARGIN)
    assert (verdict.outcome, verdict.cause) == (Outcome.FAIL, Cause.OUTSIDE)


def test_units_are_the_effects_of_their_prompts_alone():
    values = scores(latin(0.5), seed=3)
    effect = measured(values)
    by_prompt = effect.by_prompt
    assert by_prompt is not None
    placed = [placements(row, IN_A, FAMILIES) for row in values]
    alone = []
    for unit in by_prompt.units:
        at = [
            i
            for i, p in enumerate(PROMPTS)
            if (p.factors[unit.factor] if unit.factor else p.id) == unit.name
        ]
        alone.append(tuple(np.mean([placed[i][side] for i in at], axis=0) for side in (0, 1)))
        assert unit.estimate == pytest.approx(2 * alone[-1][0].mean() - 1, abs=1e-12)
    assert len(by_prompt.units) == 27 + 9
    for i, (a, b) in enumerate(alone):
        variance = 4 * word_variance(a, b, WORDS)[0]
        assert by_prompt.covariance[i, i] == pytest.approx(variance, rel=1e-9)
    for i, j in itertools.combinations((0, 13, 27, 30, 35), 2):
        a, b = (x - y for x, y in zip(alone[i], alone[j], strict=True))
        covariance = by_prompt.covariance
        paired = covariance[i, i] + covariance[j, j] - 2 * covariance[i, j]
        assert paired == pytest.approx(4 * word_variance(a, b, WORDS)[0], rel=1e-6)


def test_the_difference_of_two_groups_is_taken_prompt_by_prompt():
    up, down = scores(latin(0.9), seed=1), scores(0.0, seed=2)
    names = tuple(p.id for p in PROMPTS)
    terms = [
        Term(up, 1.0, FACTORS, "positive", names),
        Term(down, -1.0, FACTORS, "negative", tuple(f"{n}, worst" for n in names)),
    ]
    both = contrast(terms, IN_A, FAMILIES).by_prompt
    one, other = measured(up), measured(down)
    assert both is not None
    assert one.by_prompt is not None
    assert len([u for u in both.units if not u.factor]) == 54
    at = names.index("best_ever_one")
    assert both.units[at].name == "best_ever_one"
    assert both.units[at].estimate == pytest.approx(
        one.by_prompt.units[at].estimate - other.estimate
    )


def test_a_regression_and_a_controlled_effect_know_their_prompts():
    values, old = scores(latin(1.4), seed=1), scores(-0.1, seed=2)
    term = Term(values, 1.0, FACTORS)
    below = Margin.below(0.4)
    worse = regression([term], [Term(old, 1.0, FACTORS)], IN_A, FAMILIES)
    assert worse.by_prompt is not None
    assert worse.by_prompt.mean == pytest.approx(worse.estimate)
    assert judge(worse, below).cause is Cause.PROMPTS
    length = np.random.default_rng(5).normal(size=N)
    beside = controlled([term], IN_A, FAMILIES, {"length": length})
    assert beside.by_prompt is not None
    assert beside.by_prompt.mean == beside.estimate
    assert judge(beside, MARGIN).cause is Cause.PROMPTS


def test_prompts_without_factors_are_numbered():
    effect = contrast([Term(scores(latin(0.9)))], IN_A, FAMILIES)
    assert effect.by_prompt is not None
    assert {u.name for u in effect.by_prompt.units} == {f"prompt {i}" for i in range(1, 28)}
    assert judge(effect, MARGIN).cause is Cause.PROMPTS


def test_a_prompt_on_which_one_side_beats_the_other_throughout_is_seen():
    values = scores()
    values[4, IN_A] += 100.0
    effect = measured(values)
    assert effect.by_prompt is not None
    found = effect.by_prompt.outside(MARGIN.low, MARGIN.high, 0.05)
    assert [u.name for u in found] == [PROMPTS[4].id]


def test_at_the_edge_prompts_are_called_outside_in_no_more_than_alpha_of_runs():
    """All prompts on the edge: the family-wise error over 36 units, 300 runs, alpha .1."""
    edge = 0.276  # the rank-biserial correlation of a shift of half a standard deviation
    alarms = 0
    for seed in range(300):
        by_prompt = measured(scores(0.5, seed=seed, drawn=True)).by_prompt
        assert by_prompt is not None
        alarms += bool(by_prompt.outside(-edge, edge, 0.1))
    assert alarms <= 43  # .1 x 300, and 2.5 standard errors


def test_without_differences_none_is_shown_in_more_than_alpha_of_runs():
    alarms = 0
    for seed in range(300):
        by_prompt = measured(scores(seed=seed, drawn=True)).by_prompt
        assert by_prompt is not None
        alarms += bool(by_prompt.differing(0.1))
    assert 3 <= alarms <= 43


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12), st.sampled_from([0.01, 0.05, 0.2]))
def test_holm_is_the_step_down_of_its_definition(p: list[float], alpha: float):
    ordered = sorted(p)
    k = next((i for i, x in enumerate(ordered) if x > alpha / (len(p) - i)), len(p))
    assert sorted(x for x, seen in zip(p, holm(p, alpha), strict=True) if seen) == ordered[:k]


@settings(max_examples=40)
@given(st.integers(0, 10_000), st.floats(0.05, 0.6))
def test_turning_the_sides_turns_the_units(seed: int, edge: float):
    values = scores(latin(0.7), seed=seed % 7)
    rng = np.random.default_rng(seed)
    order = rng.permutation(27)
    one = measured(values).by_prompt
    term = Term(
        -values[order],
        1.0,
        [FACTORS[i] for i in order],
        ids=tuple(PROMPTS[i].id for i in order),
    )
    other = contrast([term], IN_A, FAMILIES).by_prompt
    assert one is not None
    assert other is not None
    found, turned = one.outside(-edge, edge / 2, 0.05), other.outside(-edge / 2, edge, 0.05)
    assert {u.name for u in found} == {u.name for u in turned}
    assert {u.name for u in one.differing(0.05)} == {u.name for u in other.differing(0.05)}


def test_a_sentence_names_four_units_and_counts_the_rest():
    units = [Unit(f"p{i}", "", 0.1 * i) for i in range(6)]
    assert named(units) == "p0 +.000, p1 +.100, p2 +.200, p3 +.300 and 2 more"
    assert str(Unit("bad\x1b", "adjective", -0.25)) == '"bad\\x1b" -.250'


def test_the_farthest_levels_are_named_where_none_is_shown_to_differ():
    values = scores(by_adjective(greatest=0.05))
    by_prompt = measured(values).by_prompt
    assert isinstance(by_prompt, ByPrompt)
    high, low = by_prompt.extremes()
    assert high.factor == low.factor
    assert high.estimate > low.estimate
