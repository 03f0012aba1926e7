"""Predictions of a new model: golden values from elsewhere, invariants and coverage."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.meta_analysis import combine_effects

from valuebias.errors import StatisticsError
from valuebias.stats.prediction import predict_difference, predict_effect

# The 13 trials of the BCG vaccine (Colditz et al., JAMA 1994): cases and non-cases, vaccinated and
# not. The variance between trials of the log relative risk, by R's metafor:
# rma(method="HE") gives tau^2 = 0.3286.
BCG = np.array(
    [
        (4, 119, 11, 128), (6, 300, 29, 274), (3, 228, 11, 209), (62, 13536, 248, 12619),
        (33, 5036, 47, 5761), (180, 1361, 372, 1079), (8, 2537, 10, 619),
        (505, 87886, 499, 87892), (29, 7470, 45, 7232), (17, 1699, 65, 1600),
        (186, 50448, 141, 27197), (5, 2493, 3, 2338), (27, 16886, 29, 17825),
    ],
    dtype=float,
)  # fmt: skip


def test_the_variance_between_trials_of_a_known_meta_analysis():
    a, b, c, d = BCG.T
    y = np.log(a / (a + b)) - np.log(c / (c + d))
    found = predict_effect(y, np.diag(1 / a - 1 / (a + b) + 1 / c - 1 / (c + d)))
    assert found.between == pytest.approx(0.3286, abs=5e-5)
    assert found.df == 12


@pytest.mark.parametrize("error", [0.05, 0.02, 0.3])
def test_with_equal_independent_errors_it_is_paule_and_mandel(error):
    """Whose weights are then equal too; beyond the spread both are truncated at zero."""
    y = np.array([0.12, -0.03, 0.2, 0.01, 0.07, -0.1, 0.16])
    theirs = combine_effects(y, np.full(7, error**2), method_re="iterated", use_t=True)
    found = predict_effect(y, np.eye(7) * error**2)
    assert found.between == pytest.approx(max(theirs.tau2, 0.0), abs=1e-7)
    assert found.mean == pytest.approx(theirs.mean_effect_re)
    assert found.se == pytest.approx(theirs.sd_eff_w_re, rel=1e-6)
    low, high = found.interval()
    assert (low + high) / 2 == pytest.approx(y.mean())
    half = 2.446912 * np.sqrt(found.between + found.se**2)  # t of 6 degrees of freedom
    assert (high - low) / 2 == pytest.approx(half, rel=1e-6)


def test_a_difference_is_of_two_draws_within_a_group():
    y, groups = np.array([0.1, 0.3, 0.2, -0.4, -0.1]), "aaabb"
    within = (0.1**2 + 0.1**2 + 0.15**2 + 0.15**2) / 3
    found = predict_difference(y, np.eye(5) * 0.01, groups)
    assert found.between == pytest.approx(within - 0.01)
    low, high = found.interval()
    assert high == -low == pytest.approx(3.182446 * np.sqrt(2 * found.between), rel=1e-6)


def test_models_that_differ_by_sampling_error_alone_have_no_difference():
    assert predict_difference([0.1, 0.11, 0.09, 0.1], np.eye(4), "aaaa").interval() == (0, 0)


numbers = st.lists(st.floats(-1, 1), min_size=4, max_size=12)


@given(numbers, st.floats(0, 1), st.floats(-1, 1), st.integers(0, 99))
def test_an_error_that_all_models_share_is_no_difference_between_them(y, shared, moved, seed):
    mix = np.random.default_rng(seed).normal(size=(len(y), len(y))) / 5
    errors = mix @ mix.T
    found = predict_effect(y, errors)
    with_it = predict_effect(np.array(y) + moved, errors + shared)
    assert with_it.between == pytest.approx(found.between, abs=1e-9)
    assert with_it.mean == pytest.approx(found.mean + moved)
    assert with_it.se**2 == pytest.approx(found.se**2 + shared)


@given(numbers, st.randoms())
def test_the_order_of_models_does_not_matter(y, random):
    mix = np.random.default_rng(1).normal(size=(len(y), len(y))) / 5
    errors = mix @ mix.T
    order = list(range(len(y)))
    random.shuffle(order)
    found = predict_effect(y, errors)
    shuffled = predict_effect(np.array(y)[order], errors[np.ix_(order, order)])
    assert shuffled.interval() == pytest.approx(found.interval(), abs=1e-9)


@pytest.mark.parametrize(
    ("between", "shared", "least"), [(0.04, 0.86, 0.94), (0.1, 0.6, 0.94), (0.1, 0.0, 0.86)]
)
def test_the_interval_holds_a_new_model_as_often_as_it_says(between, shared, least):
    """Ten models, standard errors of .1 that correlate; the new one's true effect. Where models'
    own errors are as large as what they differ by, the interval is known to be too short."""
    k, runs, held = 10, 4000, 0
    errors = 0.01 * ((1 - shared) * np.eye(k) + shared)
    rng = np.random.default_rng(7)
    noise = rng.multivariate_normal(np.zeros(k), errors, runs)
    models = rng.normal(0.3, between, (runs, k + 1))
    for i in range(runs):
        low, high = predict_effect(models[i, :k] + noise[i], errors).interval()
        held += low <= models[i, k] <= high
    assert least <= held / runs <= 0.985


def test_the_variance_between_models_is_unbiased_where_it_is_not_truncated():
    k, runs = 8, 4000
    errors = 0.01 * (0.3 * np.eye(k) + 0.7)
    rng = np.random.default_rng(3)
    y = rng.multivariate_normal(np.zeros(k), errors + 0.09 * np.eye(k), runs)
    found = [predict_effect(row, errors).between for row in y]
    assert np.mean(found) == pytest.approx(0.09, abs=4 * np.std(found) / np.sqrt(runs))


@pytest.mark.parametrize(
    ("y", "errors", "text"),
    [
        ([0.1, 0.2], np.eye(2), "too few models"),
        ([0.1, 0.2, np.nan], np.eye(3), "finite numbers"),
        ([0.1, 0.2, 0.3], np.eye(4), "finite numbers"),
        ([0.1, 0.2, 0.3], np.eye(3) - 2, "negative eigenvalue"),
        ([0.1, 0.2, 0.3], np.triu(np.ones((3, 3))), "symmetric"),
    ],
)
def test_what_cannot_be_predicted_is_refused(y, errors, text):
    with pytest.raises(StatisticsError, match=text):
        predict_effect(y, errors)


def test_a_group_for_each_model():
    with pytest.raises(StatisticsError, match="4 groups of 5"):
        predict_difference([0.1] * 5, np.eye(5), "aabb")
    with pytest.raises(StatisticsError, match="5 models in 4 groups"):
        predict_difference([0.1] * 5, np.eye(5), "abcdd")
