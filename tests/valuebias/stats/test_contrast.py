"""Weighted sums of effects: scorers and prompt sets of any weights, and prompts with factors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support import naive_effect
from valuebias.errors import StatisticsError
from valuebias.prompts import select
from valuebias.stats import Effect, Term, contrast, pair, single
from valuebias.stats.crossed import half_width, prompt_parts

FACTORS = [prompt.factors for prompt in select("positive")]


@st.composite
def layouts(draw, scorers=3):
    """Scores of several scorers with ties (scorers, prompts, words), sides, families of one to
    three words, some of which have words on both sides."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    prompts = draw(st.integers(6, 12))
    family = np.repeat(np.arange(45), draw(st.sampled_from([(1, 1, 1), (1, 2, 3)])) * 15)
    in_a = family < 22
    in_a[:: draw(st.sampled_from([7, 1000]))] ^= True
    taste = rng.normal(size=(scorers, 1, len(family))) + rng.normal(size=45)[family]
    lean = 0.5 * rng.normal(size=(scorers, prompts, 1)) * in_a
    values = taste + lean + rng.normal(size=(scorers, prompts, len(family)))
    return np.round(values * draw(st.sampled_from([5, 50]))), in_a, family.astype(str)


def numbers(effect: Effect) -> tuple[float, ...]:
    return effect.estimate, effect.se, effect.low, effect.high, effect.p


WEIGHTS = st.tuples(*[st.floats(0.1, 3).flatmap(lambda w: st.sampled_from([w, -w]))] * 3)


