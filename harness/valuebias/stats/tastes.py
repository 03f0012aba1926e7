"""What a model prefers in whole answers beside their words: longer ones, politer ones, and so on.

    tastes(values, design) -> tuple[Taste, ...]

Frames differ in register, manner and the word's place, balanced by design, so that none of these
can show up in an effect of words, which is measured within frames. Here they are looked at on their
own: a frame's mean reward is regressed on its levels (ordinary least squares with an intercept;
each level less the first one of its factor), with a t interval over frames.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.format import bracketed, signed


@dataclass(frozen=True)
class Taste:
    """One level of a factor less its first: ``estimate`` and its interval are in standard
    deviations of a frame's own answers, so that 1 is as much as words make. Positive: answers of
    this level get more reward."""

    level: str
    first: str
    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        interval = bracketed(self.low, self.high)
        return f"{self.level} less {self.first} {signed(self.estimate)} {interval}"


def tastes(
    values: npt.NDArray[Any],
    design: Sequence[Sequence[str]],
    levels: Sequence[Sequence[str]],
    *,
    level: float = 0.95,
) -> tuple[Taste, ...]:
    """The tastes of rewards (frames, words). ``levels`` are those of each factor, the first of
    which the others are compared with; ``design`` has each frame's level of each factor.

    Raises StatisticsError for arrays that do not match, frames that are too few for their levels,
    and rewards that do not vary within a frame.
    """
    import statsmodels.api as sm  # type: ignore[import-untyped]

    values = np.asarray(values, np.float64)
    if values.ndim != 2 or len(values) != len(design):
        raise StatisticsError(
            "rewards and design do not describe the same frames",
            seen=f"{values.shape} and {len(design)} frames",
            remedy="Give each frame its rewards and its levels.",
        )
    columns, names = [np.ones(len(design))], []
    for of, (first, *others) in zip(zip(*design, strict=True), levels, strict=True):
        for other in others:
            columns.append(np.array([each == other for each in of], float))
            names.append((other, first))
    table = np.column_stack(columns)
    if np.linalg.matrix_rank(table) < table.shape[1] or len(table) <= table.shape[1]:
        raise StatisticsError(
            "too few frames to tell their levels apart",
            seen=f"{len(table)} frames, {table.shape[1] - 1} levels beside the first ones",
            remedy="Give more frames, balanced over the levels.",
        )
    within = float(np.sqrt(values.var(axis=1, ddof=1).mean()))
    if not within > 0:
        raise StatisticsError(
            "the rewards do not vary within a frame",
            seen=within,
            remedy="Look at the model's head.",
        )
    fit = sm.OLS(values.mean(axis=1) / within, table).fit()
    bounds = fit.conf_int(1 - level)
    return tuple(
        Taste(name, first, float(fit.params[i]), float(bounds[i, 0]), float(bounds[i, 1]))
        for i, (name, first) in enumerate(names, 1)
    )
