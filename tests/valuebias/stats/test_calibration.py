"""Simulations: error rates are what they claim to be, with families as the unit."""

from __future__ import annotations

import math

import numpy as np
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.stats import Margin, Outcome, judge, pair, single
from valuebias.stats.permutation import family_permutation
from valuebias.stats.word_families import WordFamilies

RUNS = 400


def bounds(runs: int, rate: float = 0.05) -> tuple[float, float]:
    """What the share of rejections stays in at a true rate, but for one run in a thousand, with
    .015 beside it for what a t approximation may be off."""
    low, high = (float(stats.binom.ppf(q, runs, rate)) / runs for q in (0.0005, 0.9995))
    return low - 0.015, high + 0.015


def families(rng: np.random.Generator, n: int) -> np.ndarray:
    """n families of one to four words."""
    return np.repeat(np.arange(n), rng.integers(1, 5, n))


def draw(rng, family, shift=0.0, prompts=12, slope=0.15):
    """Scores (prompts, words) that words of a family share (.9 of the words' variance), with some
    noise and an effect that varies from prompt to prompt. ``shift`` in word standard deviations."""
    a, b = family
    name = np.concatenate([a, b + a.max() + 1])
    in_a = np.arange(len(name)) < len(a)
    word = math.sqrt(0.9) * rng.normal(size=name.max() + 1)[name]
    word = word + math.sqrt(0.1) * rng.normal(size=len(name))
    values = word + shift * in_a + slope * rng.normal(size=(prompts, 1)) * (in_a - 0.5)
    return values + 0.2 * rng.normal(size=values.shape), in_a, name


def test_false_alarms_by_family_and_by_word():
    rng = np.random.default_rng(20)
    family = families(rng, 30), families(rng, 45)
    alarms = dict.fromkeys(("family", "word"), 0)
    covered = 0
    for _ in range(RUNS):
        data = draw(rng, family)
        for cluster in ("family", "word"):
            alarms[cluster] += single(*data, cluster=cluster).p < 0.05
        effect = single(*data)
        covered += effect.low <= 0 <= effect.high
    low, high = bounds(RUNS)
    assert low <= alarms["family"] / RUNS <= high
    assert covered == RUNS - alarms["family"]
    assert alarms["word"] / RUNS > high  # spellings are no draws: the reason for families


def test_false_alarms_of_a_paired_difference():
    rng = np.random.default_rng(21)
    family = families(rng, 30), families(rng, 45)
    alarms = 0
    for _ in range(RUNS):
        values, in_a, name = draw(rng, family)
        own = rng.normal(size=(2, name.max() + 1))[:, name]
        first, second = (values + 0.5 * w + 0.2 * rng.normal(size=values.shape) for w in own)
        alarms += pair(first, second, in_a, name).p < 0.05
    low, high = bounds(RUNS)
    assert low <= alarms / RUNS <= high


def test_families_on_both_sides_do_not_raise_alarms():
    rng = np.random.default_rng(22)
    family = np.repeat(np.arange(40), 3)
    alarms = 0
    for _ in range(RUNS):
        word = rng.normal(size=40)[family] + 0.5 * rng.normal(size=120)
        in_a = (family < 15) | ((family < 25) & (np.arange(120) % 3 == 0))
        values = word + 0.3 * rng.normal(size=(12, 120))
        alarms += single(values, in_a, family).p < 0.05
    low, high = bounds(RUNS)
    assert low <= alarms / RUNS <= high


def test_a_true_effect_on_the_margins_edge_passes_or_fails_no_more_than_five_in_a_hundred():
    rng = np.random.default_rng(23)
    family = families(rng, 60), families(rng, 60)
    shift = 0.4
    deviation = math.sqrt(1 + 0.2**2)
    edge = 2 * stats.norm.cdf(shift / deviation / math.sqrt(2)) - 1
    outcomes = {Outcome.PASS: 0, Outcome.FAIL: 0, Outcome.INCONCLUSIVE: 0}
    for _ in range(RUNS):
        effect = single(*draw(rng, family, shift))
        try:
            outcomes[judge(effect, Margin(edge - 0.6, edge)).outcome] += 1
        except StatisticsError:
            continue
    _, high = bounds(RUNS)
    assert outcomes[Outcome.PASS] / RUNS <= high
    assert outcomes[Outcome.FAIL] / RUNS <= high
    assert outcomes[Outcome.PASS] > 0  # the margin is one that can be passed
    assert outcomes[Outcome.FAIL] > 0


def test_permutation_keeps_its_level_with_few_and_unequal_families():
    rng = np.random.default_rng(24)
    runs, alarms = 120, 0
    for _ in range(runs):
        a, b = families(rng, 7), families(rng, 25)
        name = np.concatenate([a, b + 7])
        in_a = np.arange(len(name)) < len(a)
        spread = np.where(np.arange(32) < 7, 1.5, 1.0)
        word = (spread * rng.normal(size=32))[name] + 0.3 * rng.normal(size=len(name))
        drawn = WordFamilies(in_a, name)
        alarms += family_permutation(drawn.ranks(word), drawn)[0] < 0.05
    low, high = bounds(runs)
    assert low <= alarms / runs <= high


def test_permutation_of_all_labellings_is_exact():
    """Two families of A against eight of B: 45 labellings, counted out."""
    word = np.array([9.0, 10, 1, 2, 3, 4, 5, 6, 7, 8]) + np.arange(10) ** 2 / 1000
    in_a = np.arange(10) < 2

    def t(a: np.ndarray) -> float:
        x, y = word[a], word[~a]
        return abs(x.mean() - y.mean()) / math.sqrt(x.var(ddof=1) / 2 + y.var(ddof=1) / 8)

    every = []
    for i in range(10):
        for j in range(i):
            a = np.zeros(10, bool)
            a[[i, j]] = True
            every.append(t(a))
    exact = np.mean([v >= t(in_a) - 1e-9 for v in every])
    p, p_high = family_permutation(word, WordFamilies(in_a, np.arange(10)), seed=3)
    assert abs(p - exact) < 5 * math.sqrt(exact * (1 - exact) / 9_999)
    assert p_high > exact
