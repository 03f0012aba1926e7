"""What is shown of a claim that is not one about an `Effect`: the same three outcomes, a sentence.

Answer(claim, outcome, reason, step=None)
hold(found, margin, *, alpha=.05) -> Answer      found: an `gap.Area` or a `quantities.Trend`
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from valuebias.errors import StatisticsError
from valuebias.stats.verdict import Margin, Outcome


@dataclass(frozen=True)
class Answer:
    """PASS: the claim was shown. FAIL: its opposite was shown. INCONCLUSIVE: neither was.

    ``claim`` is what was asked, ``reason`` one sentence on what was found; ``step`` the checkpoint
    it rests on, where there is one.
    """

    claim: str
    outcome: Outcome
    reason: str
    step: float | None = None


class Estimated(Protocol):
    """A figure with an interval at any level; ``exploratory`` says why it must never PASS."""

    @property
    def estimate(self) -> float: ...
    @property
    def exploratory(self) -> str: ...
    def interval(self, level: float) -> tuple[float, float]: ...


def hold(found: Estimated, margin: Margin, *, alpha: float = 0.05) -> Answer:
    """Hold a figure against a margin: two one-sided tests, each at ``alpha``, as `judge` does.

    Raises StatisticsError for an alpha not between 0 and .5.
    """
    if not 0 < alpha < 0.5:
        raise StatisticsError("alpha lies between 0 and 0.5", seen=alpha, remedy="Give 0.05.")
    low, high = found.interval(1 - 2 * alpha)
    bounds = f"the {100 * (1 - 2 * alpha):.4g}% interval [{low:+.3f}, {high:+.3f}]"
    claim = f"{margin}"
    if found.exploratory:
        return Answer(claim, Outcome.INCONCLUSIVE, f"exploratory: {found.exploratory}")
    if high < margin.low or low > margin.high:
        reason = f"{bounds} lies wholly outside the margin {margin}"
        return Answer(claim, Outcome.FAIL, reason)
    if margin.low <= low and high <= margin.high:
        return Answer(claim, Outcome.PASS, f"{bounds} lies inside the margin {margin}")
    reason = f"{bounds} crosses an edge of the margin {margin}"
    return Answer(claim, Outcome.INCONCLUSIVE, reason)
