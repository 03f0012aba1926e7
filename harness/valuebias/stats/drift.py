"""How a model's effect moves as it is trained.

    drift(checkpoints, in_a, families, *, prompts=None, facets=None, level=.95, alpha=.05, seed=0,
          count=20) -> Drift(trajectory, change, tau, movers)

``checkpoints`` is a sequence of (step, scores), scores (prompts, words) of the same words on the
same prompts. ``Drift.trajectory`` (`trajectory.Trajectory`) holds ``steps``, ``effects`` and the
simultaneous band ``low``, ``high``; ``Drift.change`` is an `Effect` that `judge` holds against a
margin. Two runs side by side are in `gap`, amounts of data in `quantities`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.stats.crossed import Bools, Factors
from valuebias.stats.effect import Effect, Term, pair
from valuebias.stats.facets import Facets
from valuebias.stats.movement import Movers, agreement, check_orders, movers
from valuebias.stats.trajectory import Checkpoints, Trajectory, check_steps, number, trajectory


@dataclass(frozen=True)
class Drift:
    """One run's effect at every checkpoint.

    ``change`` is the last checkpoint's effect minus the first's, in [-2, 2]: positive means that
    training moved the model towards A. ``tau`` is Kendall's tau-b of each checkpoint's order of the
    words with the last one's. ``movers`` are the words that rose and fell most between the first
    and the last, by their columns.
    """

    trajectory: Trajectory
    change: Effect
    tau: tuple[float, ...]
    movers: Movers


def drift(
    checkpoints: Checkpoints,
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    prompts: Factors | None = None,
    facets: Facets | None = None,
    level: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
    count: int = 20,
) -> Drift:
    """The effect at each checkpoint of a run, and how far it moved from the first to the last.

    Arguments as for `single`, but for ``checkpoints``: steps with the scores at each, in order.
    Each of their effects has a facet component of its own, and so has the change. At most ``count``
    words are named that rose, and that fell.

    Raises StatisticsError as `single` does, naming the step, for fewer than two checkpoints, steps
    that do not increase, different words or prompts, and a last checkpoint that orders all words as
    the first did.
    """
    steps = [step for step, _ in checkpoints]
    check_steps(steps)
    check_orders(checkpoints)
    (begin, first), *_, (end, last) = checkpoints
    path = trajectory(
        steps,
        [[Term(values, 1.0, prompts)] for _, values in checkpoints],
        in_a,
        families,
        facets=facets,
        level=level,
        alpha=alpha,
        seed=seed,
    )
    try:
        change = pair(
            last,
            first,
            in_a,
            families,
            prompts=prompts,
            facets=None if facets is None else facets.alone,
            level=level,
            alpha=alpha,
            seed=seed,
        )
    except StatisticsError as error:
        raise StatisticsError(
            f"from step {number(begin)} to step {number(end)}: {error.what}",
            seen=error.seen,
            remedy=error.remedy,
        ) from None
    return Drift(path, change, agreement(checkpoints), movers(first, last, count))
