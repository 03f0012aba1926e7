"""Facets have their part in the word variance of every question, not of a contrast alone.

Scores are drawn in clusters, and the variance of the estimates over draws is held against the one
that is printed: with the clusters declared as facets it is right, without it is too small.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from valuebias.errors import StatisticsError
from valuebias.stats import (
    Effect,
    Facets,
    Term,
    contrast,
    controlled,
    drift,
    family,
    gap,
    inheritance,
    joint,
    top,
)
from valuebias.stats.facets import FacetComponent

N, SIZE, PROMPTS, R = 120, 6, 12, 0.35
IN_A = np.arange(N) < N // 2
WORD = np.arange(N)
NUMBER = WORD // SIZE
FACETS = Facets(np.char.add("f", NUMBER.astype(str)))

Array = npt.NDArray[np.float64]


def taste(rng: np.random.Generator) -> Array:
    """A taste of variance one for each word, alike in a facet."""
    return math.sqrt(R) * rng.normal(size=N)[NUMBER] + math.sqrt(1 - R) * rng.normal(size=N)


def scores(rng: np.random.Generator, of_words: Array) -> Array:
    return of_words + 0.4 * rng.normal(size=(PROMPTS, N))


def of_controlled(rng: np.random.Generator, facets: Facets | None) -> Effect:
    frequency = rng.normal(size=N) + 0.5 * IN_A
    values = scores(rng, taste(rng) + 0.5 * frequency)
    return controlled(
        [Term(values)], IN_A, WORD, {"frequency": frequency}, facets=facets, permute=False
    )


def of_family(rng: np.random.Generator, facets: Facets | None) -> Effect:
    shared = [taste(rng) for _ in range(2)]
    models = [scores(rng, shared[i // 4] + 0.7 * taste(rng)) for i in range(8)]
    return family(models[:4], models[4:], IN_A, WORD, facets=facets).effect


def of_drift(rng: np.random.Generator, facets: Facets | None) -> Effect:
    first = taste(rng)
    run = [(0, scores(rng, first)), (1, scores(rng, first + taste(rng)))]
    return drift(run, IN_A, WORD, facets=facets).change


def of_gap(rng: np.random.Generator, facets: Facets | None) -> Effect:
    begin = taste(rng)
    one, other = ([(0, scores(rng, begin)), (1, scores(rng, begin + taste(rng)))] for _ in range(2))
    return gap(one, other, IN_A, WORD, facets=facets).trajectory.effects[-1]


def of_inheritance(rng: np.random.Generator, facets: Facets | None) -> Effect:
    own, other = taste(rng), taste(rng)
    values = scores(rng, own + taste(rng))
    bases = [scores(rng, each) for each in (own, other)]
    return inheritance(values, bases[0], WORD, others=bases[1:], facets=facets)


def of_top(rng: np.random.Generator, facets: Facets | None) -> Effect:
    return top([Term(scores(rng, taste(rng)))], IN_A, WORD, facets=facets)


ASK: Mapping[str, Callable[[np.random.Generator, Facets | None], Effect]] = {
    "controlled": of_controlled,
    "family": of_family,
    "drift": of_drift,
    "gap": of_gap,
    "inheritance": of_inheritance,
    "top": of_top,
}


@pytest.mark.parametrize("question", ASK)
def test_the_variance_is_right_with_facets_and_too_small_without(question, monkeypatch):
    monkeypatch.setattr(joint, "DRAWS", 100)  # bands are not what is asked about
    runs = {}
    for facets in (FACETS, None):
        rng = np.random.default_rng(1)
        runs[facets is None] = [ASK[question](rng, facets) for _ in range(120)]
    with_facets, without = runs[False], runs[True]
    assert [e.estimate for e in with_facets] == [e.estimate for e in without]
    truth = np.var([e.estimate for e in without], ddof=1)
    ratio, plain = (
        np.mean([sum(v for v, _ in e.parts) for e in each]) / truth
        for each in (with_facets, without)
    )
    assert plain < 0.7
    # About .95 in 600 draws, as DeLong's is; the truth of 120 is known within a quarter.
    assert 0.7 < ratio < 1.25
    assert all(any("one facet correlate" in n for n in e.notes) for e in with_facets)


@pytest.mark.parametrize("question", ["controlled", "drift", "gap", "inheritance", "top"])
def test_each_quantity_has_a_component_of_its_own(question):
    given = replace(FACETS, component=FacetComponent(0.9, 5.0, 20))
    one, other = (ASK[question](np.random.default_rng(2), each) for each in (FACETS, given))
    assert one.parts == other.parts
    of_models = ASK["family"](np.random.default_rng(2), given)
    assert any("correlate .900" in note for note in of_models.notes)


def test_beside_an_idle_covariate_the_part_is_that_of_the_contrast():
    """A covariate without a bearing on scores and sides leaves the contrast's own variance."""
    rng = np.random.default_rng(3)
    terms = [Term(scores(rng, taste(rng)))]
    plain = contrast(terms, IN_A, WORD, facets=FACETS)
    noise = rng.normal(size=N)
    held = controlled(terms, IN_A, WORD, {"noise": noise}, facets=FACETS, permute=False)
    assert held.parts[0][0] == pytest.approx(plain.parts[0][0], rel=0.1)


def test_a_run_has_facets_in_its_band():
    rng = np.random.default_rng(4)
    first = taste(rng)
    run = [(step, scores(rng, first + step * taste(rng))) for step in range(3)]
    plain, found = (drift(run, IN_A, WORD, facets=f).trajectory for f in (None, FACETS))
    assert plain.estimates == found.estimates
    for low, high, effect, a, b in zip(
        found.low, found.high, found.effects, plain.low, plain.high, strict=True
    ):
        assert low < a
        assert b < high
        assert effect.parts[0][0] == pytest.approx(
            found.joint.variances[0][found.effects.index(effect)]
        )


def test_facets_of_other_words_are_refused():
    rng = np.random.default_rng(5)
    wrong = Facets(["f"] * 3)
    for ask in ASK.values():
        with pytest.raises(StatisticsError, match="facets and sides"):
            ask(rng, wrong)
