"""How much one category of words is preferred over another, with its uncertainty.

The measure is the rank-biserial correlation (Cliff's delta) of word families: the chance that a
random family's random word of category A scores higher than a random family's random word of
category B, minus the chance of the reverse, ties counting for neither; averaged over prompts. +1
means that every word of A beats every word of B, -1 the reverse, 0 that neither is preferred. It
depends on the order of the scores alone.

Its interval takes words and prompts for two crossed samples (`crossed`): word families, not
spellings, are the draws ("freedom" and "freedoms" score alike), each of which counts alike, and
prompts that share an adjective are not independent draws either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.stats.checks import GATE_FAMILIES, Cluster, Layout, check_scores, tied_share
from valuebias.stats.crossed import Bools, Factors
from valuebias.stats.disagreement import ByPrompt
from valuebias.stats.estimate import Effect as Effect
from valuebias.stats.estimate import FacetEffect as FacetEffect
from valuebias.stats.estimate import Method as Method
from valuebias.stats.estimate import Scale, by_spelling, effect_of, placed_groups
from valuebias.stats.facets import Facets
from valuebias.stats.terms import Term as Term
from valuebias.stats.terms import grouped


def single(
    values: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    prompts: Factors | None = None,
    facets: Facets | None = None,
    level: float = 0.95,
    cluster: Cluster = "family",
    alpha: float = 0.05,
    seed: int = 0,
) -> Effect:
    """The effect in one scorer: category A against category B.

    ``values`` is (prompts, words), higher is preferred; ``in_a`` (words,) is True for a word of A
    and False for one of B; ``families`` (words,) names each word's family; ``prompts`` holds each
    prompt's factors (``[p.factors for p in prompts]``), without which prompts count as independent
    draws. ``facets`` are groups of families of like meaning, which are no independent draws: the
    words' variance then has their part too. ``cluster="word"`` takes every spelling for a draw of
    its own; its intervals are too short and serve for comparison. ``seed`` is used where a
    permutation is, which goes on until its p is settled at ``alpha``.

    Raises StatisticsError for data without a valid interval: scores that are not finite or
    nearly all tied, fewer than 5 families in a category, fewer than 6 prompts, prompts with the
    same scores throughout, no variance.
    """
    return contrast(
        [Term(values, 1.0, prompts)],
        in_a,
        families,
        facets=facets,
        level=level,
        cluster=cluster,
        alpha=alpha,
        seed=seed,
    )


def pair(
    values: npt.NDArray[Any],
    reference: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    prompts: Factors | None = None,
    facets: Facets | None = None,
    level: float = 0.95,
    cluster: Cluster = "family",
    alpha: float = 0.05,
    seed: int = 0,
) -> Effect:
    """The effect in one scorer minus that in another, over the same words and prompts.

    Positive means that the first prefers A more than ``reference`` does. Arguments and errors as
    for `single`; two scorers that order all words alike are an error too, since they are either
    one model under two names or the same numbers recorded twice.
    """
    terms = [Term(values, 1.0, prompts), Term(reference, -1.0, prompts)]
    return contrast(
        terms,
        in_a,
        families,
        facets=facets,
        level=level,
        cluster=cluster,
        alpha=alpha,
        seed=seed,
    )


def contrast(
    terms: Sequence[Term],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    facets: Facets | None = None,
    level: float = 0.95,
    cluster: Cluster = "family",
    alpha: float = 0.05,
    seed: int = 0,
) -> Effect:
    """A weighted sum of effects over the same words: any scorers, any sets of prompts.

    Positive minus negative prompts is weights +1 and -1 on two groups; the mean of k models is
    weights 1/k in one group. The estimate lies within plus and minus the sum of absolute weights.
    Prompt sets of different groups are independent samples; words are one sample throughout.
    Arguments and errors as for `single` and `pair`.
    """
    layout = Layout.of(in_a, families, cluster, level)
    groups = grouped(terms)
    for term in terms:
        check_scores(term.values, layout)
    placed = placed_groups(groups, layout.words)
    if any(
        len(group) > 1 and max(np.ptp(asked.a), np.ptp(asked.b)) < 1e-12
        for group, asked in zip(groups.values(), placed, strict=True)
    ):
        raise StatisticsError(
            "the two scorers order every word alike on every prompt",
            remedy="They look like one model under two names: give the reference you mean.",
        )
    moved = None
    if min(layout.n_families) < GATE_FAMILIES:
        moved = np.sum(
            [t.weight * layout.words.ranks(t.values).mean(axis=0) for t in terms], axis=0
        )
    scale = Scale.of(terms)
    effect = effect_of(layout, placed, moved, scale, facets, alpha=alpha, seed=seed)
    return replace(
        effect,
        by_spelling=2 * (by_spelling(groups, layout.words) - scale.null),
        tied=max(tied_share(term.values, in_a) for term in terms),
        by_prompt=ByPrompt.of(
            placed,
            layout.words,
            mean=effect.estimate,
            df=effect.parts[0][1] if effect.parts else 1.0,
        ),
    )
