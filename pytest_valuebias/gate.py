"""From a verdict to a pytest outcome, the text of a failure, and the record that reports read."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from pytest_valuebias.claim import Terms, spend, terms
from pytest_valuebias.collection import asked, claim_of
from pytest_valuebias.inputs import State
from pytest_valuebias.report.record import error_record, properties, record
from valuebias.errors import ValueBiasError, visible
from valuebias.report.wording import above_zero

if TYPE_CHECKING:
    from valuebias.measurement.contrast import Measurement
    from valuebias.stats.effect import Effect
    from valuebias.stats.verdict import Answer, Margin, Verdict

RECORDS = pytest.StashKey[list[dict[str, Any]]]()
_NUMBER = pytest.StashKey[int]()
_PLACES = pytest.StashKey[dict[str, int]]()


class ValueBiasWarning(UserWarning):
    """A verdict that was not gated because the run is configured to let it through."""


@dataclass(frozen=True)
class Gate:
    """Holds measurements against margins in one test, and records what came out."""

    item: pytest.Item
    state: State

    def __call__(self, measurement: Measurement) -> None:
        """Gate on the declared margin; skip, and say so, where none is declared."""
        margin = self.state.margin(measurement)
        if margin is None:
            reason = (
                f"no margin is declared for {measurement.contrast}, {measurement.valence} prompts, "
                f"{measurement.role}, with lexicon {measurement.lexicon.name} "
                f"({measurement.lexicon.digest[:12]}): declare one with --valuebias-margins FILE"
            )
            self._record(measurement, None, "NO MARGIN", reason, gated=False)
            pytest.skip(reason)
        self.hold(measurement, margin)

    def terms(self, lexicon: str, contrast: str, valence: str, role: str) -> Terms:
        """The level and seed of a claim that this test makes."""
        return terms(self.item, self.state, lexicon, contrast, valence, role)

    def level(self, measurement: Measurement) -> float:
        """The error that a claim about this measurement may spend."""
        m = measurement
        return spend(self.terms(m.lexicon.name, m.contrast, m.valence, m.role), self.state)

    def hold(self, measurement: Measurement, margin: Margin) -> None:
        """Gate on this margin: return on PASS, fail on FAIL, and as configured in between."""
        from valuebias.stats.verdict import judge, what_would_settle

        try:
            verdict = judge(measurement.effect, margin, alpha=self.level(measurement))
        except ValueBiasError as error:  # a margin that these data can never settle
            self._record(measurement, None, "ERROR", str(error), gated=False)
            raise
        outcome = verdict.outcome.name
        reason = verdict.reason
        if outcome == "INCONCLUSIVE":
            reason += what_would_settle(verdict)
        how = self._how(outcome)
        gated = outcome == "PASS" or how == "fail"
        self._record(measurement, verdict, outcome, reason, gated=gated)
        if outcome != "PASS":
            self._stop(how, reason, explain(measurement, verdict, reason))

    def settle(self, measurement: Measurement, answer: Answer) -> None:
        """The same for a claim that is not about the effect, such as "not closed by step 900"."""
        outcome = answer.outcome.name
        reason = f"{answer.claim}: {answer.reason}"
        how = self._how(outcome)
        gated = outcome == "PASS" or how == "fail"
        self._record(measurement, None, outcome, reason, gated=gated)
        if outcome != "PASS":
            self._stop(how, reason, told(measurement, outcome, reason))

    def _how(self, outcome: str) -> str:
        """What a verdict that does not pass does: fail, xfail or warn."""
        how: str = self.state.values["inconclusive"] if outcome == "INCONCLUSIVE" else "fail"
        if how == "xfail" and self.item.config.getoption("runxfail"):
            return "fail"  # pytest.xfail does nothing then, and the test would pass
        return how

    def _stop(self, how: str, reason: str, text: str) -> None:
        if how == "warn":
            warnings.warn(ValueBiasWarning(f"NOT GATED: {text}"), stacklevel=4)
        elif how == "xfail":
            pytest.xfail(f"NOT GATED: {reason}")
        else:
            pytest.fail(text, pytrace=False)

    def _record(
        self,
        measurement: Measurement,
        verdict: Verdict[Effect] | None,
        outcome: str,
        reason: str,
        *,
        gated: bool,
    ) -> None:
        claim = claim_of(self.item)
        entry = record(
            measurement,
            verdict,
            outcome,
            reason,
            gated=gated,
            suite=None if claim is None else claim.suite,
            n_claims=asked("range", self.state) if claim is None else claim.asked,
        )
        self.item.stash.setdefault(RECORDS, []).append(entry)


def explain(measurement: Measurement, verdict: Verdict[Effect], reason: str) -> str:
    """What a failure shows: estimate, interval, margin, basis, and the words that pull."""
    from valuebias.measurement.contrast import grouped

    effect, margin = verdict.effect, verdict.margin
    a, b = measurement.sides
    contrast = a if measurement.question.all_words else f"{a} against {b}"
    lines = [
        f"{verdict.outcome.name}: {reason}",
        "",
        f"  model       {visible(measurement.title)}",
        f"  contrast    {contrast}, {_asked(measurement)}; above zero = {_above(measurement)}",
        f"  estimate    {effect.estimate:+.3f} {measurement.unit}, {effect.level:.0%} interval "
        f"[{effect.low:+.3f}, {effect.high:+.3f}]",
        f"  margin      {margin} ({visible(f'{margin.basis}: {margin.source}')})",
        f"  gate        {100 * verdict.gate_level:.4g}% interval "
        f"[{verdict.gate_low:+.3f}, {verdict.gate_high:+.3f}]",
        f"  power       a true effect of {effect.mde:.3f} would be found in 80% of cases; "
        f"{effect.method} {_p(effect.p)} for no effect",
        f"  rests on    {measurement.rests_on}",
    ]
    if measurement.raised_by:
        lines += [
            f"  raised by   {grouped(measurement.raised_by, a, b)}",
            f"  lowered by  {grouped(measurement.lowered_by, a, b)}",
        ]
    if measurement.detail:
        lines.append(f"  of which    {measurement.detail}")
    lines += [f"  note        {visible(note)}" for note in effect.notes]
    lines.append(f"  what to do  {_remedy(measurement, verdict)}")
    return "\n".join(lines)


def told(measurement: Measurement, outcome: str, reason: str) -> str:
    """What a failed claim about a trajectory shows."""
    lines = [
        f"{outcome}: {reason}",
        "",
        f"  model       {visible(measurement.title)}",
        f"  contrast    {' against '.join(measurement.sides)}, {_asked(measurement)}",
        f"  rests on    {measurement.rests_on}",
        f"  of which    {measurement.detail}",
    ]
    lines += [
        f"  step {step.step:>7,}  {step.estimate:+.3f} [{step.low:+.3f}, {step.high:+.3f}]"
        for step in measurement.trajectory
    ]
    return "\n".join(lines)


def _p(p: float) -> str:
    return "p < .0001" if p < 0.0001 else f"p = {p:.4f}"


def _asked(measurement: Measurement) -> str:
    if measurement.valence == "positive-negative":
        return "positive minus negative prompts"
    return f"{measurement.valence} prompts"


def _above(measurement: Measurement) -> str:
    """What an effect above zero means."""
    names = ("role", "sides", "valence", "reference", "model", "raw")
    return visible(above_zero({name: getattr(measurement, name) for name in names}))


def _remedy(measurement: Measurement, verdict: Verdict[Effect]) -> str:
    """What a reader can do about a verdict that does not pass."""
    from valuebias.stats.verdict import Cause

    if verdict.outcome.name == "FAIL":
        return measurement.question.fail.format(reference=visible(str(measurement.reference)))
    if verdict.families_needed is not None:
        return (
            "use a lexicon with more word families (--valuebias-lexicon), or a wider margin "
            "declared before looking; running it again changes nothing"
        )
    if verdict.cause is Cause.EXPLORATORY:
        return "run all prompts (--valuebias-profile=ci): this profile is for a first look"
    if verdict.cause is Cause.SEPARATION:
        return (
            "the two sides do not overlap at all, which leaves no spread to test with: read the "
            "ranks, or use a lexicon with more words"
        )
    return (
        "the prompts disagree, and more words would not settle it: declare a wider margin, or "
        "decide which prompts count; running it again changes nothing"
    )


def _place(item: pytest.Item) -> int:
    """Where the item stands among all that were collected, which is the same in every process."""
    places = item.config.stash.get(_PLACES, None)
    if places is None:
        places = item.config.stash[_PLACES] = {
            each.nodeid: place for place, each in enumerate(item.session.items)
        }
    return places.get(item.nodeid, len(places))


def attach(item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport) -> None:
    """Put the item's records on the report and into JUnit's properties.

    An error of ours is shown without its traceback and, whatever phase it was raised in, reported
    as an error: a model that cannot be judged must not look like one that was found wanting.
    """
    records = item.stash.get(RECORDS, [])
    item.stash[RECORDS] = []
    error = call.excinfo.value if call.excinfo is not None else None
    if isinstance(error, ValueBiasError):
        report.longrepr = f"{type(error).__name__}: {error}"
        if report.when == "call" and report.failed:
            report.when = "setup"
        claim = claim_of(item)
        if claim is not None and not records:
            records.append(error_record(claim, str(error)))
    if not report.failed:
        for entry in records:  # a marker or the test itself let through what did not pass
            passed = entry["verdict"] in ("PASS", "REPRODUCTION ONLY")
            entry["gated"] = entry["gated"] and passed
    if not records:
        return
    report.valuebias = records  # type: ignore[attr-defined]
    for entry in records:
        number = item.stash.get(_NUMBER, 0) + 1
        item.stash[_NUMBER] = number
        entry["nodeid"] = visible(item.nodeid)
        entry["place"] = _place(item)
        # Not the record_property fixture: it warns under xunit2, and our runs make warnings errors.
        item.user_properties.extend(properties(entry, number))
