"""Effects against independent figures, their invariances, and the data they refuse."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from support import naive_effect
from support.naive_effect import placements as naive_placements
from valuebias.errors import StatisticsError
from valuebias.prompts import select
from valuebias.stats import Effect, pair, single
from valuebias.stats.crossed import half_width, p_value, word_variance
from valuebias.stats.word_families import WordFamilies, placements

DATA = Path(__file__).parent / "data"


@pytest.fixture(scope="module")
def synthetic():
    with (DATA / "synthetic_scores.csv").open() as f:
        rows = list(csv.DictReader(f))
    in_a = np.array([r["category"] == "agency" for r in rows])
    names = [c for c in rows[0] if ":" in c]
    scores = {
        m: np.array([[float(r[c]) for r in rows] for c in names if c.startswith(m)])
        for m in ("m0", "m4")
    }
    return scores, in_a, json.loads((DATA / "synthetic_expected.json").read_text())


def test_word_variance_of_one_prompt_is_the_one_of_proc(synthetic):
    scores, in_a, expected = synthetic
    placed = {}
    alone = WordFamilies(in_a, np.arange(len(in_a)))
    for model in ("m0", "m4"):
        a, b = placed[model] = naive_placements(scores[model][0], in_a, alone.family)
        want = expected["proc"][f"delong_{model}_p00"]
        assert a.mean() == pytest.approx(want["auc"], abs=1e-12)
        variance, _ = word_variance(a, b, alone)
        assert variance == pytest.approx(want["var"], rel=1e-9)
    a, b = (x - y for x, y in zip(placed["m0"], placed["m4"], strict=True))
    variance, _ = word_variance(a, b, alone)
    assert a.mean() / math.sqrt(variance) == pytest.approx(
        expected["proc"]["delong_paired"]["z"], rel=1e-9
    )


@pytest.mark.parametrize("case", ["single_m0", "single_m4", "pair_m0_m4"])
def test_crossed_interval_by_word(synthetic, case):
    scores, in_a, expected = synthetic
    values = [scores[m] for m in case.split("_")[1:]]
    words = np.arange(len(in_a))
    first = values[0]
    one = len(values) == 1
    effect = single(first, in_a, words) if one else pair(first, values[1], in_a, words)
    want = expected["crossed"][f"{case}_positive_random"]
    # The prompts' part of the figures is var(prompts) - noise, in truth no less than zero: where it
    # is below, they leave the words' variance alone, as we do. So that no part is cut off anywhere.
    assert (effect.estimate, effect.se) == pytest.approx((want["rb"], want["se"]), rel=1e-9)
    # Their interval has one t for the sum, and is symmetric; ours has a t for each part (never
    # shorter), and of one scorer it is symmetric on Fisher's scale.
    half = half_width(effect.parts, 0.05)
    theirs = (want["hi"] - want["lo"]) / 2
    assert theirs * (1 - 1e-9) <= half <= theirs * 1.001
    assert p_value(want["rb"], effect.parts) == pytest.approx(want["p"], abs=1e-3)
    assert effect.method == "crossed-delong"
    assert effect.n_words == (24, 36)
    assert effect.mde == pytest.approx(want["mde80"], rel=0.05)  # t here, normal there


@pytest.mark.parametrize("factors", [None, "balanced"])
def test_parts_and_interval_are_those_of_the_definitions(synthetic, factors):
    scores, in_a, _ = synthetic
    family = np.where(np.arange(len(in_a)) % 24 < 4, np.arange(len(in_a)) // 2, 100 + np.arange(60))
    prompts = [p.factors for p in select("positive")] if factors else None
    lean = np.repeat([0.9, 0.0, -0.9], 9)[:, None] * in_a if factors else 0.0  # by adjective
    own = 0.4 * np.random.default_rng(3).normal(size=(27, 1)) * in_a  # and by prompt
    first, second = scores["m0"] + lean + own, scores["m4"]
    for group, effect in (
        ([(1, first)], single(first, in_a, family, prompts=prompts)),
        ([(1, first), (-1, second)], pair(first, second, in_a, family, prompts=prompts)),
    ):
        naive = naive_effect.effect([group], in_a, family, prompts)
        assert effect.estimate == pytest.approx(naive.estimate, abs=1e-12)
        assert len(effect.parts) == (3 if factors else 2)
        assert np.array(effect.parts) == pytest.approx(np.array(naive.parts), rel=1e-9)
        assert (effect.low, effect.high) == pytest.approx(naive.interval, abs=1e-9)
        assert naive.half(effect.p) == pytest.approx(naive.distance, rel=1e-6)
        assert effect.se_prompts == pytest.approx(math.sqrt(effect.se**2 - naive.parts[0][0]))


def test_words_of_one_family_are_one_draw(synthetic):
    scores, in_a, _ = synthetic
    words = np.arange(len(in_a))
    once = single(scores["m0"], in_a, words)
    doubled = np.concatenate([scores["m0"]] * 2, axis=1)
    twice = single(doubled, np.tile(in_a, 2), np.tile(words, 2))
    assert twice.estimate == pytest.approx(once.estimate)
    # Only the noise of single scores, which comes off, is thought to be halved.
    assert twice.se == pytest.approx(once.se, rel=0.02)
    assert twice.n_families == once.n_families
    assert twice.n_words == (48, 72)
    spellings = single(doubled, np.tile(in_a, 2), np.tile(words, 2), cluster="word")
    assert spellings.se < 0.75 * once.se


def test_equal_families_on_both_sides_are_obuchowskis_covariance():
    """With families of one size, of which each counts alike as each word does: his sums over words,
    times n / (n - 1)."""
    rng = np.random.default_rng(5)
    family = np.repeat(np.arange(30), 3)
    in_a = np.tile([True, False, False], 30)
    row = rng.normal(size=90) + rng.normal(size=30)[family]
    a, b = naive_placements(row, in_a, np.arange(90))  # of words
    terms = {"a": 0.0, "b": 0.0, "ab": 0.0}
    for f in range(30):
        sa = sum(v - a.mean() for v, g in zip(a, family[in_a], strict=True) if g == f)
        sb = sum(v - b.mean() for v, g in zip(b, family[~in_a], strict=True) if g == f)
        terms["a"] += sa * sa
        terms["b"] += sb * sb
        terms["ab"] += sa * sb
    total = terms["a"] / 30**2 + terms["b"] / 60**2 + 2 * terms["ab"] / 30 / 60
    words = WordFamilies(in_a, family)
    variance, df = word_variance(*placements(row, words), words)
    assert variance == pytest.approx(total * 30 / 29, rel=1e-12)
    assert 0 < df < 60


def test_a_family_of_many_spellings_counts_like_any_other():
    """Half of the words of A are forms of one word, which is far below all others."""
    rng = np.random.default_rng(6)
    in_a, family = np.arange(80) < 40, np.where(np.arange(80) < 20, 0, np.arange(80))
    values = rng.normal(size=80) - 9 * (family == 0) + 0.3 * rng.normal(size=(12, 80))
    effect = single(values, in_a, family)
    assert effect.n_families == (21, 40)
    first = np.r_[0, 20:80]  # one of its forms is as good as all: all of B beats each
    same = single(values[:, first], in_a[first], family[first])
    assert effect.estimate == pytest.approx(same.estimate, abs=1e-12)
    assert effect.parts[0] == pytest.approx(same.parts[0], rel=1e-9)
    assert effect.by_spelling == pytest.approx(naive_effect.rank_biserial(values, in_a), abs=1e-12)
    assert effect.by_spelling is not None
    assert effect.by_spelling < effect.estimate - 0.3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([2, 6, 1000]))
def test_placements_are_shares_of_pairs_won(seed, distinct):
    rng = np.random.default_rng(seed)
    values = rng.integers(0, distinct, size=(2, 3, 17)).astype(np.float32)
    values[0, 0, :3] = [0.0, -0.0, 0.0]  # one number
    in_a = rng.permutation(np.arange(17) < 6)
    family = np.unique(rng.integers(0, 9, 17), return_inverse=True)[1]
    words = WordFamilies(in_a, family)
    a, b = placements(values, words)
    ranked = words.ranks(values)
    for scorer, prompt in np.ndindex(2, 3):
        want = naive_placements(values[scorer, prompt], in_a, family)
        assert a[scorer, prompt] == pytest.approx(want[0], abs=1e-12)
        assert b[scorer, prompt] == pytest.approx(want[1], abs=1e-12)
        # The effect is twice the difference of mean ranks, which the permutation relabels.
        first, second = np.split(ranked[scorer, prompt], [len(want[0])])
        assert first.mean() - second.mean() == pytest.approx(want[0].mean() - 0.5, abs=1e-12)


PARTS = st.lists(st.tuples(st.floats(1e-6, 1.0), st.floats(1.0, 300.0)), min_size=1, max_size=4)


@given(PARTS, st.floats(0.001, 0.5), st.floats(-2, 2))
def test_the_interval_of_several_parts(parts, alpha, estimate):
    half = half_width(parts, alpha)
    each = [math.sqrt(v) * stats.t.ppf(1 - alpha / 2, df) for v, df in parts]
    assert half == pytest.approx(math.hypot(*each), rel=1e-6)
    # Never shorter than with the most degrees of freedom for all.
    most = stats.t.ppf(1 - alpha / 2, max(df for _, df in parts))
    assert half >= most * math.sqrt(sum(v for v, _ in parts)) * (1 - 1e-6)
    p = p_value(estimate, parts)
    assert 0 <= p <= 1
    if 1e-12 < p < 1:
        assert half_width(parts, p) == pytest.approx(abs(estimate), rel=1e-4)


def test_the_p_of_one_part_is_that_of_a_t_test():
    for estimate, df in ((0.3, 4.0), (-1.2, 50.0), (0.01, 2.0)):
        want = 2 * stats.t.sf(abs(estimate) / 0.2, df)
        assert p_value(estimate, [(0.04, df)]) == pytest.approx(want, rel=1e-6)
    assert p_value(0.0, [(0.04, 5.0)]) == 1.0
    assert p_value(1e9, [(0.04, 300.0)]) == 0.0


@st.composite
def layouts(draw):
    """Scores with ties, of 40 to 60 words in 20 to 25 families a side, on 6 to 14 prompts."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    prompts = draw(st.integers(6, 14))
    families = np.concatenate([np.arange(20), rng.integers(0, 25, draw(st.integers(0, 10)))])
    family = np.concatenate([families, rng.permutation(families) + 25])
    in_a = np.arange(len(family)) < len(families)
    values = rng.normal(size=(prompts, len(family))) + rng.normal(size=50)[family]
    return np.round(values * draw(st.sampled_from([4, 50]))), in_a, family.astype(str)


