"""Partial rank correlations over many prompts, and the influence of each word on them.

A word moves a correlation by its own two ranks, and by standing below others, whose ranks it
raises: in either model's order and in the covariates'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.stats.crossed import Floats, Ints

_LEAST = 1e-3
"""If a smaller share of a model's variance is left beside the covariates, nothing is left to
correlate."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Order:
    """Where words stand in orders (..., words): ``order`` lists them from the lowest; ``begin`` and
    ``end`` are the places between which the words tied with each of them stand."""

    order: Ints
    begin: Ints
    end: Ints

    @classmethod
    def of(cls, values: npt.NDArray[Any]) -> Order:
        order = np.argsort(values, axis=-1)
        ordered = np.take_along_axis(values, order, -1)
        differs = ordered[..., 1:] != ordered[..., :-1]
        place = np.arange(values.shape[-1])
        first, last = (np.ones(values.shape, dtype=np.bool_) for _ in range(2))
        first[..., 1:], last[..., :-1] = differs, differs
        begins = np.maximum.accumulate(np.where(first, place, 0), axis=-1)
        ends = np.where(last, place + 1, len(place))[..., ::-1]
        ends = np.minimum.accumulate(ends, axis=-1)[..., ::-1]
        begin, end = np.empty_like(order), np.empty_like(order)
        np.put_along_axis(begin, order, begins, -1)
        np.put_along_axis(end, order, ends, -1)
        return cls(order, begin, end)

    @property
    def midranks(self) -> Floats:
        """(..., words), from 1 for the lowest."""
        ranks: Floats = (self.begin + self.end + 1) / 2
        return ranks

    def passed_on(self, pull: Floats) -> Floats:
        """(..., words): the summed pull of the words above each, and half that of the tied."""
        order = np.broadcast_to(self.order, pull.shape)
        below = np.zeros((*pull.shape[:-1], pull.shape[-1] + 1))
        np.cumsum(np.take_along_axis(pull, order, -1), axis=-1, out=below[..., 1:])
        begin, end = (np.broadcast_to(x, pull.shape) for x in (self.begin, self.end))
        passed: Floats = (
            below[..., -1:]
            - (np.take_along_axis(below, begin, -1) + np.take_along_axis(below, end, -1)) / 2
        )
        return passed


def covariate_design(
    covariates: Mapping[str, npt.NDArray[Any]], n: int
) -> tuple[Floats, tuple[str, ...], list[str]]:
    """(words, columns): one and the covariates' midranks, centred; the names of those kept, and a
    note on each left out."""
    columns, kept, notes = [np.ones(n)], [], []
    for name, values in covariates.items():
        column = np.asarray(values, dtype=np.float64)
        if column.shape != (n,) or not np.isfinite(column).all():
            raise StatisticsError(
                f"the covariate {name} is not one finite number for each word",
                seen=f"{column.shape} for {n} words, {np.sum(~np.isfinite(column))} not finite",
                remedy="Give a number for every word; of a count take log(1 + count).",
            )
        ranks = Order.of(column).midranks - (n + 1) / 2
        matrix = np.column_stack(columns)
        left = ranks - matrix @ np.linalg.lstsq(matrix, ranks, rcond=None)[0]
        if float(left @ left) <= _ROUNDING * float(ranks @ ranks):
            why = (
                "the same for all words"
                if not ranks.any()
                else "determined by the other covariates"
            )
            notes.append(f"{name} is left out: it is {why}")
            continue
        columns.append(ranks)
        kept.append(name)
    return np.column_stack(columns), tuple(kept), notes


@dataclass(frozen=True)
class Ranked:
    """One model's midranks beside the covariates: ``unit`` (prompts, words) is what is left of
    them, at length one, ``length`` (prompts, 1) its length before; ``slopes`` (prompts, columns of
    the design) are those of the fit."""

    order: Order
    unit: Floats
    length: Floats
    slopes: Floats

    @classmethod
    def of(cls, who: str, values: npt.NDArray[Any], design: Floats) -> Ranked:
        order = Order.of(values)
        ranks = order.midranks
        slopes = np.linalg.lstsq(design, ranks.T, rcond=None)[0].T.astype(np.float64)
        left = ranks - slopes @ design.T
        length = np.linalg.norm(left, axis=1, keepdims=True)
        spread = np.linalg.norm(ranks - ranks.mean(axis=1, keepdims=True), axis=1, keepdims=True)
        share = float(((length / spread) ** 2).min())
        if share < _LEAST:
            raise StatisticsError(
                f"the covariates explain nearly all of how {who} orders the words, so nothing is "
                "left to correlate",
                seen=f"{share:.1e} of the variance of the ranks is left",
                remedy="Control for less, or give more words.",
            )
        return cls(order, left / length, length, slopes)

    @property
    def reliability(self) -> float:
        """The mean correlation of two different prompts."""
        n = len(self.unit)
        return float((np.square(self.unit.sum(axis=0)).sum() - n) / (n * (n - 1)))


def influence(
    model: Ranked, bases: Sequence[Ranked], weights: Sequence[float], design: Floats
) -> Floats:
    """(prompts, words): the derivative of each prompt's weighted sum of partial correlations by the
    number of times that a word is there; sums to zero over words.

    A word counts by its own residuals, u v - r (u^2 + v^2) / 2 at unit length (residuals are
    orthogonal to the covariates, so that their slopes may be held fixed), and in the ranks of the
    words above it: in those of either model, and in those of each covariate by its slopes.
    """
    pulled = np.zeros(model.unit.shape)
    pulls = np.zeros((design.shape[1] - 1, *pulled.shape))
    own_pull = np.zeros(pulled.shape)
    for weight, base in zip(weights, bases, strict=True):
        u, v = model.unit, base.unit
        r = (u * v).sum(axis=1, keepdims=True)
        pulled += weight * (u * v - r * (u**2 + v**2) / 2)
        on_model = weight * (v - r * u) / model.length
        on_base = weight * (u - r * v) / base.length
        own_pull += on_model
        pulled += base.order.passed_on(on_base)
        for pull, of_model, of_base in zip(
            pulls, model.slopes.T[1:], base.slopes.T[1:], strict=True
        ):
            pull -= of_model[:, None] * on_model + of_base[:, None] * on_base
    pulled += model.order.passed_on(own_pull)
    for column, pull in zip(design.T[1:], pulls, strict=True):
        pulled += Order.of(column).passed_on(pull)
    return pulled


def word_part(by_family: Floats, family: Ints, design: Floats) -> tuple[float, float]:
    """Variance of the estimate from the draw of word families, and its degrees of freedom.

    Each family's sum is set right for its own weight in the fit on the covariates, and families of
    unequal sizes count for fewer, both as in `crossed.word_variance`.
    """
    axes = np.linalg.qr(design)[0]
    own = np.bincount(family, weights=(axes**2).sum(axis=1))
    sizes = np.bincount(family).astype(float)
    variance = float((by_family**2 / np.maximum(1 - own, _LEAST)).sum())
    df = float((sizes**2).sum() ** 2 / (sizes**4).sum()) - design.shape[1]
    return variance, max(df, 1.0)
