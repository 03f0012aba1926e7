"""Facets: their correlation, what it adds to the variance, and those that lie outside a margin."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valuebias.errors import StatisticsError
from valuebias.format import unsigned
from valuebias.lexicons.files import starter
from valuebias.prompts import select
from valuebias.stats import Margin, Outcome, Term, contrast, judge, pair, single
from valuebias.stats.crossed import half_width
from valuebias.stats.facet_effects import facet_effects, facet_outside
from valuebias.stats.facets import FacetComponent, Facets, facet_component, pooled, widened

FACTORS = [prompt.factors for prompt in select("positive")]


def draw(rng, sizes, r):
    """Values of families in facets of these sizes, of variance one, correlated by r in a facet."""
    facet = np.repeat(np.arange(len(sizes)), sizes)
    own, shared = rng.normal(size=len(facet)), rng.normal(size=len(sizes))
    return math.sqrt(r) * shared[facet] + math.sqrt(1 - r) * own, facet


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 8), st.integers(3, 12), st.floats(0, 0.9))
def test_facets_of_one_size_in_one_category_are_the_analysis_of_variance(seed, m, k, r):
    values, facet = draw(np.random.default_rng(seed), [m] * k, r)
    table = values.reshape(k, m)
    between = m * table.mean(axis=1).var(ddof=1)
    within = table.var(axis=1, ddof=1).mean()
    expected = (between - within) / (between + (m - 1) * within)
    found = pooled([(values, facet)])
    assert found.correlation == pytest.approx(min(max(expected, 0.0), 0.95), abs=1e-9)
    assert found.df == pytest.approx(k - 1)
    assert found.n_facets == k


@pytest.mark.parametrize("r", [0.25, 0.5])
def test_the_correlation_is_right_on_average_over_unequal_facets_and_categories(r):
    rng = np.random.default_rng(1)
    sizes = ([1] * 60 + [2, 3, 5, 9, 12] * 4, [4, 4, 8, 8, 15] * 4, [1] * 12)
    found = []
    for _ in range(800):
        scaled = ((7.0, 3.0), (0.0, 1.0), (-1.0, 0.2))  # categories differ in place and spread
        cells = [draw(rng, each, r) for each in sizes]
        found.append(pooled([(a + b * v, f) for (v, f), (a, b) in zip(cells, scaled, strict=True)]))
    mean = np.mean([each.correlation for each in found])
    error = float(np.std([each.correlation for each in found])) / math.sqrt(800)
    # A ratio of mean squares: off by little, the less the more facets there are.
    assert mean == pytest.approx(r, abs=0.03 + 3 * error)
    assert {each.n_facets for each in found} == {40}


def test_without_facets_of_two_families_nothing_is_added():
    rng = np.random.default_rng(2)
    assert pooled([(rng.normal(size=30), np.arange(30))]) == FacetComponent(0.0, 1.0, 0)
    values, in_a = rng.normal(size=30) + 0.3 * rng.normal(size=(12, 60))[:, :30], np.arange(30) < 9
    alone = single(values, in_a, np.arange(30))
    for names in ([""] * 30, [f"facet {i}" for i in range(30)]):
        found = single(values, in_a, np.arange(30), facets=Facets(names))
        assert replace(found, notes=alone.notes) == alone


def test_a_correlation_below_zero_adds_nothing():
    values = np.tile([-1.0, 1.0, 0.5, -0.5], 8)  # each facet has both ends
    found = pooled([(values, np.repeat(np.arange(8), 4))])
    assert found.correlation == 0
    words = (0.01, 30.0)
    assert widened(words, [(values, np.repeat(np.arange(8), 4))], found) == words


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 0.9))
def test_the_added_variance_is_the_sum_over_pairs(seed, r):
    """Of the mean of F families: all F^2 covariances, where the mean square has told of V."""
    rng = np.random.default_rng(seed)
    sides, expected, plain = [], 0.0, 0.0
    for _ in range(2):
        values, facet = draw(rng, rng.integers(1, 9, 7), r)
        n = len(values)
        same = sum(facet[i] == facet[j] for i in range(n) for j in range(n) if i != j)
        square = values.var(ddof=1)
        # E[square] is V less the mean covariance of two different families.
        whole = square / (1 - r * same / (n * (n - 1)))
        expected += whole * (n + r * same) / n**2
        plain += square / n
        sides.append((values, facet))
    component = FacetComponent(r, 12.0, 14)
    variance, df = widened((plain, 50.0), sides, component)
    assert variance == pytest.approx(expected, rel=1e-9)
    own = plain / variance
    assert 1 / df == pytest.approx(own**2 / 50 + (1 - own**2) / 12, rel=1e-9)
    assert 12 <= df <= 50


def words(rng, size=5, r=0.25, n=120, prompts=12):
    """Scores (prompts, words) of families in facets of so many, sides and facets."""
    in_a = np.arange(n) < n // 2
    facet = np.where(in_a, "a", "b").astype("U8")
    facet = np.char.add(facet, (np.arange(n) // size).astype(str))
    number = np.unique(facet, return_inverse=True)[1]
    taste = math.sqrt(r) * rng.normal(size=n)[number] + math.sqrt(1 - r) * rng.normal(size=n)
    return taste + 0.4 * rng.normal(size=(prompts, n)), in_a, np.arange(n), facet


def test_false_alarms_where_facets_lean_alike():
    rng = np.random.default_rng(3)
    runs, alarms, unknown = 400, 0, 0
    for _ in range(runs):
        values, in_a, family, facet = words(rng, size=6)
        alarms += single(values, in_a, family, facets=Facets(facet)).p < 0.05
        unknown += single(values, in_a, family).p < 0.05
    assert alarms / runs < 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)
    assert unknown / runs > 0.12  # the reason for facets


def test_the_component_of_a_whole_lexicon():
    """From more categories than the contrast's two, with spellings, it is the better known."""
    rng = np.random.default_rng(4)
    category = np.repeat(np.arange(6), 40).astype(str)
    family = np.repeat(np.arange(120), 2)
    facet = np.char.add("f", (family // 5).astype(str))
    taste = 0.6 * rng.normal(size=24)[family // 5] + 0.8 * rng.normal(size=120)[family]
    values = taste + 0.3 * rng.normal(size=(12, 240))
    found = facet_component([Term(values)], category, family, facet)
    assert found.n_facets == 24
    assert found.df == pytest.approx(24 - 6)
    assert 0.15 < found.correlation < 0.6
    # Each category's own values, by families' mean ranks.
    ranked = values.argsort(axis=1).argsort(axis=1).mean(axis=0).reshape(120, 2).mean(axis=1)
    cells = [(x, np.repeat(np.arange(4), 5)) for x in ranked.reshape(6, 20)]
    assert found.correlation == pytest.approx(pooled(cells).correlation, abs=1e-9)
    keep = np.flatnonzero(np.isin(category, ["0", "1"]))
    side = category[keep] == "0"
    given = Facets(facet[keep], found)
    mine = single(values[:, keep], side, family[keep], facets=given)
    assert f"correlate {unsigned(found.correlation)} (over 24 facets)" in mine.notes[-1]
    plain = single(values[:, keep], side, family[keep])
    assert mine.estimate == plain.estimate
    assert mine.parts[0][0] > plain.parts[0][0]
    assert mine.parts[0][1] < plain.parts[0][1]
    assert mine.parts[1:] == plain.parts[1:]


def lopsided(seed=5):
    """Two facets of A far out on either side, so that the mean is near zero."""
    values, in_a, family, facet = words(np.random.default_rng(seed), 20, 0.0, 200, 27)
    values[:, facet == "a1"] += 1.6
    values[:, facet == "a4"] -= 1.6
    return values, in_a, family, facet


def test_facets_outside_a_margin_are_named():
    values, in_a, family, facet = lopsided()
    facets = Facets(facet)
    terms = [Term(values, 1.0, FACTORS)]
    effect = single(values, in_a, family, prompts=FACTORS, facets=facets)
    each = facet_effects(terms, in_a, family, facets)
    assert [(f.name, f.in_a) for f in each] == sorted(
        ((name, name[0] == "a") for name in set(facet)), key=lambda f: (not f[1], f[0])
    )
    within = {
        side: np.mean([own[f.name].var(ddof=1) for f in each if f.in_a == side])
        for side, own in (
            (True, placed(values, in_a, facet)),
            (False, placed(values, ~in_a, facet)),
        )
    }
    for found in each:
        # Its families against all of the other side.
        keep = (facet == found.name) | (in_a != found.in_a)
        alone = single(values[:, keep], in_a[keep], family[keep], prompts=FACTORS)
        assert found.estimate == pytest.approx(alone.estimate, abs=1e-12)
        assert found.n_families == 20
        # The spread within all facets of its side, or its own where that is greater.
        own = placed(values, in_a == found.in_a, facet)[found.name].var(ddof=1)
        spread = max(own, within[found.in_a])
        assert found.parts[0] == pytest.approx((4 * spread / 20, 95))
        assert found.parts[1][1] <= 99
        prompts = half_width(alone.parts[1:], 0.1)
        assert half_width(found.parts[2:], 0.1) == pytest.approx(prompts, abs=1e-9)
        half = half_width(found.parts, 0.1)
        bounds = max(found.estimate - half, -1), min(found.estimate + half, 1)
        assert found.interval(0.9) == pytest.approx(bounds)
    effect = replace(effect, facets=each)
    outside = facet_outside(effect, -0.25, 0.25)
    assert {f.name: f.estimate > 0 for f in outside} == {"a1": True, "a4": False}
    assert facet_outside(replace(effect, facets=()), -0.25, 0.25) == ()


def placed(values, side, facet):
    """Facet -> the placements of its words, averaged over prompts."""
    beaten = np.mean([[(x > row[~side]).mean() for x in row] for row in values], axis=0)
    return {name: beaten[facet == name] for name in set(facet[side])}


def test_a_facet_outside_is_seldom_named_where_all_lie_on_the_edge():
    rng = np.random.default_rng(6)
    runs, named = 150, 0
    edge = math.erf(0.5 / 2)  # 2 Phi(d / sqrt 2) - 1 of d = 0.5
    for _ in range(runs):
        values, in_a, family, facet = words(rng, 10, 0.0, 120)
        values = values + 0.5 * math.hypot(1, 0.4) * in_a
        facets = Facets(facet)
        each = facet_effects([Term(values)], in_a, family, facets)
        effect = replace(single(values, in_a, family), facets=each)
        named += bool(facet_outside(effect, -0.9, edge))
    assert named / runs < 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)


def test_small_facets_have_no_effect_of_their_own():
    values, in_a, family, facet = lopsided()
    facet = np.where(family % 20 < 16, "", facet)  # four families of each are left
    assert facet_effects([Term(values)], in_a, family, Facets(facet)) == ()


def test_facets_that_do_not_fit_are_refused():
    values, in_a, family, facet = words(np.random.default_rng(7))
    with pytest.raises(StatisticsError, match="facets and sides"):
        single(values, in_a, family, facets=Facets(facet[:-1]))
    with pytest.raises(StatisticsError, match="two facets"):
        single(values, in_a, family // 2, facets=Facets(np.arange(len(in_a)).astype(str)))


def test_a_pair_has_the_facets_of_the_difference():
    rng = np.random.default_rng(8)
    values, in_a, family, facet = words(rng, 6, 0.5)
    lean = rng.normal(size=40)[np.unique(facet, return_inverse=True)[1]]
    other = values + 0.8 * lean + 0.5 * rng.normal(size=values.shape)
    plain = pair(other, values, in_a, family)
    found = pair(other, values, in_a, family, facets=Facets(facet))
    assert found.estimate == plain.estimate
    assert found.parts[0][0] > 1.5 * plain.parts[0][0]


def nested(rng, *, r=0.3, groups=6, prompts=12):
    """Scores of groups of 20 families in facets of 5, correlated in a facet; as `words`."""
    values, in_a, family, facet = words(rng, 5, r, 20 * groups, prompts)
    group = np.char.add(np.where(in_a, "a", "b"), (np.arange(20 * groups) // 20).astype(str))
    return values, in_a, family, np.char.add(np.char.add(group, "/"), facet)


def test_a_group_of_facets_has_an_effect_of_its_own():
    values, in_a, family, path = nested(np.random.default_rng(9))
    path[path == "a2/a8"] = ""  # without a facet
    path = np.where(in_a, path, np.char.add("b/", np.char.partition(path, "/")[:, 2]))
    path[-20:] = "c/c1"  # holds one facet and nothing else
    each = facet_effects([Term(values)], in_a, family, Facets(path))
    names = [f.name for f in each]
    assert [n for n in names if n[0] == "a"] == sorted({"a0", "a1", "a2", *path[in_a]} - {""})
    assert [n for n in names if n[0] == "b"] == sorted({"b", *path[~in_a]} - {"c/c1"})
    assert names[-1] == "c/c1"
    by_name = {f.name: f for f in each}
    for name in ("a0", "a2", "b", "a0/a1"):
        of_a, n = name[0] == "a", by_name[name].n_families
        keep = np.char.startswith(path, name) | (in_a != of_a)
        alone = single(values[:, keep], in_a[keep], family[keep])
        assert by_name[name].estimate == pytest.approx(alone.estimate, abs=1e-12)
        assert n == alone.n_families[0 if of_a else 1]
    # The facets that a group holds are draws: its variance is more than that of its families.
    plain = np.where(in_a, np.char.partition(path, "/")[:, 0], path)
    without = {f.name: f for f in facet_effects([Term(values)], in_a, family, Facets(plain))}
    assert by_name["a0"].parts[0][0] > 1.3 * without["a0"].parts[0][0]
    assert by_name["a0"].parts[0][1] < without["a0"].parts[0][1]
    assert by_name["a0/a1"].n_families == 5


def test_a_group_outside_is_seldom_named_where_all_lie_on_the_edge():
    """Groups whose facets lean alike, and have no lean of their own."""
    rng = np.random.default_rng(10)
    runs, named, ratio = 150, 0, []
    edge = math.erf(0.5 / 2)
    for _ in range(runs):
        values, in_a, family, path = nested(rng)
        values = values + 0.5 * math.hypot(1, 0.4) * in_a
        each = facet_effects([Term(values)], in_a, family, Facets(path))
        groups = [f for f in each if "/" not in f.name]
        assert len(groups) == 6
        ratio.append([(f.estimate - edge, f.parts[0][0] + f.parts[1][0]) for f in groups])
        effect = replace(single(values, in_a, family), facets=each)
        outside = facet_outside(effect, -0.9, edge)
        named += any("/" not in f.name for f in outside)
    assert named / runs < 0.05 + 4 * math.sqrt(0.05 * 0.95 / runs)
    errors, variances = np.array(ratio).transpose(2, 0, 1)
    assert 0.75 < variances.mean() / (errors**2).mean() < 1.25


def test_tastes_for_two_groups_of_the_starter_that_cancel_are_no_pass():
    """1.6 standard deviations up and down. In 150 others 143 means lay inside, 13 passed, and by
    the small facets alone 76."""
    lexicon = starter("big_two")
    found = lexicon.select("agency~communion", lexicon.words())
    group, _, small = np.char.partition(found.facets, "/").T
    of_agency = sorted(set(group[found.in_a]))
    rng = np.random.default_rng(11)
    margin = Margin(-0.276, 0.276)
    inside = passed = by_small = 0
    for _ in range(40):
        values = 0.95 * rng.normal(size=len(group)) + 0.3 * rng.normal(size=(27, len(group)))
        for name, sign in zip(rng.choice(of_agency, 2, replace=False), (1, -1), strict=True):
            values[:, (group == name) & found.in_a] += 1.6 * sign
        terms = [Term(values, 1.0, FACTORS)]
        for names in (found.facets, small):
            facets = Facets(names)
            effect = contrast(terms, found.in_a, found.families, facets=facets)
            each = facet_effects(terms, found.in_a, found.families, facets)
            verdict = judge(replace(effect, facets=each), margin)
            if names is small:
                by_small += verdict.outcome is Outcome.PASS
                continue
            inside += judge(effect, margin).outcome is Outcome.PASS
            passed += verdict.outcome is Outcome.PASS
    assert inside >= 35
    assert passed <= 8
    assert by_small >= 12
