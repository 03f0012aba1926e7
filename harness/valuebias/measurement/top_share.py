"""The top share beside an effect, with the words it consists of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from valuebias.errors import StatisticsError
from valuebias.lexicons.lexicon import Selection
from valuebias.measurement.influence import InfluentialWord, influential_words
from valuebias.stats.effect import Term
from valuebias.stats.facets import Facets
from valuebias.stats.top import TOP, TopShare, included, top


@dataclass(frozen=True)
class AtTop:
    """A category's share of the top of the ranking less its share of all, and the words that raise
    and lower it most."""

    effect: TopShare
    raised_by: tuple[InfluentialWord, ...]
    lowered_by: tuple[InfluentialWord, ...]


def at_top(terms: Sequence[Term], selection: Selection) -> AtTop | None:
    """The top share of the selection's first side, by the terms' weights; None where these scores
    give it no interval."""
    facets = Facets(selection.facets) if (selection.facets != "").any() else None
    try:
        effect = top(terms, selection.in_a, selection.families, facets=facets)
    except StatisticsError:
        return None
    alike = np.ones(len(selection.words))
    moved = np.sum([t.weight * included(t.values, alike, TOP).mean(axis=0) for t in terms], axis=0)
    lowered, raised = influential_words(moved, selection)
    return AtTop(effect, raised, lowered)
