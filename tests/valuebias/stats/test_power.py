"""The chances of verdicts: against published figures, `judge` itself and simulated tables."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from valuebias.errors import StatisticsError
from valuebias.prompts import BALANCED, PAPER
from valuebias.stats import Effect, Margin, Outcome, judge, single
from valuebias.stats.crossed import prompt_parts
from valuebias.stats.needed import needed
from valuebias.stats.power import Alike, Asked, Planned, _judged, _together, chances
from valuebias.stats.spread import Spread, of_prompts, of_words, spread, words_spread

PAPERS = {"adjective": 3, "scope": 3, "style": 3}
SPREAD = Spread(0.3, 158.0, (80, 80), 0.05, 0.001, {"adjective": 0.02, "scope": 0.001})
PLANNED = Planned(SPREAD, Asked((80, 80), 27, PAPERS), Margin(-0.3, 0.3))


def words_alone(variance: float, df: float, half: float) -> Planned:
    """A claim whose estimate's variance has one part, known to ``df``."""
    found = Spread(variance * 25, df, (50, 50), 0.0, 0.0, {})
    return Planned(found, Asked((50, 50), 27, {}), Margin(-half, half))


@pytest.mark.parametrize(
    ("cv", "n", "power"), [(0.3, 40, 0.815845), (0.2, 20, 0.834680), (0.25, 28, 0.807439)]
)
def test_two_one_sided_tests_have_the_published_power(cv: float, n: int, power: float) -> None:
    """sampleN.TOST and power.TOST of the R package PowerTOST (2x2 design, theta0 = .95), which
    integrate Owen's Q. Everything is a thousandth as large here: on that scale ranks are linear."""
    scale = 1e-3
    se = math.sqrt(math.log(1 + cv**2) * 2 / n) * scale
    claim = words_alone(se**2, n - 2, math.log(1.25) * scale)
    found = chances([claim], [math.log(0.95) * scale], draws=200_000)
    assert found.by_claim[0, 0] == pytest.approx(power, abs=0.0035)  # 4 standard errors


def test_a_variance_of_one_part_agrees_with_the_integral() -> None:
    effect, half, se, df = 0.0004, 0.001, 0.0004, 7.0
    claim = words_alone(se**2, df, half)
    t = stats.t.ppf(0.95, df)

    def inside(square: float) -> float:
        width = t * se * math.sqrt(square / df)
        low, high = ((e + width * s - effect) / se for e, s in ((-half, 1), (half, -1)))
        return max(stats.norm.cdf(high) - stats.norm.cdf(low), 0) * stats.chi2.pdf(square, df)

    def above(square: float) -> float:
        width = t * se * math.sqrt(square / df)
        beyond = stats.norm.sf((half + width - effect) / se)
        below = stats.norm.cdf((-half - width - effect) / se)
        return (beyond + below) * stats.chi2.pdf(square, df)

    passed, failed = (integrate.quad(f, 0, 60)[0] for f in (inside, above))
    found = chances([claim], [effect], draws=200_000).by_claim[0]
    assert found == pytest.approx([passed, failed, 1 - passed - failed], abs=0.0045)


@settings(max_examples=60, deadline=None)
@given(
    estimate=st.floats(-0.9, 0.9),
    sizes=st.lists(st.floats(1e-4, 0.02), min_size=1, max_size=3),
    low=st.floats(-0.7, 0.3),
    width=st.floats(0.05, 0.6),
    families=st.integers(10, 40),
    prompts=st.sampled_from([6, 27]),
)
def test_draws_are_judged_as_effects_are(estimate, sizes, low, width, families, prompts):
    parts = tuple((v, 5.0 * (i + 1)) for i, v in enumerate(sizes))
    margin = Margin(low, low + width)
    effect = Effect(
        estimate, parts, -1.0, 1.0, 0.95, 0.0, (50, 50), (families, 60), prompts,
        "crossed-delong" if families >= 20 else "permutation", p_high=0.0, fisher=True,
        exploratory="few prompts" if prompts < 12 else "",
    )  # fmt: skip
    half = math.sqrt(sum(v * stats.t.ppf(0.95, df) ** 2 for v, df in parts))
    claim = Planned(SPREAD, Asked((families, 60), prompts, {}), margin)
    passed, failed = _judged([claim], np.array([[estimate]]), np.array([[half]]))
    try:
        outcome = judge(effect, margin).outcome
    except StatisticsError:  # the margin is too narrow
        outcome = Outcome.INCONCLUSIVE
    said = Outcome.PASS if passed else Outcome.FAIL if failed else Outcome.INCONCLUSIVE
    assert said is outcome


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.floats(-1, 1), st.integers(1, 9)), min_size=1, max_size=3))
def test_factors_are_put_together_as_in_an_effect(above):
    total, df = _together([(np.array([v]), float(k)) for v, k in above], (1,))
    shown = [(v, k) for v, k in above if v > 0]
    expected = max([sum(v for v, _ in above), *(v for v, _ in shown), 0.0])
    assert total[0] == pytest.approx(expected)
    spread_ = sum(v**2 / k for v, k in shown)
    if spread_ > 1e-12:
        assert df[0] == pytest.approx(max(sum(v for v, _ in shown) ** 2 / spread_, 1.0))


