"""Two training runs side by side: does the gap between their effects close?

    gap(run_a, run_b, in_a, families, *, prompts=None, facets=None, level=.95, alpha=.05, seed=0)
        -> Gap
    Gap.trajectory   effect of run A minus that of run B at every step, with a simultaneous band
    Gap.narrowing    |last gap| - |first gap|, an Effect for `judge`: "narrowed" is Margin.below(0)
    Gap.summary      a line of text
    Gap.area         normalised area under |gap|, for `judge`; None where nothing to normalise
    closed(gap, delta, *, by=None) -> Answer         inside +-delta from a step on
    not_closed(gap, delta, *, since=None) -> Answer  outside +-delta at every step

Runs are sequences of (step, scores (prompts, words)), both with the same steps, which may be
numbers of pairs. Nothing is said of steps beyond the last one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.format import bracketed, signed
from valuebias.stats.crossed import Bools, Factors, Floats, half_width
from valuebias.stats.effect import Term
from valuebias.stats.facets import Facets
from valuebias.stats.joint import root
from valuebias.stats.movement import check_orders
from valuebias.stats.regression import Regression, regression
from valuebias.stats.trajectory import Checkpoints, Trajectory, number, trajectory
from valuebias.stats.verdict import Answer, Cause, Outcome

DRAWS = 10_000


@dataclass(frozen=True)
class Area:
    """Area under |gap| from the first checkpoint to the last, as a share of what it would be had
    the gap stayed as at the first: 1 means that it did, 0 that it was gone at once; above 1 it
    widened. Straight lines join the checkpoints.

    Noise has no sign in |gap|, so ``estimate`` is too large if the gap is near zero. The lower
    bound therefore counts a gap as zero if it cannot be distinguished from zero (``least``).
    ``scale`` is its possible range: from 0 to its value if all later gaps were as wide as possible.
    """

    estimate: float
    low: float
    high: float
    level: float
    scale: tuple[float, float]
    draws: Floats = field(repr=False, compare=False)
    least: Floats = field(repr=False, compare=False)
    exploratory: str = ""

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided interval at another level."""
        low = np.quantile(self.least, (1 - level) / 2)
        return float(low), float(np.quantile(self.draws, (1 + level) / 2))


@dataclass(frozen=True)
class Gap:
    """Effect of run A minus effect of run B over training, in [-2, 2]: positive where run A
    prefers category A more.

    ``narrowing`` is |gap at the last step| - |gap at the first|, positive where the gap is wider at
    the end; a gap that closed and reopened in the other direction counts with its width now.
    ``area`` is None, and a note says so, if the first gap cannot be distinguished from zero.
    """

    trajectory: Trajectory
    narrowing: Regression
    area: Area | None
    notes: tuple[str, ...] = ()

    @property
    def summary(self) -> str:
        """The gap at both ends with the simultaneous band there, and the area under it."""
        path = self.trajectory
        ends = ", ".join(
            f"{signed(path.estimates[i])} {bracketed(path.low[i], path.high[i])} at step "
            f"{number(path.steps[i])}"
            for i in (0, -1)
        )
        if self.area is None:
            return f"gap {ends}; {'; '.join(self.notes)}"
        area = self.area
        return (
            f"gap {ends}; area under it {signed(area.estimate)} {bracketed(area.low, area.high)} "
            "of what it would be had it stayed as it began"
        )


