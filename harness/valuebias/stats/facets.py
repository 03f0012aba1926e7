"""Facets: groups of word families of like meaning, which are no independent draws either.

A facet's families lean the same way, so that the mean of n families in few facets varies more than
that of n unrelated ones. The correlation of two families of one facet is estimated over all
categories of a lexicon at once, since the few facets of one category say little about it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.format import unsigned
from valuebias.stats.terms import Term
from valuebias.stats.word_families import Floats, Ints, Side, WordFamilies

_MOST = 0.95
"""An estimated correlation is no greater: at one nothing is left of the variance to scale up."""


@dataclass(frozen=True)
class FacetComponent:
    """How alike the families of a facet are, over all categories of a lexicon.

    ``correlation``, in [0, 1), is that of the placements of two families of one facet and category;
    ``df`` are the degrees of freedom that it was estimated with, ``n_facets`` the facets of two
    families or more.
    """

    correlation: float
    df: float
    n_facets: int

    @property
    def note(self) -> str:
        """What goes with an effect whose variance it is in."""
        return (
            f"two word families of one facet correlate {unsigned(self.correlation)} "
            f"(over {self.n_facets} facets)"
        )


@dataclass(frozen=True, eq=False)
class Facets:
    """Each word's facet (words,), "" where it has none and is one of its own; words of one family
    have one facet. A facet may be a path, "power/fame", whose families are in the larger facet
    "power" too; what families of a facet have in common is estimated over whole paths.
    ``component`` is that of the whole lexicon (`facet_component`); without it the two sides of the
    contrast themselves are all there is to estimate it from."""

    names: Sequence[str] | npt.NDArray[Any]
    component: FacetComponent | None = None

    @classmethod
    def declared(cls, names: npt.NDArray[Any]) -> Facets | None:
        """Those of the names (words,); None where no word has one."""
        return cls(names) if (names != "").any() else None

    def widen(
        self, variance: tuple[float, float], a: Floats, b: Floats, words: WordFamilies
    ) -> tuple[tuple[float, float], str]:
        """The words' variance and degrees of freedom with the facets' part, and a note on it, from
        the placements (families,) of the sides."""
        sides = self.sides(a, b, words)
        component = self.component or pooled(sides)
        return widened(variance, sides, component), component.note

    def spread(self, a: Floats, b: Floats, words: WordFamilies) -> float:
        """The standard deviation between the facets of the side where it is larger, in the units of
        the placements (families,), with the families' own part taken out."""
        component = self.component or pooled(self.sides(a, b, words))
        return math.sqrt(component.correlation * max(np.var(a, ddof=1), np.var(b, ddof=1)))

    @property
    def alone(self) -> Facets:
        """The same without the lexicon's component, where that of another quantity is needed."""
        return Facets(self.names)

    def sides(self, a: Floats, b: Floats, words: WordFamilies) -> list[tuple[Floats, Ints]]:
        """Each side's placements (families,) with their facets as numbers."""
        return [(x, self.numbers(side, words)) for x, side in ((a, words.a), (b, words.b))]

    def numbers(self, side: Side, words: WordFamilies) -> Ints:
        """The facet of each family of a side, as a number. Raises StatisticsError as `facets_of`
        does, and for facets of other words."""
        names = np.asarray(self.names, str)
        if names.shape != words.in_a.shape:
            raise StatisticsError(
                "facets and sides do not describe the same words",
                seen=f"{names.shape} and {words.in_a.shape}",
                remedy='Give each word its facet, "" where it has none.',
            )
        return facets_of(side, names)


def facet_component(
    terms: Sequence[Term],
    categories: Sequence[str] | npt.NDArray[Any],
    families: Sequence[str] | npt.NDArray[Any],
    facets: Sequence[str] | npt.NDArray[Any],
) -> FacetComponent:
    """The component over all categories of a lexicon, of a contrast's terms.

    Terms are as `contrast` takes them, but of all words of the lexicon; ``categories``,
    ``families`` and ``facets`` (words,) name each word's. What is compared within a category are
    families' mean midranks among all words, averaged over prompts.

    Raises StatisticsError for words of one family and category that have two facets.
    """
    both = np.char.add(np.char.add(np.asarray(categories, str), "\x1f"), np.asarray(families, str))
    family = np.unique(both, return_inverse=True)[1].reshape(-1)
    words = WordFamilies(np.ones(len(family), dtype=np.bool_), family)
    moved = np.sum([t.weight * words.ranks(t.values).mean(axis=0) for t in terms], axis=0)
    named = facets_of(words.a, np.asarray(facets, str))
    category = np.asarray(categories)[words.a.columns[words.a.begins]]
    return pooled((moved[category == c], named[category == c]) for c in np.unique(category))


