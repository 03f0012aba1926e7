"""What a regression and a distance outside have in common: two contrasts that bound them."""

from __future__ import annotations

import numpy as np
import pytest

from support.two_scorers import scores
from valuebias.errors import StatisticsError
from valuebias.stats import Margin, Outcome, Term, judge, outside, regression, single

pytestmark = pytest.mark.parametrize("distance", [regression, outside])


def measured(distance, first, second, in_a):
    return distance([Term(first)], [Term(second)], in_a, np.arange(len(in_a)))


def test_near_zero_either_sign_is_allowed_for(distance):
    (new, old), in_a = scores(np.random.default_rng(4), 2.0, 0.0)
    found = measured(distance, new, old, in_a)
    lone = single(new, in_a, np.arange(len(in_a)))
    # Against an old one of no effect it can be no larger than the new one's own distance.
    assert found.estimate <= abs(lone.estimate)
    assert found.low < found.estimate - 0.05
    assert judge(found, Margin.below(0.1)).outcome is Outcome.FAIL
    (new, old), in_a = scores(np.random.default_rng(5), 0.0, 0.0)
    assert (
        judge(measured(distance, new, old, in_a), Margin.below(0.02)).outcome
        is Outcome.INCONCLUSIVE
    )


def test_a_bound_beyond_what_could_be_lost_gates_nothing(distance):
    (new, old), in_a = scores(np.random.default_rng(6), 0.9, 0.0)
    found = measured(distance, new, old, in_a)
    with pytest.raises(StatisticsError, match="gates nothing"):
        judge(found, Margin.below(1.2))
    with pytest.raises(StatisticsError, match="no estimate can lie"):
        judge(found, Margin.below(-1.0))


def test_a_difference_of_valences_lies_on_twice_the_scale(distance):
    rng = np.random.default_rng(7)
    (up, down, flat, even), in_a = scores(rng, 4.0, -4.0, 0.3, 0.0)
    new = [Term(up, 1, group="p"), Term(down, -1, group="n")]
    old = [Term(flat, 1, group="p"), Term(even, -1, group="n")]
    found = distance(new, old, in_a, np.arange(len(in_a)))
    assert found.span == 2
    assert found.estimate > 1.2
    assert found.low <= found.estimate <= found.high
    assert judge(found, Margin.below(1.1)).outcome is Outcome.FAIL


def test_the_same_scorer_twice_is_refused(distance):
    (new, _), in_a = scores(np.random.default_rng(8), 0.3, 0.3)
    with pytest.raises(StatisticsError, match="order every word alike"):
        measured(distance, new, 2 * new, in_a)


def test_few_families_and_few_prompts_never_pass(distance):
    rng = np.random.default_rng(9)
    (new, old), in_a = scores(rng, 0.0, 2.0, n=(12, 60))
    found = measured(distance, new, old, in_a)
    assert found.method == "permutation"
    assert judge(found, Margin.below(0.5)).outcome is Outcome.INCONCLUSIVE
    (new, old), in_a = scores(rng, 0.0, 2.0, prompts=6)
    assert (
        judge(measured(distance, new, old, in_a), Margin.below(0.5)).outcome is Outcome.INCONCLUSIVE
    )
