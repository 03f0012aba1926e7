"""The smallest change of a linear reward that brings what follows from it inside given bounds.

A reward is the product of an answer's features x (d,) and weights w (d,). The size of a change of
the weights is how much it moves rewards: its Mahalanobis norm, the square root of
change' S change, with S the features' covariance. Effects on ranks, a policy's words after
optimisation and the accuracy on preferences are smooth, but not linear, in the weights: each is
replaced by its tangent, the small quadratic problem is solved exactly, and this is repeated where
the solution lies (sequential quadratic programming; Nocedal and Wright 2006, chapter 18).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from scipy import linalg, optimize

from valuebias.errors import StatisticsError

Floats = npt.NDArray[np.float64]

SHRINKAGE = 0.5
"""So much of the metric is a multiple of the identity: features outnumber the words of a fit."""
ROUNDS = 15
"""Tangents that are tried at most."""
CLOSE = 0.02
"""Tangents are tried until the next solution lies so close, as a share of its size."""
SLACK = 2e-3
"""A bound counts as met so far beyond it."""


class Quantity(Protocol):
    """What follows from a reward's weights, such as the effects of a contrast on some prompts."""

    def at(self, weights: Floats) -> tuple[Floats, Floats]:
        """Its values (m,) for these weights (d,), and their gradients (m, d)."""


@dataclass(frozen=True, eq=False)
class Bound:
    """A quantity, the names of its values, and the intervals [low, high] (m,) that they must lie
    in; either end may be infinite."""

    quantity: Quantity
    names: tuple[str, ...]
    low: Floats
    high: Floats


@dataclass(frozen=True, eq=False)
class Metric:
    """A covariance (d, d) of features, positive definite, by its lower Cholesky factor."""

    factor: Floats

    @classmethod
    def of(cls, *covariances: npt.NDArray[Any], shrinkage: float = SHRINKAGE) -> Metric:
        """The mean of covariances, each scaled to a mean variance of one, shrunk towards the
        identity. Raises StatisticsError where one has no variance or is not finite."""
        total = np.zeros_like(np.asarray(covariances[0], float))
        for covariance in covariances:
            variance = float(np.trace(covariance)) / len(covariance)
            if not np.isfinite(covariance).all() or variance <= 0:
                raise StatisticsError(
                    "the features do not vary, or are not finite",
                    seen=f"mean variance {variance:g}",
                    remedy="Look at the model's weights.",
                )
            total += covariance / variance / len(covariances)
        total = (1 - shrinkage) * total + shrinkage * np.eye(len(total))
        return cls(linalg.cholesky(total, lower=True))

    def size(self, change: Floats) -> float:
        """The Mahalanobis norm of a change (d,)."""
        return float(np.linalg.norm(self.factor.T @ change))

    def random(self, size: float, seed: int) -> Floats:
        """A change (d,) of this size in a random direction: what an edit that aims at nothing
        does."""
        z = np.random.default_rng(seed).standard_normal(len(self.factor))
        return self._change(size * z / np.linalg.norm(z))

    def _change(self, whitened: Floats) -> Floats:
        change: Floats = linalg.solve_triangular(self.factor, whitened, lower=True, trans="T")
        return change

    def smallest(self, rows: Floats, low: Floats, high: Floats) -> Floats | None:
        """The smallest change whose products with ``rows`` (m, d) lie in [low, high] (m,); None
        where no change does.

        Lawson and Hanson's least-distance programming: by non-negative least squares in the span
        of the rows (Solving Least Squares Problems, 1974, chapter 23).
        """
        white = linalg.solve_triangular(self.factor, rows.T, lower=True)  # (d, m)
        basis, _ = np.linalg.qr(white)
        inner = white.T @ basis
        up, down = np.isfinite(low), np.isfinite(high)
        sides = np.concatenate([inner[up], -inner[down]])
        bounds = np.concatenate([low[up], -high[down]])
        scale = np.linalg.norm(sides, axis=1)
        scale[scale == 0] = 1.0
        sides, bounds = sides / scale[:, None], bounds / scale
        if (bounds <= 0).all():
            return np.zeros(rows.shape[1])
        size = max(1.0, float(np.abs(bounds).max()))
        design = np.vstack([sides.T, bounds / size])
        target = np.zeros(len(design))
        target[-1] = 1.0
        dual, _ = optimize.nnls(design, target, maxiter=100 * design.shape[1])
        rest = design @ dual - target
        if np.linalg.norm(rest) < 1e-7:
            return None
        return self._change(basis @ (-size * rest[:-1] / rest[-1]))


@dataclass(frozen=True, eq=False)
class Edit:
    """A change of the weights (d,), its ``size`` in the metric, and the names of the bounds that
    hold it (the value lies on them). Where no change meets all bounds it is the best that was
    found, and ``unmet`` names those it misses."""

    change: Floats
    size: float
    binding: tuple[str, ...]
    unmet: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class _Point:
    """All bounded values at a change of the weights, and their tangents."""

    change: Floats
    values: Floats
    rows: Floats
    missed: Floats
    """By how much each lies beyond its interval; at most 0 inside."""

    @property
    def worst(self) -> float:
        return float(self.missed.max())


def smallest_edit(weights: npt.NDArray[Any], bounds: Sequence[Bound], metric: Metric) -> Edit:
    """The smallest change of ``weights`` (d,) that meets all bounds.

    Raises StatisticsError where there are no bounds or one is empty.
    """
    weights = np.asarray(weights, float)
    if not bounds or not all((bound.low <= bound.high).all() for bound in bounds):
        raise StatisticsError(
            "an edit needs bounds, the lower one first",
            seen=f"{len(bounds)} bounds",
            remedy="Give at least one.",
        )
    low, high = (np.concatenate([getattr(b, side) for b in bounds]) for side in ("low", "high"))

    def point(change: Floats) -> _Point:
        found = [bound.quantity.at(weights + change) for bound in bounds]
        values = np.concatenate([value for value, _ in found])
        rows = np.concatenate([row for _, row in found])
        return _Point(change, values, rows, np.maximum(low - values, values - high))

    here = best = point(np.zeros_like(weights))
    for _ in range(ROUNDS):
        offset = here.rows @ here.change - here.values
        step = metric.smallest(here.rows, low + offset, high + offset)
        if step is None:
            break
        way = step - here.change
        if here.worst <= SLACK and metric.size(way) <= CLOSE * metric.size(step):
            break
        for part in (1.0, 0.5, 0.25):  # all of the way, unless that misses by more
            there = point(here.change + part * way)
            if there.worst <= max(here.worst, SLACK):
                break
        here = there
        if max(here.worst, SLACK) <= max(best.worst, SLACK):
            best = here
    names = [name for bound in bounds for name in bound.names]
    return Edit(
        best.change,
        metric.size(best.change),
        tuple(n for n, x in zip(names, best.missed, strict=True) if -2 * SLACK <= x <= SLACK),
        tuple(n for n, x in zip(names, best.missed, strict=True) if x > SLACK),
    )