@settings(max_examples=30, deadline=None)
@given(layouts(), WEIGHTS, st.integers(0, 2**32 - 1))
def test_invariances(layout, weights, seed):
    values, in_a, family = layout
    terms = [Term(v, w) for v, w in zip(values, weights, strict=True)]
    effect = contrast(terms, in_a, family)
    assert effect.span == pytest.approx(sum(map(abs, weights)))
    assert -effect.span <= effect.low <= effect.estimate <= effect.high <= effect.span
    naive = naive_effect.effect([list(zip(weights, values, strict=True))], in_a, family)
    assert effect.estimate == pytest.approx(naive.estimate, abs=1e-9)
    assert effect.se == pytest.approx(naive.se, rel=1e-9)
    # Opposite weights, and sides exchanged, turn it round.
    opposite = contrast([Term(t.values, -t.weight) for t in terms], in_a, family)
    for turned in (opposite, contrast(terms, ~in_a, family)):
        assert turned.estimate == pytest.approx(-effect.estimate, abs=1e-12)
        assert (turned.low, turned.high) == pytest.approx((-effect.high, -effect.low), abs=1e-9)
        assert turned.p == pytest.approx(effect.p, rel=1e-6)
    # The order of the scores alone counts, each scorer's on a scale of its own.
    scaled = [Term(np.exp(t.values / 100) * k + k, t.weight) for k, t in enumerate(terms, 1)]
    assert numbers(contrast(scaled, in_a, family)) == pytest.approx(numbers(effect), abs=1e-9)
    # Not the order of scorers, prompts or words, nor what families are called.
    rng = np.random.default_rng(seed)
    words, prompts = rng.permutation(len(in_a)), rng.permutation(values.shape[1])
    shuffled = [Term(t.values[prompts][:, words], t.weight) for t in terms[::-1]]
    got = contrast(shuffled, in_a[words], np.char.add("x", family[words]))
    assert numbers(got) == pytest.approx(numbers(effect), abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(layouts())
def test_of_one_term_it_is_single_and_of_two_it_is_pair(layout):
    values, in_a, family = layout
    assert contrast([Term(values[0])], in_a, family) == single(values[0], in_a, family)
    both = [Term(values[0]), Term(values[1], -1)]
    assert contrast(both, in_a, family) == pair(values[0], values[1], in_a, family)


@settings(max_examples=20, deadline=None)
@given(layouts())
def test_the_mean_of_models_lies_on_the_scale_of_one(layout):
    values, in_a, family = layout
    mean = contrast([Term(v, 1 / 3) for v in values], in_a, family)
    singles = [single(v, in_a, family) for v in values]
    assert mean.estimate == pytest.approx(np.mean([e.estimate for e in singles]), abs=1e-12)
    assert mean.span == pytest.approx(1)
    assert mean.se <= np.mean([e.se for e in singles]) * (1 + 1e-9)  # a mean is no less certain
    tenfold = contrast([Term(v, 10 / 3) for v in values], in_a, family)
    assert tenfold.estimate == pytest.approx(10 * mean.estimate)
    assert tenfold.se == pytest.approx(10 * mean.se)
    assert tenfold.p == pytest.approx(mean.p, rel=1e-6)


def test_positive_minus_negative_has_two_samples_of_prompts_and_one_of_words():
    rng = np.random.default_rng(1)
    in_a, family = np.arange(60) < 25, np.arange(60) // 1
    word = rng.normal(size=60)
    first = word + 0.3 * rng.normal(size=(27, 60)) + 0.8 * in_a
    second = word + 0.3 * rng.normal(size=(12, 60))
    effect = contrast(
        [Term(first, 1, group="positive"), Term(second, -1, group="negative")], in_a, family
    )
    apart = [single(v, in_a, family).estimate for v in (first, second)]
    assert effect.estimate == pytest.approx(apart[0] - apart[1], abs=1e-12)
    assert (effect.span, effect.n_prompts) == (2, 39)
    naive = naive_effect.effect([[(1, first)], [(-1, second)]], in_a, family)
    assert np.array(effect.parts) == pytest.approx(np.array(naive.parts), rel=1e-9)
    assert (effect.low, effect.high) == pytest.approx(naive.interval, abs=1e-9)
    # What the words are liked by on both cancels: the words are one sample.
    assert effect.se < single(first, in_a, family).se
    assert not effect.exploratory
    few = contrast([Term(first, group="p"), Term(second[:6], -1, group="n")], in_a, family)
    assert "6 prompts" in few.exploratory  # the fewest count


def test_what_is_no_contrast_is_refused():
    rng = np.random.default_rng(2)
    in_a, family = np.arange(60) < 25, np.arange(60)
    values = rng.normal(size=(12, 60))
    other = rng.normal(size=(12, 60))
    for weight in (0.0, np.nan, np.inf):
        with pytest.raises(StatisticsError, match="finite weights other than zero"):
            contrast([Term(values), Term(other, weight)], in_a, family)
    with pytest.raises(StatisticsError, match="needs a scorer"):
        contrast([], in_a, family)
    with pytest.raises(StatisticsError, match="not scored on the same words and prompts"):
        contrast([Term(values), Term(other[:8], -1)], in_a, family)
    with pytest.raises(StatisticsError, match="do not describe the same words"):
        contrast([Term(values), Term(other[:, :50], -1, group="n")], in_a, family)
    with pytest.raises(StatisticsError, match="order every word alike"):
        contrast([Term(values, 0.5), Term(values + 1, -0.5)], in_a, family)
    with pytest.raises(StatisticsError, match="does not vary from word to word"):
        contrast([Term(values), Term(values[::-1], -1, group="same again")], in_a, family)
    with pytest.raises(StatisticsError, match="not finite"):
        contrast([Term(values), Term(np.where(other > 2, np.nan, other), -1)], in_a, family)


def test_one_scorer_of_another_weight_is_on_another_scale():
    rng = np.random.default_rng(3)
    in_a, family = np.arange(60) < 30, np.arange(60)
    values = rng.normal(size=(12, 60)) + 2 * rng.normal(size=60) + in_a
    one = single(values, in_a, family)
    for weight in (2.0, -0.5, 1e-3):
        effect = contrast([Term(values, weight)], in_a, family)
        assert effect.estimate == pytest.approx(weight * one.estimate)
        assert effect.se == pytest.approx(abs(weight) * one.se)
        assert -effect.span <= effect.low < effect.estimate < effect.high <= effect.span
        assert effect.high - effect.low == pytest.approx(
            2 * abs(weight) * half_width(one.parts, 0.05)
        )
    turned = contrast([Term(values, -1.0)], in_a, family)
    assert (turned.low, turned.high) == pytest.approx((-one.high, -one.low))
    # The bound of complete separation is one of a single scorer.
    apart = Term(values + 100 * in_a)
    assert contrast([apart], in_a, family).method == "separation"
    with pytest.raises(StatisticsError, match="has no interval"):
        contrast([Term(apart.values, 2.0)], in_a, family)


# Factors of prompts


def leaning(rng, by=(0.0, 0.0, 0.0), noise=0.5):
    """Scores on the 27 prompts; each adjective raises A's words by so much, and each prompt too."""
    in_a = np.arange(60) < 25
    lean = np.repeat(by, 9)[:, None] + noise * rng.normal(size=(27, 1))
    values = rng.normal(size=60) + lean * in_a + 0.3 * rng.normal(size=(27, 60))
    return values, in_a, np.arange(60)


def test_prompts_that_share_an_adjective_are_no_independent_draws():
    data = leaning(np.random.default_rng(4), (1.0, 0.0, -1.0), noise=0.1)
    alone, shared = single(*data), single(*data, prompts=FACTORS)
    assert alone.estimate == shared.estimate
    assert shared.se_prompts > 2 * alone.se_prompts
    # Three adjectives are three draws: a t of two degrees of freedom.
    _, (_, residual), (variance, df) = shared.parts
    assert residual == 20
    assert 2 <= df < 2.1
    per_adjective = [naive_effect.rank_biserial(data[0][i : i + 9], data[1]) for i in (0, 9, 18)]
    assert variance == pytest.approx(np.var(per_adjective, ddof=1) / 3, rel=0.1)
    assert shared.high - shared.low > 1.5 * (alone.high - alone.low)


def test_factors_without_an_effect_add_no_more_than_the_prompts_own_part():
    """What three factors show of nothing is never taken off one another, so that something is left:
    the interval is then too long, never too short."""
    rng = np.random.default_rng(5)
    own, added = [], []
    for _ in range(400):
        (variance, left), (shared, _) = prompt_parts(rng.normal(size=27), FACTORS, 0.0)
        assert left == 20
        own.append(variance * 27)
        added.append(shared * 27)
    # A variance of one: unbiased without the factors' part.
    assert np.mean(own) == pytest.approx(1, abs=4 * np.sqrt(2 / 20 / 400))
    assert 0.5 < np.mean(added) < 1.5
    # All three below the residual in (1 - 1/e)^3 = .25 of cases, were that known.
    assert 0.15 < np.mean(np.array(added) == 0) < 0.4


def test_one_factor_without_an_effect_is_cut_off_at_nothing():
    rng = np.random.default_rng(6)
    adjectives = [{"adjective": f["adjective"]} for f in FACTORS]
    added = [prompt_parts(rng.normal(size=27), adjectives, 0.0)[1][0] * 27 for _ in range(400)]
    # A mean square of two degrees of freedom less its expectation: e^-1 above, 0 with 1 - e^-1.
    assert np.mean(added) == pytest.approx(np.exp(-1), abs=0.2)
    assert np.mean(np.array(added) == 0) == pytest.approx(1 - np.exp(-1), abs=0.1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 2), st.floats(0, 0.05))
