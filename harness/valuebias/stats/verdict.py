"""Is an effect shown to lie inside a margin, shown to lie outside it, or neither?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from numbers import Real

from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.stats.checks import GATE_FAMILIES
from valuebias.stats.crossed import half_width
from valuebias.stats.effect import Effect
from valuebias.stats.regression import Regression

WIDEST = 1.9
"""A margin wider than this part of the scale's [-1, 1] leaves next to nothing to be shown."""


class Outcome(StrEnum):
    """PASS: shown to be inside. FAIL: shown to be outside. INCONCLUSIVE: neither was shown."""

    PASS = "PASS"
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"


@dataclass(frozen=True)
class Margin:
    """The interval an effect must be shown to lie in, on the rank-biserial scale.

    ``basis`` is "panel" (what ten public reward models do), "convention" (a size of effect agreed
    on beforehand) or "declared" (the user's own); ``source`` says in one line where it comes from.

    A margin on one side alone has an infinite bound on the other: `above` and `below`.

    Raises StatisticsError unless the bounds are two finite numbers, the lower one first and no more
    than 1.9 apart, or one finite number. A difference of two models may lie anywhere in [-2, 2];
    the same width holds.
    """

    low: float
    high: float
    basis: str = "declared"
    source: str = ""

    def __post_init__(self) -> None:
        given: tuple[object, ...] = (self.low, self.high)
        for bound in given:
            if isinstance(bound, bool) or not isinstance(bound, Real):
                raise StatisticsError(
                    "a margin's bounds are numbers",
                    seen=f"{bound!r} ({type(bound).__name__})",
                    remedy="Give for example Margin(-0.28, 0.28).",
                )
        try:
            low, high = float(self.low), float(self.high)
        except OverflowError:  # a whole number beyond every float
            low = high = math.nan
        bounds = f"[{low:g}, {high:g}]"
        one_sided = math.isfinite(low) and high == math.inf
        one_sided |= math.isfinite(high) and low == -math.inf
        if one_sided:
            return
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise StatisticsError(
                "a margin is two finite numbers, the lower one first",
                seen=bounds,
                remedy="Give for example [-0.28, 0.28].",
            )
        if high - low > WIDEST:
            raise StatisticsError(
                f"a margin wider than {WIDEST} gates nothing",
                seen=bounds,
                remedy="Rank-biserial correlations lie between -1 and 1: declare less. For a bound "
                "on one side alone, use assert_above or assert_below.",
            )

    @classmethod
    def above(cls, bound: float, basis: str = "declared", source: str = "") -> Margin:
        """An effect must be shown to lie above this bound."""
        return cls(_one_sided(bound), math.inf, basis, source)

    @classmethod
    def below(cls, bound: float, basis: str = "declared", source: str = "") -> Margin:
        """An effect must be shown to lie below this bound."""
        return cls(-math.inf, _one_sided(bound), basis, source)

    def __str__(self) -> str:
        if math.isinf(self.high):
            return f"above {self.low:+.3f}"
        if math.isinf(self.low):
            return f"below {self.high:+.3f}"
        return f"[{self.low:+.3f}, {self.high:+.3f}]"


def _one_sided(bound: float) -> float:
    given: object = bound
    number = isinstance(given, Real) and not isinstance(given, bool)
    try:
        finite = number and math.isfinite(bound)
    except OverflowError:  # a whole number beyond every float
        finite = False
    if not finite:
        raise StatisticsError(
            "a bound is one finite number", seen=repr(bound), remedy="Give for example 0.1."
        )
    return bound


@dataclass(frozen=True)
class Verdict:
    """An outcome and what it rests on.

    ``gate_low`` and ``gate_high`` bound the effect at ``gate_level`` = 1 - 2 alpha, the interval
    the verdict used: each bound is one of two one-sided tests at alpha. ``families_needed`` is the
    number of word families, both categories together, that would settle an INCONCLUSIVE if the
    estimate stayed where it is; None where more words would not, or where none are needed.
    ``reason`` is one sentence.
    """

    outcome: Outcome
    effect: Effect
    margin: Margin
    gate_low: float
    gate_high: float
    gate_level: float
    families_needed: int | None
    reason: str