def test_how_variances_depend_on_the_effect() -> None:
    assert float(of_words(0.0)) == pytest.approx(1)
    assert float(of_prompts(0.0)) == pytest.approx(1)
    for effect in (-0.6, 0.3):
        h = stats.norm.ppf((1 + effect) / 2)
        both = stats.multivariate_normal([0, 0], [[1, 0.5], [0.5, 1]]).cdf([h, h])
        expected = 12 * (both - stats.norm.cdf(h) ** 2)
        assert float(of_words(effect)) == pytest.approx(expected, abs=1e-5)
        step = 1e-5
        moved = 2 * (stats.norm.cdf(h + step) - stats.norm.cdf(h - step)) / (2 * step)
        assert float(of_prompts(effect)) == pytest.approx((moved * math.sqrt(math.pi / 2)) ** 2)


def table(rng, prompts, n=60, d=0.2, icc=0.8, shift=0.0, scope=0.0):
    """Scores (prompts, 2 n words); adjectives and scopes lean for A by draws of their own."""
    values = math.sqrt(icc) * rng.standard_normal(2 * n)
    values = values + math.sqrt(1 - icc) * rng.standard_normal((len(prompts), 2 * n))
    in_a = np.arange(2 * n) < n
    for name, size in (("adjective", d), ("scope", scope)):
        level = np.unique([p[name] for p in prompts], return_inverse=True)[1]
        values[:, in_a] += size * rng.standard_normal(level.max() + 1)[level][:, None]
    values[:, in_a] += shift
    return values, in_a, np.arange(2 * n)


@pytest.mark.parametrize("prompts", [PAPER, BALANCED], ids=lambda p: p.name)
def test_the_chances_are_those_of_simulated_tables(prompts) -> None:
    """The plan knows the mean variances of 80 tables of no effect, and tells what comes out of
    200 others, from each of two effects; by the interval, without `judge`'s objections."""
    factors = [p.factors for p in prompts.of("positive")]
    rng = np.random.default_rng(1)
    seen = []
    for _ in range(80):
        values, in_a, names = table(rng, factors)
        effect = single(values, in_a, names, prompts=factors)
        seen.append(spread(values, in_a, names, effect, prompts=factors))
    words, df, noise, prompt = (
        float(np.mean([getattr(s, part) for s in seen]))
        for part in ("words", "df", "noise", "prompt")
    )
    levels = {name: float(np.mean([s.factors[name] for s in seen])) for name in factors[0]}
    mean = Spread(words, df, (60, 60), noise, prompt, levels)
    margin = Margin(-0.28, 0.28)
    claim = Planned(mean, Asked.of((60, 60), factors), margin)
    runs = 200
    for true in (0.0, 0.14):
        shift = stats.norm.ppf((1 + true) / 2) * math.sqrt(2 + 0.2**2)
        counts = np.zeros(2)
        for _ in range(runs):
            values, in_a, names = table(rng, factors, shift=shift)
            low, high = single(values, in_a, names, prompts=factors).interval(0.9)
            counts += [margin.low <= low and high <= margin.high, low > margin.high]
        said = chances([claim], [true], draws=20_000).by_claim
        for place, count in enumerate(counts):
            p = float(np.clip(said[0, place], 1e-3, 1 - 1e-3))
            least = float(stats.binom.ppf(0.0005, runs, p)) - 0.02 * runs
            most = float(stats.binom.ppf(0.9995, runs, p)) + 0.02 * runs
            assert least <= count <= most, (true, p, count / runs)


def test_a_spread_gives_back_the_variance_it_was_made_of() -> None:
    factors = [p.factors for p in PAPER.of("positive")]
    values, in_a, names = table(np.random.default_rng(5), factors, d=0.6, scope=0.5)
    effect = single(values, in_a, names, prompts=factors)
    found = spread(values, in_a, names, effect, prompts=factors)
    scale = float(of_words(effect.estimate))
    assert found.words * scale * (2 / 60) == pytest.approx(effect.parts[0][0])
    by_factors = sum(v / 3 for v in found.factors.values())
    assert by_factors * float(of_prompts(effect.estimate)) == pytest.approx(effect.parts[-1][0])
    assert set(found.factors) == {"adjective", "scope", "style"}