def numbers(effect: Effect) -> tuple[float, ...]:
    return effect.estimate, effect.se, effect.low, effect.high, effect.p


@settings(max_examples=40, deadline=None)
@given(layouts(), st.integers(0, 2**32 - 1))
def test_invariances(layout, seed):
    values, in_a, family = layout
    effect = single(values, in_a, family)
    swapped = single(values, ~in_a, family)
    assert swapped.estimate == pytest.approx(-effect.estimate)
    assert (swapped.low, swapped.high) == pytest.approx((-effect.high, -effect.low))
    assert single(-values, in_a, family).estimate == pytest.approx(-effect.estimate)
    # The order of the scores is all that counts; not that of words, prompts or families' names.
    assert numbers(single(np.exp(values / 100) - 3, in_a, family)) == pytest.approx(numbers(effect))
    order = np.random.default_rng(seed).permutation(len(in_a))
    shuffled = single(values[::-1, order], in_a[order], np.char.add("x", family[order]))
    assert numbers(shuffled) == pytest.approx(numbers(effect))
    assert -1 <= effect.low <= effect.estimate <= effect.high <= 1
    naive = naive_effect.rank_biserial(values, in_a, family)
    assert effect.estimate == pytest.approx(naive, abs=1e-12)
    assert effect.by_spelling == pytest.approx(naive_effect.rank_biserial(values, in_a), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(layouts(), st.integers(0, 2**32 - 1))
def test_a_pair_is_the_difference_and_changes_sign(layout, seed):
    values, in_a, family = layout
    other = values + np.random.default_rng(seed).normal(size=values.shape)
    effect = pair(values, other, in_a, family)
    singles = [single(v, in_a, family).estimate for v in (values, other)]
    assert effect.estimate == pytest.approx(singles[0] - singles[1], abs=1e-12)
    back = pair(other, values, in_a, family)
    assert (back.low, back.high) == pytest.approx((-effect.high, -effect.low))
    assert effect.span == 2


def case(n_a=30, n_b=30, prompts=27, seed=1, effect=0.0):
    rng = np.random.default_rng(seed)
    word = rng.normal(size=n_a + n_b)
    word[:n_a] += effect
    values = (word + 0.3 * rng.normal(size=(prompts, n_a + n_b))).astype(np.float32)
    return values, np.arange(n_a + n_b) < n_a, np.arange(n_a + n_b).astype(str)


def test_identical_scorers_are_refused():
    values, in_a, family = case()
    for same in (values, values * 3 + 1):
        with pytest.raises(StatisticsError, match="order every word alike"):
            pair(values, same, in_a, family)


def test_scores_that_cannot_carry_an_effect_are_refused():
    values, in_a, family = case()

    def refuse(match, change):
        bad = values.copy()
        change(bad)
        with pytest.raises(StatisticsError, match=match):
            single(bad, in_a, family)
        with pytest.raises(StatisticsError, match=match):
            pair(values, bad, in_a, family)

    def put(index, value):
        return lambda bad: bad.__setitem__(index, value)

    refuse("not finite", put((3, 4), np.nan))
    refuse("not finite", put((3, 4), np.inf))
    refuse("too few distinct scores on prompt 6", put(5, 1.0))
    refuse("too few distinct scores on prompt 6", put(5, np.arange(60) % 9))
    refuse("two prompts have the same score", lambda bad: bad.__setitem__(3, bad[7]))
    many, in_many, families = case(150, 150)
    many[2] = 0
    many[2, :12] = np.arange(12)
    with pytest.raises(StatisticsError, match="pairs of words are tied on prompt 3"):
        single(many, in_many, families)


def test_layouts_that_cannot_carry_an_effect_are_refused():
    values, in_a, family = case()
    with pytest.raises(StatisticsError, match="at least 6"):
        single(values[:5], in_a, family)
    with pytest.raises(StatisticsError, match=r"Seen: 1 prompt\."):
        single(values[:1], in_a, family)
    with pytest.raises(StatisticsError, match="at least 5 word families"):
        single(*case(4, 30))
    with pytest.raises(StatisticsError, match="at least 5 word families"):
        single(values, in_a, np.where(in_a, np.arange(60) % 4, np.arange(60)))
    with pytest.raises(StatisticsError, match="do not describe the same words"):
        single(values, in_a[1:], family)
    with pytest.raises(StatisticsError, match="not scored on the same words"):
        pair(values, values[:, 1:], in_a, family)
    with pytest.raises(StatisticsError, match="between 0 and 1"):
        single(values, in_a, family, level=95)


def test_few_prompts_are_exploratory():
    values, in_a, family = case(prompts=6)
    effect = single(values, in_a, family)
    assert "6 prompts are too few" in effect.exploratory
    assert effect.exploratory in effect.notes
    assert not single(*case(prompts=12)).exploratory


def test_few_families_are_permuted():
    strong = single(*case(8, 30, effect=3.0))
    assert strong.method == "permutation"
    assert strong.p < 0.001
    assert strong.p <= strong.p_high < 0.01
    assert "fewer than 20 word families" in strong.notes[0]
    assert strong == single(*case(8, 30, effect=3.0))  # seeded
    assert strong.p != single(*case(8, 30, effect=3.0), seed=1).p or strong.p <= 2e-4
    assert single(*case(20, 20)).method == "crossed-delong"


def test_complete_separation_has_a_bound():
    values, in_a, family = case()
    values[:, in_a] += 100
    effect = single(values, in_a, family)
    assert (effect.estimate, effect.high, effect.method) == (1, 1, "separation")
    # 30 pairs of one family each came out one way: the lower limit of 30 of 30.
    assert effect.low == pytest.approx(2 * 0.025 ** (1 / 30) - 1)
    assert effect.interval(0.9)[0] > effect.low
    below = single(-values, in_a, family)
    assert (below.low, below.high) == pytest.approx((-1, -effect.low))
