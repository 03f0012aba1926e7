"""From a verdict to a pytest outcome, the text of a failure, and the record that reports read."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import pytest

from pytest_valuebias import unjudged
from pytest_valuebias.claim import Terms, alpha_for, asked, claim_of, terms
from pytest_valuebias.failure_text import describe, describe_answer
from pytest_valuebias.inputs import KEY, Inputs
from pytest_valuebias.outcome import without_ours
from pytest_valuebias.report import category_ranks
from pytest_valuebias.report.record import error_record, properties
from valuebias.errors import ValueBiasError, visible
from valuebias.report.document import RunRecord, Said

if TYPE_CHECKING:
    from valuebias.measurement.contrast import Measurement
    from valuebias.measurement.instrument import Instrument
    from valuebias.outcomes import Cause
    from valuebias.stats.effect import Effect
    from valuebias.stats.verdict import Answer, Margin, Verdict
    from valuebias.training.category_ranks import CategoryRanks

RECORDS = pytest.StashKey[list[RunRecord]]()
_NUMBER = pytest.StashKey[int]()
_PLACES = pytest.StashKey[dict[str, int]]()
_ERROR = pytest.StashKey[ValueBiasError | None]()
_TOLD = pytest.StashKey[dict[str, str]]()


class ValueBiasWarning(UserWarning):
    """A verdict that was not gated because the run is configured so, or a measurement that a test
    never judged."""


@dataclass(frozen=True)
class Gate:
    """Holds measurements against margins in one test, and records the outcome."""

    item: pytest.Item
    inputs: Inputs

    def check(self, measurement: Measurement) -> None:
        """Gate on the margin in force; skip with a message if none is declared."""
        margin = self.inputs.margin(measurement)
        if margin is None:
            instrument = self._admitted(measurement)
            reason = (
                f"no margin is declared for {measurement.contrast}, {measurement.valence} prompts, "
                f"{measurement.role}, with lexicon {measurement.lexicon.name} "
                f"({measurement.lexicon.digest[:12]}): declare one with --valuebias-margins FILE"
            )
            self._record(measurement, instrument, None, "NO MARGIN", reason, gated=False)
            pytest.skip(reason)
        self.check_margin(measurement, margin)

    def show(self, ranks: CategoryRanks) -> NoReturn:
        """Record that a file of category ranks was read, and skip: nothing of it can be judged."""
        entry = category_ranks.record(ranks)
        self.item.stash.setdefault(RECORDS, []).append(entry)
        pytest.skip(f"NOT GATED: {entry['reason']}")

    def take(self, measurement: Measurement) -> None:
        """Note that the test has this measurement: it is to be judged before the test ends."""
        unjudged.take(self.item, measurement)

    def use(self, measurement: Measurement) -> None:
        """Note that this measurement was used for another, which is to be judged."""
        unjudged.judged(self.item, measurement)

    def close(self) -> tuple[Measurement, ...]:
        """Record what the test took and never judged; returns it."""
        left = unjudged.left(self.item)
        for m in left:
            instrument = self.inputs.instrument(m)
            self._record(m, instrument, None, "NOT GATED", unjudged.REASON, gated=False)
        return left

    def terms(self, lexicon: str, contrast: str, valence: str, role: str) -> Terms:
        """The level and seed of a claim that this test makes."""
        return terms(self.item, self.inputs, lexicon, contrast, valence, role)

    def level(self, measurement: Measurement) -> float:
        """The error that a claim about this measurement may spend: against the anchor, with which
        later releases are compared too, its release's share."""
        from valuebias.stats.spending import share

        m = measurement
        alpha = alpha_for(self.terms(m.lexicon.name, m.contrast, m.valence, m.role), self.inputs)
        release = self.inputs.release(m.fingerprint, m.reference)
        return alpha if release is None else alpha * share(release)

    def check_margin(self, measurement: Measurement, margin: Margin) -> None:
        """Gate on this margin: return on PASS, fail on FAIL, as configured on INCONCLUSIVE."""
        from valuebias.stats.verdict import judge, what_would_settle

        instrument = self._admitted(measurement)
        try:
            verdict = judge(measurement.effect, margin, alpha=self.level(measurement))
        except ValueBiasError as error:  # a margin that these data can never settle
            self._record(measurement, instrument, None, "ERROR", str(error), gated=False)
            raise
        outcome: Said = verdict.outcome.value
        reason = verdict.reason
        release = self.inputs.release(measurement.fingerprint, measurement.reference)
        if release is not None:
            part = release * (release + 1)
            reason += f" (release {release} since the anchor, at 1/{part} of the error)"
        if outcome == "INCONCLUSIVE":
            reason += what_would_settle(verdict)
        how = self._how(outcome, instrument, measurement)
        gated = how in ("", "fail")
        self._record(
            measurement, instrument, verdict, outcome, reason, gated=gated, cause=verdict.cause
        )
        if how:
            member = self._is_panel_member(measurement, verdict)
            text = describe(measurement, verdict, reason, panel_member=member)
            self._stop(how, reason, text, instrument)

    def check_answer(self, measurement: Measurement, answer: Answer) -> None:
        """The same for a claim that is not about the effect, such as "not closed by step 900"."""
        instrument = self._admitted(measurement)
        outcome: Said = answer.outcome.value
        reason = f"{answer.claim}: {answer.reason}"
        how = self._how(outcome, instrument, measurement)
        gated = how in ("", "fail")
        self._record(
            measurement, instrument, None, outcome, reason, gated=gated, cause=answer.cause
        )
        if how:
            self._stop(how, reason, describe_answer(measurement, outcome, reason), instrument)

    def _admitted(self, measurement: Measurement) -> Instrument:
        """The instrument check of what was measured.

        Raises InstrumentError for a model that does not read the questions, unless that is only
        reported.
        """
        instrument = self.inputs.instrument(measurement)
        try:
            training = measurement.kind == "training run"
            instrument.admits("report" if training else self.inputs.values["instrument"])
        except ValueBiasError as error:
            self._record(measurement, instrument, None, "ERROR", str(error), gated=False)
            raise
        return instrument

    def _how(self, outcome: str, instrument: Instrument, measurement: Measurement) -> str:
        """What happens on a verdict: skip if the model is not known to read the questions; nothing
        on PASS; else fail, xfail or warn.

        Training may be what took a run's last checkpoint there, so that only its PASS is void.
        """
        void = outcome == "PASS" or measurement.kind != "training run"
        if void and not instrument.admits("report"):
            return "skip"
        if outcome == "PASS":
            return ""
        how: str = self.inputs.values["inconclusive"] if outcome == "INCONCLUSIVE" else "fail"
        if how == "xfail" and self.item.config.getoption("runxfail"):
            return "fail"  # pytest.xfail does nothing then, and the test would pass
        return how

    def _stop(self, how: str, reason: str, text: str, instrument: Instrument) -> None:
        if how == "skip":
            pytest.skip(f"NOT GATED: {instrument.reason}")
        elif how == "warn":
            warnings.warn(ValueBiasWarning(f"NOT GATED: {text}"), stacklevel=4)
        elif how == "xfail":
            pytest.xfail(f"NOT GATED: {reason}")
        else:
            pytest.fail(text, pytrace=False)

    def _record(
        self,
        measurement: Measurement,
        instrument: Instrument,
        verdict: Verdict[Effect] | None,
        outcome: Said,
        reason: str,
        *,
        gated: bool,
        cause: Cause | None = None,
    ) -> None:
        from valuebias.records.record import record

        unjudged.judged(self.item, measurement)
        claim = claim_of(self.item)
        entry = record(
            measurement,
            verdict,
            outcome,
            reason,
            gated=gated,
            cause=cause,
            instrument=instrument,
            suite=None if claim is None else claim.suite,
            n_claims=asked("range", self.inputs) if claim is None else claim.asked,
        )
        if verdict is not None and verdict.margin.basis == "panel":
            entry["panel_member"] = self._is_panel_member(measurement, verdict)
        self.item.stash.setdefault(RECORDS, []).append(entry)

    def _is_panel_member(self, measurement: Measurement, verdict: Verdict[Effect]) -> bool:
        """Whether the margin was predicted from this very model, among others."""
        return verdict.margin.basis == "panel" and self.inputs.is_panel_member(measurement.model)