def test_parts_of_prompts_are_those_of_the_analysis_of_variance(seed, slope, noise):
    rng = np.random.default_rng(seed)
    effects = rng.normal(size=27) + slope * np.repeat(rng.normal(size=3), 9)
    got = prompt_parts(effects, FACTORS, noise)
    want = naive_effect.prompt_parts(effects, FACTORS, noise)
    assert np.array(got) == pytest.approx(np.array(want), rel=1e-9, abs=1e-12)


def test_factors_of_one_level_or_one_a_prompt_say_nothing():
    rng = np.random.default_rng(6)
    values, in_a, family = leaning(rng, (1.0, 0.0, -1.0))
    without = single(values, in_a, family)
    cases: tuple[list[dict[str, str]], ...] = (
        [{"style": "one"}] * 27,
        [{"text": f"prompt {i}"} for i in range(27)],
        [{}] * 27,
        [{"style": "one", "text": f"{i}"} for i in range(27)],
    )
    for factors in cases:
        assert single(values, in_a, family, prompts=factors) == without
    some = [{**f, "style": "one"} for f in FACTORS]
    two = [{k: v for k, v in f.items() if k != "style"} for f in FACTORS]
    assert single(values, in_a, family, prompts=some) == single(values, in_a, family, prompts=two)


def test_unbalanced_factors_still_widen_the_interval():
    rng = np.random.default_rng(7)
    values, in_a, family = leaning(rng, (1.2, 0.0, -1.2), noise=0.1)
    keep = np.array([*range(7), *range(9, 14), *range(18, 27)])  # 7, 5 and 9 of an adjective
    data = values[keep], in_a, family
    alone = single(*data)
    shared = single(*data, prompts=[FACTORS[i] for i in keep])
    assert shared.estimate == alone.estimate
    assert shared.se_prompts > 2 * alone.se_prompts
    order = rng.permutation(len(keep))
    again = single(values[keep[order]], in_a, family, prompts=[FACTORS[i] for i in keep[order]])
    assert numbers(again) == pytest.approx(numbers(shared), rel=1e-6)


def test_factors_belong_to_the_prompts():
    values, in_a, family = leaning(np.random.default_rng(8))
    for factors in (FACTORS[:26], [], FACTORS + FACTORS):
        with pytest.raises(StatisticsError, match="prompts and factors"):
            single(values, in_a, family, prompts=factors)
    other = values[:, ::-1] ** 3
    turned = [Term(values, 1, FACTORS), Term(other, -1, FACTORS[::-1])]
    with pytest.raises(StatisticsError, match="prompts and factors"):
        contrast(turned, in_a, family)
    with pytest.raises(StatisticsError, match="prompts and factors"):
        contrast([Term(values, 1), Term(other, -1, FACTORS)], in_a, family)


@pytest.mark.parametrize("sizes", [(10, 10), (18, 2), (12, 5, 3)])
def test_a_factors_part_is_right_on_average_whatever_its_levels_hold(sizes):
    """Levels of unit variance: that of the mean over prompts is the sum of squared shares."""
    levels = np.repeat(np.arange(len(sizes)), sizes)
    factors = [{"adjective": str(level)} for level in levels]
    rng = np.random.default_rng(8)
    found = [
        prompt_parts(
            rng.normal(size=len(sizes))[levels] + 0.05 * rng.normal(size=20), factors, 0.0
        )[1][0]
        for _ in range(4000)
    ]
    assert np.mean(found) == pytest.approx(np.square(np.array(sizes) / 20).sum(), rel=0.12)
