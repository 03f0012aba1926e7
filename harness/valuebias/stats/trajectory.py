"""Effects at several checkpoints with a band that covers all of them at once.

    trajectory(steps, terms, in_a, families, *, level=.95, alpha=.05, seed=0) -> Trajectory
    Trajectory.steps, .effects, .estimates, .low, .high, .level, .stretch, .joint; .band(level)

Each checkpoint's interval is its `Effect`'s own, made longer by one factor, so that the chance of
any true effect lying outside is no more than 1 - level. How much longer depends on how much the
estimates go together (`joint`): they come from the same words and prompts, and a checkpoint is
mostly like the one before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.stats.checks import GATE_FAMILIES, Layout
from valuebias.stats.crossed import Bools
from valuebias.stats.effect import Effect, Term, contrast
from valuebias.stats.facets import Facets
from valuebias.stats.joint import Joint, joint

Checkpoints = Sequence[tuple[float, npt.NDArray[Any]]]
"""Steps (or numbers of pairs seen) with the scores (prompts, words) at each, in order."""


@dataclass(frozen=True)
class Trajectory:
    """An effect at every checkpoint; ``low`` and ``high`` bound all of them at once at ``level``.

    ``stretch`` is how many times as long as the effects' own intervals they are for it (on Fisher's
    z where the interval is); one where all is separate is taken at Bonferroni's level instead.
    A non-empty ``exploratory`` says why it may be shown but must never PASS.
    """

    steps: tuple[float, ...]
    effects: tuple[Effect, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float
    stretch: float
    joint: Joint = field(repr=False, compare=False)
    seed: int = 0
    exploratory: str = ""

    @property
    def estimates(self) -> tuple[float, ...]:
        """The effect at each checkpoint."""
        return tuple(effect.estimate for effect in self.effects)

    def band(self, level: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Lower and upper bounds that hold at all checkpoints at once, at another level."""
        return _bounds(self.effects, self.joint.stretch(level, self.seed), level)


def trajectory(
    steps: Sequence[float],
    terms: Sequence[Sequence[Term]],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    facets: Facets | None = None,
    level: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
) -> Trajectory:
    """The contrast of each checkpoint's terms, in one group of prompts, with a simultaneous band.

    A sup-t band (Montiel Olea and Plagborg-Moller, Journal of Applied Econometrics 2019): the
    estimates' joint distribution is taken from the data, separately for words and prompts, and the
    quantile of the largest error over its interval's half width by simulation from it.

    Raises StatisticsError as `contrast` does, naming the step, and for fewer than two checkpoints
    and steps that do not increase.
    """
    check_steps(steps)
    own = None if facets is None else facets.alone  # each step has a component of its own
    effects = []
    for step, of_step in zip(steps, terms, strict=True):
        try:
            effects.append(
                contrast(of_step, in_a, families, facets=own, level=level, alpha=alpha, seed=seed)
            )
        except StatisticsError as error:
            raise StatisticsError(
                f"at step {number(step)}: {error.what}", seen=error.seen, remedy=error.remedy
            ) from None
    layout = Layout.of(in_a, families, "family", level)
    together = joint(terms, effects, layout.words)
    stretch = together.stretch(level, seed)
    exploratory = next((e.exploratory for e in effects if e.exploratory), "")
    if min(effects[0].n_families) < GATE_FAMILIES:
        exploratory = (
            f"fewer than {GATE_FAMILIES} word families in a category "
            f"({effects[0].n_families[0]} and {effects[0].n_families[1]})"
        )
    low, high = _bounds(effects, stretch, level)
    return Trajectory(
        steps=tuple(steps),
        effects=tuple(effects),
        low=low,
        high=high,
        level=level,
        stretch=stretch,
        joint=together,
        seed=seed,
        exploratory=exploratory,
    )


def _bounds(
    effects: Sequence[Effect], stretch: float, level: float
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    strictest = 1 - (1 - level) / len(effects)
    bounds = []
    for effect in effects:
        parts = tuple((variance * stretch**2, df) for variance, df in effect.parts)
        separate = effect.method == "separation"
        bounds.append(replace(effect, parts=parts).interval(strictest if separate else level))
    low, high = zip(*bounds, strict=True)
    return low, high


def check_steps(steps: Sequence[float]) -> None:
    """Raise StatisticsError unless there are two steps or more, finite and increasing."""
    if len(steps) < 2:
        raise StatisticsError(
            "a trajectory needs at least two checkpoints",
            seen=len(steps),
            remedy="Give the model before training and after, or save checkpoints more often.",
        )
    finite = all(math.isfinite(step) for step in steps)
    if not finite or any(a >= b for a, b in pairwise(steps)):
        raise StatisticsError(
            "checkpoints must be in the order of their steps, each once",
            seen=", ".join(map(number, steps)),
            remedy="Sort them by step.",
        )


def number(step: float) -> str:
    """A step or a number of pairs as text."""
    return f"{step:,.10g}"