def facets_of(side: Side, names: npt.NDArray[Any]) -> Ints:
    """The facet of each family of a side, as a number; a family without one has its own."""
    sorted_names = names[side.columns]
    first = sorted_names[side.begins]
    if (np.repeat(first, side.sizes.astype(np.intp)) != sorted_names).any():
        raise StatisticsError(
            "two words of one family have two facets",
            seen=", ".join(sorted(set(map(str, names)))[:8]),
            remedy="Give the words of a family one facet.",
        )
    alone = np.char.add("\x1f", np.arange(len(first)).astype(str))
    numbers: Ints = np.unique(np.where(first == "", alone, first), return_inverse=True)[1]
    return numbers.reshape(-1)


def pooled(categories: Iterable[tuple[Floats, Ints]]) -> FacetComponent:
    """The component from each category's values (families,) and their facets as numbers.

    By the method of moments in a random-effects model (Henderson, Biometrics 1953; Searle, Casella
    and McCulloch, Variance Components, 1992, chapter 5). With deviations d from a category's mean,
    q the share of all pairs of different families that share a facet and V the variance of a
    family, E[sum of d^2] = (F - 1) V (1 - r q), and E[sum over facets of (sum of d)^2] is linear
    in V and r too. Each category is scaled by its own mean square, the sums are added up over
    categories, and the equation is solved for r; below zero it is zero. In one category with facets
    of one size it is the analysis of variance's (MSB - MSW) / (MSB + (m - 1) MSW).

    The degrees of freedom are Satterthwaite's for the facets' sums of squares, which weigh m - 1
    times m: as many as there are facets where all are of one size, less one for each category.
    """
    above = slope = weight = squared = 0.0
    n_facets = used = 0
    for values, facets in categories:
        n, sizes = len(values), np.bincount(facets).astype(float)
        rest = values - values.mean()
        square = float(rest @ rest) / max(n - 1, 1)
        pairs = sizes * (sizes - 1)
        if not pairs.any() or np.count_nonzero(sizes) < 2 or square <= 0:
            continue
        between = float((np.bincount(facets, weights=rest) ** 2).sum()) / square
        concentrated = float(sizes @ sizes) / n**2
        unrelated = n * (1 - concentrated)
        related = n**2 * concentrated * (1 + concentrated) - 2 * float((sizes**3).sum()) / n
        share = float(pairs.sum()) / (n * (n - 1))
        above += between - unrelated
        slope += related - unrelated + share * between
        weight += float(pairs.sum())
        squared += float(pairs @ pairs)
        n_facets += int((pairs > 0).sum())
        used += 1
    if not used or slope <= 0:
        return FacetComponent(0.0, 1.0, n_facets)
    correlation = min(max(above / slope, 0.0), _MOST)
    return FacetComponent(correlation, max(weight**2 / squared - used, 1.0), n_facets)


def widened(
    words: tuple[float, float],
    sides: Sequence[tuple[Floats | float, Ints]],
    component: FacetComponent,
) -> tuple[float, float]:
    """The words' variance with the facets' part, and its degrees of freedom.

    ``words`` is what `word_variance` returned, ``sides`` each side's placements (families,), or
    their mean square, and facets. Of F families with mean square S, of whose pairs a share q is
    within facets, the mean has the variance S / F + r q V, where V = S / (1 - r q). Facets of A and
    B count as unrelated. The degrees of freedom are Satterthwaite's for this sum, in which the
    product of the two parts counts as the facets': both come from the facets' means.
    """
    variance, df = words
    added = 0.0
    for values, facets in sides:
        square = values if isinstance(values, float) else float(np.var(values, ddof=1))
        n, sizes = len(facets), np.bincount(facets).astype(float)
        shared = component.correlation * float(sizes @ (sizes - 1)) / (n * (n - 1))
        added += square * shared / (1 - shared)
    total = variance + added
    if added <= 0 or variance <= 0:
        return words
    own = (variance / total) ** 2
    return total, 1 / (own / df + (1 - own) / component.df)
