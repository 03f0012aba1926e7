"""Is a scorer further from zero than another, on either side? What a gap of two runs rests on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy.typing as npt

from valuebias.stats.crossed import Bools
from valuebias.stats.effect import Effect, Term, contrast
from valuebias.stats.facets import Facets


@dataclass(frozen=True, kw_only=True)
class Regression(Effect):
    """|effect of the new scorer| - |effect of the old|, over the same words and prompts.

    Positive means that the new one is further from zero. ``difference`` and ``total`` are the
    contrasts new - old and new + old that it is bounded by: with the sign of the old effect known
    to be s, |new| - |old| is the larger of s(new - s old) and -(new + s old).
    """

    difference: Effect
    total: Effect

    @property
    def signs(self) -> tuple[float, float]:
        """1 or -1: whether the new effect lies above zero, and whether the old one's sign is its
        own."""
        new = self.total.estimate + self.difference.estimate
        old = self.total.estimate - self.difference.estimate
        return (1.0 if new >= 0 else -1.0), (1.0 if new * old >= 0 else -1.0)

    def interval(self, level: float) -> tuple[float, float]:
        """Bounds that hold at (1 - level) / 2 each. The signs are learnt from the same data, so
        that either sign is tested at half of that (Bonferroni)."""
        (d_low, d_high), (t_low, t_high) = (
            e.interval(1 - (1 - level) / 2) for e in (self.difference, self.total)
        )
        # For either sign of the old effect: new - old and -new - old, or new + old and old - new.
        high = min(max(d_high, -t_low), max(t_high, -d_low))
        # For either sign of the new effect: new - old and new + old, or their negatives.
        low = max(min(d_low, t_low), min(-t_high, -d_high))
        return max(low, -self.span), min(high, self.span)


def regression(
    new: Sequence[Term],
    old: Sequence[Term],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    facets: Facets | None = None,
    level: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
) -> Regression:
    """How much further from zero the new scorer's effect lies than the old one's.

    Arguments and errors as for `contrast`; both sides are scored on the same prompts and words.
    """
    against = [replace(term, weight=-term.weight) for term in old]
    difference, total = (
        contrast([*new, *other], in_a, families, facets=facets, level=level, alpha=alpha, seed=seed)
        for other in (against, old)
    )
    mine, theirs = (
        (total.estimate + difference.estimate) / 2,
        (total.estimate - difference.estimate) / 2,
    )
    nearer = difference if mine * theirs >= 0 else total
    return bounded(
        Regression,
        nearer,
        1.0 if mine >= 0 else -1.0,
        level,
        estimate=abs(mine) - abs(theirs),
        span=span_of(new, old),
        by_spelling=_further(difference.by_spelling, total.by_spelling),
        difference=difference,
        total=total,
    )


def span_of(new: Sequence[Term], old: Sequence[Term]) -> float:
    """How far from zero either side's effect can lie."""
    return float(max(sum(abs(t.weight) for t in side) for side in (new, old)))


_E = TypeVar("_E", bound=Effect)


def bounded(kind: type[_E], nearer: Effect, sign: float, level: float, **own: Any) -> _E:
    """An estimate that is bounded by two contrasts, of which ``nearer`` with this ``sign`` is the
    one that it equals: of that contrast is all that is not its ``own``."""
    shared = {name: getattr(nearer, name) for name in Effect.__dataclass_fields__}
    result = kind(**shared | own)
    low, high = result.interval(level)
    turned = None if nearer.by_prompt is None else nearer.by_prompt.times(sign)
    return replace(result, low=low, high=high, by_prompt=turned)


def _further(difference: float | None, total: float | None) -> float | None:
    """|new| - |old| of the estimates whose difference and sum these are."""
    if difference is None or total is None:
        return None
    return (abs(total + difference) - abs(total - difference)) / 2
