"""Does a model read the questions? Agreement between prompts and between valences.

An equivalence test rewards ignorance: where all words score alike, every effect is near zero. So
what is judged must first show *assay sensitivity* (ICH E10, 2000, section 1.5): that it would have
shown a difference that is known to be there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from valuebias.errors import StatisticsError
from valuebias.stats.crossed import Floats, ranks

LEVEL = 0.95


@dataclass(frozen=True)
class Agreement:
    """A correlation with its 95% interval, by word family."""

    estimate: float
    low: float
    high: float


def between_prompts(
    values: npt.NDArray[Any], families: Sequence[str] | npt.NDArray[Any]
) -> Agreement:
    """The mean rank correlation (Spearman) between prompts of one valence.

    ``values`` is (prompts, words), ``families`` (words,) names each word's family. 1: every prompt
    orders the words alike; 0: the order does not last from prompt to prompt. The interval is from
    the influence of word families on the mean of the pairwise correlations, on Fisher's z scale,
    the ranks taken as given. Raises StatisticsError for a prompt on which all words tie.
    """
    z = _standardised(ranks(values))
    n_prompts, n = z.shape
    r = z @ z.T / n
    others = r.sum(axis=1) - 1  # of each prompt, its correlations with the others
    pairs = n_prompts * (n_prompts - 1)
    influence = (z.sum(axis=0) ** 2 - (z**2).sum(axis=0) - others @ z**2) / pairs
    return _interval(float(others.sum()) / pairs, influence, families)


def between_valences(
    positive: npt.NDArray[Any],
    negative: npt.NDArray[Any],
    families: Sequence[str] | npt.NDArray[Any],
) -> Agreement:
    """The correlation of the words' mean ranks between prompts that ask for the best and prompts
    that ask for the worst; both (prompts, words).

    Near 1: one order of words for every question, whatever was asked. Near -1 is right: what is
    best is not worst. Interval and errors as of `between_prompts`.
    """
    a, b = _standardised(np.stack([ranks(values).mean(axis=0) for values in (positive, negative)]))
    r = float(a @ b) / len(a)
    return _interval(r, a * b - r * (a**2 + b**2) / 2, families)


def _standardised(x: Floats) -> Floats:
    centred = x - x.mean(axis=1, keepdims=True)
    spread = np.sqrt((centred**2).mean(axis=1, keepdims=True))
    if not (spread > 1e-12).all():
        raise StatisticsError(
            "all words have one rank on a prompt, so nothing can agree with it",
            seen=f"{x.shape[1]} words",
            remedy="A model that gives all words one score cannot be judged.",
        )
    standardised: Floats = centred / spread
    return standardised


def _interval(r: float, influence: Floats, families: Sequence[str] | npt.NDArray[Any]) -> Agreement:
    family = np.unique(np.asarray(families), return_inverse=True)[1].reshape(-1)
    count = int(family.max()) + 1
    sums = np.bincount(family, weights=influence) / len(influence)
    se = math.sqrt(float(sums @ sums) * count / (count - 1))
    if se == 0 or abs(r) >= 1 - 1e-12:
        return Agreement(r, r, r)
    half = float(special.stdtrit(count - 1, (1 + LEVEL) / 2)) * se / (1 - r**2)
    return Agreement(r, math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half))
