"""The words that move an estimate most, for the reader of a verdict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from valuebias.errors import visible
from valuebias.lexicons.lexicon import Selection
from valuebias.stats.word_families import WordFamilies

_NAMED = 5


@dataclass(frozen=True)
class InfluentialWord:
    """A word that moves the estimate: on which side of the contrast, ranked high or low there."""

    word: str
    in_a: bool
    high: bool


@dataclass(frozen=True)
class MovedWord:
    """A word, its side of the contrast, and by how much its share of what a policy says of these
    words changes, averaged over prompts."""

    word: str
    in_a: bool
    change: float


def influential_words(
    moved: npt.NDArray[np.float64], selection: Selection, away: float = 1.0
) -> tuple[tuple[InfluentialWord, ...], tuple[InfluentialWord, ...]]:
    """The words that lower and that raise the estimate most, which grows as A's words move up
    (``away`` 1) or down (-1); a word has its share of its family's weight."""
    in_a, above = selection.in_a, moved - moved.mean()
    family = np.unique(selection.families, return_inverse=True)[1]
    share = WordFamilies(in_a, family).weights
    share = share / np.where(in_a, share[in_a].sum(), -share[~in_a].sum())
    pull = away * above * share
    order = np.argsort(pull, kind="stable")

    def named(indices: npt.NDArray[np.intp]) -> tuple[InfluentialWord, ...]:
        return tuple(
            InfluentialWord(selection.words[i], bool(in_a[i]), bool(above[i] > 0)) for i in indices
        )

    return named(order[:_NAMED]), named(order[::-1][:_NAMED])


def grouped(influential: Iterable[InfluentialWord], a: str, b: str) -> str:
    """The words in groups: "communion low: duty, help; agency high: power"."""
    groups: dict[str, list[str]] = {}
    for pull in influential:
        side = f"{a if pull.in_a else b} {'high' if pull.high else 'low'}"
        groups.setdefault(side, []).append(visible(pull.word))
    return "; ".join(f"{side}: {', '.join(words)}" for side, words in groups.items())
