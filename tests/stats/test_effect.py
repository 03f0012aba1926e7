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

from valuebias.errors import StatisticsError
from valuebias.stats import Effect, pair, single
from valuebias.stats.effect import word_variance

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


def naive_placements(row, in_a):
    a, b = row[in_a], row[~in_a]
    wins = (a[:, None] > b[None, :]) + 0.5 * (a[:, None] == b[None, :])
    return wins.mean(axis=1), wins.mean(axis=0)


def test_word_variance_of_one_prompt_is_the_one_of_proc(synthetic):
    scores, in_a, expected = synthetic
    placements = {}
    for model in ("m0", "m4"):
        a, b = naive_placements(scores[model][0], in_a)
        placements[model] = a[None], b[None]
        want = expected["proc"][f"delong_{model}_p00"]
        assert a.mean() == pytest.approx(want["auc"], abs=1e-12)
        variance, _ = word_variance(a[None], b[None], in_a, np.arange(len(in_a)))
        assert variance == pytest.approx(want["var"], rel=1e-9)
    a, b = (x - y for x, y in zip(placements["m0"], placements["m4"], strict=True))
    variance, _ = word_variance(a, b, in_a, np.arange(len(in_a)))
    assert a.mean() / math.sqrt(variance) == pytest.approx(
        expected["proc"]["delong_paired"]["z"], rel=1e-9
    )


@pytest.mark.parametrize("case", ["single_m0", "single_m4", "pair_m0_m4"])
def test_crossed_interval_by_word(synthetic, case):
    scores, in_a, expected = synthetic
    values = [scores[m] for m in case.split("_")[1:]]
    words = np.arange(len(in_a))
    effect = (single if len(values) == 1 else pair)(*values, in_a, words)
    want = expected["crossed"][f"{case}_positive_random"]
    got = (effect.estimate, effect.se, effect.df, effect.low, effect.high, effect.p)
    assert got == pytest.approx(tuple(want[k] for k in ("rb", "se", "df", "lo", "hi", "p")))
    assert effect.method == "crossed-delong"
    assert effect.n_words == (24, 36)
    assert effect.mde == pytest.approx(want["mde80"], rel=0.05)  # t here, normal there


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


def test_families_on_both_sides_are_obuchowskis_covariance():
    rng = np.random.default_rng(5)
    in_a = np.arange(90) < 40
    family = rng.integers(0, 30, 90)
    row = rng.normal(size=90) + rng.normal(size=30)[family]
    a, b = naive_placements(row, in_a)
    total, k = 0.0, len(set(family))
    terms = {"a": 0.0, "b": 0.0, "ab": 0.0}
    for f in set(family):
        sa = sum(v - a.mean() for v, g in zip(a, family[in_a], strict=True) if g == f)
        sb = sum(v - b.mean() for v, g in zip(b, family[~in_a], strict=True) if g == f)
        terms["a"] += sa * sa
        terms["b"] += sb * sb
        terms["ab"] += sa * sb
    ka, kb = len(set(family[in_a])), len(set(family[~in_a]))
    total = terms["a"] * ka / (ka - 1) / 40**2 + terms["b"] * kb / (kb - 1) / 50**2
    total += 2 * terms["ab"] * k / (k - 1) / 40 / 50
    variance, df = word_variance(a[None], b[None], in_a, np.unique(family, return_inverse=True)[1])
    assert variance == pytest.approx(total, rel=1e-12)
    assert 0 < df < ka + kb


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
    return effect.estimate, effect.se, effect.df, effect.low, effect.high, effect.p


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
    naive = np.mean([2 * naive_placements(row, in_a)[0].mean() - 1 for row in values])
    assert effect.estimate == pytest.approx(naive, abs=1e-12)


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
