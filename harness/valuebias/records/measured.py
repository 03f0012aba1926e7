"""Effects and verdicts as values, in notebooks and tests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Self

from valuebias.errors import StatisticsError
from valuebias.format import bracketed, signed
from valuebias.measurement.contrast import Measurement
from valuebias.measurement.instrument import Instrument, Policy
from valuebias.outcomes import Cause, Outcome
from valuebias.records.record import effect_record
from valuebias.report.document import RunRecord
from valuebias.report.notebook import cell
from valuebias.scorers.protocol import Scorer
from valuebias.stats.effect import Effect
from valuebias.stats.verdict import Margin, Verdict, judge, what_would_settle


@dataclass(frozen=True, repr=False)
class MeasuredEffect:
    """An effect with everything it is based on; above zero the first category is preferred.

    ``measurement`` has the words, lexicon, coverage and provenance, ``measurement.effect`` every
    number; ``check`` makes the instrument check that a verdict needs.
    """

    measurement: Measurement
    scorers: tuple[Scorer, ...] = field(default=(), kw_only=True, compare=False)
    check: Callable[[], Instrument] | None = field(default=None, kw_only=True, compare=False)

    def __repr__(self) -> str:
        """One line: what was asked of which model, the estimate and its interval."""
        return f"<{_line(self.measurement)}>"

    def _repr_html_(self) -> str:
        """In a notebook: a small table, and the effect drawn with its interval."""
        return cell(self.record())

    def __bool__(self) -> bool:
        raise StatisticsError(
            "an effect has no truth value",
            seen=signed(self.estimate),
            remedy="Assert a margin: bias(...).assert_within(low, high); or get a verdict: "
            "effect.judge(low, high).",
        )

    def record(self) -> RunRecord:
        """Its record for reports: an effect without a margin."""
        return effect_record(self.measurement)

    @property
    def effect(self) -> Effect:
        return self.measurement.effect

    @property
    def estimate(self) -> float:
        return self.measurement.effect.estimate

    @property
    def interval(self) -> tuple[float, float]:
        """The confidence interval at ``effect.level``."""
        return self.measurement.effect.low, self.measurement.effect.high

    @cached_property
    def top(self) -> Self:
        """The share of the top 10% of the ranking beside this effect: ``category``'s share of the
        best-ranked tenth of both categories' words less its share of all of them. Above zero the
        top holds more of ``category`` than all words do.

        It has an interval and is judged like any effect. Raises StatisticsError where there is
        none: for controlled covariates, and for scores that give it no interval.
        """
        return replace(self, measurement=self.measurement.top_share())

    def judge(
        self,
        low: float | None = None,
        high: float | None = None,
        *,
        alpha: float = 0.05,
        instrument: Policy = "require",
    ) -> Judgement:
        """Judge the effect against a margin, as a test would; None leaves a side open.

        PASS if it is shown to lie in [low, high], FAIL if it is shown to lie outside, INCONCLUSIVE
        if neither is shown (two one-sided tests, each at ``alpha``). The verdict does not count
        (``gated`` is False) where the model is not known to read the questions.

        Raises StatisticsError for a margin that is too wide, or too narrow for these data, and
        InstrumentError for a reward model that does not read the questions, unless ``instrument``
        is "report".
        """
        if low is not None and high is not None:
            margin = Margin(low, high)
        elif low is not None:
            margin = Margin.above(low)
        elif high is not None:
            margin = Margin.below(high)
        else:
            raise StatisticsError(
                "a margin needs a bound", seen="none", remedy="Give low, high or both."
            )
        checked = self._checked()
        gated = checked is not None and checked.admits(instrument)
        verdict = judge(self.effect, margin, alpha=alpha)
        return Judgement(self, verdict, gated=gated, instrument=checked)

    def _checked(self) -> Instrument | None:
        """The instrument check of what was measured; None where nothing can make one."""
        return None if self.check is None else self.check()


@dataclass(frozen=True, repr=False)
class Judgement:
    """A verdict on an effect: ``outcome`` is PASS, FAIL or INCONCLUSIVE, ``reason`` a sentence,
    ``cause`` the same for programs; ``verdict`` has the interval that was used. ``gated`` is False
    where the verdict does not count, ``instrument`` says why."""

    measured: MeasuredEffect
    verdict: Verdict[Effect]
    gated: bool
    instrument: Instrument | None

    def __repr__(self) -> str:
        counts = "" if self.gated else "NOT GATED, "
        return f"<{counts}{self.outcome}: {self.reason}>"

    def _repr_html_(self) -> str:
        return cell(self.record())

    def __bool__(self) -> bool:
        raise StatisticsError(
            "a verdict has no truth value: it may be INCONCLUSIVE",
            seen=str(self.outcome),
            remedy='Compare it: judgement.outcome == "PASS".',
        )

    @property
    def outcome(self) -> Outcome:
        return self.verdict.outcome

    @property
    def cause(self) -> Cause:
        return self.verdict.cause

    @property
    def reason(self) -> str:
        more = ""
        if self.outcome is Outcome.INCONCLUSIVE:
            more = what_would_settle(self.verdict)
        if self.instrument is not None and not self.gated:
            more += f"; {self.instrument.reason}"
        return self.verdict.reason + more

    def record(self) -> RunRecord:
        """Its record for reports."""
        return effect_record(
            self.measured.measurement,
            self.verdict,
            self.reason,
            gated=self.gated,
            instrument=self.instrument,
        )


def _line(m: Measurement) -> str:
    interval = bracketed(m.effect.low, m.effect.high)
    return f"{m.title}: {m.contrast}, {m.valence} prompts: {signed(m.effect.estimate)} {interval}"
