"""Variances of a prompt-averaged probability of superiority: words and prompts as crossed samples.

Everything here works on placements (DeLong, DeLong and Clarke-Pearson, Biometrics 1988): of a word
of category A the share of B's words it beats, of a word of B the share of A's words that beat it,
ties counting one half. All variances are on the scale of that probability; an effect, on the
rank-biserial scale, has twice its standard error.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special, stats

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.intp]
Factors = Sequence[Mapping[str, str]]
"""For each prompt the factors it was generated from, such as its adjective."""
Parts = Sequence[tuple[float, float]]
"""Independent parts of a variance, each with its degrees of freedom."""


def ranks(values: npt.NDArray[Any]) -> Floats:
    """(prompts, words): midranks from the lowest score, scaled to (0, 1)."""
    scaled: Floats = (stats.rankdata(values, axis=-1) - 0.5) / values.shape[-1]
    return scaled


def placements(values: npt.NDArray[Any], in_a: Bools) -> tuple[Floats, Floats]:
    """Placements (..., words of A) and (..., words of B) of scores (..., words); the mean of each
    last axis is the probability that A beats B."""
    n = len(in_a)
    order = np.argsort(values, axis=-1)
    ordered = np.take_along_axis(values, order, axis=-1)
    differs = np.ones(ordered.shape, dtype=bool)
    differs[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    # Of each place in the order, where its group of tied words begins and where it ends.
    place = np.arange(n)
    begin = np.maximum.accumulate(np.where(differs, place, 0), axis=-1)
    last = np.ones(ordered.shape, dtype=bool)
    last[..., :-1] = differs[..., 1:]
    end = np.flip(np.minimum.accumulate(np.flip(np.where(last, place + 1, n), -1), axis=-1), -1)
    count_b = np.zeros((*ordered.shape[:-1], n + 1))
    np.cumsum(~in_a[order], axis=-1, out=count_b[..., 1:])
    beaten_b = np.empty(ordered.shape)
    half = np.take_along_axis(count_b, begin, -1) + np.take_along_axis(count_b, end, -1)
    np.put_along_axis(beaten_b, order, half / 2, axis=-1)
    beaten = np.empty(ordered.shape)
    np.put_along_axis(beaten, order, (begin + end) / 2, axis=-1)
    n_a = int(in_a.sum())
    a = beaten_b[..., in_a] / (n - n_a)
    b = 1 - (beaten - beaten_b)[..., ~in_a] / n_a
    return a, b


def word_variance(a: Floats, b: Floats, in_a: Bools, family: Ints) -> tuple[float, float]:
    """Variance from the draw of word families, and its degrees of freedom.

    ``a`` and ``b`` are placements, averaged over prompts, of the words of a side. Summed over
    families as Obuchowski does for clustered data (Biometrics 1997), each family's sum being set
    right for its own weight in the mean (Bell and McCaffrey, Survey Methodology 2002: their "CR2").
    A family with words on both sides adds a covariance, which is negative as a rule. Families of
    unequal sizes count for fewer: the degrees of freedom are those of sums that vary with size.
    """
    count = int(family.max()) + 1
    sums, own, dfs = [], [], []
    for word, names in ((a, family[in_a]), (b, family[~in_a])):
        g, sizes = family_sums(word, names, count)
        sums.append(g)
        own.append(float(g @ g))
        dfs.append(max(float((sizes**2).sum() ** 2 / (sizes**4).sum()) - 1, 1.0))
    variance = own[0] + own[1] + 2 * float(sums[0] @ sums[1])
    if variance <= 0:
        return 0.0, 1.0
    return variance, satterthwaite(zip(own, dfs, strict=True), variance)


def family_sums(word: Floats, names: Ints, count: int) -> tuple[Floats, Floats]:
    """What each of ``count`` families adds to the mean of ``word`` (words,), set right for its own
    weight in it, and how many of these words it has."""
    sizes = np.bincount(names, minlength=count).astype(float)
    sums = np.bincount(names, weights=word - word.mean(), minlength=count) / len(word)
    return sums / np.sqrt(1 - sizes / len(word)), sizes


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
    n = len(effects)
    centred = effects - effects.mean()
    columns = factor_columns(factors, n)
    design = np.hstack([np.ones((n, 1)), *(np.eye(int(c.max()) + 1)[c] for c in columns)])
    left = n - int(np.linalg.matrix_rank(design))
    residual = 0.0
    if left > 0:
        rest = centred - design @ np.linalg.lstsq(design, centred, rcond=None)[0]
        residual = float(rest @ rest) / left / n
    above = []
    for levels in columns:
        sizes = np.bincount(levels).astype(float)
        means = np.bincount(levels, weights=centred) / sizes
        k, squares = len(sizes), float(sizes @ sizes)
        between = float(sizes @ means**2) / (k - 1)
        typical = (n - squares / n) / (k - 1)  # prompts a level; n / k where all have as many
        above.append(((between - n * residual) * squares / n**2 / typical, k - 1.0))
    # Factors without effect lie about zero and cancel; what one factor shows is never cancelled.
    seen = [(square, df) for square, df in above if square > 0]
    shared = max([sum(square for square, _ in above), *(square for square, _ in seen), 0.0])
    return [
        (max(residual - noise, 0.0), float(max(left, 1))),
        (shared, satterthwaite(seen, sum(square for square, _ in seen))),
    ]


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
    """The word x prompt interaction's part in the variance of the grand mean, (prompts, words)."""
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
