"""Effect sizes against scipy, R and plain counting, and their invariances."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.stats import d_equiv, hedges_g, prob_superiority, rank_biserial, single, sizes

DATA = Path(__file__).parent / "data"
WILCOXON_W = 505  # R 4.2.2, wilcox.test of m0 on prompt p00, agency first


@pytest.fixture(scope="module")
def synthetic():
    with (DATA / "synthetic_scores.csv").open() as f:
        rows = list(csv.DictReader(f))
    in_a = np.array([r["category"] == "agency" for r in rows])
    values = {
        m: np.array([[float(r[c]) for r in rows] for c in rows[0] if c.startswith(f"{m}:")])
        for m in ("m0", "m4")
    }
    return values, in_a, json.loads((DATA / "synthetic_expected.json").read_text())


@st.composite
def data(draw, prompts=4):
    """Small whole scores, so that there are ties and every rescaling below is exact."""
    n = draw(st.integers(5, 14))
    n_a = draw(st.integers(2, n - 3))
    values = draw(
        arrays(np.int64, (draw(st.integers(1, prompts)), n), elements=st.integers(-6, 6))
    ).astype(float)
    in_a = np.array(draw(st.permutations([True] * n_a + [False] * (n - n_a))))
    return values, in_a


@st.composite
def spread(draw):
    """Data in which the words of a category differ, as Hedges' g needs."""
    values, in_a = draw(data())
    return values + np.arange(values.shape[1]) / 16, in_a


def test_one_prompt_is_what_r_finds(synthetic):
    values, in_a, expected = synthetic
    for model in ("m0", "m4"):
        auc = expected["proc"][f"delong_{model}_p00"]["auc"]
        assert prob_superiority(values[model][:1], in_a) == pytest.approx(auc, abs=1e-12)
    pairs = in_a.sum() * (~in_a).sum()
    assert prob_superiority(values["m0"][:1], in_a) * pairs == pytest.approx(WILCOXON_W)


def test_prompts_are_averaged_and_single_finds_the_same(synthetic):
    values, in_a, expected = synthetic
    for model, scores in values.items():
        found = rank_biserial(scores, in_a)
        want = expected["crossed"][f"single_{model}_positive_random"]["rb"]
        assert found == pytest.approx(want, abs=1e-12)
        assert found == pytest.approx(single(scores, in_a, np.arange(len(in_a))).estimate)


def test_hedges_g_from_students_t(synthetic):
    values, in_a, _ = synthetic
    word = values["m0"].mean(axis=0)
    t = stats.ttest_ind(word[in_a], word[~in_a]).statistic
    n_a, n_b = in_a.sum(), (~in_a).sum()
    d = t * math.sqrt(1 / n_a + 1 / n_b)
    assert hedges_g(values["m0"], in_a) == pytest.approx(d * (1 - 3 / (4 * (n_a + n_b - 2) - 1)))


def test_a_hand_worked_case():
    values = np.array([[3.0, 1.0, 2.0, 0.0]])
    found = sizes(values, np.array([True, True, False, False]))
    # A is 3, 1 and B is 2, 0: A wins three of four pairs; means 2 and 1, pooled variance 2.
    assert found.prob_superiority == 0.75
    assert found.rank_biserial == 0.5
    assert found.d_equiv == pytest.approx(0.9538725524)
    assert found.hedges_g == pytest.approx((1 - 3 / 7) / math.sqrt(2))
    assert (found.n_words, found.n_prompts) == ((2, 2), 1)


@given(data())
def test_mann_whitney_on_each_prompt(case):
    values, in_a = case
    shares = [
        stats.mannwhitneyu(row[in_a], row[~in_a]).statistic / (in_a.sum() * (~in_a).sum())
        for row in values
    ]
    assert prob_superiority(values, in_a) == pytest.approx(np.mean(shares), abs=1e-12)


