"""Families of models: both tests must agree, and too few models are refused."""

from __future__ import annotations

import itertools
import math
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from support import naive_effect
from valuebias.candidates import Candidates
from valuebias.errors import StatisticsError
from valuebias.lexicons.files import load_lexicon
from valuebias.prompts import Valence, select
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats import Margin, Outcome, Term, contrast, family, judge, single
from valuebias.stats.family import families_of_terms, smallest_p


def models(rng, n, shift=0.0, word=None, prompts=12, own=0.5):
    """Scores of n models that share the words' taste: 25 of A, 35 of B."""
    taste = rng.normal(size=60) if word is None else word
    in_a = np.arange(60) < 25
    return [
        taste + own * rng.normal(size=60) + shift * in_a + 0.3 * rng.normal(size=(prompts, 60))
        for _ in range(n)
    ]


IN_A, WORDS = np.arange(60) < 25, np.arange(60)


def brute_force(first, second):
    every = [*first, *second]
    n = len(first)

    def apart(chosen):
        rest = [x for i, x in enumerate(every) if i not in chosen]
        return abs(np.mean([every[i] for i in chosen]) - np.mean(rest))

    observed = apart(range(n))
    found = [apart(c) >= observed - 1e-12 for c in itertools.combinations(range(len(every)), n)]
    return np.mean(found)


@pytest.mark.parametrize("sizes", [(4, 4), (4, 6), (3, 5), (2, 9)])
@pytest.mark.parametrize("shift", [0.0, 0.3, 1.0])
def test_labels_of_models_are_permuted_exactly(sizes, shift):
    rng = np.random.default_rng(sum(sizes))
    word = rng.normal(size=60)
    first, second = models(rng, sizes[0], shift, word), models(rng, sizes[1], 0.0, word)
    found = family(first, second, IN_A, WORDS)
    own = [[naive_effect.rank_biserial(m, IN_A) for m in side] for side in (first, second)]
    assert found.estimates[0] == pytest.approx(own[0], abs=1e-12)
    assert found.estimates[1] == pytest.approx(own[1], abs=1e-12)
    assert found.estimate == pytest.approx(np.mean(own[0]) - np.mean(own[1]), abs=1e-12)
    assert found.p_models == pytest.approx(brute_force(*own), abs=1e-12)
    assert found.p_models >= found.smallest_p
    assert found.n_models == sizes
    # The word-level test is the contrast of these very models; the larger p counts.
    weights = [1 / sizes[0]] * sizes[0] + [-1 / sizes[1]] * sizes[1]
    terms = [Term(v, w) for v, w in zip([*first, *second], weights, strict=True)]
    words = contrast(terms, IN_A, WORDS)
    assert found.p_words == pytest.approx(words.p, rel=1e-9)
    assert found.p == max(found.p_models, found.p_words, found.p_both)
    assert f"{sizes[0]} and {sizes[1]} models" in found.effect.notes[-1]
    assert found.effect.method == "families"
    # Models are a third sample: its variance comes on top.
    shared = found.effect.parts[: len(words.parts)]
    assert np.array(shared) == pytest.approx(np.array(words.parts))
    assert found.low <= words.low
    assert found.high >= words.high


def test_the_other_way_round_is_the_opposite():
    rng = np.random.default_rng(5)
    first, second = models(rng, 4, 0.4), models(rng, 5)
    there, back = family(first, second, IN_A, WORDS), family(second, first, IN_A, WORDS)
    assert there.estimate == pytest.approx(-back.estimate)
    assert (there.low, there.high) == pytest.approx((-back.high, -back.low))
    assert (there.p_models, there.p_words) == pytest.approx((back.p_models, back.p_words))
    again = family(first[::-1], second[::-1], IN_A, WORDS)
    assert (again.estimate, again.low, again.p) == pytest.approx(
        (there.estimate, there.low, there.p)
    )


@pytest.mark.parametrize(
    ("first", "second", "p"),
    [
        (2, 2, 0.33),
        (2, 3, 0.10),
        (3, 3, 0.10),
        (3, 4, 0.029),
        (4, 4, 0.029),
        (4, 6, 0.0048),
        (5, 5, 0.0079),
    ],
)
def test_the_least_p_that_so_many_models_can_give(first, second, p):
    assert smallest_p(first, second) == smallest_p(second, first)
    assert float(f"{smallest_p(first, second):.2g}") == p
    # And it is the least: of models of two bases that lie wholly apart.
    apart = np.arange(first) * 1.1, 100 + np.arange(second) ** 1.5
    assert brute_force(*apart) == pytest.approx(smallest_p(first, second))


