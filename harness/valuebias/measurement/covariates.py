"""Covariates: a number for each word, which an effect is measured beside."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from numbers import Real

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.lexicons.index import Index
from valuebias.lexicons.lexicon import Coverage, Lexicon, Selection
from valuebias.lexicons.ratings import Ratings
from valuebias.measurement.contrast_scores import ContrastScores

Covariate = Mapping[str, float] | Callable[[str], float]
"""A number for each word, such as its log frequency: by a mapping or a function. `Ratings` are such
a function."""


def column(name: str, given: Covariate, scored: ContrastScores) -> npt.NDArray[np.float64]:
    """A covariate's number for each word. Raises StatisticsError if a word has none."""
    look_up = given if callable(given) else given.get
    values = [look_up(word) for word in scored.selection.words]
    numbers = [_is_finite(v) for v in values]
    if not all(numbers):
        lost = [w for w, ok in zip(scored.selection.words, numbers, strict=True) if not ok]
        raise StatisticsError(
            f"the covariate {name} has no finite number for {len(lost)} of {len(values)} words",
            seen=", ".join(lost[:8]) + (", …" if len(lost) > 8 else ""),
            remedy="Give one for every word; a frequency of zero counts, as log(1 + 0).",
        )
    return np.array(values, dtype=np.float64)


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def of_rated(
    scored: ContrastScores, lexicon: Lexicon, covariates: Mapping[str, Covariate] | None
) -> ContrastScores:
    """The scores of the words that all ratings among the covariates have, with the coverage of
    those. Raises StatisticsError if there are none."""
    for given in (covariates or {}).values():
        if isinstance(given, Ratings):
            keep = rated(scored.selection, given)
            words = [scored.selection.words[i] for i in keep]
            scored = scored.restricted(keep, coverage_of(words, scored.selection, lexicon))
    return scored


def rated(selection: Selection, ratings: Ratings) -> npt.NDArray[np.intp]:
    """The positions of the words that were rated. Raises StatisticsError if there are none."""
    known = [i for i, word in enumerate(selection.words) if not math.isnan(ratings(word))]
    if not known:
        raise StatisticsError(
            f"none of the {len(selection.words)} words is rated in {ratings.source}",
            seen=", ".join(selection.words[:8]),
            remedy="Give ratings of these words, or ask of words that were rated.",
        )
    return np.array(known, dtype=np.intp)


def coverage_of(
    words: Sequence[str], selection: Selection, lexicon: Lexicon
) -> tuple[Coverage, ...]:
    """The coverage of the selection's categories by some of its words."""
    index = Index(words)
    parts = []
    for part in selection.coverage:
        entries = lexicon.categories[part.category]
        missing = tuple(entry for entry in entries if not index.find(entry))
        parts.append(replace(part, matched=len(entries) - len(missing), missing=missing))
    return tuple(parts)