def begin(item: pytest.Item) -> None:
    """Before a test is set up: forget what an earlier attempt at it said."""
    unjudged.left(item)
    item.stash[RECORDS] = []
    item.stash[_NUMBER] = 0
    item.stash[_ERROR] = None
    item.user_properties[:] = without_ours(item.user_properties)


@contextmanager
def judging(item: pytest.Item, inputs: Inputs) -> Iterator[None]:
    """Around the call of a test. Its error is kept (a copy: the traceback would keep a model's
    tensors alive), because a plugin that runs it again hands on that of the first attempt."""
    try:
        try:
            yield
        except BaseException:
            close(item, inputs, warn=False)
            raise
        close(item, inputs, warn=True)
    except ValueBiasError as error:
        item.stash[_ERROR] = copy.copy(error)
        raise


def close(item: pytest.Item, inputs: Inputs, *, warn: bool) -> None:
    """After a test: record the measurements that it never judged, and warn of them."""
    left = Gate(item, inputs).close()
    if left and warn:
        which = ", ".join(visible(f"{m.contrast} {m.valence} of {m.title}") for m in left)
        item.warn(ValueBiasWarning(f"NOT GATED: {which}: {unjudged.REASON}"))


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
    as an error: a model that cannot be judged must not look like one that failed.
    """
    records = item.stash.get(RECORDS, [])
    item.stash[RECORDS] = []
    error = call.excinfo.value if call.excinfo is not None else None
    if call.when == "call":  # its own is of the first attempt
        error = item.stash.get(_ERROR, None)
    elsewhere = None
    if isinstance(error, ValueBiasError):
        elsewhere = _told_elsewhere(item, error)
        report.longrepr = f"{type(error).__name__}: {elsewhere or error}"
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
        shown = entry.copy()
        if elsewhere is not None and entry["verdict"] == "ERROR":
            shown["reason"] = elsewhere
        item.user_properties.extend(properties(shown, number))


def _told_elsewhere(item: pytest.Item, error: ValueBiasError) -> str | None:
    """In one line: whose error it is, its first sentence (of a list, the first), and the test that
    tells all of it; None for the test that does, the first of this process. A broken model is one
    fault, not one a test."""
    told = item.config.stash.setdefault(_TOLD, {})
    first = told.setdefault(f"{type(error).__name__}: {error}", item.nodeid)
    if first == item.nodeid:
        return None
    what = error.what.rstrip(".").partition("; ")[0]
    model = item.config.stash[KEY].bench.loader.failures.whose(error)
    named = what if model is None or what.startswith(model) else f"{model}: {what}"
    return visible(f"{named}. Told in full at {first}")
