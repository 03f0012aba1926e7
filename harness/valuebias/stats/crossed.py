"""Variances of a prompt-averaged probability of superiority: words and prompts as crossed samples.

Everything here works on placements (DeLong, DeLong and Clarke-Pearson, Biometrics 1988) of word
families (`word_families`): of a family of category A the share of B that it beats, of a family of B
the share of A that beats it. All variances are on the scale of that probability; an effect, on the
rank-biserial scale, has twice its standard error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

from valuebias.stats.word_families import Bools as Bools
from valuebias.stats.word_families import Floats as Floats
from valuebias.stats.word_families import Ints as Ints
from valuebias.stats.word_families import WordFamilies
from valuebias.stats.word_families import placements as placements

Factors = Sequence[Mapping[str, str]]
"""For each prompt the factors it was generated from, such as its adjective."""
Parts = Sequence[tuple[float, float]]
"""Independent parts of a variance, each with its degrees of freedom."""


def ranks(values: npt.NDArray[Any]) -> Floats:
    """(prompts, words): midranks from the lowest score, scaled to (0, 1)."""
    scaled: Floats = (stats.rankdata(values, axis=-1) - 0.5) / values.shape[-1]
    return scaled


def word_variance(a: Floats, b: Floats, words: WordFamilies) -> tuple[float, float]:
    """Variance from the draw of word families, and its degrees of freedom.

    ``a`` and ``b`` are placements, averaged over prompts, of the families of a side, which count
    alike: DeLong's variance with a family for a draw. A family with words on both sides adds a
    covariance, as of Obuchowski's clusters (Biometrics 1997), which is negative as a rule.
    """
    first, second = family_sums(a, b, words)
    own = [float(first @ first), float(second @ second)]
    variance = own[0] + own[1] + 2 * float(first @ second)
    if variance <= 0:
        return 0.0, 1.0
    dfs = (len(a) - 1.0, len(b) - 1.0)
    return variance, satterthwaite(zip(own, dfs, strict=True), variance)


def family_sums(a: Floats, b: Floats, words: WordFamilies) -> tuple[Floats, Floats]:
    """What each family (families,) adds to the mean of its side's placements, as deviations whose
    squares sum to the variance of that mean."""
    sums = np.zeros((2, int(words.family.max()) + 1))
    for row, x, side in zip(sums, (a, b), (words.a, words.b), strict=True):
        row[side.numbers] = (x - x.mean()) / math.sqrt(len(x) * (len(x) - 1))
    return sums[0], sums[1]


def prompt_parts(
    effects: Floats, factors: Factors | None, noise: float
) -> list[tuple[float, float]]:
    """Independent parts (variance, degrees of freedom) of the variance of the mean of ``effects``
    (prompts,) from the draw of prompts.

    Prompts that share a level of a factor (one adjective) may lean the same way, so that 27 prompts
    of three adjectives are nearer to three draws than to 27. Each factor's main effect is taken for
    a random one, and what their mean squares have above the residual's is a part of its own (the
    random-effects analysis of variance). ``noise`` is the variance of single scores, which the word
    part already holds; it is taken out of the residual.
    """
    residual, left, above = prompt_squares(effects, factors)
    # Factors without effect lie about zero and cancel; what one factor shows is never cancelled.
    seen = [(square, df) for square, df in above if square > 0]
    shared = max([sum(square for square, _ in above), *(square for square, _ in seen), 0.0])
    return [
        (max(residual - noise, 0.0), float(max(left, 1))),
        (shared, satterthwaite(seen, sum(square for square, _ in seen))),
    ]


def prompt_squares(
    effects: Floats, factors: Factors | None
) -> tuple[float, int, list[tuple[float, float]]]:
    """The residual's part in the variance of the mean of ``effects`` (prompts,), its degrees of
    freedom (0: nothing is left), and of each factor of `factor_levels` its part, which may come out
    below zero, with its degrees of freedom."""
    n = len(effects)
    centred = effects - effects.mean()
    columns, beside = _factor_design(tuple(tuple(prompt.items()) for prompt in factors or ()), n)
    left = n - beside.shape[1]
    residual = 0.0
    if left > 0:
        rest = centred - beside @ (beside.T @ centred)
        residual = float(rest @ rest) / left / n
    above = []
    for levels in columns:
        sizes = np.bincount(levels).astype(float)
        means = np.bincount(levels, weights=centred) / sizes
        k, squares = len(sizes), float(sizes @ sizes)
        between = float(sizes @ means**2) / (k - 1)
        typical = (n - squares / n) / (k - 1)  # prompts a level; n / k where all have as many
        above.append(((between - n * residual) * squares / n**2 / typical, k - 1.0))
    return residual, left, above


@lru_cache(maxsize=32)
def _factor_design(
    factors: tuple[tuple[tuple[str, str], ...], ...], n: int
) -> tuple[list[Ints], Floats]:
    """The factors' columns, and an orthonormal basis (prompts, rank) of what they and the mean
    explain."""
    columns = factor_columns([dict(prompt) for prompt in factors], n)
    design = np.hstack([np.ones((n, 1)), *(np.eye(int(c.max()) + 1)[c] for c in columns)])
    vectors = np.linalg.svd(design, full_matrices=False)[0]
    return columns, vectors[:, : int(np.linalg.matrix_rank(design))]


def factor_columns(factors: Factors | None, n: int) -> list[Ints]:
    """Each factor's levels as numbers (prompts,), without factors of one level or one a prompt."""
    return [
        np.unique(levels, return_inverse=True)[1].reshape(-1)
        for levels in factor_levels(factors, n).values()
    ]


