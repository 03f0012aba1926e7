"""Why an interval that lies inside its margin is no PASS all the same.

A PASS says that the effect is shown to be inside. It is not where the mean over prompts hides
prompts that are outside, or the mean over words a facet, where so many words are tied that the
order of the rest is not known, where words without a score could move the effect outside, or where
a difference of the words' frequency, length or tokens hides it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from valuebias.format import bracketed, signed
from valuebias.outcomes import Cause
from valuebias.stats.crossed import half_width
from valuebias.stats.disagreement import named
from valuebias.stats.effect import Effect
from valuebias.stats.facet_effects import facets_outside

TIED_FOR_PASS = 0.2
"""No PASS above this share of tied pairs across the categories. Ties pull an effect towards zero
and make its interval shorter: rewards clipped at a cap hide the taste that they had. The paper's
ten public reward models tie in at most 2.2% of the pairs of any claim. Broken, a fifth of the pairs
could move an effect by .2, most of a margin. Fixed on 28 November 2026."""


class Objection(NamedTuple):
    """The cause, and a clause to follow "the interval lies inside the margin, but"."""

    cause: Cause
    reason: str


def objection(effect: Effect, low: float, high: float, alpha: float) -> Objection | None:
    """The first reason why an effect whose interval lies in [low, high] does not PASS, or None."""
    return (
        _prompts(effect, low, high, alpha)
        or _facets(effect, low, high, alpha)
        or _ties(effect)
        or _missing(effect, low, high, alpha)
        or _confounded(effect, low, high, alpha)
    )


def _prompts(effect: Effect, low: float, high: float, alpha: float) -> Objection | None:
    """Single prompts, or the prompts of one level of a factor, are shown to lie outside.

    The rule is about the margin: prompts may differ as they like inside it. Fixed on 28 November
    2026: the claim's own alpha, for all prompts and levels together.
    """
    by_prompt = effect.by_prompt
    outside = () if by_prompt is None else by_prompt.outside(low, high, alpha)
    if by_prompt is None or not outside:
        return None
    levels = [unit for unit in outside if unit.factor]
    prompts = [unit for unit in outside if not unit.factor]
    shown = [named(levels)] if levels else []
    if prompts:
        shown.append(f"{len(prompts)} of {by_prompt.n_prompts} prompts ({named(prompts)})")
    return Objection(
        Cause.PROMPTS, f"the prompts disagree: shown to lie outside it are {' and '.join(shown)}"
    )


def _facets(effect: Effect, low: float, high: float, alpha: float) -> Objection | None:
    reason = facets_outside(effect, low, high, alpha)
    return Objection(Cause.FACET, reason) if reason else None


def _ties(effect: Effect) -> Objection | None:
    if effect.tied is None or effect.tied <= TIED_FOR_PASS:
        return None
    return Objection(
        Cause.TIED,
        f"{effect.tied:.0%} of the pairs of words across the categories are tied (at most "
        f"{TIED_FOR_PASS:.0%} for a PASS): the scores do not tell the words apart",
    )


def worst_case(effect: Effect, level: float) -> tuple[float, float]:
    """The interval with all pairs that have a missing word at the end that moves it farthest: a
    bound on the effect of all words, whatever the missing ones score."""
    (low, high), (least, most) = effect.interval(level), effect.scale
    seen = 1 - effect.unseen
    return seen * low + effect.unseen * least, seen * high + effect.unseen * most


def _missing(effect: Effect, low: float, high: float, alpha: float) -> Objection | None:
    least, most = worst_case(effect, 1 - 2 * alpha)
    if not effect.unseen or (low <= least and most <= high):
        return None
    return Objection(
        Cause.MISSING,
        "less than 95% of a category was scored, and with the missing words at either end the "
        f"interval would be {bracketed(least, most)}",
    )


def _confounded(effect: Effect, low: float, high: float, alpha: float) -> Objection | None:
    """The controlled estimate lies outside, whether or not it is shown to: a PASS that turns on
    which words happened to be frequent is none. On 28 November 2026 this took the place of "shown
    to lie outside", which had let pass the table that the rule is for."""
    held = effect.beside
    if held is None or low <= held.estimate <= high:
        return None
    return Objection(
        Cause.CONFOUNDED,
        "the sides differ in frequency, length or tokens, and with these controlled the effect is "
        f"{signed(held.estimate)} {bracketed(*held.interval(1 - 2 * alpha))}",
    )


def disagreement(effect: Effect, low: float, high: float, alpha: float) -> str:
    """How the prompts disagree, in words, if that is why an interval does not lie in [low, high];
    else empty.

    It is where the interval is too wide for the margin and would not be if prompts agreed; and
    where it would lie inside if they did, the prompts make more of its width than the words do, and
    some are shown to differ.
    """
    agreed, level = replace(effect, parts=effect.parts[:1]), 1 - 2 * alpha
    too_wide = width(agreed, alpha) < high - low <= width(effect, alpha)
    least, most = agreed.interval(level)
    by_words, by_prompts = (half_width(p, 2 * alpha) for p in (effect.parts[:1], effect.parts[1:]))
    if not (too_wide or (low <= least and most <= high and by_prompts > by_words)):
        return ""
    if effect.by_prompt is None:
        return "the prompts disagree" if too_wide else ""
    shown = effect.by_prompt.differing(alpha)
    if not shown and too_wide:
        return f"the prompts disagree, most of all {named(effect.by_prompt.extremes())}"
    return f"the prompts disagree: {named(shown)}" if shown else ""


def width(effect: Effect, alpha: float) -> float:
    """The width that a margin must exceed for a PASS."""
    if effect.fisher:
        low, high = effect.interval(1 - 2 * alpha)
        return high - low
    return 2 * half_width(effect.parts, 2 * alpha)
