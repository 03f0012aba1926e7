"""The facets of a contrast, with what all categories of its lexicon say about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from valuebias.lexicons.lexicon import Lexicon
from valuebias.prompts import Valence
from valuebias.stats.facets import FacetComponent, facet_component
from valuebias.stats.terms import Term


@dataclass(frozen=True)
class LexiconScores:
    """One model's scores of all words of a lexicon (a word of several categories once in each), by
    valence (prompts, words), with the categories, families and facets of the words."""

    words: tuple[str, ...]
    categories: npt.NDArray[np.str_]
    families: npt.NDArray[np.str_]
    facets: npt.NDArray[np.str_]
    values: Mapping[Valence, npt.NDArray[np.float32]]

    @classmethod
    def of(
        cls,
        lexicon: Lexicon,
        responses: Sequence[str],
        values: Mapping[Valence, npt.NDArray[np.float32]],
    ) -> LexiconScores:
        """From the scores (prompts, responses) of each valence. Categories that are covered in
        part are used as far as they go."""
        column = {response: i for i, response in enumerate(responses)}
        found = [(c, r) for c, matched in lexicon.expand(responses).items() for r in matched]
        words = tuple(response.strip() for _, response in found)
        at = [column[response] for _, response in found]
        return cls(
            words,
            np.array([category for category, _ in found], dtype=np.str_),
            np.array([lexicon.family(word) for word in words], dtype=np.str_),
            np.array([lexicon.facet(word) for word in words], dtype=np.str_),
            {valence: rows[:, at] for valence, rows in values.items()},
        )


def component(
    models: Sequence[tuple[LexiconScores, float]], weights: Mapping[Valence, float]
) -> FacetComponent:
    """The facets' part of a weighted sum of models, each with its weight, over the words that all
    of them have; ``weights`` are those of the valences."""
    first = models[0][0]
    places = [
        {key: i for i, key in enumerate(zip(scores.categories, scores.words, strict=True))}
        for scores, _ in models
    ]
    shared = [key for key in places[0] if all(key in place for place in places)]
    terms = [
        Term(scores.values[v][:, [place[key] for key in shared]], weight * weights[v], group=v)
        for (scores, weight), place in zip(models, places, strict=True)
        for v in weights
    ]
    mine = [places[0][key] for key in shared]
    return facet_component(terms, first.categories[mine], first.families[mine], first.facets[mine])
