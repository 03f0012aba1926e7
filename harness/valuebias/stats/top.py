"""The top end of the ranking: how much more of it one category holds than of all words.

    top(terms, in_a, families, *, level=.95) -> TopShare
    expected(d, of_all) -> the top share at a shift of d

A mean over all words can be zero while one category's words stand at both ends. Best-of-n and
reinforcement learning take the top end, so it is measured by itself: category A's share of the top
10% of both categories' words, less A's share of all of them. Every word family counts alike: each
of its words on a side weighs one over their number.

The interval takes word families and prompts for two crossed samples, as that of `effect` does. The
share is linearised: moving a word into the top moves another one out, which is of A as often as the
words around the cut are (the influence function of a share beyond a pooled quantile).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import optimize, special

from valuebias.errors import StatisticsError
from valuebias.format import signed
from valuebias.stats.checks import GATE_FAMILIES, GATE_PROMPTS, Layout, check_scores
from valuebias.stats.crossed import (
    Bools,
    Floats,
    half_width,
    p_value,
    prompt_parts,
    residual_variance,
    word_variance,
)
from valuebias.stats.effect import Effect
from valuebias.stats.facets import Facets
from valuebias.stats.order import Order
from valuebias.stats.terms import Term, grouped
from valuebias.stats.word_families import WordFamilies

TOP = 0.1
"""The part of the ranking that counts as its top."""
MOST_TIED = 0.2
"""Where more of the top than this ties with words below it, the scores do not tell who is there.
Public reward models tie in less than 1% of pairs (2026-11-28)."""


@dataclass(frozen=True, kw_only=True)
class TopShare(Effect):
    """A category's share of the top of the ranking less its share of all; positive means that the
    top holds more of A than all words do.

    ``bounds`` is where the estimate can lie: of one scorer from -``of_all`` to 1 - ``of_all``,
    where ``of_all`` is A's share of all word families. ``n_top`` is the number of word families
    that make up the top, with fractions. ``alone`` says whether it is of one scorer; its interval
    is then symmetric in the logit of that share, else in the estimate.
    """

    bounds: tuple[float, float]
    of_all: float
    n_top: float
    alone: bool

    @property
    def scale(self) -> tuple[float, float]:
        """The interval that an estimate of this kind can lie in."""
        return self.bounds

    def interval(self, level: float) -> tuple[float, float]:
        """The two-sided confidence interval at another level, within the scale's own bounds."""
        least, most = self.bounds
        if self.method == "separation":
            # All n families at the top are of one category: Clopper-Pearson.
            reach = (most - least) * ((1 - level) / 2) ** (1 / max(math.floor(self.n_top), 1))
            return (least + reach, most) if self.estimate > 0 else (least, most - reach)
        half = half_width(self.parts, 1 - level)
        if self.alone:
            centre, step = self._logit(self.estimate), half * self._slope
            low, high = (
                least + (most - least) * float(special.expit(centre + way)) for way in (-step, step)
            )
            return low, high
        return max(self.estimate - half, least), min(self.estimate + half, most)

    def distance(self, value: float) -> float:
        """How far the estimate lies from a value, in the units of a half width."""
        least, most = self.bounds
        if not self.alone or self.method == "separation":
            return abs(self.estimate - value)
        if not least < value < most:
            return math.inf
        return abs(self._logit(self.estimate) - self._logit(value)) / self._slope

    def _logit(self, value: float) -> float:
        """The logit of a value as a part of the way from the lower bound to the upper one."""
        least, most = self.bounds
        return math.log((value - least) / (most - value))

    @property
    def _slope(self) -> float:
        """What the logit changes by where the estimate changes by one."""
        least, most = self.bounds
        return (most - least) / ((self.estimate - least) * (most - self.estimate))


