"""Kendall's tau-b over word families: against scipy and brute force, and how often it is right."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import kendalltau

from valuebias.errors import StatisticsError
from valuebias.outcomes import Cause, Outcome
from valuebias.stats import Facets, Margin, judge
from valuebias.stats.kendall import rank_agreement

Floats = npt.NDArray[np.float64]


def draw(
    seed: int = 0, *, words: int = 60, prompts: int = 12, rho: float = 0.5, step: float = 0.0
) -> tuple[Floats, Floats]:
    """Scores that go with the ratings; with ``step`` both are rounded, so that many tie."""
    rng = np.random.default_rng(seed)
    ratings = rng.normal(size=words)
    taste = rho * ratings + np.sqrt(1 - rho**2) * rng.normal(size=words)
    values = taste + 0.5 * rng.normal(size=(prompts, words))
    if step:
        values, ratings = np.round(values / step), np.round(ratings / step)
    return values, ratings


def brute(x: Floats, y: Floats, family: npt.NDArray[Any]) -> float:
    """Tau-b of random words of two different families, pair by pair."""
    both = of_x = of_y = 0.0
    for f in set(family):
        for g in set(family) - {f}:
            pairs = [
                (i, j) for i in np.flatnonzero(family == f) for j in np.flatnonzero(family == g)
            ]
            signs = [(np.sign(x[i] - x[j]), np.sign(y[i] - y[j])) for i, j in pairs]
            both += np.mean([a * b for a, b in signs])
            of_x += np.mean([a * a for a, _ in signs])
            of_y += np.mean([b * b for _, b in signs])
    return float(both / np.sqrt(of_x * of_y))


@pytest.mark.parametrize("step", [0.0, 0.3])
def test_with_words_for_families_it_is_scipys(step: float) -> None:
    values, ratings = draw(1, step=step)
    found = rank_agreement(values, ratings, np.arange(60))
    expected = np.mean([kendalltau(row, ratings).statistic for row in values])
    assert found.estimate == pytest.approx(expected, abs=1e-12)
    assert found.by_spelling == pytest.approx(expected, abs=1e-12)
    assert (found.n_words, found.n_families, found.n_prompts) == ((60,), (60,), 12)
    assert found.method == "kendall"


def test_every_family_counts_alike_and_its_variance_is_the_jackknifes() -> None:
    values, ratings = draw(2, words=30, step=0.25)
    family = np.repeat(np.arange(20), [2] * 10 + [1] * 10)
    found = rank_agreement(values, ratings, [f"family {f}" for f in family])
    assert found.estimate == pytest.approx(
        np.mean([brute(row, ratings, family) for row in values]), abs=1e-12
    )
    without = [
        np.mean([brute(row[kept], ratings[kept], family[kept]) for row in values])
        for kept in (family != f for f in range(20))
    ]
    jackknife = 19 / 20 * np.sum((np.array(without) - np.mean(without)) ** 2)
    assert found.parts[0] == pytest.approx((jackknife, 19.0), abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_what_must_not_move_it(seed: int, ties: bool) -> None:
    values, ratings = draw(seed, words=25, prompts=6, step=0.2 * ties)
    family = np.arange(25) // 2
    found = rank_agreement(values, ratings, family)
    order = np.random.default_rng(seed).permutation(25)
    shuffled = rank_agreement(values[:, order], ratings[order], family[order])
    stretched = rank_agreement(np.exp(values / 8) * 3, ratings**3, family)
    turned = rank_agreement(values, -ratings, family)
    for other, sign in ((shuffled, 1), (stretched, 1), (turned, -1)):
        assert other.estimate == pytest.approx(sign * found.estimate, abs=1e-12)
        assert other.se == pytest.approx(found.se, rel=1e-9)
    assert -1 < found.low <= found.estimate <= found.high < 1


def test_the_interval_covers_what_it_should() -> None:
    # Tau of a bivariate normal (Greiner 1909), with noise on each prompt.
    rho, n, words = 0.5, 200, 25
    true = 2 / np.pi * np.arcsin(rho / np.sqrt(1.25))
    hits = 0
    for seed in range(n):
        values, ratings = draw(seed, words=words, rho=rho)
        found = rank_agreement(values, ratings, np.arange(words))
        hits += found.low <= true <= found.high
    assert 0.91 <= hits / n <= 0.99


def test_families_of_a_facet_are_no_independent_draws() -> None:
    values, ratings = draw(3)
    facet = np.arange(60) // 6
    moved = values + 2 * np.random.default_rng(4).normal(size=10)[facet]
    rated = ratings + 2 * np.random.default_rng(5).normal(size=10)[facet]
    plain = rank_agreement(moved, rated, np.arange(60))
    held = rank_agreement(moved, rated, np.arange(60), facets=Facets(facet.astype(str)))
    assert held.estimate == plain.estimate
    assert held.parts[0][0] > plain.parts[0][0]
    assert any("of one facet correlate" in note for note in held.notes)


def test_no_agreement_shown_is_no_pass() -> None:
    values, ratings = draw(6, words=80, rho=0.0)
    found = rank_agreement(values, ratings, np.arange(80))
    assert found.p > 0.05
    verdict = judge(found, Margin.above(0.1))
    assert verdict.outcome is not Outcome.PASS
    agreed = rank_agreement(*draw(6, words=80, rho=0.9), np.arange(80))
    assert judge(agreed, Margin.above(0.1)).outcome is Outcome.PASS
    assert judge(agreed, Margin.below(0.1)).outcome is Outcome.FAIL


def test_few_families_settle_nothing() -> None:
    values, ratings = draw(7, words=19, rho=0.95)
    found = rank_agreement(values, ratings, np.arange(19))
    for margin in (Margin.above(0.0), Margin.below(0.1), Margin(-0.2, 0.2), Margin(0.2, 0.99)):
        verdict = judge(found, margin)
        assert verdict.outcome is Outcome.INCONCLUSIVE
        assert verdict.cause is Cause.FEW_FAMILIES
        assert verdict.reason.startswith("19 word families: fewer than 20 cannot show")
    with pytest.raises(StatisticsError, match=r"at least 10 rated word families.*Seen: 9"):
        rank_agreement(values[:, :9], ratings[:9], np.arange(9))


REFUSED: dict[str, tuple[Any, str]] = {
    "fewer words": (lambda v, r: (v[:, :-1], r), "do not describe the same words"),
    "fewer prompts": (lambda v, r: (v[:5], r), "at least 6"),
    "no rating": (lambda v, r: (v, np.where(r > 1, np.nan, r)), "not finite"),
    "fewer ratings": (lambda v, r: (v, r[:-1]), "do not describe the same words"),
    "one rating": (lambda v, r: (v, np.zeros(60)), "all others are tied"),
    "one word rated": (lambda v, r: (v, np.eye(60)[3]), "all others are tied"),
    "one score": (lambda v, r: (np.zeros_like(v), r), "too few distinct scores"),
    "a copy": (lambda v, r: (np.arange(1, 7)[:, None] * r[None], r), "does not vary from word"),
}


@pytest.mark.parametrize(("change", "said"), REFUSED.values(), ids=list(REFUSED))
def test_what_gives_no_interval_is_refused(change: Any, said: str) -> None:
    values, ratings = change(*draw(8))
    with pytest.raises(StatisticsError, match=said):
        rank_agreement(values, ratings, np.arange(60))
