"""The same contrast in people's ratings of the words, and how far a scorer is from it.

    beside_people(terms, ratings, in_a, families, *, facets=None, level=.95) -> BesidePeople

Ratings are one number a word: they were given once and not on prompts. Their effect has an interval
over word families alone. The scorer's effect is of the same words, and the difference is paired:
each word's rating is taken from its own scores' placement.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.stats.checks import Layout
from valuebias.stats.confounds import controlled
from valuebias.stats.crossed import Bools, p_value, placements, word_variance
from valuebias.stats.disagreement import Asked
from valuebias.stats.effect import Effect, Term, contrast
from valuebias.stats.estimate import Scale, effect_of, placed_groups
from valuebias.stats.facets import Facets
from valuebias.stats.terms import grouped
from valuebias.stats.word_families import superiority_by_spelling


@dataclass(frozen=True)
class BesidePeople:
    """One contrast in people and in a scorer, over the same words; each positive where category A
    is preferred or rated higher.

    ``difference`` is the scorer's effect less the people's, None where it does not vary from word
    to word; ``held`` the scorer's effect with the rating held constant, None where that leaves
    nothing of the categories' difference.
    """

    people: Effect
    scorer: Effect
    difference: Effect | None
    held: Effect | None


def beside_people(
    terms: Sequence[Term],
    ratings: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    facets: Facets | None = None,
    level: float = 0.95,
) -> BesidePeople:
    """The contrast in ``ratings`` (words,), higher being better, and in a scorer, whose ``terms``
    are those of `contrast` for prompts of one valence.

    Raises StatisticsError as `contrast` and `rated` do.
    """
    people = rated(ratings, in_a, families, facets=facets, level=level)
    scorer = contrast(terms, in_a, families, facets=facets, level=level)
    return BesidePeople(
        people,
        scorer,
        _unless_refused(lambda: _difference(terms, ratings, in_a, families, facets, level)),
        _unless_refused(
            lambda: controlled(
                terms,
                in_a,
                families,
                {"rating": ratings},
                facets=facets,
                level=level,
                permute=False,
            )
        ),
    )


def rated(
    ratings: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    facets: Facets | None = None,
    level: float = 0.95,
) -> Effect:
    """The rank-biserial correlation of ``ratings`` (words,); positive means that A is rated higher.

    Its interval is DeLong's over word families; it has no prompts (``n_prompts`` is 0) and is
    exploratory. Raises StatisticsError for fewer than 5 families in a category and for ratings that
    are not finite or all alike.
    """
    layout, ratings = Layout.of(in_a, families, "family", level), np.asarray(ratings, np.float64)
    if ratings.shape != in_a.shape or not np.isfinite(ratings).all() or not np.ptp(ratings):
        raise StatisticsError(
            "ratings must be one finite number a word, and not all the same",
            seen=f"{ratings.shape} for {len(in_a)} words",
            remedy="Look at the column that was read as the rating.",
        )
    a, b = placements(ratings, layout.words)
    estimate = 2 * float(a.mean()) - 1
    words = word_variance(a, b, layout.words)
    if facets is not None and words[0]:
        words, _ = facets.alone.widen(words, a, b, layout.words)
    separate = words[0] < 1e-18
    parts = () if separate else ((4 * words[0], words[1]),)
    if separate:
        estimate = math.copysign(1.0, estimate)
    effect = Effect(
        estimate=estimate,
        parts=parts,
        low=-1.0,
        high=1.0,
        level=level,
        p=p_value(math.atanh(estimate) * (1 - estimate**2), parts)
        if parts
        else 0.5 ** (min(layout.n_families) - 1),
        n_words=layout.n_words,
        n_families=layout.n_families,
        n_prompts=0,
        method="separation" if separate else "crossed-delong",
        exploratory="ratings have no prompts",
        fisher=not separate,
        by_spelling=2 * float(superiority_by_spelling(ratings, layout.words)) - 1,
    )
    low, high = effect.interval(level)
    return replace(effect, low=low, high=high)


def _difference(
    terms: Sequence[Term],
    ratings: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    facets: Facets | None,
    level: float,
) -> Effect:
    """The scorer's effect less that of the ratings, each family's placements paired."""
    layout = Layout.of(in_a, families, "family", level)
    groups = grouped(terms)
    a, b = placements(np.asarray(ratings, np.float64), layout.words)
    placed = [
        Asked(asked.a - a, asked.b - b, asked.factors, asked.ids)
        for asked in placed_groups(groups, layout.words)
    ]
    scale = Scale(span=2.0, null=0.0, lone=False)
    # Nothing is permuted: no p is asked of it.
    return effect_of(layout, placed, None, scale, facets and facets.alone, alpha=0.05, seed=0)


def _unless_refused(compute: Callable[[], Effect]) -> Effect | None:
    try:
        return compute()
    except StatisticsError:
        return None
