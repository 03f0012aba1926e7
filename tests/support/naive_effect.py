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


def placements(row: Array, in_a: Array) -> tuple[Array, Array]:
    """Of one prompt: for each word of A the share of B it beats, for each of B the share of A that
    beats it; a tie is half."""
    a, b = row[in_a], row[~in_a]
    wins = (a[:, None] > b[None, :]) + 0.5 * (a[:, None] == b[None, :])
    return wins.mean(axis=1), wins.mean(axis=0)


def rank_biserial(values: Array, in_a: Array) -> float:
    return float(np.mean([2 * placements(row, in_a)[0].mean() - 1 for row in values]))


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
    word_a, word_b = np.zeros(in_a.sum()), np.zeros((~in_a).sum())
    for group in groups:
        a, b = (
            np.asarray(
                sum(w * np.array([placements(row, in_a)[side] for row in v]) for w, v in group)
            )
            for side in (0, 1)
        )
        estimate += sum(w * rank_biserial(v, in_a) for w, v in group)
        word_a, word_b = word_a + a.mean(axis=0), word_b + b.mean(axis=0)
        noise = interaction(a) + interaction(b)
        parts += prompt_parts(a.mean(axis=1), factors, noise)
    parts.insert(0, word_part(word_a, word_b, in_a, families))
    lone = sum(map(len, groups)) == 1
    return Naive(estimate, tuple((4 * v, df) for v, df in parts if v > 0), lone)


def word_part(a: Array, b: Array, in_a: Array, families: Array) -> tuple[float, float]:
    """CR2 by family: a family's sum is divided by the root of one minus its share of the words."""
    sums: dict[Any, list[float]] = {name: [0.0, 0.0] for name in families}
    dfs = []
    for side, (word, names) in enumerate(((a, families[in_a]), (b, families[~in_a]))):
        sizes: list[int] = []
        for name in dict.fromkeys(names):
            own = word[names == name]
            sizes.append(len(own))
            total = float((own - word.mean()).sum()) / len(word)
            sums[name][side] = total / math.sqrt(1 - len(own) / len(word))
        squares = [s**2 for s in sizes]
        dfs.append(max(sum(squares) ** 2 / sum(s**2 for s in squares) - 1, 1.0))
    one = sum(x * x for x, _ in sums.values())
    two = sum(y * y for _, y in sums.values())
    variance = one + two + 2 * sum(x * y for x, y in sums.values())
    return variance, max(variance**2 / (one**2 / dfs[0] + two**2 / dfs[1]), 1.0)


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
