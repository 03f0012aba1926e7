"""The size of the preference for one category over another, on the usual scales, without interval.

Throughout, ``values`` is (prompts, words), higher is preferred; ``in_a`` (words,) is True for a
word of category A and False for one of B; positive (above one half, for the probability of
superiority) means that A is preferred. Tied scores count one half to either side: they share
midranks.

`effect.single` has the interval. Every function raises StatisticsError on scores that are not
finite, on shapes that do not match, and if a category has no word.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from valuebias.errors import StatisticsError

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Sizes:
    """The sizes of one effect; each is described at the function of its name.

    ``n_words`` counts the words of (A, B).
    """

    prob_superiority: float
    rank_biserial: float
    d_equiv: float
    hedges_g: float
    n_words: tuple[int, int]
    n_prompts: int


def sizes(values: npt.NDArray[Any], in_a: Bools) -> Sizes:
    """All of them at once. Raises what the functions raise."""
    superiority = prob_superiority(values, in_a)
    n_a = int(in_a.sum())
    return Sizes(
        prob_superiority=superiority,
        rank_biserial=2 * superiority - 1,
        d_equiv=d_equiv(superiority),
        hedges_g=hedges_g(values, in_a),
        n_words=(n_a, len(in_a) - n_a),
        n_prompts=len(values),
    )


def prob_superiority(values: npt.NDArray[Any], in_a: Bools) -> float:
    """The chance, in [0, 1], that a word of A scores higher than one of B, averaged over prompts.

    A tie counts one half. On one prompt this is the area under the ROC curve, and the Mann-Whitney
    U of A over the number of pairs.
    """
    scores = _checked(values, in_a)
    n_a = int(in_a.sum())
    beaten = stats.rankdata(scores, axis=1)[:, in_a].mean(axis=1) - (n_a + 1) / 2
    return float(beaten.mean() / (len(in_a) - n_a))


def rank_biserial(values: npt.NDArray[Any], in_a: Bools) -> float:
    """Cliff's delta, in [-1, 1]: the share of pairs in which A's word scores higher minus the share
    in which B's does (Cliff, Psychological Bulletin 1993); averaged over prompts."""
    return 2 * prob_superiority(values, in_a) - 1


def d_equiv(superiority: float) -> float:
    """The Cohen's d at which two normal distributions of one spread have this probability of
    superiority: sqrt(2) times its normal quantile (Ruscio, Psychological Methods 2008).

    Minus infinity at 0 and infinity at 1. Raises StatisticsError outside [0, 1].
    """
    if not 0 <= superiority <= 1:
        raise StatisticsError(
            "a probability of superiority must lie between 0 and 1",
            seen=superiority,
            remedy="Give what prob_superiority returned.",
        )
    return math.sqrt(2) * float(stats.norm.ppf(superiority))


def hedges_g(values: npt.NDArray[Any], in_a: Bools) -> float:
    """The difference of the categories' means over their pooled standard deviation, with Hedges'
    correction for small samples, J = 1 - 3 / (4 df - 1) (Journal of Educational Statistics 1981).

    A word is one observation, its score the mean over prompts; so, unlike the other sizes, it
    changes where scores are rescaled other than linearly. Raises StatisticsError also for fewer
    than two words in a category, and where words do not differ within the categories.
    """
    word = _checked(values, in_a).mean(axis=0)
    a, b = word[in_a], word[~in_a]
    if min(len(a), len(b)) < 2:
        raise StatisticsError(
            "a standard deviation needs two words in each category",
            seen=f"{len(a)} and {len(b)}",
            remedy="Give more words.",
        )
    df = len(word) - 2
    spread = math.sqrt((((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()) / df)
    # Of a constant, rounding of the mean leaves a little more than nothing.
    if spread <= 1e-12 * np.abs(word).max():
        raise StatisticsError(
            "the words of a category all have one score, so there is no spread to measure by",
            seen=f"{a[0]:g} and {b[0]:g}",
            remedy="Compute the head in float32, or look at how the scores were made.",
        )
    return float((1 - 3 / (4 * df - 1)) * (a.mean() - b.mean()) / spread)


def _checked(values: npt.NDArray[Any], in_a: Bools) -> Floats:
    if values.ndim != 2 or values.shape[1:] != in_a.shape or not len(values):
        raise StatisticsError(
            "scores and sides do not describe the same words",
            seen=f"{values.shape} and {in_a.shape}",
            remedy="Give values (prompts, words) and in_a (words,).",
        )
    if in_a.dtype != np.bool_:
        raise StatisticsError(
            "the sides must be booleans",
            seen=in_a.dtype,
            remedy="Give an array of booleans, True for a word of the first category.",
        )
    if in_a.all() or not in_a.any():
        raise StatisticsError(
            "one category has no word",
            seen=f"{int(in_a.sum())} and {int((~in_a).sum())}",
            remedy="Give words of both categories.",
        )
    scores = values.astype(np.float64)
    finite = np.isfinite(scores)
    if not finite.all():
        raise StatisticsError(
            f"{int((~finite).sum())} of {scores.size} scores are not finite",
            seen=scores[~finite][0],
            remedy="Score in float32 (dtype=float32) and look at the model's weights.",
        )
    return scores