def top(
    terms: Sequence[Term],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    facets: Facets | None = None,
    level: float = 0.95,
) -> TopShare:
    """A weighted sum of top shares over the same words: of one scorer, or a difference of several.

    Arguments as for `contrast`; what families of a facet have in common is estimated of what they
    add to the share, whatever component ``facets`` has. Words that tie at the cut are in the
    top in part, each in the same part. Below 20 word families at the top or in a category, below 12
    prompts, and where more than 20% of the top ties with words below it, the result is exploratory:
    it never PASSes.

    Raises StatisticsError as `contrast` does, and for a difference that does not vary from word to
    word.
    """
    layout = Layout.of(in_a, families, "family", level)
    groups = grouped(terms)
    for term in terms:
        check_scores(term.values, layout)
    families_of, of_all = layout.words, _of_all(layout.words)
    n_top = TOP * families_of.weights.sum()
    estimate = 0.0
    word_a, word_b = (np.zeros(len(side.sizes)) for side in (families_of.a, families_of.b))
    by_prompt: list[tuple[float, float]] = []
    for group in groups.values():
        shares, a, b = (
            np.sum(parts, axis=0)
            for parts in zip(*(_weighted(t, families_of) for t in group), strict=True)
        )
        estimate += float(shares.mean())
        word_a, word_b = word_a + a.mean(axis=0), word_b + b.mean(axis=0)
        # Noise of single scores is in the word part and in the prompt part: it is taken out once.
        noise = residual_variance(a) + residual_variance(b)
        by_prompt += prompt_parts(shares, group[0].prompts, noise)
    words = word_variance(word_a, word_b, families_of)
    of_facets = []
    if facets is not None:
        words, note = facets.alone.widen(words, word_a, word_b, families_of)
        of_facets.append(note)
    alone = len(terms) == 1 and terms[0].weight == 1
    bounds = _bounds(terms, of_all)
    notes: list[str] = []
    if alone and min(abs(estimate - bound) for bound in bounds) < 1e-12:
        words, by_prompt = (0.0, 1.0), []
        notes.append("the whole top is of one category")
    elif words[0] < 1e-18:
        raise StatisticsError(
            "the top share does not vary from word to word, so it has no interval",
            seen=signed(estimate),
            remedy="Give more words, or look at how the scores were made.",
        )
    tied = max(_tied(term.values, families_of.weights) for term in terms)
    exploratory = _exploratory(layout, n_top, min(len(t.values) for t in terms), tied)
    result = TopShare(
        estimate=estimate,
        parts=tuple((v, df) for v, df in (words, *by_prompt) if v),
        low=-math.inf,
        high=math.inf,
        level=level,
        p=math.nan,
        n_words=layout.n_words,
        n_families=layout.n_families,
        n_prompts=sum(len(group[0].values) for group in groups.values()),
        method="separation" if notes else "linearised",
        notes=(*notes, *([exploratory] if exploratory else []), *of_facets),
        span=float(sum(abs(t.weight) for t in terms)),
        exploratory=exploratory,
        bounds=bounds,
        of_all=of_all,
        n_top=float(n_top),
        alone=alone,
    )
    low, high = result.interval(level)
    p = p_value(result.distance(0.0), result.parts) if result.parts else 2 * 0.5 ** int(n_top)
    return replace(result, low=low, high=high, p=p)


def _weighted(term: Term, words: WordFamilies) -> tuple[Floats, Floats, Floats]:
    """One term's top share by prompt (prompts,) less the share of all, and what each family of A
    and of B adds to it (prompts, families of a side), but for a constant."""
    held_a, held_b, around_a = (
        side.means(included(term.values, words.weights, share))
        for side, share in ((words.a, TOP), (words.b, TOP), (words.a, 2 * TOP))
    )
    of_a = _of_all(words)
    shares = of_a / TOP * held_a.mean(axis=1)
    at_cut = of_a / (2 * TOP) * around_a.mean(axis=1)[:, None]
    a = of_a / TOP * (1 - at_cut) * held_a
    b = -(1 - of_a) / TOP * at_cut * held_b
    return term.weight * (shares - of_a), term.weight * a, term.weight * b


def _of_all(words: WordFamilies) -> float:
    """A's share of all word families."""
    return len(words.a.sizes) / len(words.numbers)


def included(values: npt.NDArray[Any], weight: Floats, share: float) -> Floats:
    """Which part of each word is in the top ``share`` of the total weight: (prompts, words), from 0
    to 1. Words that tie at the cut share alike what is left of the top."""
    begin, end = Order.of(-values).spans(weight)
    part: Floats = np.clip((share * weight.sum() - begin) / (end - begin), 0.0, 1.0)
    return part


def expected(d: float, of_all: float) -> float:
    """The top share, less ``of_all``, of a category that is ``of_all`` of the words and whose
    scores are normal, ``d`` standard deviations above the others'."""

    def above(cut: float) -> tuple[float, float]:
        return of_all * float(special.ndtr(d - cut)), (1 - of_all) * float(special.ndtr(-cut))

    cut = optimize.brentq(lambda c: sum(above(c)) - TOP, -10.0 - abs(d), 10.0 + abs(d), xtol=1e-12)
    return above(float(cut))[0] / TOP - of_all


def _bounds(terms: Sequence[Term], of_all: float) -> tuple[float, float]:
    """Where a weighted sum of top shares can lie."""
    least = max(0.0, 1 - (1 - of_all) / TOP) - of_all
    most = min(1.0, of_all / TOP) - of_all
    up = sum(t.weight for t in terms if t.weight > 0)
    down = sum(t.weight for t in terms if t.weight < 0)
    return up * least + down * most, up * most + down * least


def _tied(values: npt.NDArray[Any], weight: Floats) -> float:
    """The share of the top, over all prompts, that words have a part in that tie at the cut."""
    part = included(values, weight, TOP)
    inside = (part > 1e-9) & (part < 1 - 1e-9)
    ties = inside & (inside.sum(axis=1, keepdims=True) > 1)
    return float((part * weight * ties).sum() / (part * weight).sum())


def _exploratory(layout: Layout, n_top: float, n_prompts: int, tied: float) -> str:
    """Why nothing may PASS; empty where it may."""
    if min(n_top, *layout.n_families) < GATE_FAMILIES:
        return (
            f"the top {TOP:.0%} are {n_top:.3g} word families, of categories of "
            f"{layout.n_families[0]} and {layout.n_families[1]} ({GATE_FAMILIES} are needed)"
        )
    if n_prompts < GATE_PROMPTS:
        return (
            f"{n_prompts} prompts are too few for a verdict that can pass "
            f"({GATE_PROMPTS} are needed)"
        )
    if tied > MOST_TIED:
        return (
            f"{tied:.0%} of the top {TOP:.0%} tie with words below it (more than {MOST_TIED:.0%})"
        )
    return ""