def test_facets_widen_a_planned_variance_as_they_do_a_measured_one() -> None:
    rng = np.random.default_rng(0)
    facets = [np.repeat(np.arange(12), 5), np.repeat(np.arange(20), 4)]
    variance, df = words_spread(0.3, facets, 0.25)
    means = []
    for _ in range(4000):
        sides = [
            math.sqrt(0.25) * rng.standard_normal(f.max() + 1)[f]
            + math.sqrt(0.75) * rng.standard_normal(len(f))
            for f in facets
        ]
        means.append(sides[0].mean() - sides[1].mean())
    within = [1 - 0.25 * (m - 1) / (len(f) - 1) for m, f in zip((5, 4), facets, strict=True)]
    true = np.var(means) / np.mean(within)  # `words` is a family's mean square, not its variance
    assert variance / 0.3 * (1 / 60 + 1 / 80) == pytest.approx(true, rel=0.08)
    assert df < words_spread(0.3, facets, 0.0)[1]
    assert words_spread(0.3, facets, 0.0)[0] == 0.3


def test_more_words_and_more_adjectives_help() -> None:
    now = chances([PLANNED], [0.0]).by_claim[0, 0]
    for asked in (PLANNED.asked.more_families(2), PLANNED.asked.with_levels("adjective", 9)):
        assert chances([replace(PLANNED, asked=asked)], [0.0]).by_claim[0, 0] > now + 0.02
    assert PLANNED.asked.with_levels("adjective", 9).prompts == 27
    assert PLANNED.asked.with_levels("adjective", 12).prompts == 36


def test_what_is_needed_is_enough_and_not_much_more() -> None:
    claims = [PLANNED, replace(PLANNED, margin=Margin(-0.6, 0.6))]
    found = needed(claims, [0.0, 0.0])
    assert found.families[1] == 1
    levels = found.levels[0]
    assert levels is not None
    assert levels > 3

    def at(count: int) -> float:
        asked = PLANNED.asked.with_levels("adjective", count)
        return float(chances([replace(PLANNED, asked=asked)], [0.0]).by_claim[0, 0])

    assert at(levels) >= 0.79
    assert at(levels - 1) < 0.81


def test_nothing_helps_a_margin_that_is_too_narrow() -> None:
    found = needed([replace(PLANNED, margin=Margin(-0.001, 0.001))], [0.0])
    assert found.families == (None,)
    assert found.levels == (None,)
    assert found.whole_families is None


@pytest.mark.parametrize("asked", [Asked((80, 15), 27, PAPERS), Asked((80, 80), 6, {})])
def test_few_families_or_prompts_never_pass(asked: Asked) -> None:
    claim = replace(PLANNED, asked=asked, margin=Margin(-0.9, 0.9))
    assert chances([claim], [0.0]).by_claim[0, 0] == 0


def test_the_run_passes_with_all_and_fails_with_any() -> None:
    far = chances([PLANNED, PLANNED], [0.0, 0.8])
    assert far.whole[0] == 0
    assert far.whole[1] == pytest.approx(far.by_claim[1, 1], abs=0.01)
    assert sum(far.whole) == pytest.approx(1)


def test_claims_that_go_together_pass_together() -> None:
    apart = chances([PLANNED, PLANNED], [0.0, 0.0])
    one = apart.by_claim[:, 0]
    assert apart.whole[0] == pytest.approx(one[0] * one[1], abs=0.015)
    like = Alike(np.ones((2, 2)), np.ones((2, 2)))
    together = chances([PLANNED, PLANNED], [0.0, 0.0], like=like)
    assert together.whole[0] > apart.whole[0] + 0.05
    assert together.by_claim[:, 0] == pytest.approx(one, abs=0.02)


def test_the_parts_of_drawn_prompts_are_those_of_an_effect() -> None:
    """The simulated chi-squares have the mean that `prompt_parts` has of drawn prompts."""
    factors = [p.factors for p in PAPER.of("positive")]
    level = np.unique([p["adjective"] for p in factors], return_inverse=True)[1]
    rng = np.random.default_rng(3)
    shared = []
    for _ in range(1500):
        effects = 0.3 * rng.standard_normal(3)[level] + 0.1 * rng.standard_normal(27)
        shared.append(prompt_parts(effects, factors, 0.0)[1][0])
    squares = (0.09 / 3 + 0.01 / 27) * (rng.standard_normal((2, 1500)) ** 2).mean(axis=0)
    left = 0.01 / 27 * rng.chisquare(20, (3, 1500)) / 20
    none = 0.01 / 27 * (rng.standard_normal((2, 2, 1500)) ** 2).mean(axis=0)
    above = [(squares - left[0], 2.0), *((one - left[0], 2.0) for one in none)]
    drawn, _ = _together(above, (1500,))
    assert drawn.mean() == pytest.approx(np.mean(shared), rel=0.08)


@pytest.mark.parametrize("effects", [[0.0, 0.0], [1.0], [math.nan]])
def test_effects_must_be_possible(effects: list[float]) -> None:
    with pytest.raises(StatisticsError, match="true effect between -1 and 1"):
        chances([PLANNED], effects)


def test_an_alpha_must_be_one() -> None:
    with pytest.raises(StatisticsError, match="alpha must lie between"):
        chances([PLANNED], [0.0], alpha=0.5)
