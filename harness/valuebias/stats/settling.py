"""How many word families would settle a verdict that the sample leaves open."""

from __future__ import annotations

import math

from scipy import special

from valuebias.stats.checks import GATE_FAMILIES
from valuebias.stats.crossed import half_width
from valuebias.stats.effect import Effect
from valuebias.stats.outside import Outside
from valuebias.stats.regression import Regression


def families_to_settle(effect: Effect, low: float, high: float, alpha: float) -> int | None:
    """Families, both categories together, at which the interval around this very estimate would no
    longer cross an edge of [low, high]; None where more words would not settle it.

    More words shrink the word part of the variance only, and a forecast's words are no sample. At
    least 20 families a category.
    """
    if effect.method == "prompts" or not effect.parts:
        return None
    if isinstance(effect, Regression | Outside):
        alpha /= 2  # either sign is tested at half
    distance = min(effect.distance(edge) for edge in (low, high))
    target = distance**2 - half_width(effect.parts[1:], 2 * alpha) ** 2
    if target <= 0:
        return None
    factor = effect.parts[0][0] * float(special.ndtri(1 - alpha)) ** 2 / target
    now = sum(effect.n_families)
    needed = now * max(factor, GATE_FAMILIES / min(effect.n_families))
    return None if needed > 100_000 else max(math.ceil(needed), now + 1)  # on an edge
