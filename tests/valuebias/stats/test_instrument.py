"""Agreement of prompts and of valences, against plain computations."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.stats.instrument import between_prompts, between_valences


def drawn(seed: int = 0, words: int = 60, prompts: int = 9, icc: float = 0.6) -> Any:
    rng = np.random.default_rng(seed)
    taste = rng.normal(size=words)
    return np.sqrt(icc) * taste + np.sqrt(1 - icc) * rng.normal(size=(prompts, words))


def test_prompts_agree_as_the_mean_of_all_pairs_of_spearman_correlations() -> None:
    values = drawn()
    pairs = [stats.spearmanr(a, b).statistic for a, b in combinations(values, 2)]
    found = between_prompts(values, np.arange(60))
    assert found.estimate == pytest.approx(np.mean(pairs), abs=1e-12)
    assert found.low < found.estimate < found.high


def test_valences_agree_as_the_correlation_of_mean_ranks() -> None:
    a, b = drawn(1), drawn(2)
    ranks = [stats.rankdata(x, axis=1).mean(axis=0) for x in (a, b)]
    found = between_valences(a, b, np.arange(60))
    assert found.estimate == pytest.approx(stats.pearsonr(*ranks).statistic, abs=1e-12)


def test_the_interval_is_that_of_leaving_families_out() -> None:
    """The influence of families gives nearly the jackknife's standard error on the same ranks."""
    values, family = drawn(3, words=120), np.repeat(np.arange(60), 2)
    ranks = stats.rankdata(values, axis=1)
    left_out = []
    for one in range(60):
        r = np.corrcoef(ranks[:, family != one])
        left_out.append((r.sum() - len(r)) / (len(r) * (len(r) - 1)))
    se = np.sqrt(59 / 60 * ((left_out - np.mean(left_out)) ** 2).sum())
    found = between_prompts(values, family)
    half = np.arctanh(found.high) - np.arctanh(found.estimate)
    assert half * (1 - found.estimate**2) / stats.t.ppf(0.975, 59) == pytest.approx(se, rel=0.05)


def test_noise_agrees_with_nothing_and_one_order_with_everything() -> None:
    noise = np.random.default_rng(4).normal(size=(27, 80))
    assert abs(between_prompts(noise, np.arange(80)).estimate) < 0.05
    order = np.tile(np.arange(80.0), (27, 1))
    assert between_prompts(order, np.arange(80)).low == pytest.approx(1)
    assert between_valences(order, order + 1, np.arange(80)).low == pytest.approx(1)
    assert between_valences(order, -order, np.arange(80)).high == pytest.approx(-1)


@pytest.mark.parametrize("fold", [1, 2])
def test_the_interval_holds_the_truth_about_as_often_as_it_says(fold: int) -> None:
    rng = np.random.default_rng(5)

    def sample(words: int) -> tuple[Any, Any, Any]:
        family = np.repeat(np.arange(words // fold), fold)
        taste = rng.normal(size=(2, words // fold))[:, family] + rng.normal(size=(2, words))
        other = -0.6 * taste[0] + 0.8 * taste[1]
        noise = 1.2 * rng.normal(size=(2, 12, words))
        return taste[0] + noise[0], other + noise[1], family

    large = sample(40_000)
    truth = between_prompts(large[0], large[2]).estimate
    turned = between_valences(*large).estimate
    hits = np.zeros(2)
    for _ in range(200):
        positive, negative, family = sample(80)
        of_prompts, of_valences = (
            between_prompts(positive, family),
            between_valences(positive, negative, family),
        )
        hits += [
            of_prompts.low <= truth <= of_prompts.high,
            of_valences.low <= turned <= of_valences.high,
        ]
    assert (hits >= 175).all()  # .875; 200 draws at .92 lie above with probability .99


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 1000), st.floats(0.1, 5), st.floats(-3, 3))
def test_scale_and_level_of_a_prompt_change_nothing(seed: int, scale: float, level: float) -> None:
    values = drawn(seed, words=20, prompts=6)
    changed = values.copy()
    changed[0] = scale * changed[0] + level
    families = np.arange(20)
    assert between_prompts(changed, families) == between_prompts(values, families)


def test_a_prompt_without_an_order_is_an_error() -> None:
    values = drawn(6)
    values[2] = 1.0
    with pytest.raises(StatisticsError, match="all words have one rank"):
        between_prompts(values, np.arange(60))
