"""Effects at several checkpoints with a band that holds all of them at once.

    trajectory(steps, terms, in_a, families, *, level=.95, alpha=.05, seed=0) -> Trajectory
    Trajectory.steps, .effects, .low, .high, .level, .pointwise, .covariance; .band(level)

Each checkpoint's interval is its `Effect`'s own, taken at a stricter level, so that the chance of
any true effect lying outside is no more than 1 - level. How much stricter depends on how much the
estimates go together: they come from the same words and prompts, and a checkpoint is mostly like
the one before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.stats.checks import GATE_FAMILIES, Layout
from valuebias.stats.crossed import (
    Bools,
    Factors,
    Floats,
    factor_columns,
    family_sums,
    placements,
    prompt_parts,
    residual_variance,
    word_variance,
)
from valuebias.stats.effect import Effect, Term, contrast

Checkpoints = Sequence[tuple[float, npt.NDArray[Any]]]
"""Steps (or numbers of pairs seen) with the scores (prompts, words) at each, in order."""

DRAWS = 20_000


@dataclass(frozen=True)
class Trajectory:
    """An effect at every checkpoint; ``low`` and ``high`` bound all of them at once at ``level``.

    ``pointwise`` is the level of each interval by itself that this takes. ``covariance``
    (checkpoints, checkpoints) is that of the estimates; a checkpoint at which all is separate has
    none. A non-empty ``exploratory`` says why it may be shown but must never PASS.
    """

    steps: tuple[float, ...]
    effects: tuple[Effect, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    level: float
    pointwise: float
    covariance: Floats = field(repr=False, compare=False)
    seed: int = 0
    exploratory: str = ""

    @property
    def estimates(self) -> tuple[float, ...]:
        """The effect at each checkpoint."""
        return tuple(effect.estimate for effect in self.effects)

    def band(self, level: float) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Lower and upper bounds that hold at all checkpoints at once, at another level."""
        pointwise = _pointwise(self.covariance, level, self.seed)
        low, high = zip(*(effect.interval(pointwise) for effect in self.effects), strict=True)
        return low, high


def trajectory(
    steps: Sequence[float],
    terms: Sequence[Sequence[Term]],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    level: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
) -> Trajectory:
    """The contrast of each checkpoint's terms, in one group of prompts, with a simultaneous band.

    Of the estimates' joint distribution the correlation is taken from the data, separately for
    words and prompts, and the quantile of the largest of so correlated standard normal numbers by
    simulation (max-t; Montiel Olea and Plagborg-Moller, Journal of Applied Econometrics 2019);
    its tail probability is what each interval is then taken at, with its own degrees of freedom.

    Raises StatisticsError as `contrast` does, naming the step, and for fewer than two checkpoints
    and steps that do not increase.
    """
    check_steps(steps)
    effects = []
    for step, of_step in zip(steps, terms, strict=True):
        try:
            effects.append(contrast(of_step, in_a, families, level=level, alpha=alpha, seed=seed))
        except StatisticsError as error:
            raise StatisticsError(
                f"at step {number(step)}: {error.what}", seen=error.seen, remedy=error.remedy
            ) from None
    covariance = _covariance(terms, effects, Layout.of(in_a, families, "family", level), level)
    pointwise = _pointwise(covariance, level, seed)
    exploratory = next((e.exploratory for e in effects if e.exploratory), "")
    if min(effects[0].n_families) < GATE_FAMILIES:
        exploratory = (
            f"fewer than {GATE_FAMILIES} word families in a category "
            f"({effects[0].n_families[0]} and {effects[0].n_families[1]})"
        )
    found = Trajectory(
        steps=tuple(steps),
        effects=tuple(effects),
        low=(),
        high=(),
        level=level,
        pointwise=pointwise,
        covariance=covariance,
        seed=seed,
        exploratory=exploratory,
    )
    low, high = found.band(level)
    return replace(found, low=low, high=high)


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
            "checkpoints are given in the order of their steps, each once",
            seen=", ".join(map(number, steps)),
            remedy="Sort them by step.",
        )


