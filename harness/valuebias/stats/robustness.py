"""Does a verdict hold however the effect is computed? A multiverse of specifications.

Some choices behind an effect could have been made otherwise with as good a reason: what counts
alike, what counts as one draw, what is held constant, which adjectives are asked about. A
*specification* is one combination of them (Steegen, Tuerlinckx, Gelman and Vanpaemel, Perspectives
on Psychological Science 2016; Simonsohn, Simmons and Nelson, Nature Human Behaviour 2020). All are
computed from the scores that the effect itself was, each with an interval of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr

from valuebias.errors import StatisticsError
from valuebias.stats.confounds import cluster_roots, design_of, left_beside
from valuebias.stats.crossed import (
    Bools,
    Floats,
    Ints,
    Parts,
    factor_levels,
    prompt_parts,
)
from valuebias.stats.estimate import Effect
from valuebias.stats.facets import facets_of
from valuebias.stats.order import Order
from valuebias.stats.specification import Alike, Drawn, Robustness, Specification
from valuebias.stats.terms import Term, grouped
from valuebias.stats.word_families import WordFamilies

_MIN_DRAWS = 5
"""Fewer facets on a side give no interval."""


@dataclass(frozen=True, eq=False)
class Alternatives:
    """What the specifications of an effect are computed from.

    ``terms`` are those of `contrast`, by how the words were written (as written first); sides,
    families and facets ("" where a word has none; None where nothing is declared) are (words,);
    ``covariates`` (words,) by name.
    """

    terms: Mapping[str, Sequence[Term]]
    in_a: Bools
    families: Sequence[str] | npt.NDArray[Any]
    facets: Sequence[str] | npt.NDArray[Any] | None = None
    covariates: Mapping[str, Floats] = field(default_factory=dict)

    def against(self, effect: Effect, low: float, high: float, level: float) -> Robustness:
        """Every specification of ``effect`` against the margin [low, high], which the effect's own
        interval at this level lies in."""
        found = self.of(effect)
        beyond = {}
        for each in found:
            least, most = each.interval(level)
            if least < low or most > high:
                far = max(low - least, most - high)
                beyond[each] = (len(each.changes), -far), most < low or least > high
        turned = sorted(beyond, key=lambda each: beyond[each][0])
        outside = tuple(t for t in turned if beyond[t][1])
        return Robustness(found, level, tuple(turned), outside, facets_outside(effect, low, high))

    def of(self, effect: Effect) -> tuple[Specification, ...]:
        """All specifications but the effect's own.

        The words' part of the variance is that of a regression of ranks (`confounds`), which
        without covariates is DeLong's; where families are drawn it is as many times larger as the
        effect's own is than in the regression, for what the facets add. With an adjective left out
        the prompts' part is that of all adjectives, of which there is one less: how much they
        differ is known from all of them.
        """
        found: list[Specification] = []
        base: _Fit | None = None
        for surface, terms in self.terms.items():
            for alike in ("families", "spellings"):
                scored = _Scored.of(terms, self._rows(alike))
                for names in self._controlled:
                    columns = {name: self.covariates[name] for name in names}
                    try:
                        design = design_of(scored.words, columns)
                    except StatisticsError:  # nothing of the sides' difference would be left
                        continue
                    for drawn, fit in scored.fits(design, self._draws(scored.words)):
                        base = base or fit
                        own = effect.parts[0][0] / base.words[0] if drawn == "families" else 1.0
                        df = effect.parts[0][1] if drawn == "families" else fit.df
                        found += [
                            Specification(
                                alike, drawn, surface, names, without, float(estimate),
                                ((own * words, df), *prompts), effect.span,
                                effect.fisher and not names,
                            )
                            for without, estimate, words, prompts in fit.rows
                        ]  # fmt: skip
        return tuple(found[1:])  # the first is the effect itself

    @property
    def _controlled(self) -> Iterator[tuple[str, ...]]:
        """What is held constant: nothing, each covariate, and all of them."""
        yield ()
        yield from ((name,) for name in self.covariates)
        if len(self.covariates) > 1:
            yield tuple(self.covariates)

    def _rows(self, alike: Alike) -> WordFamilies:
        if alike == "spellings":
            return WordFamilies(self.in_a, np.arange(len(self.in_a)))
        return self._families

    @cached_property
    def _families(self) -> WordFamilies:
        names = np.asarray(self.families)
        return WordFamilies(self.in_a, np.unique(names, return_inverse=True)[1].reshape(-1))

    def _draws(self, rows: WordFamilies) -> Iterator[tuple[Drawn, Ints]]:
        """The unit of each row: its family; and its facet on its side, where there are enough."""
        at = np.concatenate([rows.a.columns[rows.a.begins], rows.b.columns[rows.b.begins]])
        yield "families", self._families.family[at]
        if self.facets is None:
            return
        names = np.asarray(self.facets, str)
        facets = np.empty(len(names), dtype=np.intp)
        n = 0
        for side in (self._families.a, self._families.b):
            of_family = facets_of(side, names)
            if (count := int(of_family.max()) + 1) < _MIN_DRAWS:
                return
            facets[side.columns] = n + np.repeat(of_family, side.sizes.astype(np.intp))
            n += count
        yield "facets", facets[at]


@dataclass(frozen=True, eq=False)
class _Fit:
    """One regression: the estimate and the words' variance (rows,), the first row with all prompts,
    then without each level; the prompts' parts of each row; the words' degrees of freedom."""

    without: tuple[str, ...]
    estimates: Floats
    words: Floats
    prompts: tuple[Parts, ...]
    df: float

    @property
    def rows(self) -> Iterator[tuple[str, float, float, Parts]]:
        return zip(self.without, self.estimates, self.words, self.prompts, strict=True)


@dataclass(frozen=True, eq=False)
class _Group:
    """The prompts of one group: the terms' summed ranks (prompts, rows), each term's weight and
    order, the prompts' factors, and for each row of a fit the prompts' weights (rows, prompts)."""

    ranked: Floats
    orders: Sequence[tuple[float, Order]]
    factors: Any
    kept: Floats
    n_levels: Ints
    """(rows,): how many levels there are where one is left out, 0 where none of this group is."""


@dataclass(frozen=True, eq=False)
class _Scored:
    """One way of writing and weighing words: ranks of the rows, in the order of their means."""

    words: WordFamilies
    groups: tuple[_Group, ...]
    without: tuple[str, ...]

    @classmethod
    def of(cls, terms: Sequence[Term], words: WordFamilies) -> _Scored:
        by_group = grouped(terms)
        left: list[tuple[str, str]] = [("", "")]
        for name, group in by_group.items():
            left += [(name, level) for level in dict.fromkeys(_levels(group[0]))]
        groups = []
        for name, group in by_group.items():
            orders = [(t.weight, Order.of(t.values)) for t in group]
            n_words = len(words.numbers)
            ranked = np.sum([w * words.means(o.below(words.weights)) for w, o in orders], axis=0)
            levels = np.array(_levels(group[0]), dtype=np.str_)
            n = len(ranked)
            kept = np.array(
                [
                    levels != level if level and name == of else np.ones(n, dtype=np.bool_)
                    for of, level in left
                ],
                dtype=float,
            )
            n_levels = np.array([len({*levels}) * (of == name and bool(lv)) for of, lv in left])
            kept /= kept.sum(axis=1, keepdims=True)
            groups.append(_Group(ranked / n_words, orders, group[0].prompts, kept, n_levels))
        return cls(words, tuple(groups), tuple(level for _, level in left))

    def fits(
        self, design: Floats, draws: Iterable[tuple[Drawn, Ints]]
    ) -> Iterator[tuple[Drawn, _Fit]]:
        """The regression of the ranks on the design (rows of the words, columns), the side last,
        for each unit, of which each row has a number."""
        side = left_beside(design[:, -1], design[:, :-1])
        weights = side / (side @ side)
        n, k = design.shape
        each = self.words.spread(weights)
        moved, beaten = np.zeros((2, len(self.without), n))
        estimates = np.zeros(len(self.without))
        parts: list[list[tuple[float, float]]] = [[] for _ in self.without]
        for group in self.groups:
            by_prompt = 2 * group.ranked @ weights
            estimates += group.kept @ by_prompt
            moved += group.kept @ group.ranked
            beats = [w * self.words.means(each.sum() - o.below(each)) for w, o in group.orders]
            beaten += group.kept @ np.sum(beats, axis=0) / n
            rest = left_beside((group.ranked - group.ranked.mean(axis=0)).T, design)
            spread = float((rest**2).sum()) / ((n - k) * (len(by_prompt) - 1))
            noise = 4 * float(weights @ weights) * spread / len(by_prompt)
            whole = [part for part in prompt_parts(by_prompt, group.factors, noise) if part[0]]
            for row, levels in zip(parts, group.n_levels, strict=True):
                more = levels / (levels - 1) if levels else 1.0
                row += [(float(more * variance), df) for variance, df in whole]
        beaten -= beaten.mean(axis=1, keepdims=True)
        left = left_beside(moved.T, design).T
        for drawn, clusters in draws:
            added = left * _roots(design, weights, clusters) + beaten
            sums = added @ np.eye(int(clusters.max()) + 1)[clusters]
            shares = np.bincount(clusters, weights=weights**2)
            df = max(float(shares.sum() ** 2 / (shares @ shares)) - k + 1, 1.0)
            variances = 4 * np.square(sums).sum(axis=1)
            yield drawn, _Fit(self.without, estimates, variances, tuple(map(tuple, parts)), df)


def _levels(term: Term) -> list[str]:
    """The level of each prompt in the first factor that has several; nothing where none has."""
    levels = factor_levels(term.prompts, len(term.values))
    return next(iter(levels.values()), [])


def _roots(design: Floats, weights: Floats, clusters: Ints) -> Floats:
    """(rows,): what each row's residual counts in its cluster's sum (`cluster_roots`)."""
    counted = np.empty(len(weights))
    for rows, roots in cluster_roots(design, clusters):
        counted[rows] = np.einsum("cij,cj->ci", roots, weights[rows])
    return counted


def facets_outside(effect: Effect, low: float, high: float) -> float:
    """The share of facets whose effects are expected to lie outside [low, high]: facets are normal
    about the estimate with the standard deviation ``facet_sd``."""
    if not effect.facet_sd:
        return 0.0
    below = (low - effect.estimate) / effect.facet_sd
    above = (effect.estimate - high) / effect.facet_sd
    return float(ndtr(below) + ndtr(above))