def factor_levels(factors: Factors | None, n: int) -> dict[str, list[str]]:
    """Each factor's level for every prompt, without factors of one level or one a prompt."""
    levels = {
        name: [prompt.get(name, "") for prompt in factors or ()]
        for name in dict.fromkeys(key for prompt in factors or () for key in prompt)
    }
    return {name: each for name, each in levels.items() if 1 < len(set(each)) < n}


def residual_variance(placed: Floats) -> float:
    """The family x prompt interaction's part in the variance of the grand mean, of placements
    (prompts, families)."""
    n_prompts, n = placed.shape
    rest = placed - placed.mean(axis=0) - placed.mean(axis=1, keepdims=True) + placed.mean()
    return float((rest**2).sum() / ((n - 1) * (n_prompts - 1)) / (n * n_prompts))


def satterthwaite(parts: Iterable[tuple[float, float]], total: float) -> float:
    """Degrees of freedom of a sum of variances, at least one."""
    spread = sum(variance**2 / df for variance, df in parts)
    return max(total**2 / spread, 1.0) if spread > 0 else 1.0


def half_width(parts: Parts, alpha: float) -> float:
    """Half of the 1 - alpha interval of a sum whose variance is a sum of independent parts.

    The root of the sum of each variance times its own t quantile's square (Banerjee, Sankhya 1960):
    never too short, exact where one part is all. Satterthwaite's single t is too short where a part
    of two degrees of freedom, such as three adjectives, carries much.
    """
    return math.sqrt(sum(v * float(special.stdtrit(df, alpha / 2)) ** 2 for v, df in parts))


def bounds(
    estimate: float, parts: Parts, level: float, span: float, *, fisher: bool = False
) -> tuple[float, float]:
    """The two-sided interval of an estimate in [-span, span], on Fisher's scale where asked."""
    half = half_width(parts, 1 - level)
    if fisher:
        centre, half = math.atanh(estimate), half / (1 - estimate**2)
        return math.tanh(centre - half), math.tanh(centre + half)
    return max(estimate - half, -span), min(estimate + half, span)


def p_value(estimate: float, parts: Parts) -> float:
    """The alpha at which the interval of `half_width` begins to hold zero."""
    if estimate == 0:
        return 1.0
    lowest = -80.0  # of exp: beyond it a p is as good as zero

    def excess(log_alpha: float) -> float:
        return abs(estimate) - half_width(parts, math.exp(log_alpha))

    if excess(lowest) > 0:
        return 0.0
    return float(math.exp(optimize.brentq(excess, lowest, 0.0, xtol=1e-10)))
