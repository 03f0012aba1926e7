"""Effects computed a second time from the definitions, with loops and none of our code.

Scores are (prompts, words). For prompts of a balanced design (every combination of levels equally
often) and for prompts without factors.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

Array = Any


def placements(row: Array, in_a: Array, families: Array) -> tuple[Array, Array]:
    """Of one prompt: for each family of A, in the order of their names, the chance that its random
    word beats a random family's random word of B; for each family of B that it is beaten by one of
    A's. A tie is half."""
    first, second = (
        np.array([side & (families == name) for name in sorted(set(families[side].tolist()))])
        for side in (in_a, ~in_a)
    )
    beats = (row[:, None] > row[None, :]) + 0.5 * (row[:, None] == row[None, :])
    pairs = first.sum(axis=1)[:, None] * second.sum(axis=1)[None, :]
    wins = first.astype(float) @ beats @ second.T / pairs  # (families of A, families of B)
    return wins.mean(axis=1), wins.mean(axis=0)


def rank_biserial(values: Array, in_a: Array, families: Array | None = None) -> float:
    """Without families every word counts alike."""
    alone = np.arange(len(in_a)) if families is None else np.asarray(families)
    return float(np.mean([2 * placements(row, in_a, alone)[0].mean() - 1 for row in values]))


@dataclass(frozen=True)
class Naive:
    """An estimate with the parts of its variance and their degrees of freedom.

    ``lone`` is true of one scorer on one set of prompts, whose interval is symmetric on Fisher's
    scale, the inverse hyperbolic tangent.
    """

    estimate: float
    parts: tuple[tuple[float, float], ...]
    lone: bool = False

    @property
    def se(self) -> float:
        return math.sqrt(sum(variance for variance, _ in self.parts))

    def half(self, alpha: float) -> float:
        """Banerjee's half width: every part with its own t."""
        return math.sqrt(sum(v * stats.t.ppf(1 - alpha / 2, df) ** 2 for v, df in self.parts))

    @property
    def interval(self) -> tuple[float, float]:
        half = self.half(0.05)
        if self.lone:
            slope = 1 / (1 - self.estimate**2)
            z = 0.5 * math.log((1 + self.estimate) / (1 - self.estimate))
            return math.tanh(z - half * slope), math.tanh(z + half * slope)
        return self.estimate - half, self.estimate + half

    @property
    def distance(self) -> float:
        """Of zero from the estimate, in units of the half width."""
        return (
            math.atanh(abs(self.estimate)) * (1 - self.estimate**2)
            if self.lone
            else abs(self.estimate)
        )


def effect(
    groups: Sequence[Sequence[tuple[float, Array]]],
    in_a: Array,
    families: Array,
    factors: Sequence[Mapping[str, str]] | None = None,
) -> Naive:
    """Of weighted scorers, in groups that share their prompts."""
    estimate, parts = 0.0, []
    word_a = word_b = np.zeros(())
    for group in groups:
        a, b = (
            np.asarray(
                sum(
                    w * np.array([placements(row, in_a, families)[side] for row in v])
                    for w, v in group
                )
            )
            for side in (0, 1)
        )
        estimate += sum(w * rank_biserial(v, in_a, families) for w, v in group)
        word_a, word_b = word_a + a.mean(axis=0), word_b + b.mean(axis=0)
        noise = interaction(a) + interaction(b)
        parts += prompt_parts(a.mean(axis=1), factors, noise)
    parts.insert(0, word_part(word_a, word_b, in_a, families))
    lone = sum(map(len, groups)) == 1
    return Naive(estimate, tuple((4 * v, df) for v, df in parts if v > 0), lone)


def word_part(a: Array, b: Array, in_a: Array, families: Array) -> tuple[float, float]:
    """Of placements of families: the variance of a mean of independent draws on either side, and
    twice the covariance of families with words on both."""
    names = [sorted(set(families[side].tolist())) for side in (in_a, ~in_a)]
    own = [float(np.var(x, ddof=1)) / len(x) for x in (a, b)]
    both = sum(
        (x - a.mean()) * (y - b.mean())
        for f, x in zip(names[0], a, strict=True)
        for g, y in zip(names[1], b, strict=True)
        if f == g
    )
    n, m = len(a), len(b)
    variance = own[0] + own[1] + 2 * float(both) / math.sqrt(n * (n - 1) * m * (m - 1))
    return variance, max(variance**2 / (own[0] ** 2 / (n - 1) + own[1] ** 2 / (m - 1)), 1.0)


def interaction(placed: Array) -> float:
    """Noise of single scores in the variance of the grand mean: two-way residuals."""
    prompts, words = placed.shape
    total = 0.0
    for i in range(prompts):
        for j in range(words):
            residual = placed[i, j] - placed[i].mean() - placed[:, j].mean() + placed.mean()
            total += residual**2
    return total / ((prompts - 1) * (words - 1)) / (prompts * words)


def prompt_parts(
    effects: Array, factors: Sequence[Mapping[str, str]] | None, noise: float
) -> list[tuple[float, float]]:
    """Analysis of variance of a balanced design, its factors random."""
    n = len(effects)
    names = [
        name
        for name in (factors[0] if factors else ())
        if 1 < len({prompt[name] for prompt in factors or ()}) < n
    ]
    residual = effects - effects.mean()
    squares, left = [], n - 1
    for name in names:
        level = np.array([prompt[name] for prompt in factors or ()])
        means = {x: effects[level == x].mean() for x in dict.fromkeys(level)}
        k = len(means)
        squares.append((np.var(list(means.values()), ddof=1) / k, k - 1))
        residual = residual - np.array([means[x] for x in level]) + effects.mean()
        left -= k - 1
    own = float((residual**2).sum()) / left / n
    above = [(square - own, df) for square, df in squares]
    shown = [(square, df) for square, df in above if square > 0]
    shared = max(sum(square for square, _ in above), max((s for s, _ in shown), default=0.0), 0.0)
    spread = sum(square**2 / df for square, df in shown)
    return [
        (max(own - noise, 0.0), float(left)),
        (shared, max(sum(s for s, _ in shown) ** 2 / spread, 1.0) if shown else 1.0),
    ]
