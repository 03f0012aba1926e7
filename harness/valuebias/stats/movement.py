"""How far the order of all words moved between checkpoints, and which words moved most.

    agreement(checkpoints) -> Kendall's tau-b of each checkpoint with the last, (checkpoints,)
    movers(first, last, count=20) -> Movers(risen, fallen), each of Move(index, change)

Both take any scores (prompts, candidates), a whole vocabulary's too, and know no categories.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.stats.crossed import ranks
from valuebias.stats.trajectory import Checkpoints, number


@dataclass(frozen=True)
class Move:
    """A candidate's column, and its mean change of rank over prompts as a share of all candidates:
    +0.1 means that it overtook a tenth of them."""

    index: int
    change: float


@dataclass(frozen=True)
class Movers:
    """The candidates that rose most and fell most, the farthest first, without those that did not
    move."""

    risen: tuple[Move, ...]
    fallen: tuple[Move, ...]


def agreement(checkpoints: Checkpoints) -> tuple[float, ...]:
    """Kendall's tau-b of each checkpoint's order with the last one's, per prompt, averaged.

    1 means the same order, 0 an unrelated one; the last is 1 with itself. Without ties, (1 + tau) /
    2 is the share of pairs of candidates in the same order as at the last checkpoint.

    Raises StatisticsError for scores that differ in shape, are not finite, or are all equal on a
    prompt.
    """
    check_orders(checkpoints)
    last = checkpoints[-1][1]
    taus = [
        float(
            np.mean([stats.kendalltau(x, y).statistic for x, y in zip(values, last, strict=True)])
        )
        for _, values in checkpoints[:-1]
    ]
    return (*taus, 1.0)


def movers(first: npt.NDArray[Any], last: npt.NDArray[Any], count: int = 20) -> Movers:
    """The candidates whose midrank changed most from one array of scores to another.

    Both are (prompts, candidates), higher is preferred; a positive change means that the candidate
    is preferred more at the end. Raises StatisticsError as `agreement` does.
    """
    check_orders([(0, first), (1, last)])
    change = (ranks(last) - ranks(first)).mean(axis=0)
    order = np.argsort(-change, kind="stable")
    risen, fallen = order[:count], np.argsort(change, kind="stable")[:count]
    return Movers(
        tuple(Move(int(i), float(change[i])) for i in risen if change[i] > 1e-12),
        tuple(Move(int(i), float(change[i])) for i in fallen if change[i] < -1e-12),
    )


def check_orders(checkpoints: Checkpoints) -> None:
    """Raise StatisticsError unless all are finite scores of one shape, none constant."""
    shapes = [np.shape(values) for _, values in checkpoints]
    if len(set(shapes)) != 1 or len(shapes[0]) != 2:
        raise StatisticsError(
            "the checkpoints were not scored on the same words and prompts",
            seen=" and ".join(map(str, sorted(set(shapes)))) or "no checkpoint",
            remedy="Give arrays (prompts, words) of the same words, in one order.",
        )
    for step, values in checkpoints:
        finite = np.isfinite(values)
        if not finite.all():
            raise StatisticsError(
                f"at step {number(step)}: {int((~finite).sum())} of {values.size} scores are not "
                "finite",
                seen=values[~finite][0],
                remedy="Score in float32 (dtype=float32) and look at the checkpoint's weights.",
            )
        if not (np.ptp(values, axis=1) > 0).all():
            raise StatisticsError(
                f"at step {number(step)}: all words have one score on a prompt",
                seen=f"prompt {int(np.argmin(np.ptp(values, axis=1))) + 1}",
                remedy="Compute the head in float32; a model without an order has none to compare.",
            )
