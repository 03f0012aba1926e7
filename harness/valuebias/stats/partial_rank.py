"""Partial rank correlations over many prompts, and the influence of each word on them.

Words have ``weights``, in the ranks and in the products: one over the number of words of their
family, so that every family counts alike. A word moves a correlation by its own two ranks, and by
standing below others, whose ranks it raises: in either model's order and in the covariates'.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.stats.crossed import Floats, Ints
from valuebias.stats.order import Order

_LEAST = 1e-3
"""If a smaller share of a model's variance is left beside the covariates, nothing is left to
correlate."""
_ROUNDING = 1e-9


def covariate_design(
    covariates: Mapping[str, npt.NDArray[Any]], weights: Floats
) -> tuple[Floats, tuple[str, ...], list[str]]:
    """(words, columns): one and the covariates' midranks, centred; the names of those kept, and a
    note on each left out."""
    n = len(weights)
    columns, kept, notes = [np.ones(n)], [], []
    root = np.sqrt(weights)
    for name, values in covariates.items():
        column = np.asarray(values, dtype=np.float64)
        if column.shape != (n,) or not np.isfinite(column).all():
            raise StatisticsError(
                f"the covariate {name} is not one finite number for each word",
                seen=f"{column.shape} for {n} words, {np.sum(~np.isfinite(column))} not finite",
                remedy="Give a number for every word; of a count take log(1 + count).",
            )
        ranks = Order.of(column).below(weights) - weights.sum() / 2
        matrix, weighted = np.column_stack(columns) * root[:, None], ranks * root
        left = weighted - matrix @ np.linalg.lstsq(matrix, weighted, rcond=None)[0]
        if float(left @ left) <= _ROUNDING * float(weighted @ weighted):
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
    them, times the root of the weights, at length one, ``length`` (prompts, 1) its length before;
    ``slopes`` (prompts, columns of the design) are those of the fit."""

    order: Order
    unit: Floats
    length: Floats
    slopes: Floats

    @classmethod
    def of(cls, who: str, values: npt.NDArray[Any], design: Floats, weights: Floats) -> Ranked:
        order, root = Order.of(values), np.sqrt(weights)
        ranks = (order.below(weights) - weights.sum() / 2) * root
        columns = design * root[:, None]
        slopes = np.linalg.lstsq(columns, ranks.T, rcond=None)[0].T.astype(np.float64)
        left = ranks - slopes @ columns.T
        length = np.linalg.norm(left, axis=1, keepdims=True)
        spread = np.linalg.norm(ranks, axis=1, keepdims=True)
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
    model: Ranked,
    bases: Sequence[Ranked],
    shares: Sequence[float],
    design: Floats,
    weights: Floats,
) -> Floats:
    """(prompts, words): the derivative of each prompt's sum of partial correlations, each times its
    share, by the number of times that a word is there; sums to zero over words.

    A word counts by its own residuals, u v - r (u^2 + v^2) / 2 at unit length (residuals are
    orthogonal to the covariates, so that their slopes may be held fixed), and in the ranks of the
    words above it: in those of either model, and in those of each covariate by its slopes.
    """
    pulled = np.zeros(model.unit.shape)
    root = np.sqrt(weights)

    def passed_on(order: Order, pull: Floats) -> Floats:
        """What each word adds to the ranks of those above it, times the pull of these."""
        above: Floats = pull.sum(axis=-1, keepdims=True) - order.below(pull)
        return weights * above

    pulls = np.zeros((design.shape[1] - 1, *pulled.shape))
    own_pull = np.zeros(pulled.shape)
    for share, base in zip(shares, bases, strict=True):
        u, v = model.unit, base.unit
        r = (u * v).sum(axis=1, keepdims=True)
        pulled += share * (u * v - r * (u**2 + v**2) / 2)
        on_model = share * root * (v - r * u) / model.length
        on_base = share * root * (u - r * v) / base.length
        own_pull += on_model
        pulled += passed_on(base.order, on_base)
        for pull, of_model, of_base in zip(
            pulls, model.slopes.T[1:], base.slopes.T[1:], strict=True
        ):
            pull -= of_model[:, None] * on_model + of_base[:, None] * on_base
    pulled += passed_on(model.order, own_pull)
    for column, pull in zip(design.T[1:], pulls, strict=True):
        pulled += passed_on(Order.of(column), pull)
    return pulled


def word_part(
    by_family: Floats, family: Ints, design: Floats, weights: Floats
) -> tuple[float, float]:
    """Variance of the estimate from the draw of word families, and its degrees of freedom.

    Each family's sum is set right for its own weight in the fit on the covariates (Bell and
    McCaffrey, Survey Methodology 2002: their "CR2").
    """
    axes = np.linalg.qr(design * np.sqrt(weights)[:, None])[0]
    own = np.bincount(family, weights=(axes**2).sum(axis=1))
    variance = float((by_family**2 / np.maximum(1 - own, _LEAST)).sum())
    return variance, max(float(len(by_family) - design.shape[1]), 1.0)
