"""What the variance of an effect is made of, on a scale on which it does not depend on the effect.

    spread(values, in_a, families, effect, prompts=...) -> Spread

The variance of the mean of a sample is taken back to that of one draw: of one word family, of one
score, of one prompt, of one level of a factor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from valuebias.stats.checks import Layout
from valuebias.stats.crossed import (
    Factors,
    Floats,
    Ints,
    factor_levels,
    placements,
    prompt_squares,
    residual_variance,
    satterthwaite,
)
from valuebias.stats.estimate import Effect
from valuebias.stats.word_families import Bools

_LEAST = 0.05


@dataclass(frozen=True)
class Spread:
    """Variances of single draws, on the rank-biserial scale, at no effect.

    ``words`` is that of a word family's part (with what its facet shares): of F and G families on
    the sides the mean has words (1 / F + 1 / G), known to ``df`` degrees of freedom with
    ``families``. ``noise`` is that of a family on a single prompt, ``prompt`` that of a prompt's
    effect beyond its factors and the noise, ``factors`` that of a level of each factor. The last
    three are estimates and may be below zero, which stands for zero.
    """

    words: float
    df: float
    families: tuple[int, int]
    noise: float
    prompt: float
    factors: Mapping[str, float]


def of_words(effect: npt.ArrayLike) -> Floats:
    """The words' variance at an effect, as a part of that at none, for normal scores of one
    variance: (P(both of two random A beat one B) - P(A beats B)^2) / (1/12) (DeLong, DeLong and
    Clarke-Pearson 1988; Owen's T for the first)."""
    beats = (1 + np.asarray(effect, dtype=float)) / 2
    h = special.ndtri(beats)
    both = beats - 2 * special.owens_t(h, 1 / math.sqrt(3))
    found: Floats = np.maximum(12 * (both - beats**2), _LEAST)
    return found


def of_prompts(effect: npt.ArrayLike) -> Floats:
    """The prompts' variance at an effect, as a part of that at none: the square of what a shift of
    normal scores still moves it by."""
    found: Floats = np.exp(-(special.ndtri((1 + np.asarray(effect, dtype=float)) / 2) ** 2))
    return np.maximum(found, _LEAST)


def spread(
    values: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    effect: Effect,
    *,
    prompts: Factors | None = None,
) -> Spread:
    """From one scorer's scores (prompts, words) and the ``effect`` that `single` found in them, of
    whose variance the words' part is taken as it is, with its facets.

    Raises StatisticsError as `single` does.
    """
    layout = Layout.of(in_a, families, "family", effect.level)
    a, b = placements(values, layout.words)
    n = len(values)
    (residual, _, above) = prompt_squares(a.mean(axis=1), prompts)
    noise = residual_variance(a) + residual_variance(b)
    scale = 4 / float(of_prompts(effect.estimate))
    per_family = sum(1 / k for k in effect.n_families)
    variance, df = effect.parts[0] if effect.parts else (0.0, 1.0)
    return Spread(
        words=variance / per_family / float(of_words(effect.estimate)),
        df=df,
        families=(effect.n_families[0], effect.n_families[1]),
        noise=scale * noise * n / per_family,
        prompt=scale * (residual - noise) * n,
        factors={
            name: scale * square * len(set(levels))
            for (name, levels), (square, _) in zip(
                factor_levels(prompts, n).items(), above, strict=True
            )
        },
    )


def words_spread(family: float, facets: Sequence[Ints], correlation: float) -> tuple[float, float]:
    """``words`` and ``df`` of a `Spread` from the variance of one family's part, each side's facets
    as numbers (families,), and the correlation of two families of one facet: what
    `facets.widened` adds, where both sides' families vary alike."""
    added = pairs = squared = 0.0
    sizes_of = [np.bincount(numbers).astype(float) for numbers in facets]
    counts = [len(numbers) for numbers in facets]
    for n, sizes in zip(counts, sizes_of, strict=True):
        shared = correlation * float(sizes @ (sizes - 1)) / (n * (n - 1))
        added += shared / (1 - shared)
        both = sizes * (sizes - 1)
        pairs, squared = pairs + float(both.sum()), squared + float(both @ both)
    per_family = sum(1 / n for n in counts)
    df = satterthwaite([(1 / n, n - 1.0) for n in counts], per_family)
    if added <= 0:
        return family, df
    own = (per_family / (per_family + added)) ** 2
    facet_df = max(pairs**2 / squared - len(counts), 1.0)
    return family * (1 + added / per_family), 1 / (own / df + (1 - own) / facet_df)
