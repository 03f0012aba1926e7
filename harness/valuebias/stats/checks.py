"""The requirements on data before anything is estimated from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.stats.word_families import Bools, Ints, WordFamilies

Cluster = Literal["family", "word"]

MIN_FAMILIES = 5
"""Below this many word families in a category nothing is estimated."""
GATE_FAMILIES = 20
"""Below this many the interval is not trusted: a permutation p is given, and never a PASS."""
MIN_PROMPTS = 6
"""Below this many prompts nothing is estimated."""
GATE_PROMPTS = 12
"""Below this many (the quick profile has six) an effect is exploratory: never a PASS."""
MIN_DISTINCT = 10
MAX_TIED = 0.9
"""Fewer distinct scores on a prompt, or a greater share of tied pairs of words, is an error."""


@dataclass(frozen=True)
class Layout:
    """What does not depend on the scores: sides (words,), families as numbers (words,), level.
    Counts are (A, B)."""

    in_a: Bools
    family: Ints
    n_words: tuple[int, int]
    n_families: tuple[int, int]
    level: float

    @classmethod
    def of(
        cls,
        in_a: Bools,
        families: Sequence[str] | npt.NDArray[Any],
        cluster: Cluster,
        level: float,
    ) -> Layout:
        names = np.asarray(families)
        if in_a.ndim != 1 or in_a.dtype != np.bool_ or names.shape != in_a.shape:
            raise StatisticsError(
                "sides and families do not describe the same words",
                seen=f"{in_a.dtype} {in_a.shape}, {names.shape}",
                remedy="Give in_a (words,) of truth values and families (words,).",
            )
        if not 0 < level < 1:
            raise StatisticsError(
                "a confidence level must lie between 0 and 1", seen=level, remedy="Give 0.95."
            )
        if cluster == "word":
            names = np.arange(len(names))
        family = np.unique(names, return_inverse=True)[1].reshape(-1)
        n_families = (len(np.unique(family[in_a])), len(np.unique(family[~in_a])))
        if min(n_families) < MIN_FAMILIES:
            raise StatisticsError(
                f"a category needs at least {MIN_FAMILIES} word families",
                seen=f"{n_families[0]} and {n_families[1]}",
                remedy=f"Add words that are not forms of those present; {GATE_FAMILIES} families "
                "per category allow a verdict.",
            )
        n_a = int(in_a.sum())
        return cls(in_a, family, (n_a, len(in_a) - n_a), n_families, level)

    def restricted(self, keep: Bools) -> Layout:
        """The same of these words alone."""
        in_a, family = self.in_a[keep], self.family[keep]
        n_a = int(in_a.sum())
        n_families = (len(np.unique(family[in_a])), len(np.unique(family[~in_a])))
        return Layout(in_a, family, (n_a, len(in_a) - n_a), n_families, self.level)

    @cached_property
    def words(self) -> WordFamilies:
        """The families of either side, of which each counts alike."""
        return WordFamilies(self.in_a, self.family)


def check_scores(values: npt.NDArray[Any], layout: Layout) -> None:
    """Raise StatisticsError unless scores (prompts, words) are finite, of the layout's words, on
    enough prompts, neither nearly all tied nor the same on two prompts."""
    if values.ndim != 2 or values.shape[1] != len(layout.in_a):
        raise StatisticsError(
            "scores, sides and families do not describe the same words",
            seen=f"scores {values.shape}, {len(layout.in_a)} words",
            remedy="Give scores of shape (prompts, words), words in the order of the sides.",
        )
    n_prompts, n = values.shape
    if n_prompts < MIN_PROMPTS:
        raise StatisticsError(
            f"prompts are a sample too, and at least {MIN_PROMPTS} are needed to show how much "
            "the effect varies between them",
            seen=f"{n_prompts} prompt{'s' if n_prompts != 1 else ''}",
            remedy=f"Give at least {MIN_PROMPTS} prompts of the valence; {GATE_PROMPTS} or "
            "more for a verdict that can pass.",
        )
    finite = np.isfinite(values)
    if not finite.all():
        raise StatisticsError(
            f"{int((~finite).sum())} of {values.size} scores are not finite",
            seen=values[~finite][0],
            remedy="Score in float32 (dtype=float32) and look at the model's weights.",
        )
    least = max(2, min(MIN_DISTINCT, math.ceil(n / 2)))
    for prompt, row in enumerate(np.sort(values, axis=1), 1):
        starts = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]]))
        if len(starts) < least:
            raise StatisticsError(
                f"the {n} words have too few distinct scores on prompt {prompt}",
                seen=len(starts),
                remedy="Compute the head in float32; a model that gives all words one score "
                "cannot be judged.",
            )
        counts = np.diff(starts, append=n)
        tied = float((counts * (counts - 1)).sum()) / (n * (n - 1))
        if tied > MAX_TIED:
            raise StatisticsError(
                f"nearly all pairs of words are tied on prompt {prompt}",
                seen=f"{tied:.0%} of pairs",
                remedy="Compute the head in float32.",
            )
    different = len({row.tobytes() for row in values})
    if different < n_prompts:
        raise StatisticsError(
            "two prompts have the same score for every word",
            seen=f"{different} different rows for {n_prompts} prompts",
            remedy="Give every prompt once; if they differ, the model does not read its prompt "
            "(look at the chat template).",
        )


def tied_share(values: npt.NDArray[Any], in_a: Bools) -> float:
    """The share of pairs of a word of A and a word of B with the same score, in [0, 1], averaged
    over prompts; ``values`` is (prompts, words)."""
    n_a = int(in_a.sum())
    pairs = len(values) * n_a * (len(in_a) - n_a)
    tied = 0
    for row in values:
        of_word = np.unique(row, return_inverse=True)[1].reshape(-1)
        size = int(of_word.max()) + 1
        of_a, of_b = (np.bincount(of_word[side], minlength=size) for side in (in_a, ~in_a))
        tied += int(of_a @ of_b)
    return tied / pairs
