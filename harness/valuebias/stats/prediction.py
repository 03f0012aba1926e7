"""Where the true effect of a new model would lie, predicted from models that were measured.

    predict_effect(estimates, covariance) -> Prediction
    predict_difference(estimates, covariance, groups) -> Prediction

A normal random-effects model: each model's true effect is a draw about a common mean, and its
estimate adds a sampling error. Models that were scored on the same words and prompts share most of
that error, so its covariance is given whole (`joint.Joint.covariance`).

The variance between models is what the estimates' spread has above its expectation under sampling
error alone (Hedges and Olkin, Statistical Methods for Meta-Analysis, 1985; metafor's "HE"), here
with correlated errors, truncated at zero. It is unbiased whatever the covariance is, and inverts
nothing: REML and Paule-Mandel weigh by the inverse of a covariance that is itself an estimate, and
for errors that correlate .9 those weights go below zero and put the mean outside all estimates.
The interval is that of Higgins, Thompson and Spiegelhalter (JRSS A 2009), with a t whose degrees of
freedom are those of the variance between models. It holds a new model's effect in .95 of cases
where most of the sampling error is shared, and in as few as .87 where models' own errors are as
large as what they differ by: a margin made of it is then too narrow, never too wide.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from valuebias.errors import StatisticsError
from valuebias.stats.crossed import Floats

FEWEST = 3
"""Models; with two, one degree of freedom is left for how much models differ."""


@dataclass(frozen=True)
class Prediction:
    """What is predicted is normal about ``mean``, with ``variance`` known to ``df`` degrees of
    freedom. ``between`` is the variance of true effects between models, ``se`` the standard error
    of their mean, all on the estimates' scale."""

    mean: float
    variance: float
    df: float
    between: float
    se: float

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """The interval that a new model's true value lies in with probability ``level``."""
        half = -float(special.stdtrit(self.df, (1 - level) / 2)) * math.sqrt(self.variance)
        return self.mean - half, self.mean + half


def predict_effect(estimates: npt.ArrayLike, covariance: npt.ArrayLike) -> Prediction:
    """The true effect of a new model: the mean of the models, how uncertain it is, and how much
    models differ.

    ``estimates`` is (models,), ``covariance`` (models, models) that of their sampling errors. The
    mean counts every model alike. Raises StatisticsError for fewer than three models, numbers that
    are not finite, or a covariance that is not a symmetric one of these models.
    """
    y, errors = _checked(estimates, covariance)
    between, df = _between(y, errors, [0] * len(y))
    squared = float(errors.mean()) + between / len(y)
    return Prediction(float(y.mean()), between + squared, df, between, math.sqrt(squared))


def predict_difference(
    estimates: npt.ArrayLike, covariance: npt.ArrayLike, groups: Sequence[Hashable]
) -> Prediction:
    """The difference of the true effects of two new models of one group (one base model).

    ``groups`` (models,) names each model's. How much models differ is taken within groups alone,
    the same in all. Neither of the two is the first: the mean is zero. Errors as for
    `predict_effect`; it needs one model more than three for each further group.
    """
    y, errors = _checked(estimates, covariance)
    between, df = _between(y, errors, groups)
    return Prediction(0.0, 2 * between, df, between, 0.0)


def _between(y: Floats, errors: Floats, groups: Sequence[Hashable]) -> tuple[float, float]:
    """The variance between the models of a group, and its degrees of freedom."""
    if len(groups) != len(y):
        raise StatisticsError(
            "each model needs a group",
            seen=f"{len(groups)} groups of {len(y)} models",
            remedy="Give one for each estimate, in their order.",
        )
    names = {name: i for i, name in enumerate(dict.fromkeys(groups))}
    member = np.eye(len(names))[[names[name] for name in groups]]
    centre = np.eye(len(y)) - member @ (member / member.sum(axis=0)).T
    df = len(y) - len(names)
    if df < FEWEST - 1:
        raise StatisticsError(
            "too few models to say how much models differ",
            seen=f"{len(y)} models in {len(names)} groups",
            remedy=f"Give at least {FEWEST} models, and one more for each further group.",
        )
    above = float(y @ centre @ y) - float(np.sum(centre * errors))
    return max(above / df, 0.0), float(df)


def _checked(estimates: npt.ArrayLike, covariance: npt.ArrayLike) -> tuple[Floats, Floats]:
    y = np.asarray(estimates, dtype=float)
    errors = np.asarray(covariance, dtype=float)
    right = y.ndim == 1 and errors.shape == (len(y), len(y))
    if not right or not (np.isfinite(y).all() and np.isfinite(errors).all()):
        raise StatisticsError(
            "estimates and their covariance must be finite numbers of the same models",
            seen=f"{y.shape} and {errors.shape}",
            remedy="Give (models,) estimates and a (models, models) covariance.",
        )
    least = float(np.linalg.eigvalsh(errors)[0]) if len(y) else 0.0
    if not np.allclose(errors, errors.T) or least < -1e-9 * max(float(np.trace(errors)), 1e-300):
        raise StatisticsError(
            "a covariance must be symmetric and have no negative eigenvalue",
            seen=f"smallest eigenvalue {least:g}",
            remedy="Give that of the estimates' sampling errors.",
        )
    return y, errors
