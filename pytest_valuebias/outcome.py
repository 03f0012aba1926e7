"""The outcome of a run: its records, its document, and the exit status."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from valuebias.report.document import Document, RunRecord


@dataclass
class Outcome:
    """One pytest process's outcome, kept under ``KEY`` in the config's stash.

    ``records`` are what the tests of all processes reported, ``ran`` whether the run got as far as
    its tests. ``lost`` are tests that a crash took and shipped ones that ended without a verdict.
    ``document`` is what the reports are made from, None until the run has ended; ``written`` has
    a line for each report file, ``recorded`` for a new baseline.
    """

    ran: bool = False
    records: list[RunRecord] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    document: Document | None = None
    written: list[str] = field(default_factory=list)
    recorded: tuple[str, ...] = ()

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


KEY = pytest.StashKey[Outcome]()
