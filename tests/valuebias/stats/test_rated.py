"""A contrast in people's ratings, beside a scorer's of the same words."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from valuebias.errors import StatisticsError
from valuebias.stats import Term, single
from valuebias.stats.rated import beside_people, rated

Floats = npt.NDArray[np.float64]


def draw(
    seed: int, *, per_side: int = 30, prompts: int = 12, lean: float = 0.0, most: float = 0.0
) -> tuple[Floats, Floats, npt.NDArray[np.bool_], list[str]]:
    """Scores (prompts, words) and ratings of two sides; ``lean`` raises the first in the scores,
    ``most`` in both."""
    rng = np.random.default_rng(seed)
    in_a = np.arange(2 * per_side) < per_side
    ratings = rng.normal(size=2 * per_side) + most * in_a
    taste = 0.7 * ratings + 0.7 * rng.normal(size=2 * per_side) + lean * in_a
    values = taste + 0.3 * rng.normal(size=(prompts, 2 * per_side))
    return values, ratings, in_a, [f"w{i}" for i in range(2 * per_side)]


def pairs(x: Floats, in_a: npt.NDArray[np.bool_]) -> float:
    """The rank-biserial correlation pair by pair."""
    return float(np.mean([np.sign(a - b) for a in x[in_a] for b in x[~in_a]]))


def test_people_and_scorer_are_the_pairs_of_the_same_words() -> None:
    values, ratings, in_a, families = draw(1, lean=0.8)
    ratings = np.round(ratings, 1)  # with ties
    found = beside_people([Term(values)], ratings, in_a, families)
    assert found.people.estimate == pytest.approx(pairs(ratings, in_a), abs=1e-12)
    assert found.people.by_spelling == pytest.approx(pairs(ratings, in_a), abs=1e-12)
    assert found.people.n_prompts == 0
    assert found.people.exploratory
    scorer = np.mean([pairs(row, in_a) for row in values])
    assert found.scorer.estimate == pytest.approx(scorer, abs=1e-12)
    assert found.difference is not None
    assert found.difference.estimate == pytest.approx(scorer - found.people.estimate, abs=1e-12)
    assert found.held is not None
    assert found.held.estimate > 0.2  # what the rating does not explain


def test_what_people_prefer_too_is_gone_with_their_rating_held_constant() -> None:
    values, ratings, in_a, families = draw(2, per_side=60, most=1.2)
    found = beside_people([Term(values)], ratings, in_a, families)
    assert found.scorer.low > 0.2
    assert found.held is not None
    assert found.held.low < 0 < found.held.high


def test_people_alone_have_delongs_interval() -> None:
    # As that of a scorer whose prompts all say the same but for noise too small to reorder.
    _, ratings, in_a, families = draw(3)
    noise = 1e-9 * np.random.default_rng(0).normal(size=(12, 60))
    same = single(ratings + noise, in_a, families)
    found = rated(ratings, in_a, families)
    assert found.estimate == pytest.approx(same.estimate, abs=1e-12)
    assert found.interval(0.9) == pytest.approx(same.interval(0.9), abs=1e-6)


def test_the_difference_covers_none_where_there_is_none() -> None:
    hits = 0
    for seed in range(100):
        values, ratings, in_a, families = draw(seed, per_side=20)
        difference = beside_people([Term(values)], ratings, in_a, families).difference
        assert difference is not None
        hits += difference.low <= 0 <= difference.high
    assert hits >= 88


def test_one_side_above_the_other_throughout_has_a_bound() -> None:
    _, _, in_a, families = draw(4)
    found = rated(in_a.astype(float) + np.arange(60) / 100, in_a, families)
    assert (found.estimate, found.high) == (1.0, 1.0)
    assert 0.7 < found.low < 1


@pytest.mark.parametrize(
    ("ratings", "families", "said"),
    [
        (np.zeros(60), 60, "not all the same"),
        (np.full(60, np.nan), 60, "finite"),
        (np.arange(59.0), 60, "one finite number a word"),
        (np.arange(60.0), 4, "at least 5 word families"),
    ],
)
def test_ratings_that_say_nothing_are_refused(ratings: Floats, families: int, said: str) -> None:
    _, _, in_a, _ = draw(5)
    with pytest.raises(StatisticsError, match=said):
        rated(ratings, in_a, [f"f{i % families}" for i in range(60)])