def gap(
    run_a: Checkpoints,
    run_b: Checkpoints,
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[np.generic],
    *,
    prompts: Factors | None = None,
    facets: Facets | None = None,
    level: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
) -> Gap:
    """The gap between two runs at each of their common steps, and its change.

    Arguments as for `drift`, for two runs on the same words, prompts and steps.

    Raises StatisticsError as `drift` does, for runs whose steps differ, and where both order all
    words alike at a step: there is no gap then.
    """
    steps = [step for step, _ in run_a]
    if steps != [step for step, _ in run_b]:
        raise StatisticsError(
            "the two runs do not have the same steps",
            seen=" and ".join(", ".join(number(s) for s, _ in run) for run in (run_a, run_b)),
            remedy="Give the checkpoints that both have.",
        )
    check_orders([*run_a, *run_b])
    terms = [
        [Term(a, 1.0, prompts), Term(b, -1.0, prompts)]
        for (_, a), (_, b) in zip(run_a, run_b, strict=True)
    ]
    path = trajectory(
        steps, terms, in_a, families, facets=facets, level=level, alpha=alpha, seed=seed
    )
    narrowing = regression(
        terms[-1],
        terms[0],
        in_a,
        families,
        facets=None if facets is None else facets.alone,
        level=level,
        alpha=alpha,
        seed=seed,
    )
    area = None
    notes = []
    if path.effects[0].low <= 0 <= path.effects[0].high:
        notes.append(
            f"the gap at step {number(steps[0])} cannot be distinguished from zero: an area as a "
            "share of it would be a ratio of noise"
        )
    else:
        area = _area(path)
    return Gap(path, narrowing, area, tuple(notes))


def closed(gap: Gap, delta: float, *, by: float | None = None) -> Answer:
    """Was the gap shown to be inside +-``delta`` at some step no later than ``by``, and at every
    checkpoint after it? Without ``by``, by the last step.

    PASS if the simultaneous band lies inside from such a step on (``step`` is the first one), FAIL
    if it lies wholly outside at ``by`` or later, else INCONCLUSIVE. All claims that are read off
    one band are right at once with its level, whatever delta and step they are about.

    Raises StatisticsError for a delta that is not a number above 0 and below 2, and for a step
    beyond the observed ones: nothing is extrapolated.
    """
    path = gap.trajectory
    until = _step(path, by, path.steps[-1])
    inside, outside = _sides(path, delta)
    claim = f"closed to within {delta:g} by step {number(until)}"
    begin = len(inside)
    while begin and inside[begin - 1]:
        begin -= 1
    if path.exploratory:
        return Answer(
            claim, Outcome.INCONCLUSIVE, Cause.EXPLORATORY, f"exploratory: {path.exploratory}"
        )
    for step, away in zip(path.steps, outside, strict=True):
        if step >= until and away:
            reason = f"the gap's band lies wholly outside +-{delta:g} at step {number(step)}"
            return Answer(claim, Outcome.FAIL, Cause.OUTSIDE, reason, step)
    if begin < len(inside) and path.steps[begin] <= until:
        step = path.steps[begin]
        reason = f"the gap's band lies inside +-{delta:g} from step {number(step)} on"
        return Answer(claim, Outcome.PASS, Cause.INSIDE, reason, step)
    return Answer(
        claim, Outcome.INCONCLUSIVE, Cause.CROSSES, _unsettled(path, inside, delta, until)
    )


def not_closed(gap: Gap, delta: float, *, since: float | None = None) -> Answer:
    """Was the gap shown to be outside +-``delta``, on one side, at every checkpoint from ``since``
    (the first) to the last?

    PASS if the simultaneous band lies outside throughout, FAIL if it lies inside at one of them,
    else INCONCLUSIVE; so is a gap that changed sides, which was closed in between. Errors as for
    `closed`. The answer holds up to the last step seen, and says nothing of what comes after.
    """
    path = gap.trajectory
    begin = _step(path, since, path.steps[0])
    inside, outside = _sides(path, delta)
    last = path.steps[-1]
    claim = f"not closed to within {delta:g} from step {number(begin)} to step {number(last)}"
    if path.exploratory:
        return Answer(
            claim, Outcome.INCONCLUSIVE, Cause.EXPLORATORY, f"exploratory: {path.exploratory}"
        )
    judged = [i for i, step in enumerate(path.steps) if step >= begin]
    for i in judged:
        if inside[i]:
            reason = f"the gap's band lies inside +-{delta:g} at step {number(path.steps[i])}"
            return Answer(claim, Outcome.FAIL, Cause.OUTSIDE, reason, path.steps[i])
    sides = {outside[i] for i in judged}
    if sides in ({1}, {-1}):
        reason = f"the gap's band lies outside +-{delta:g} at all {len(judged)} checkpoints"
        return Answer(claim, Outcome.PASS, Cause.INSIDE, f"{reason} to step {number(last)}", last)
    if 0 not in sides:
        reason = "the gap changed sides between checkpoints"
        return Answer(claim, Outcome.INCONCLUSIVE, Cause.CROSSES, reason)
    step = next(path.steps[i] for i in judged if not outside[i])
    reason = f"the gap's band crosses an edge of +-{delta:g} at step {number(step)}"
    return Answer(claim, Outcome.INCONCLUSIVE, Cause.CROSSES, reason, step)


