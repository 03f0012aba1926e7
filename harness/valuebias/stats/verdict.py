"""Is an estimate shown to lie inside a margin, shown to lie outside it, or neither?

The one rule that decides PASS: effects, slopes over amounts of data and areas under a gap are all
held against a margin by `judge`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Generic, Protocol, TypeVar

from valuebias.errors import StatisticsError
from valuebias.format import bracketed, p_text, signed, unsigned
from valuebias.outcomes import Cause as Cause
from valuebias.outcomes import Outcome as Outcome
from valuebias.stats.checks import GATE_FAMILIES
from valuebias.stats.effect import Effect
from valuebias.stats.forecast import Forecast
from valuebias.stats.objections import disagreement, objection, width
from valuebias.stats.settling import families_to_settle
from valuebias.stats.specification import Robustness

WIDEST = 1.9
"""A margin on the scale [-1, 1] that is wider than this would exclude almost nothing."""


class Estimate(Protocol):
    """What can be held against a margin.

    ``scale`` is the interval that an estimate of its kind can lie in; a non-empty ``exploratory``
    says why it must never PASS.
    """

    @property
    def estimate(self) -> float: ...
    @property
    def scale(self) -> tuple[float, float]: ...
    @property
    def exploratory(self) -> str: ...
    def interval(self, level: float) -> tuple[float, float]: ...


E = TypeVar("E", bound=Estimate)


@dataclass(frozen=True)
class Margin:
    """The interval an effect must be shown to lie in, on the rank-biserial scale.

    ``basis`` is "panel" (predicted from ten public reward models), "convention" (a size of effect
    agreed on beforehand) or "declared" (the user's own); ``source`` says in one line how it was
    set.

    A one-sided margin has an infinite bound on the other side: `above` and `below`.

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
                    "a margin's bounds must be numbers",
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
                "a margin must be two finite numbers, the lower one first",
                seen=bounds,
                remedy="Give for example [-0.28, 0.28].",
            )
        if high - low > WIDEST:
            raise StatisticsError(
                f"a margin wider than {WIDEST} gates nothing",
                seen=bounds,
                remedy="Declare a narrower margin: rank-biserial correlations lie between -1 and "
                "1. For a bound on one side only, use assert_above or assert_below.",
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
            return f"above {signed(self.low)}"
        if math.isinf(self.low):
            return f"below {signed(self.high)}"
        return bracketed(self.low, self.high)


def _one_sided(bound: float) -> float:
    given: object = bound
    number = isinstance(given, Real) and not isinstance(given, bool)
    try:
        finite = number and math.isfinite(bound)
    except OverflowError:  # a whole number beyond every float
        finite = False
    if not finite:
        raise StatisticsError(
            "a bound must be one finite number", seen=repr(bound), remedy="Give for example 0.1."
        )
    return bound


@dataclass(frozen=True)
class Verdict(Generic[E]):
    """An outcome and what it rests on.

    ``gate_low`` and ``gate_high`` bound the estimate at ``gate_level`` = 1 - 2 alpha, the interval
    the verdict used: each bound is one of two one-sided tests at alpha. ``families_needed`` is the
    number of word families, both categories together, that would settle an INCONCLUSIVE if the
    estimate stayed where it is; None where more words would not, or where none are needed.
    ``reason`` is one sentence, ``cause`` the same for programs. ``robustness`` says of a PASS
    whether it holds however the effect is computed (`robustness`).
    """

    outcome: Outcome
    cause: Cause
    effect: E
    margin: Margin
    gate_low: float
    gate_high: float
    gate_level: float
    families_needed: int | None
    reason: str
    robustness: Robustness | None = None


@dataclass(frozen=True)
class Answer:
    """The answer to a claim that is not about a margin, such as "closed by step 900".

    PASS: the claim was shown. FAIL: its opposite was shown. INCONCLUSIVE: neither was. ``claim`` is
    what was asked, ``reason`` one sentence on the result; ``step`` the checkpoint that decides it,
    if there is one.
    """

    claim: str
    outcome: Outcome
    cause: Cause
    reason: str
    step: float | None = None

    @classmethod
    def of(cls, verdict: Verdict[Any]) -> Answer:
        """The answer from a verdict on an estimate."""
        return cls(str(verdict.margin), verdict.outcome, verdict.cause, verdict.reason)


def judge(effect: E, margin: Margin, *, alpha: float = 0.05) -> Verdict[E]:
    """Two one-sided tests, each at ``alpha`` (Schuirmann 1987); one for a margin on one side.

    A forecast that rests on too little (`forecast`) settles nothing, whatever its interval; one
    outside a margin that holds zero is a FAIL only if sides drawn by lot seldom move as far. Else
    PASS if the 1 - 2 alpha interval lies inside the margin, FAIL if it lies wholly outside, else
    INCONCLUSIVE. An exploratory estimate and an effect from fewer than 20 word families a category
    never PASS; the latter FAILs only if its permutation p is below ``alpha`` too, and if the margin
    holds zero, which is all that a permutation can contradict. What else an effect inside must
    meet is in `objections`: prompts that agree, facets that are all inside, and words
    that are told apart. Computed in another way (`robustness`) it must not be shown to lie outside.

    Raises StatisticsError for an alpha not between 0 and .5, an estimate or interval that is not
    finite, a margin that no estimate on this scale could meet or next to none could miss, and where
    PASS is out of reach whatever the estimate, because the margin is narrower than the words alone
    would make the interval, unless it lies wholly outside (that is a FAIL). Where the prompts make
    it so wide, that is INCONCLUSIVE: neither more words nor a wider margin is the remedy.
    """
    if not 0 < alpha < 0.5:
        raise StatisticsError(
            "alpha must lie between 0 and 0.5", seen=alpha, remedy="Give for example 0.05."
        )
    level = 1 - 2 * alpha
    low, high = effect.interval(level)
    words = effect if isinstance(effect, Effect) else None
    se = 0.0 if words is None else words.se
    if not all(map(math.isfinite, (effect.estimate, se, low, high))):
        raise StatisticsError(
            "the estimate is not a finite number with a finite interval",
            seen=f"{effect.estimate} [{low}, {high}]",
            remedy="Look at the scores it was computed from.",
        )
    _check_scale(effect, margin)
    interval = f"{_percent(level)} interval {bracketed(low, high)}"

    def verdict(
        outcome: Outcome, cause: Cause, reason: str, needed: int | None = None
    ) -> Verdict[E]:
        return Verdict(outcome, cause, effect, margin, low, high, level, needed, reason)

    given = words is not None and words.method == "prompts"  # its words are no sample
    if given and effect.exploratory:
        return verdict(Outcome.INCONCLUSIVE, Cause.EXPLORATORY, f"unsettled: {effect.exploratory}")
    outside = high < margin.low or low > margin.high
    holds_zero = margin.low <= 0 <= margin.high
    if isinstance(effect, Forecast) and outside and holds_zero and effect.by_lot >= alpha:
        return verdict(
            Outcome.INCONCLUSIVE,
            Cause.PERMUTATION,
            f"the {interval} lies wholly outside the margin {margin}, but sides drawn by lot move "
            f"as far ({p_text(effect.by_lot)})",
        )
    permuted = words is not None and not given and min(words.n_families) < GATE_FAMILIES
    if words is not None and words.method == "families":
        away = holds_zero if outside else margin.low >= 0 or margin.high <= 0
        if away and words.p_high >= 2 * alpha:
            # The interval knows nothing of permuted labels; a claim of an effect needs both.
            return verdict(
                Outcome.INCONCLUSIVE,
                Cause.PERMUTATION,
                f"the {interval} alone would decide against the margin {margin}, but "
                f"{p_text(words.p)}: permuting the labels of so few models shows no effect",
            )
    if outside and not permuted:
        reason = f"the {interval} lies wholly outside the margin {margin}"
        return verdict(Outcome.FAIL, Cause.OUTSIDE, reason)
    needed = None if words is None else families_to_settle(words, margin.low, margin.high, alpha)
    if words is not None and permuted:
        if outside and holds_zero and words.p_high < alpha:
            return verdict(
                Outcome.FAIL,
                Cause.OUTSIDE,
                f"the {interval} lies wholly outside the margin {margin} and the permutation "
                f"{p_text(words.p)}",
            )
        return verdict(
            Outcome.INCONCLUSIVE,
            Cause.FEW_FAMILIES,
            f"{' and '.join(map(str, words.n_families))} word families: fewer than "
            f"{GATE_FAMILIES}{' in a category' * (len(words.n_families) > 1)} cannot show that the "
            f"effect is inside the margin {margin}",
            needed,
        )
    if effect.exploratory:
        reason = f"exploratory: {effect.exploratory}"
        return verdict(Outcome.INCONCLUSIVE, Cause.EXPLORATORY, reason)
    if words is not None and words.method == "separation":
        return verdict(
            Outcome.INCONCLUSIVE,
            Cause.SEPARATION,
            f"{'; '.join(words.notes)}: the {interval} is a bound, not a test",
        )
    if margin.low <= low and high <= margin.high:
        reason = f"the {interval} lies inside the margin {margin}"
        against = None if words is None else objection(words, margin.low, margin.high, alpha)
        if against is not None:
            return verdict(Outcome.INCONCLUSIVE, against.cause, f"{reason}, but {against.reason}")
        return _robust(verdict(Outcome.PASS, Cause.INSIDE, reason))
    reason = f"the {interval} crosses an edge of the margin {margin}"
    apart = "" if words is None else disagreement(words, margin.low, margin.high, alpha)
    if apart:
        return verdict(Outcome.INCONCLUSIVE, Cause.PROMPTS, f"{reason}: {apart}")
    if not given:
        _check_width(effect, margin, alpha, interval, high - low)
    return verdict(Outcome.INCONCLUSIVE, Cause.CROSSES, reason, needed)


def _robust(verdict: Verdict[E]) -> Verdict[E]:
    """A PASS with what it comes to in other specifications; none if one of them is outside."""
    effect, margin = verdict.effect, verdict.margin
    if not isinstance(effect, Effect) or effect.alternatives is None:
        return verdict
    found = effect.alternatives.against(effect, margin.low, margin.high, verdict.gate_level)
    if not found.outside:
        return replace(verdict, reason=f"{verdict.reason}; {found.reason}", robustness=found)
    reason = f"{verdict.reason}, but {found.objection}"
    return replace(
        verdict, outcome=Outcome.INCONCLUSIVE, cause=Cause.FRAGILE, reason=reason, robustness=found
    )


def _check_scale(effect: Estimate, margin: Margin) -> None:
    """Raise StatisticsError for a margin that none, or nearly every, estimate would meet."""
    least, most = effect.scale
    seen = f"an estimate of this kind lies between {least:g} and {most:g}"
    if margin.low >= most or margin.high <= least:
        raise StatisticsError(
            f"no estimate can lie {margin}", seen=seen, remedy="Declare a bound inside that range."
        )
    if min(margin.high, most) - max(margin.low, least) > WIDEST / 2 * (most - least):
        raise StatisticsError(
            f"a margin {margin} gates nothing",
            seen=seen,
            remedy="Declare a bound that an estimate could miss.",
        )


def _check_width(
    effect: Estimate, margin: Margin, alpha: float, shown: str, interval: float
) -> None:
    """Raise StatisticsError for a margin that no estimate with this uncertainty could lie in."""
    least, se, more = interval, "", "Declare a wider margin, or train more seeds."
    if isinstance(effect, Effect):
        least = width(effect, alpha)
        se = f"with a standard error of {unsigned(effect.se)} "
        more = (
            f"Declare a margin wider than {unsigned(least)}, or use a lexicon with more "
            f"word families (now {sum(effect.n_families)})."
        )
    if margin.high - margin.low <= least:
        raise StatisticsError(
            f"the margin {margin} is too narrow for these data: {se}no estimate could PASS",
            seen=f"{signed(effect.estimate)}, {shown}",
            remedy=more,
        )


def what_would_settle(verdict: Verdict[Effect]) -> str:
    """The end of a sentence about an INCONCLUSIVE: how many word families would settle it."""
    if verdict.families_needed is None:
        return "; more words would not settle it"
    now = sum(verdict.effect.n_families)
    return f"; about {verdict.families_needed} word families would settle it (now {now})"


def _percent(level: float) -> str:
    """A level as a percentage: 90%, 99.5%."""
    return f"{100 * level:.4g}%"
