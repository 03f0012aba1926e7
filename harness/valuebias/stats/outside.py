"""Has an effect moved away from zero, or across it? What "no worse than the last release" rests on.

`regression` compares distances from zero alone, whatever the sides, as a gap of two runs needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from valuebias.stats.crossed import Bools
from valuebias.stats.effect import Effect, Term, contrast
from valuebias.stats.facets import Facets
from valuebias.stats.regression import bounded, span_of


@dataclass(frozen=True, kw_only=True)
class Outside(Effect):
    """How far the new scorer's effect lies outside the span from zero to the old one's, over the
    same words and prompts.

    With the old effect above zero it is the larger of new - old and -new, else of old - new and
    new. Below zero the new effect lies between zero and the old one. Above zero it lies further
    from zero on the same side, by |new| - |old|, or on the other side of zero, by |new|: an effect
    that changes its sign and keeps its size is a change, not "no worse". It is bounded by
    ``difference``, the contrast new - old, and ``alone``, the new effect itself.
    """

    difference: Effect
    alone: Effect

    @property
    def old(self) -> float:
        """The old effect."""
        return self.alone.estimate - self.difference.estimate

    @property
    def crossed(self) -> bool:
        """Whether the two effects lie on different sides of zero."""
        return self.old * self.alone.estimate < 0

    @property
    def weights(self) -> tuple[float, float]:
        """What the new and the old ranks count in the estimate: that of the old is 0 where the
        estimate is the new effect's distance beyond zero."""
        return _weights(self.alone.estimate, self.old)

    def interval(self, level: float) -> tuple[float, float]:
        """Bounds that hold at (1 - level) / 2 each.

        The sign of the old effect is learnt from the same data: a bound that either sign could have
        given is tested at half of that (Bonferroni). The size of the difference needs no sign and
        is always an upper bound: where it is shown to be small, so is this.
        """
        (d_low, d_high), (n_low, n_high) = (
            e.interval(1 - (1 - level) / 2) for e in (self.difference, self.alone)
        )
        above, below = max(d_high, -n_low), max(-d_low, n_high)
        high = min(above, below, max(d_high, -d_low))
        low = min(max(d_low, -n_high), max(-d_high, n_low))
        return max(low, -self.span), min(high, self.span)


def outside(
    new: Sequence[Term],
    old: Sequence[Term],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    facets: Facets | None = None,
    level: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
) -> Outside:
    """How far the new scorer's effect lies outside the span from zero to the old one's.

    Arguments and errors as for `contrast`; both sides are scored on the same prompts and words.
    """
    against = [replace(term, weight=-term.weight) for term in old]
    difference, alone = (
        contrast(terms, in_a, families, facets=facets, level=level, alpha=alpha, seed=seed)
        for terms in ([*new, *against], new)
    )
    theirs = alone.estimate - difference.estimate
    mine, minus = _weights(alone.estimate, theirs)
    nearer = difference if minus else alone
    return bounded(
        Outside,
        nearer,
        mine,
        level,
        estimate=mine * nearer.estimate,
        span=span_of(new, old),
        by_spelling=None if nearer.by_spelling is None else mine * nearer.by_spelling,
        difference=difference,
        alone=alone,
    )


def _weights(new: float, old: float) -> tuple[float, float]:
    """The larger of sign(old) (new - old) and -sign(old) new, as weights of new and old."""
    side = 1.0 if old >= 0 else -1.0
    if side * (new - old) >= -side * new:
        return side, -side
    return -side, 0.0
