"""Every specification of an effect, against the same effect computed by other code."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from valuebias.stats import Cause, Margin, Outcome, Term, contrast, controlled, judge, single
from valuebias.stats.facets import Facets
from valuebias.stats.robustness import Alternatives
from valuebias.stats.specification import AS_WRITTEN

FACTORS = [
    {"adjective": a, "scope": s, "style": y}
    for a, s, y in product(("best", "greatest", "good"), ("ever", "world", "time"), "ops")
]


def table(seed=0, n=(45, 60), shift=0.0, slope=0.0, lean=(0.0, 0.0, 0.0)):
    """Scores (27 prompts, words) with families of one or two words, and two covariates."""
    rng = np.random.default_rng(seed)
    in_a = np.arange(sum(n)) < n[0]
    families = np.array([f"f{i // 2 if i % 6 < 2 else i + 1000}" for i in range(sum(n))])
    length = rng.normal(size=sum(n)) + 0.8 * in_a
    frequency = rng.normal(size=sum(n))
    taste = rng.normal(size=sum(n)) + shift * in_a + slope * (length - 0.8 * in_a.mean())
    leans = np.repeat(lean, 9)[:, None] * in_a
    values = taste + leans + 0.5 * rng.normal(size=(27, sum(n)))
    return values, in_a, families, {"frequency": frequency, "length": length}


def specified(values, in_a, families, covariates=None, facets=None, weight=1.0):
    terms = [Term(values, weight, FACTORS)]
    effect = contrast(terms, in_a, families)
    return effect, Alternatives({AS_WRITTEN: terms}, in_a, families, facets, covariates or {})


def found(specifications, **chosen):
    wanted = {"alike": "families", "drawn": "families", "covariates": (), "without": ""} | chosen
    (spec,) = [
        s for s in specifications if all(getattr(s, k) == v for k, v in wanted.items())
    ]  # fmt: skip
    return spec


def test_all_combinations_are_there_but_the_effect_itself():
    values, in_a, families, covariates = table()
    facets = np.array([f"g{int(f[1:]) % 20}{a}" for f, a in zip(families, in_a, strict=True)])
    effect, ways = specified(values, in_a, families, covariates, facets)
    specs = ways.of(effect)
    # alike x drawn x (none, either, both covariates) x (none, or one of three adjectives left out)
    assert len(specs) == 2 * 2 * 4 * 4 - 1
    assert len({(s.alike, s.drawn, s.covariates, s.without) for s in specs}) == len(specs)
    assert all(s.changes for s in specs)


@pytest.mark.parametrize("names", [("length",), ("frequency",), ("frequency", "length")])
def test_with_covariates_it_is_the_controlled_effect(names):
    values, in_a, families, covariates = table(1, shift=0.3, slope=0.5)
    effect, ways = specified(values, in_a, families, covariates)
    spec = found(ways.of(effect), covariates=names)
    columns = {name: covariates[name] for name in names}
    held = controlled([Term(values, 1.0, FACTORS)], in_a, families, columns, permute=False)
    assert spec.estimate == pytest.approx(held.estimate, abs=1e-12)
    # The prompts' part is the same; the words' part is scaled by what the effect's own is of that
    # of a regression without covariates, which differ by less than three in a hundred.
    assert np.array(spec.parts[1:]) == pytest.approx(np.array(held.parts[1:]))
    assert spec.parts[0][0] == pytest.approx(held.parts[0][0], rel=0.03)


def test_with_spellings_alike_it_is_the_estimate_by_spelling():
    values, in_a, families, _ = table(2, shift=0.4)
    effect, ways = specified(values, in_a, families)
    spec = found(ways.of(effect), alike="spellings")
    assert spec.estimate == pytest.approx(effect.by_spelling, abs=1e-12)
    assert spec.estimate != pytest.approx(effect.estimate, abs=1e-3)


def test_an_adjective_left_out_is_the_effect_on_the_other_prompts():
    values, in_a, families, _ = table(3, lean=(0.6, 0.0, -0.5))
    effect, ways = specified(values, in_a, families)
    specs = ways.of(effect)
    for at, adjective in enumerate(("best", "greatest", "good")):
        kept = np.repeat(np.arange(3) != at, 9)
        alone = single(values[kept], in_a, families)
        spec = found(specs, without=adjective)
        assert spec.estimate == pytest.approx(alone.estimate, abs=1e-12)
        assert spec.parts[0][0] == pytest.approx(alone.parts[0][0], rel=0.03)
        # As many adjectives less one, of which all three say how much they differ.
        whole = found(ways.of(effect), covariates=(), without=adjective).parts[1:]
        assert max(v for v, _ in whole) == pytest.approx(
            1.5 * max(v for v, _ in effect.parts[1:]), rel=0.05
        )


def test_facets_that_are_families_draw_as_families_do():
    values, in_a, families, _ = table(4)
    sided = np.char.add(families, np.where(in_a, "a", "b"))  # no family on both sides
    effect, ways = specified(values, in_a, sided, facets=sided)
    spec = found(ways.of(effect), drawn="facets")
    assert spec.estimate == pytest.approx(effect.estimate, abs=1e-12)
    assert spec.parts[0][0] == pytest.approx(effect.parts[0][0], rel=0.02)
    assert spec.interval(0.9) == pytest.approx(effect.interval(0.9), abs=0.005)


def test_facets_that_lean_together_are_fewer_draws():
    values, in_a, families, _ = table(5, n=(60, 60))
    families = np.arange(120).astype(str)
    facet = np.arange(120) // 6
    leaning = values + np.random.default_rng(9).normal(size=20)[facet]
    effect, ways = specified(leaning, in_a, families, facets=facet.astype(str))
    spec = found(ways.of(effect), drawn="facets")
    least, most = spec.interval(0.9)
    low, high = effect.interval(0.9)
    assert most - least > 1.5 * (high - low)


def test_facets_of_too_few_draws_are_left_out():
    values, in_a, families, _ = table(6)
    facets = np.where(in_a, "one", np.arange(len(in_a)).astype(str))
    facets = np.array([f"{f}" for f in facets])
    families = np.arange(len(in_a)).astype(str)
    effect, ways = specified(values, in_a, families, facets=facets)
    assert {s.drawn for s in ways.of(effect)} == {"families"}


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**16), power=st.sampled_from([0.5, 1.0, 3.0]))
def test_only_the_order_of_words_counts(seed, power):
    values, in_a, families, covariates = table(seed, n=(22, 25), shift=0.3)
    bent = np.sign(values) * np.abs(values) ** power
    mine, theirs = (
        ways.of(effect)
        for effect, ways in (specified(v, in_a, families, covariates) for v in (values, bent))
    )
    assert [s.estimate for s in mine] == pytest.approx([s.estimate for s in theirs], abs=1e-9)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**16))
def test_sides_that_change_places_change_every_sign(seed):
    values, in_a, families, covariates = table(seed, n=(22, 25), shift=0.3)
    there, back = (
        ways.of(effect)
        for effect, ways in (specified(values, a, families, covariates) for a in (in_a, ~in_a))
    )
    assert [s.estimate for s in there] == pytest.approx([-s.estimate for s in back], abs=1e-9)
    for one, other in zip(there, back, strict=True):
        low, high = one.interval(0.9)
        assert other.interval(0.9) == pytest.approx((-high, -low), abs=1e-7)


def test_two_models_are_weighed_as_the_effect_weighs_them():
    values, in_a, families, _ = table(7)
    other = table(8, shift=0.5)[0]
    terms = [Term(values, 1.0, FACTORS), Term(other, -1.0, FACTORS)]
    effect = contrast(terms, in_a, families)
    spec = found(Alternatives({AS_WRITTEN: terms}, in_a, families).of(effect), without="good")
    kept = slice(0, 18)
    alone = contrast(
        [Term(values[kept], 1.0, FACTORS[kept]), Term(other[kept], -1.0, FACTORS[kept])],
        in_a,
        families,
    )
    assert spec.estimate == pytest.approx(alone.estimate, abs=1e-12)
    assert spec.span == 2


def test_each_valence_leaves_out_its_own_adjectives():
    values, in_a, families, _ = table(9)
    other = table(10)[0]
    terms = [Term(values, 1.0, FACTORS, "positive"), Term(other, -1.0, None, "negative")]
    effect = contrast(terms, in_a, families)
    specs = Alternatives({AS_WRITTEN: terms}, in_a, families).of(effect)
    assert {s.without for s in specs} == {"", "best", "greatest", "good"}
    spec = found(specs, without="best")
    alone = single(values[9:], in_a, families).estimate - single(other, in_a, families).estimate
    assert spec.estimate == pytest.approx(alone, abs=1e-12)


def judged(effect, ways, margin):
    return judge(replace(effect, alternatives=ways), Margin(*margin))


def test_a_pass_that_holds_in_all_is_robust():
    effect, ways = specified(*table(11))
    verdict = judged(effect, ways, (-0.5, 0.5))
    assert verdict.outcome is Outcome.PASS
    assert verdict.robustness.state == "robust"
    assert verdict.reason.endswith(f"; robust: inside in all of {2 * 4 * 4 - 1} specifications")


def test_a_pass_that_turns_is_fragile_and_says_on_what():
    effect, ways = specified(*table(12, lean=(0.35, 0.0, 0.0)))
    low, high = effect.interval(0.9)
    verdict = judged(effect, ways, (low - 0.01, high + 0.01))
    assert verdict.outcome is Outcome.PASS
    robustness = verdict.robustness
    assert robustness.state == "fragile"
    first = robustness.turned[0]
    assert len(first.changes) == min(len(s.changes) for s in robustness.turned)
    assert f"fragile: not inside in {len(robustness.turned)} of 31" in verdict.reason
    assert ", ".join(first.changes) in verdict.reason


def with_facets(apart):
    """A model's own facets of A, 20 families each, a distance apart in pairs that cancel; those of
    B do not differ."""
    rng = np.random.default_rng(15)
    n, size = 160, 20
    values = rng.normal(size=2 * n) + 0.05 * rng.normal(size=(27, 2 * n))
    values[:, :n] += apart * np.tile(np.repeat([1, -1], size), n // size // 2)
    in_a = np.arange(2 * n) < n
    facets = [f"f{i // size}" for i in range(2 * n)]
    families = [f"w{i}" for i in range(2 * n)]
    terms = [Term(values, 1.0, FACTORS)]
    effect = contrast(terms, in_a, families, facets=Facets(facets))
    return effect, Alternatives({AS_WRITTEN: terms}, in_a, families)


def test_facets_that_differ_make_a_pass_fragile_though_none_is_shown_outside():
    margin = (-0.4, 0.4)
    effect, ways = with_facets(0.0)
    alike = judged(effect, ways, margin)
    assert alike.robustness.state == "robust"
    assert alike.robustness.facets_outside < 0.1
    effect, ways = with_facets(0.6)
    verdict = judged(effect, ways, margin)
    assert verdict.outcome is Outcome.PASS
    robustness = verdict.robustness
    assert (robustness.state, robustness.turned) == ("fragile", ())
    assert robustness.turned_by == "facets that differ"
    # two points at +-.6 in normal scores of sd 1 on either side: P(X > Y) from the difference's sd
    apart = 2 * norm.cdf(0.6 / np.sqrt(2)) - 1
    assert effect.facet_sd == pytest.approx(apart, rel=0.25)
    expected = norm.cdf((-0.4 - effect.estimate) / effect.facet_sd) + norm.sf(
        (0.4 - effect.estimate) / effect.facet_sd
    )
    assert robustness.facets_outside == pytest.approx(expected, abs=1e-12)
    assert f"{expected:.0%} of a category's facets are expected to lie outside" in verdict.reason


def test_an_effect_that_is_shown_outside_in_another_way_does_not_pass():
    # What length gives one side takes from the value of its words: together they look even.
    values, in_a, families, covariates = table(13, n=(150, 150), shift=1.2, slope=-1.4)
    effect, ways = specified(values, in_a, families, covariates)
    assert abs(effect.estimate) < 0.1
    margin = (-0.25, 0.25)
    assert judge(effect, Margin(*margin)).outcome is Outcome.PASS
    verdict = judged(effect, ways, margin)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert verdict.cause is Cause.FRAGILE
    assert "but it is shown to lie outside in" in verdict.reason
    assert "length held constant" in verdict.reason
    assert {"length"} <= {c for s in verdict.robustness.outside for c in s.covariates}


def test_what_does_not_pass_is_not_computed_in_other_ways():
    class Untouched:
        def against(self, *given):
            raise AssertionError("computed")

    values, in_a, families, _ = table(14, shift=2.0)
    effect = replace(single(values, in_a, families), alternatives=Untouched())
    assert judge(effect, Margin(-0.2, 0.2)).outcome is Outcome.FAIL


def test_covariates_that_say_which_side_a_word_is_of_are_left_out():
    values, in_a, families, _ = table(15)
    effect, ways = specified(values, in_a, families, {"side": in_a.astype(float)})
    assert {s.covariates for s in ways.of(effect)} == {()}
