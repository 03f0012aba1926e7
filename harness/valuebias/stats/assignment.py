"""Several reward models at once: do they agree with their own bases more than with other bases?"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.stats.crossed import Ints

MOST_ASSIGNMENTS = 20_000
"""Up to this many ways to assign the bases each one is tried."""
DRAWS = 19_999
"""Above it, this many are drawn."""
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Assignment:
    """How much more several reward models agree with their own bases than with other bases.

    ``excess`` is the mean of ``excesses``, one for each reward model: its correlation with its own
    base minus the mean of those with the other bases; positive means inheritance. ``p`` is
    one-sided: the share of ``assignments``, all ways to assign the bases to the models, in which
    the mean excess is at least as large. ``exact`` is whether all were tried, ``smallest_p`` the
    smallest possible p.
    """

    excess: float
    excesses: tuple[float, ...]
    p: float
    assignments: int
    exact: bool
    smallest_p: float


def assignment_test(
    rho: npt.NDArray[Any], own: Sequence[int], *, alpha: float = 0.05, seed: int = 0
) -> Assignment:
    """Do reward models agree with their own bases more than with one another's?

    ``rho`` (reward models, bases) holds correlations, such as `Inheritance.rho_own` and
    ``rho_others``; ``own`` gives the column of each reward model's base. Reward models are the
    sample: under the null hypothesis any model could have any of the bases. A base that agrees with
    all of them, or a model that agrees with all bases, has no influence. Above 20,000 assignments
    19,999 are drawn with ``seed``.

    Raises StatisticsError if the matrix is not one of correlations, ``own`` does not name its
    columns, or so few models cannot give a p as small as ``alpha``.
    """
    matrix, labels = np.asarray(rho, dtype=np.float64), np.asarray(own)
    if matrix.ndim != 2 or not (np.abs(matrix) <= 1 + _ROUNDING).all():
        raise StatisticsError(
            "correlations must be a matrix (reward models, bases) of numbers between -1 and 1",
            seen=f"{matrix.shape}, {np.sum(~(np.abs(matrix) <= 1 + _ROUNDING))} that are not",
            remedy="Give a correlation for each reward model with each base.",
        )
    models, bases = matrix.shape
    known = labels.dtype.kind in "iu" and ((labels >= 0) & (labels < bases)).all()
    if labels.shape != (models,) or not known:
        raise StatisticsError(
            "own must give the column of each reward model's base",
            seen=f"{labels.tolist()} for {models} reward models and {bases} bases",
            remedy=f"Give one number from 0 to {bases - 1} for each reward model.",
        )
    count = math.factorial(models)
    for n in Counter(labels.tolist()).values():
        count //= math.factorial(n)
    exact = count <= MOST_ASSIGNMENTS
    smallest = 1 / count if exact else 1 / (DRAWS + 1)
    if smallest > alpha:
        raise StatisticsError(
            f"{models} reward models on {len(set(labels.tolist()))} bases cannot give a p below "
            f"{smallest:.3g}, but alpha is {alpha:g}",
            seen=f"{count} ways to assign the bases",
            remedy="Add reward models: four on four bases, or three on each of two, are enough at "
            ".05.",
        )
    rows = np.arange(models)
    mine = matrix[rows, labels]
    excesses = mine - (matrix.sum(axis=1) - mine) / (bases - 1)
    # A row's sum is the same whichever base is called its own: the own correlations order all.
    if exact:
        assigned = np.array(list(_assignments(labels)))
        p = float((matrix[rows, assigned].sum(axis=1) >= mine.sum() - _ROUNDING).mean())
    else:
        rng = np.random.default_rng(seed)
        assigned = rng.permuted(np.broadcast_to(labels, (DRAWS, models)), axis=1)
        beyond = int((matrix[rows, assigned].sum(axis=1) >= mine.sum() - _ROUNDING).sum())
        p = (beyond + 1) / (DRAWS + 1)
    return Assignment(
        excess=float(excesses.mean()),
        excesses=tuple(excesses.tolist()),
        p=p,
        assignments=count,
        exact=exact,
        smallest_p=smallest,
    )


def _assignments(labels: npt.NDArray[Any]) -> Iterator[Ints]:
    """Each different order of the labels, once."""
    labelling = np.zeros(len(labels), dtype=np.intp)

    def share(rest: tuple[int, ...], left: tuple[tuple[int, int], ...]) -> Iterator[Ints]:
        if not left:
            yield labelling.copy()
            return
        (label, times), *others = left
        for chosen in combinations(rest, times):
            labelling[list(chosen)] = label
            yield from share(tuple(m for m in rest if m not in chosen), tuple(others))

    return share(tuple(range(len(labels))), tuple(Counter(labels.tolist()).items()))
