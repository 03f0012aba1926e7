"""Words in families, of which each counts alike: a family's words average to one draw.

The statistic of everything built on this is the chance that a random family's random word of A
beats a random family's random word of B, minus the reverse.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.stats.order import Order

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True, eq=False)
class Side:
    """One side's words, sorted by family: their columns, where each family ``begins`` among them,
    its ``numbers`` and how many words it has (families of the side,)."""

    columns: Ints
    begins: Ints
    numbers: Ints
    sizes: Floats

    @classmethod
    def of(cls, columns: Ints, family: Ints) -> Side:
        columns = columns[np.argsort(family[columns], kind="stable")]
        numbers, begins, sizes = np.unique(family[columns], return_index=True, return_counts=True)
        return cls(columns, begins, numbers, sizes.astype(float))

    def means(self, words: npt.NDArray[Any]) -> Floats:
        """(..., families of the side) from (..., words of both sides)."""
        sums = np.add.reduceat(words[..., self.columns], self.begins, axis=-1)
        means: Floats = sums / self.sizes
        return means


@dataclass(frozen=True, eq=False)
class WordFamilies:
    """The word families of two sides. ``in_a`` (words,) is True on side A, ``family`` (words,)
    numbers the families. A family with words on both sides is one of each."""

    in_a: Bools
    family: Ints

    @cached_property
    def a(self) -> Side:
        return Side.of(np.flatnonzero(self.in_a), self.family)

    @cached_property
    def b(self) -> Side:
        return Side.of(np.flatnonzero(~self.in_a), self.family)

    @cached_property
    def numbers(self) -> Ints:
        """The family of each column of `means`."""
        return np.concatenate([self.a.numbers, self.b.numbers])

    @cached_property
    def weights(self) -> Floats:
        """(words,): one over the number of words that the word's family has on its side."""
        return self.spread(np.ones(len(self.numbers)))

    def means(self, words: npt.NDArray[Any]) -> Floats:
        """(..., words) averaged over each family's words: (..., A's families, then B's)."""
        return np.concatenate([self.a.means(words), self.b.means(words)], axis=-1)

    def spread(self, families: Floats) -> Floats:
        """(words,) from (A's families, then B's): each over its words in equal parts."""
        spread = np.empty(len(self.in_a))
        parts = np.split(families, [len(self.a.sizes)])
        for side, part in zip((self.a, self.b), parts, strict=True):
            spread[side.columns] = np.repeat(part / side.sizes, side.sizes.astype(np.intp))
        return spread

    def ranks(self, values: npt.NDArray[Any]) -> Floats:
        """Each family's mean midrank, (..., A's families, then B's), in (0, 1), where every family
        has the same weight in the ranks. Twice the difference of the sides' means is the effect."""
        return self.means(Order.of(values).below(self.weights)) / len(self.numbers)


def placements(values: npt.NDArray[Any], words: WordFamilies) -> tuple[Floats, Floats]:
    """Placements (..., families of A) and (..., families of B) of scores (..., words); the mean of
    each last axis is the chance that A beats B.

    Of a family of A the chance that its random word beats a random family's random word of B, of a
    family of B that it is beaten by a random family's random word of A; ties count one half.
    """
    order = Order.of(values)
    beaten = order.below(np.where(words.in_a, 0.0, words.weights)) / len(words.b.sizes)
    beats = order.below(np.where(words.in_a, words.weights, 0.0)) / len(words.a.sizes)
    return words.a.means(beaten), words.b.means(1 - beats)


def superiority_by_spelling(values: npt.NDArray[Any], words: WordFamilies) -> Floats:
    """(...,): the chance that a random word of A beats a random word of B, families disregarded."""
    in_a = words.in_a
    beaten = Order.of(values).below(np.where(in_a, 0.0, 1.0))
    chance: Floats = beaten[..., in_a].mean(axis=-1) / (~in_a).sum()
    return chance