def test_too_few_models_are_refused():
    rng = np.random.default_rng(6)
    assert smallest_p(1, 30) == 1
    for sizes in ((1, 9), (2, 2), (3, 3), (0, 4)):
        with pytest.raises(StatisticsError, match="cannot give a p below"):
            family(models(rng, sizes[0]), models(rng, sizes[1]), IN_A, WORDS)
    first, second = models(rng, 4), models(rng, 4)
    family(first, second, IN_A, WORDS, alpha=0.03)
    with pytest.raises(StatisticsError, match=r"alpha is 0\.01"):
        family(first, second, IN_A, WORDS, alpha=0.01)


def test_a_model_given_twice_is_refused():
    rng = np.random.default_rng(7)
    first, second = models(rng, 4), models(rng, 4)
    for same in (first[0], 3 * first[0] + 1):
        with pytest.raises(StatisticsError, match="Seen: models 1 and 4"):
            family([*first[:3], same], second, IN_A, WORDS)
        with pytest.raises(StatisticsError, match="Seen: models 1 and 7"):
            family(first, [*second[:2], same, second[3]], IN_A, WORDS)


def test_scores_that_cannot_be_compared_are_refused():
    rng = np.random.default_rng(8)
    first, second = models(rng, 4), models(rng, 4)
    bad = second[0].copy()
    bad[0, 0] = np.nan
    with pytest.raises(StatisticsError, match="not finite"):
        family(first, [bad, *second[1:]], IN_A, WORDS)
    for narrow in (second[0][:, :-1], second[0][:-1], second[0][0]):
        with pytest.raises(StatisticsError, match="not scored on the same words and prompts"):
            family(first, [narrow, *second[1:]], IN_A, WORDS)
    with pytest.raises(StatisticsError, match="do not describe the same words"):
        family(first, second, IN_A[:-1], WORDS[:-1])
    with pytest.raises(StatisticsError, match="do not describe the same words"):
        family(first, second, IN_A.astype(int), WORDS)


def test_many_labellings_are_drawn():
    rng = np.random.default_rng(9)
    word = rng.normal(size=60)
    first, second = models(rng, 8, 0.15, word), models(rng, 9, 0.0, word)
    assert math.comb(17, 8) > 20_000  # too many to count
    found = family(first, second, IN_A, WORDS)
    exact = brute_force(*found.estimates)
    assert 0.001 < exact < 0.9
    assert found.p_models != exact
    error = math.sqrt(exact * (1 - exact) / 99_999)
    assert abs(found.p_models - exact) < 4 * error + 1e-5
    assert family(first, second, IN_A, WORDS).p_models == found.p_models  # seeded
    assert family(first, second, IN_A, WORDS, seed=1).p_models != found.p_models


def test_models_that_share_their_base_raise_no_alarm_that_a_taste_of_words_explains():
    """Bases with a taste in words each, and no lean in category: models alone are alarmed by it."""
    rng = np.random.default_rng(10)
    alarms = {"models": 0, "both": 0}
    runs = 200
    for _ in range(runs):
        bases = rng.normal(size=60) + 0.8 * rng.normal(size=(2, 60))
        first, second = (models(rng, 4, 0.0, base, prompts=6, own=0.2) for base in bases)
        found = family(first, second, IN_A, WORDS)
        alarms["models"] += found.p_models < 0.05
        alarms["both"] += found.p < 0.05
    assert alarms["models"] > 0.2 * runs
    assert alarms["both"] <= 0.05 * runs + 4 * math.sqrt(0.05 * 0.95 * runs)


# Published models

GEMMA = (
    "Ray2333_GRM-gemma2-2B-rewardmodel-ft",
    "Skywork_Skywork-Reward-Gemma-2-27B-v0.2",
    "Skywork_Skywork-Reward-Gemma-2-27B",
    "nicolinho_QRM-Gemma-2-27B",
)
LLAMA = (
    "LxzGordon_URM-LLaMa-3.1-8B",
    "RLHFlow_ArmoRM-Llama3-8B-v0.1",
    "Ray2333_GRM-Llama3-8B-rewardmodel-ft",
    "Ray2333_GRM-Llama3.2-3B-rewardmodel-ft",
    "Skywork_Skywork-Reward-Llama-3.1-8B-v0.2",
    "nicolinho_QRM-Llama3.1-8B",
)


