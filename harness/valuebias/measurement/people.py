"""The same contrast in people's ratings of the words, beside a model's of these words alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from valuebias.errors import StatisticsError
from valuebias.format import bracketed, signed
from valuebias.lexicons.lexicon import Lexicon
from valuebias.lexicons.ratings import Ratings
from valuebias.measurement.contrast_scores import ContrastScores
from valuebias.measurement.covariates import coverage_of, rated
from valuebias.stats.checks import GATE_FAMILIES
from valuebias.stats.effect import Effect
from valuebias.stats.rated import BesidePeople, beside_people


@dataclass(frozen=True)
class InPeople:
    """A contrast in one file of ratings.

    ``label`` and ``source`` are those of the ratings, ``fingerprint`` their digest. ``rated`` says
    how many of the lexicon's entries of either side were rated and scored, ``entries`` how many
    there are. ``found`` are the effects over these words, None where there are too few; ``why``
    says then why.
    """

    label: str
    source: str
    fingerprint: str
    rated: tuple[int, int]
    entries: tuple[int, int]
    found: BesidePeople | None
    why: str = ""

    @property
    def said(self) -> str:
        """For people: theirs, the model's of the same words, and how far these are apart."""
        words = (
            f"{self.rated[0]} of {self.entries[0]} and {self.rated[1]} of {self.entries[1]} words"
        )
        if self.found is None:
            return f"{self.label} is not compared ({words} were rated): {self.why}"
        found = self.found
        parts = [
            f"people ({self.label}) {_shown(found.people)}",
            f"this model {_shown(found.scorer)}",
        ]
        if found.difference is not None:
            parts.append(f"the model less people {_shown(found.difference)}")
        if found.held is not None:
            parts.append(f"the model with their rating held constant {_shown(found.held)}")
        few = ""
        if min(found.people.n_families) < GATE_FAMILIES:
            few = f" (fewer than {GATE_FAMILIES} word families on a side: no difference is settled)"
        return f"{'; '.join(parts)}; over the same words, {words}{few}"


def _shown(effect: Effect) -> str:
    return f"{signed(effect.estimate)} {bracketed(effect.low, effect.high)}"


def in_people(
    scored: ContrastScores, lexicon: Lexicon, people: Sequence[Ratings]
) -> tuple[InPeople, ...]:
    """The contrast in each of the ratings, and in one model's ``scored`` words on prompts of one
    valence. Words that were not rated are left out of both."""
    return tuple(_in_one(scored, lexicon, ratings) for ratings in people)


def _in_one(scored: ContrastScores, lexicon: Lexicon, ratings: Ratings) -> InPeople:
    selection = scored.selection
    found, why, words = None, "", []
    try:
        keep = rated(selection, ratings)
        words = [selection.words[i] for i in keep]
        kept = scored.restricted(keep, selection.coverage)
        values = np.array([ratings(word) for word in words])
        found = beside_people(kept.terms(), values, *kept.sides, facets=kept.facets())
    except StatisticsError as error:
        why = error.what if error.seen is None else f"{error.what} ({error.seen})"
    coverage = coverage_of(words, selection, lexicon) if words else selection.coverage
    sides = [
        [part for part in coverage if part.category in side]
        for side in (selection.contrast.a, selection.contrast.b)
    ]
    return InPeople(
        ratings.label,
        ratings.source,
        ratings.fingerprint,
        rated=_pair([sum(part.matched for part in side) * bool(words) for side in sides]),
        entries=_pair([sum(part.total for part in side) for side in sides]),
        found=found,
        why=why,
    )


def _pair(numbers: Sequence[int]) -> tuple[int, int]:
    return numbers[0], numbers[1]
