"""The smallest edit of a linear reward: exact where it is linear, right gradients where not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from valuebias.errors import StatisticsError
from valuebias.stats.edit import Bound, Metric, Quantity, smallest_edit
from valuebias.stats.effect import single
from valuebias.stats.forecast import forecast
from valuebias.stats.linear_reward import Accuracy, RankEffect, ShareChange

D = 5


class Product:
    """A quantity that is linear."""

    def __init__(self, rows: np.ndarray) -> None:
        self.rows = rows

    def at(self, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.rows @ weights, self.rows


def bound(rows: np.ndarray, low: np.ndarray, high: np.ndarray) -> Bound:
    return Bound(Product(rows), tuple(f"row {i}" for i in range(len(rows))), low, high)


def metric(rng: np.random.Generator) -> Metric:
    a = rng.standard_normal((40, D))
    return Metric.of(a.T @ a)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_the_smallest_change_is_that_of_a_general_solver(seed: int, m: int) -> None:
    rng = np.random.default_rng(seed)
    rows, size = rng.standard_normal((m, D)), metric(rng)
    low = rng.uniform(-1, 1, m)
    high = np.where(rng.random(m) < 0.5, low + rng.uniform(0.01, 1, m), np.inf)
    found = size.smallest(rows, low, high)
    assert found is not None
    values = rows @ found
    assert (values >= low - 1e-7).all()
    assert (values <= high + 1e-7).all()
    covariance = size.factor @ size.factor.T
    limits = [optimize.LinearConstraint(rows, low, high)]
    best = optimize.minimize(  # type: ignore[call-overload]
        lambda x: x @ covariance @ x, found, jac=lambda x: 2 * covariance @ x,
        method="SLSQP", constraints=limits, options={"ftol": 1e-12, "maxiter": 500},
    )  # fmt: skip
    assert size.size(found) <= size.size(best.x) + 1e-5


def test_one_bound_has_the_closed_form_of_least_norm() -> None:
    rng = np.random.default_rng(0)
    size, row = metric(rng), rng.standard_normal((1, D))
    found = size.smallest(row, np.array([2.0]), np.array([np.inf]))
    assert found is not None
    inverse = np.linalg.inv(size.factor @ size.factor.T)
    expected = inverse @ row[0] * 2 / (row[0] @ inverse @ row[0])
    np.testing.assert_allclose(found, expected, atol=1e-10)


def test_bounds_that_contradict_each_other_have_no_edit_and_are_named() -> None:
    rng = np.random.default_rng(1)
    size, row = metric(rng), rng.standard_normal((1, D))
    rows = np.concatenate([row, -row])
    assert size.smallest(rows, np.array([1.0, 1.0]), np.full(2, np.inf)) is None
    edit = smallest_edit(np.zeros(D), [bound(rows, np.ones(2), np.full(2, np.inf))], size)
    assert edit.unmet == ("row 0", "row 1")


def test_an_edit_that_needs_nothing_is_none() -> None:
    rng = np.random.default_rng(2)
    weights, rows = rng.standard_normal(D), rng.standard_normal((2, D))
    now = rows @ weights
    edit = smallest_edit(weights, [bound(rows, now - 1, now + 1)], metric(rng))
    assert edit.size == 0
    assert edit.unmet == edit.binding == ()


def test_a_sham_has_the_size_that_was_asked_for() -> None:
    size = metric(np.random.default_rng(3))
    shams = [size.random(0.7, seed) for seed in range(3)]
    np.testing.assert_allclose([size.size(sham) for sham in shams], 0.7)
    assert not np.allclose(shams[0], shams[1])


def words(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features (prompts, words, d), sides, a policy's log-probabilities, and weights that prefer
    the first side by their first feature."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((12, 60, D)).astype(np.float32)
    in_a = np.arange(60) < 30
    x[:, in_a, 0] += 2
    weights = np.array([1.0, 0.3, 0.2, -0.5, 0.1])
    return x, in_a, rng.standard_normal((12, 60)), weights


def quantities() -> dict[str, Quantity]:
    x, in_a, said, _ = words()
    share = np.full(60, 1 / 30)
    groups = np.vstack([np.full(12, 1 / 12), np.eye(12)[3]])
    return {
        "ranks": RankEffect(x, in_a, share, groups),
        "mass": ShareChange(x, in_a, said, groups),
        "accuracy": Accuracy(x[0]),
    }


@pytest.mark.parametrize("name", ["ranks", "mass", "accuracy"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    quantity = quantities()[name]
    weights = words()[3]
    _, gradients = quantity.at(weights)
    step = 1e-4
    for i in range(D):
        moved = np.eye(D)[i] * step
        numeric = (quantity.at(weights + moved)[0] - quantity.at(weights - moved)[0]) / (2 * step)
        np.testing.assert_allclose(gradients[:, i], numeric, atol=2e-4)


def test_an_edit_brings_the_counted_effect_and_the_forecast_where_they_were_asked() -> None:
    x, in_a, said, weights = words()
    share, groups = np.full(60, 1 / 30), np.full((1, 12), 1 / 12)
    families = [f"word {i}" for i in range(60)]
    flat = x.reshape(-1, D).astype(float)
    band = np.array([0.02])
    edit = smallest_edit(
        weights,
        [
            Bound(RankEffect(x, in_a, share, groups), ("ranks",), -band, band),
            Bound(ShareChange(x, in_a, said, groups), ("mass",), -band, band),
        ],
        Metric.of(flat.T @ flat),
    )
    assert edit.unmet == ()
    before, after = (
        single((x @ w).astype(np.float32), in_a, families).estimate
        for w in (weights, weights + edit.change)
    )
    assert before > 0.5
    assert abs(after) < 0.06  # smoothed by half a standard deviation in the fit
    foreseen = forecast(said, x @ (weights + edit.change), in_a, families)
    assert abs(foreseen.estimate) < 0.03


@pytest.mark.parametrize("wrong", [np.zeros((D, D)), np.full((D, D), np.nan)])
def test_features_without_variance_are_refused(wrong: np.ndarray) -> None:
    with pytest.raises(StatisticsError, match="do not vary"):
        Metric.of(wrong)


def test_an_edit_without_bounds_is_refused() -> None:
    with pytest.raises(StatisticsError, match="needs bounds"):
        smallest_edit(np.zeros(D), [], metric(np.random.default_rng(0)))