@pytest.mark.skipif(
    not os.environ.get("VALUEBIAS_PUBLISHED_DATA"), reason="needs VALUEBIAS_PUBLISHED_DATA"
)
def test_the_published_models_of_two_bases():
    root = Path(os.environ["VALUEBIAS_PUBLISHED_DATA"])
    lexicon = load_lexicon("nouns", root / "data/corpora/dict_big2_nouns.csv")
    valences: tuple[Valence, ...] = ("positive", "negative")
    prompts = {v: [p.factors for p in select(v)] for v in valences}

    def read(name):
        path = root / f"data/reward_model_scores/dict_big2_nouns/big2_rewards_{name}.csv"
        recorded = RecordedScores.from_file(path)
        found = lexicon.select("agency~communion", recorded.responses)
        words = Candidates.words([recorded.responses[i] for i in found.columns])
        scores = {v: recorded.score(select(v), words).values for v in prompts}
        return scores, found

    sides = [[read(name) for name in names] for names in (GEMMA, LLAMA)]
    found = sides[0][0][1]
    words = found.words
    for side in sides:
        for _, other in side:
            assert other.words == words
    layout = found.in_a, found.families
    for valence, estimate in zip(valences, (-0.034, 0.068), strict=True):
        gemma, llama = ([scores[valence] for scores, _ in side] for side in sides)
        result = family(gemma, llama, *layout, prompts=prompts[valence])
        assert result.effect.by_spelling == pytest.approx(estimate, abs=6e-4)
        mine, theirs = (
            np.mean([naive_effect.rank_biserial(v, *layout) for v in side])
            for side in (gemma, llama)
        )
        assert result.estimate == pytest.approx(mine - theirs, abs=1e-9)
        assert result.p == max(result.p_models, result.p_words, result.p_both)
        assert result.low < 0 < result.high
        assert result.smallest_p == pytest.approx(1 / 210)
        own = [single(s[valence], *layout).estimate for side in sides for s, _ in side]
        assert [*result.estimates[0], *result.estimates[1]] == pytest.approx(own, abs=1e-9)
    terms = [
        [
            [
                Term(scores["positive"], 1, prompts["positive"], "positive"),
                Term(scores["negative"], -1, prompts["negative"], "negative"),
            ]
            for scores, _ in side
        ]
        for side in sides
    ]
    first, second = terms
    result = families_of_terms(first, second, *layout)
    assert result.effect.by_spelling == pytest.approx(-0.102, abs=6e-4)
    assert result.p_models == pytest.approx(brute_force(*result.estimates), abs=1e-12)
    # By a t test over the models, on median ranks of spellings, it is .077 (`paper`).
    spelt = [
        [
            naive_effect.rank_biserial(scores["positive"], layout[0])
            - naive_effect.rank_biserial(scores["negative"], layout[0])
            for scores, _ in side
        ]
        for side in sides
    ]
    assert brute_force(*spelt) == pytest.approx(19 / 210, abs=1e-9)
    assert result.p == max(result.p_models, result.p_words, result.p_both)
    assert result.p > result.p_words
    for side in terms:  # prompts as independent draws, as in the figures
        side[:] = [[replace(t, prompts=None) for t in model] for model in side]
    surer = families_of_terms(first, second, *layout)
    assert surer.p_words < result.p_words
    assert surer.p_words < surer.p_models <= surer.p


def test_a_verdict_of_an_effect_needs_the_permutation_too():
    """The interval may exclude zero where the labels of three against four models show nothing."""
    first, second = _models(seed=3, shift=0.9)
    in_a, names = np.arange(80) < 35, np.arange(80)
    found = family(first, second, in_a, names)
    shown = judge(found.effect, Margin.above(0.1))
    assert shown.outcome is Outcome.PASS
    doubtful = replace(found.effect, p=0.12, p_high=0.12)
    assert judge(doubtful, Margin.above(0.1)).outcome is Outcome.INCONCLUSIVE
    assert judge(found.effect, Margin(-0.1, 0.1)).outcome is Outcome.FAIL
    verdict = judge(doubtful, Margin(-0.1, 0.1))
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert "permuting the labels" in verdict.reason


def _models(seed, shift):
    rng = np.random.default_rng(seed)
    word = rng.normal(size=80)
    scores = [word + 0.3 * rng.normal(size=80) + 0.2 * rng.normal(size=(12, 80)) for _ in range(8)]
    return [s + shift * (np.arange(80) < 35) for s in scores[:4]], scores[4:]
