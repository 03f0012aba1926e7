"""The outcome of a run: its records, its document, and the exit status."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from valuebias.report.document import Document, RunRecord


@dataclass
class Outcome:
    """One pytest process's outcome, kept under ``KEY`` in the config's stash.

    ``by_test`` has what the tests of all processes reported, ``ran`` whether the run got as far as
    its tests. ``lost`` are tests that a crash took and shipped ones that ended without a verdict.
    Of a test that a plugin runs again, both have the last attempt only.
    ``document`` is what the reports are made from, None until the run has ended; ``written`` has
    a line for each report file, ``recorded`` for a new baseline.
    """

    ran: bool = False
    by_test: dict[str, list[RunRecord]] = field(default_factory=dict)
    lost: dict[str, None] = field(default_factory=dict)
    document: Document | None = None
    written: list[str] = field(default_factory=list)
    recorded: tuple[str, ...] = ()

    def take(self, report: pytest.TestReport) -> None:
        """Take what a report says, and take what is ours off one of a superseded attempt.

        Plugins that run a test again report its attempts one after another, each from its setup on,
        or report an attempt with an outcome of their own and the last one as usual.
        """
        test = report.nodeid
        if report.when == "setup":
            self.by_test.pop(test, None)
            self.lost.pop(test, None)
        records: list[RunRecord] = report.__dict__.pop("valuebias", [])
        if report.outcome in ("passed", "failed", "skipped"):
            ended = report.when == "call" or not report.passed
            # xdist reports a crashed worker with a phase of its own.
            crashed = report.when not in ("setup", "call", "teardown")
            if records:
                report.valuebias = records  # type: ignore[attr-defined]
                self.by_test.setdefault(test, []).extend(records)
            if crashed or (ended and not records and test.startswith("valuebias/test_")):
                self.lost[test] = None
        if test not in self.by_test:
            report.user_properties = without_ours(report.user_properties)

    @property
    def records(self) -> list[RunRecord]:
        """All of them, as the tests were collected, whichever worker sent them first."""
        said = (record for records in self.by_test.values() for record in records)
        return sorted(said, key=lambda r: r["place"])

    @property
    def gated(self) -> bool:
        return any(record["gated"] for record in self.records)

    @property
    def unchecked(self) -> list[str]:
        """Why models are not known to read the questions, each reason once."""
        from valuebias.report.headline import not_sound

        reasons = (r["instrument_check"]["reason"] for r in self.records if not_sound(r))
        return list(dict.fromkeys(reasons))

    def exit_status(self, status: int) -> int:
        """The exit status; never 0 for a run in which nothing was gated, or of a model that is not
        known to read the questions."""
        quiet = (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
        if self.ran and status in quiet and (not self.gated or self.unchecked):
            return pytest.ExitCode.TESTS_FAILED
        return status


def without_ours(properties: Iterable[tuple[str, object]]) -> list[tuple[str, object]]:
    """The JUnit properties of a test that are not ours."""
    return [(name, value) for name, value in properties if not name.startswith("valuebias.")]


KEY = pytest.StashKey[Outcome]()