@given(data())
def test_twice_the_difference_of_mean_relative_ranks(case):
    values, in_a = case
    relative = (stats.rankdata(values, axis=1) - 0.5) / values.shape[1]
    difference = relative[:, in_a].mean() - relative[:, ~in_a].mean()
    assert abs(rank_biserial(values, in_a) - 2 * difference) < 1e-9


@given(spread())
def test_opposite_scores_or_sides_flip_the_sign(case):
    values, in_a = case
    found = sizes(values, in_a)
    for other in (sizes(-values, in_a), sizes(values, ~in_a)):
        assert other.rank_biserial == pytest.approx(-found.rank_biserial, abs=1e-12)
        assert other.prob_superiority == pytest.approx(1 - found.prob_superiority, abs=1e-12)
        assert other.d_equiv == pytest.approx(-found.d_equiv, abs=1e-9)
        assert other.hedges_g == pytest.approx(-found.hedges_g, abs=1e-9)


@given(data(), st.sampled_from([np.exp, lambda x: x**3, lambda x: 5 * x - 2]))
def test_only_the_order_counts_for_ranks(case, rescale):
    values, in_a = case
    assert rank_biserial(rescale(values), in_a) == rank_biserial(values, in_a)


@given(spread())
def test_hedges_g_has_no_unit(case):
    values, in_a = case
    assert hedges_g(8 * values - 3, in_a) == pytest.approx(hedges_g(values, in_a), abs=1e-9)


@given(spread(), st.randoms(use_true_random=False))
def test_the_order_of_words_and_prompts_does_not_count(case, random):
    values, in_a = case
    words, prompts = list(range(len(in_a))), list(range(len(values)))
    random.shuffle(words)
    random.shuffle(prompts)
    found, other = sizes(values, in_a), sizes(values[prompts][:, words], in_a[words])
    for field in ("prob_superiority", "rank_biserial", "hedges_g"):
        assert getattr(other, field) == pytest.approx(getattr(found, field), abs=1e-12)


def test_d_equiv_of_normal_distributions():
    for d in (-0.8, 0.0, 0.2, 0.5):
        assert d_equiv(float(stats.norm.cdf(d / math.sqrt(2)))) == pytest.approx(d, abs=1e-12)
    assert d_equiv(0.0) == -math.inf
    assert d_equiv(1.0) == math.inf


IN_A = np.array([True, True, False, False])


@pytest.mark.parametrize(
    ("values", "in_a", "message"),
    [
        (np.array([[1, np.nan, 2, 3]]), IN_A, "1 of 4 scores are not finite"),
        (np.array([[1, np.inf, 2, 3]]), IN_A, "not finite"),
        (np.zeros((1, 3)), IN_A, "same words"),
        (np.zeros(4), IN_A, "same words"),
        (np.zeros((0, 4)), IN_A, "same words"),
        (np.zeros((1, 4)), np.array([1, 1, 0, 0]), "must be booleans"),
        (np.zeros((1, 4)), ~np.zeros(4, bool), "no word"),
        (np.zeros((1, 4)), np.zeros(4, bool), "no word"),
    ],
)
def test_bad_input_is_refused(values, in_a, message):
    for function in (prob_superiority, rank_biserial, hedges_g, sizes):
        with pytest.raises(StatisticsError, match=message):
            function(values, in_a)


@pytest.mark.parametrize("constant", [0.0, 0.1])
def test_hedges_g_needs_a_spread(constant):
    values = np.full((3, 4), constant)
    values[:, IN_A] += 1
    with pytest.raises(StatisticsError, match="no spread"):
        hedges_g(values, IN_A)
    with pytest.raises(StatisticsError, match="two words"):
        hedges_g(np.arange(4.0)[None], np.array([True, False, False, False]))


@pytest.mark.parametrize("superiority", [-0.01, 1.01, math.nan])
def test_d_equiv_is_of_a_probability(superiority):
    with pytest.raises(StatisticsError, match="between 0 and 1"):
        d_equiv(superiority)