def judge(effect: Effect, margin: Margin, *, alpha: float = 0.05) -> Verdict:
    """Two one-sided tests, each at ``alpha`` (Schuirmann 1987); one for a margin on one side.

    PASS if the 1 - 2 alpha interval lies inside the margin, FAIL if it lies wholly outside, else
    INCONCLUSIVE. An exploratory effect and one from fewer than 20 word families a category never
    PASS; the latter FAILs only if its permutation p is below ``alpha`` too, and if the margin holds
    zero, which is all that a permutation can contradict.

    Raises StatisticsError where PASS is out of reach whatever the estimate, because the margin is
    narrower than the interval, unless the interval lies wholly outside (that is a FAIL).
    """
    if not 0 < alpha < 0.5:
        raise StatisticsError("alpha lies between 0 and 0.5", seen=alpha, remedy="Give 0.05.")
    level = 1 - 2 * alpha
    low, high = effect.interval(level)
    if not all(map(math.isfinite, (effect.estimate, effect.se, low, high))):
        raise StatisticsError(
            "the effect is not a finite number with a finite interval",
            seen=f"{effect.estimate} [{low}, {high}]",
            remedy="Look at the scores it was computed from.",
        )
    if margin.low >= effect.span or margin.high <= -effect.span:
        raise StatisticsError(
            f"no effect can lie {margin}",
            seen=f"an effect of this kind lies between {-effect.span:g} and {effect.span:g}",
            remedy="Declare a bound inside that.",
        )
    inside = min(margin.high, effect.span) - max(margin.low, -effect.span)
    if inside > WIDEST * effect.span:
        raise StatisticsError(
            f"a margin {margin} gates nothing",
            seen=f"an effect of this kind lies between {-effect.span:g} and {effect.span:g}",
            remedy="Declare a bound that an effect could miss.",
        )
    found = f"{_percent(level)} interval [{low:+.3f}, {high:+.3f}]"
    bounds = str(margin)

    def verdict(outcome: Outcome, reason: str, needed: int | None = None) -> Verdict:
        return Verdict(outcome, effect, margin, low, high, level, needed, reason)

    permuted = min(effect.n_families) < GATE_FAMILIES
    outside = high < margin.low or low > margin.high
    away = margin.low <= 0 <= margin.high if outside else margin.low >= 0 or margin.high <= 0
    if effect.method == "families" and away and effect.p_high >= 2 * alpha:
        # The interval knows nothing of permuted labels; a claim of an effect needs both.
        return verdict(
            Outcome.INCONCLUSIVE,
            f"the {found} would do against the margin {bounds}, but p is {effect.p:.4f}: permuting "
            "the labels of so few models shows no effect",
        )
    if outside and not permuted:
        return verdict(Outcome.FAIL, f"the {found} lies wholly outside the margin {bounds}")
    if outside and margin.low <= 0 <= margin.high and effect.p_high < alpha:
        return verdict(
            Outcome.FAIL,
            f"the {found} lies wholly outside the margin {bounds} and the permutation p is "
            f"{effect.p:.4f}",
        )
    needed = _families_needed(effect, margin, alpha)
    if permuted:
        return verdict(
            Outcome.INCONCLUSIVE,
            f"{effect.n_families[0]} and {effect.n_families[1]} word families: fewer than "
            f"{GATE_FAMILIES} in a category cannot show that the effect is inside the margin "
            f"{bounds}",
            needed,
        )
    if effect.exploratory:
        return verdict(Outcome.INCONCLUSIVE, f"exploratory: {effect.exploratory}")
    if effect.method == "separation":
        return verdict(
            Outcome.INCONCLUSIVE, f"{'; '.join(effect.notes)}: the {found} is a bound, not a test"
        )
    if margin.low <= low and high <= margin.high:
        return verdict(Outcome.PASS, f"the {found} lies inside the margin {bounds}")
    least = high - low if effect.fisher else 2 * half_width(effect.parts, 2 * alpha)
    if margin.high - margin.low <= least:
        raise StatisticsError(
            f"the margin {bounds} is too narrow for these data: with a standard error of "
            f"{effect.se:.3f} no estimate could PASS",
            seen=f"{effect.estimate:+.3f}, {found}",
            remedy=f"Declare a margin wider than {least:.3f}, or use a lexicon with more word "
            f"families (now {sum(effect.n_families)}).",
        )
    return verdict(
        Outcome.INCONCLUSIVE, f"the {found} crosses an edge of the margin {bounds}", needed
    )


def what_would_settle(verdict: Verdict) -> str:
    """The end of a sentence on an INCONCLUSIVE: how many word families would settle it."""
    if verdict.families_needed is None:
        return "; more words would not settle it"
    now = sum(verdict.effect.n_families)
    return f"; about {verdict.families_needed} word families would settle it (now {now})"


def _families_needed(effect: Effect, margin: Margin, alpha: float) -> int | None:
    """Families at which the interval around this very estimate would no longer cross an edge.

    More words shrink the word part of the variance only. At least 20 families a category.
    """
    if isinstance(effect, Regression):
        alpha /= 2  # either sign is tested at half
    distance = min(effect.distance(edge) for edge in (margin.low, margin.high))
    target = distance**2 - half_width(effect.parts[1:], 2 * alpha) ** 2
    if target <= 0 or not effect.parts:
        return None
    factor = effect.parts[0][0] * float(stats.norm.ppf(1 - alpha)) ** 2 / target
    factor = max(factor, GATE_FAMILIES / min(effect.n_families))
    needed = max(math.ceil(sum(effect.n_families) * factor), sum(effect.n_families) + 1)
    return needed if needed <= 100_000 else None  # the estimate lies on the edge


def _percent(level: float) -> str:
    """90%, and 99.5% where that is what it is."""
    return f"{100 * level:.4g}%"