def _unsettled(path: Trajectory, inside: Sequence[bool], delta: float, until: float) -> str:
    """Which checkpoint keeps the gap from being closed by a step."""
    late = max(step for step, within in zip(path.steps, inside, strict=True) if not within)
    return (
        f"the gap's band is not inside +-{delta:g} at step {number(late)}, nor wholly outside from "
        f"step {number(until)} on"
    )


def _sides(path: Trajectory, delta: float) -> tuple[list[bool], list[int]]:
    """Of each checkpoint whether the band is inside +-delta; whether above it (1) or below (-1)."""
    if not (0 < delta < 2):
        raise StatisticsError(
            "delta, the gap that counts as closed, must lie between 0 and 2",
            seen=delta,
            remedy="Give for example 0.1.",
        )
    bounds = list(zip(path.low, path.high, strict=True))
    inside = [-delta <= low and high <= delta for low, high in bounds]
    return inside, [(low > delta) - (high < -delta) for low, high in bounds]


def _step(path: Trajectory, given: float | None, default: float) -> float:
    step = default if given is None else given
    if not path.steps[0] <= step <= path.steps[-1]:
        raise StatisticsError(
            "the step was not observed",
            seen=number(step),
            remedy=f"Give one from {number(path.steps[0])} to {number(path.steps[-1])}, or train "
            "longer.",
        )
    return step


def _area(path: Trajectory) -> Area:
    """From the gap and draws of it: the multiplier bootstrap of families' and prompts' sums, in
    pairs of opposite sign. Draws are as much wider as the t quantiles are than normal ones."""
    gaps = np.array(path.estimates)
    se = np.sqrt(np.diag(path.joint.covariance))
    normal = float(stats.norm.isf((1 - path.level) / 2))
    wide = np.array([half_width(e.parts, 1 - path.level) for e in path.effects]) / normal
    scale = np.divide(wide, se, out=np.zeros_like(se), where=se > 0)
    rng = np.random.default_rng(path.seed)
    moved = rng.standard_normal((DRAWS, len(gaps))) @ root(path.joint.covariance) * scale
    drawn = gaps + np.concatenate([moved, -moved])
    clear = np.array([effect.low > 0 or effect.high < 0 for effect in path.effects])
    widest = np.full_like(gaps, path.effects[0].span)
    widest[0] = gaps[0]
    area = Area(
        estimate=float(_share(gaps[None], path.steps)[0]),
        low=math.nan,
        high=math.nan,
        level=path.level,
        scale=(0.0, float(_share(np.copysign(widest, gaps[0])[None], path.steps)[0])),
        draws=_share(drawn, path.steps),
        least=_share(drawn * clear, path.steps),
        exploratory=path.exploratory,
    )
    low, high = area.interval(path.level)
    return replace(area, low=low, high=high)


def _share(gaps: Floats, steps: Sequence[float]) -> Floats:
    """Area under |gap| (draws, checkpoints) over the first |gap| and the length of the run; where
    the line between two checkpoints crosses zero both triangles count."""
    left, right = gaps[:, :-1], gaps[:, 1:]
    one, two = np.abs(left), np.abs(right)
    crossed = left * right < 0
    squares = np.divide(one**2 + two**2, one + two, out=np.zeros_like(one), where=crossed)
    area = np.where(crossed, squares, one + two) / 2 @ np.diff(steps)
    result: Floats = area / (np.abs(gaps[:, 0]) * (steps[-1] - steps[0]))
    return result