def number(step: float) -> str:
    """A step or a number of pairs as text."""
    return f"{step:,.10g}"


def root(covariance: Floats) -> Floats:
    """The symmetric square root: no other changes so little with the covariance's rounding."""
    values, vectors = np.linalg.eigh(covariance)
    result: Floats = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return result


def _pointwise(covariance: Floats, level: float, seed: int) -> float:
    """The level of single intervals at which all hold at once at ``level``."""
    n = len(covariance)
    strictest = 1 - (1 - level) / n  # Bonferroni
    se = np.sqrt(np.diag(covariance))
    if (se == 0).any():  # an interval that comes of no variance: nothing is known of how it goes
        return strictest
    rng = np.random.default_rng(seed)
    normal = rng.standard_normal((DRAWS, n)) @ root(covariance / np.outer(se, se))
    largest = np.quantile(np.abs(normal).max(axis=1), level)
    return float(np.clip(1 - 2 * stats.norm.sf(largest), level, strictest))


def _covariance(
    terms: Sequence[Sequence[Term]], effects: Sequence[Effect], layout: Layout, level: float
) -> Floats:
    """Of the estimates at all checkpoints, from words, single prompts and what prompts share.

    Each part's variances are those of the intervals, and its correlation over checkpoints that of
    families' sums, of what single prompts have beyond their factors, and of the factors' means.
    Noise of single scores, which the variances do not count twice, stays in the correlation of
    prompts: if anything it makes that smaller and the band wider.
    """
    count = int(layout.family.max()) + 1
    sums, by_prompt, variances, factors = [], [], [], terms[0][0].prompts
    for of_step, effect in zip(terms, effects, strict=True):
        weights = np.array([term.weight for term in of_step])
        placed = placements(np.array([term.values for term in of_step]), layout.in_a)
        a, b = (np.einsum("s,spw->pw", weights, x) for x in placed)
        word_a, word_b = a.mean(axis=0), b.mean(axis=0)
        first, _ = family_sums(word_a, layout.family[layout.in_a], count)
        second, _ = family_sums(word_b, layout.family[~layout.in_a], count)
        sums.append(first + second)
        by_prompt.append(a.mean(axis=1))
        words = word_variance(word_a, word_b, layout.in_a, layout.family)
        noise = residual_variance(a) + residual_variance(b)
        parts = [words, *prompt_parts(by_prompt[-1], factors, noise)]
        if effect.method == "separation":
            parts = [(0.0, 1.0)] * 3
        variances.append([4 * variance for variance, _ in parts])
    single, shared = _prompt_patterns(np.array(by_prompt), factors)
    total = np.zeros((len(terms), len(terms)))
    patterns = (np.array(sums), single, shared)
    for variance, pattern in zip(np.array(variances).T, patterns, strict=True):
        total += np.outer(np.sqrt(variance), np.sqrt(variance)) * _correlation(pattern)
    return total


def _prompt_patterns(by_prompt: Floats, factors: Factors | None) -> tuple[Floats, Floats]:
    """What single prompts have beyond their factors (checkpoints, prompts), and the means of the
    factors' levels (checkpoints, levels), each weighted by its share in the mean."""
    n = by_prompt.shape[1]
    centred = (by_prompt - by_prompt.mean(axis=1, keepdims=True)).T
    columns = [np.eye(int(c.max()) + 1)[c] for c in factor_columns(factors, n)]
    design = np.hstack([np.ones((n, 1)), *columns])
    rest = centred - design @ np.linalg.lstsq(design, centred, rcond=None)[0]
    shares = np.hstack([np.zeros((n, 0)), *columns]) / n
    return rest.T, (shares.T @ centred).T


def _correlation(pattern: Floats) -> Floats:
    """(checkpoints, checkpoints) of rows about zero; a row without spread goes with no other."""
    length = np.sqrt((pattern**2).sum(axis=1, keepdims=True))
    unit = np.divide(pattern, length, out=np.zeros_like(pattern), where=length > 1e-12)
    correlation: Floats = unit @ unit.T
    np.fill_diagonal(correlation, 1.0)
    return correlation
