"""How far do a scorer's and other people's orders of the same words agree? Kendall's tau-b.

    rank_agreement(values, ratings, families, *, prompts=None, facets=None, level=.95) -> Effect

On each prompt the tau-b (Kendall, Biometrika 1945) of the scores with one rating a word: the chance
that a random pair of words is ordered alike, less the chance that it is not, over the geometric
mean of the chances that either tells the pair apart; averaged over prompts. Every word family
counts alike: a pair are random words of two different families. Where every word is a family of
its own it is the usual tau-b.

The words' part of the variance is the jackknife over families (Arvesen, Annals of Mathematical
Statistics 1969), prompts are the other sample. Ratings have no prompts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.format import signed
from valuebias.stats.checks import GATE_PROMPTS, Layout, check_scores
from valuebias.stats.crossed import Factors, Floats, Ints, p_value, prompt_parts, residual_variance
from valuebias.stats.effect import Effect
from valuebias.stats.facets import Facets, pooled, widened
from valuebias.stats.order import Order

LEAST_FAMILIES = 10
"""Below so many word families nothing is estimated: an interval of fewer says nothing. Fixed on 29
November 2026, before any model was held against people."""
_CELLS = 1 << 21
"""So many pairs of words are looked at at once."""


def rank_agreement(
    values: npt.NDArray[Any],
    ratings: npt.NDArray[Any],
    families: Sequence[str] | npt.NDArray[Any],
    *,
    prompts: Factors | None = None,
    facets: Facets | None = None,
    level: float = 0.95,
) -> Effect:
    """The agreement of scores (prompts, words) with ``ratings`` (words,), in [-1, 1]; positive
    means that what is rated higher is preferred.

    ``families`` (words,) names each word's family, ``prompts`` holds each prompt's factors, without
    which prompts count as independent draws; with ``facets`` what families of a facet have in
    common is a part of the variance too. The interval is on Fisher's z. ``by_spelling`` is the mean
    tau-b with every spelling counted alike. Below 20 families it never passes or fails (`judge`).

    Raises StatisticsError for arrays that do not match, fewer than 10 word families or 6 prompts,
    scores or ratings that are not finite or nearly all tied, and an agreement without variance.
    """
    names, ratings = np.asarray(families), np.asarray(ratings, np.float64)
    if names.ndim != 1 or ratings.shape != names.shape or not np.isfinite(ratings).all():
        raise StatisticsError(
            "ratings and families do not describe the same words",
            seen=f"{ratings.shape} and {names.shape}, {int((~np.isfinite(ratings)).sum())} of the "
            "ratings not finite",
            remedy="Give each word one family and one finite rating.",
        )
    family = np.unique(names, return_inverse=True)[1].reshape(-1)
    count = int(family.max(initial=-1)) + 1
    if count < LEAST_FAMILIES:
        raise StatisticsError(
            f"an agreement needs at least {LEAST_FAMILIES} rated word families",
            seen=count,
            remedy="Give ratings of more of these words, or ask of words that were rated.",
        )
    everything = np.ones(len(family), dtype=np.bool_)
    layout = Layout(everything, family, (len(family), 0), (count, 0), level)
    check_scores(values, layout)
    taus, pseudo = _taus(values, ratings, family)
    by_spelling = taus
    if count < len(family):
        by_spelling, _ = _taus(values, ratings, np.arange(len(family)))
    estimate = float(taus.mean())
    each = pseudo.mean(axis=0)
    words = float(each.var(ddof=1)) / count, count - 1.0
    notes: list[str] = []
    if facets is not None:
        side = each, facets.numbers(layout.words.a, layout.words)
        component = pooled([side])
        words = widened(words, [side], component)
        notes.append(component.note)
    if words[0] < 1e-18:
        raise StatisticsError(
            "the agreement does not vary from word to word, so it has no interval",
            seen=signed(estimate),
            remedy="Look at whether the ratings were made from these scores.",
        )
    by_factor = prompt_parts(taus, prompts, residual_variance(pseudo))
    parts = (words, *(part for part in by_factor if part[0]))
    exploratory = ""
    if len(taus) < GATE_PROMPTS:
        exploratory = (
            f"{len(taus)} prompts are too few for a verdict that can pass "
            f"({GATE_PROMPTS} are needed)"
        )
        notes.append(exploratory)
    effect = Effect(
        estimate=estimate,
        parts=parts,
        low=-1.0,
        high=1.0,
        level=level,
        p=p_value(math.atanh(estimate) * (1 - estimate**2), parts),
        n_words=(len(family),),
        n_families=(count,),
        n_prompts=len(taus),
        method="kendall",
        notes=tuple(notes),
        exploratory=exploratory,
        fisher=True,
        by_spelling=float(by_spelling.mean()),
    )
    low, high = effect.interval(level)
    return replace(effect, low=low, high=high)


def _taus(values: npt.NDArray[Any], ratings: Floats, family: Ints) -> tuple[Floats, Floats]:
    """Each prompt's tau-b (prompts,), and its pseudo-values (prompts, families)."""
    rated = _told_apart(ratings, family)
    k = len(rated)
    found = np.array([
        _jackknifed(_alike(row, ratings, family), _told_apart(row, family), rated)
        for row in np.asarray(values, np.float64)
    ])  # fmt: skip
    taus, without = found[:, 0], found[:, 1:]
    return taus, k * taus[:, None] - (k - 1) * without


def _alike(x: Floats, y: Floats, family: Ints) -> Floats:
    """(families,): for each family the mean, over the other families, of the chance that random
    words of the two are ordered alike by x and y, less the chance that they are not."""
    sizes = np.bincount(family)
    weights = 1 / sizes[family]
    summed = np.empty(len(x))
    step = max(1, _CELLS // len(x))
    for at in range(0, len(x), step):
        rows = slice(at, at + step)
        alike = np.sign(x[rows, None] - x) * np.sign(y[rows, None] - y)
        alike[family[rows, None] == family] = 0.0
        summed[rows] = alike @ weights
    means: Floats = np.bincount(family, weights=summed * weights) / (len(sizes) - 1)
    return means


def _told_apart(x: Floats, family: Ints) -> Floats:
    """(families,): the same chance that the words are not tied in x."""
    sizes = np.bincount(family)
    weights, order = 1 / sizes[family], Order.of(x)
    begin, end = order.spans(weights)
    own = np.unique(family * len(x) + order.begin, return_inverse=True)[1].reshape(-1)
    tied = end - begin - np.bincount(own, weights=weights)[own]  # with words of other families
    chance: Floats = 1 - np.bincount(family, weights=tied * weights) / (len(sizes) - 1)
    return chance


def _jackknifed(both: Floats, of_x: Floats, of_y: Floats) -> Floats:
    """Tau-b from all families, then without each of them in turn."""
    k = len(both)

    def sums(each: Floats) -> Floats:
        whole = each.mean()
        return np.concatenate([[whole], (k * whole - 2 * each) / (k - 2)])

    told_apart = sums(of_x) * sums(of_y)
    if told_apart.min() < 1e-12:  # zero but for rounding
        raise StatisticsError(
            "without one word family all others are tied",
            seen=f"{k} families",
            remedy="Give ratings that tell the words apart.",
        )
    taus: Floats = sums(both) / np.sqrt(told_apart)
    return taus
