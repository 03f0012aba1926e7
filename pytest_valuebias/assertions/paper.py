"""The ``paper_tests`` fixture: the paper's own tests, which decide nothing unless allowed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import pytest

from pytest_valuebias.gate import RECORDS
from pytest_valuebias.inputs import Inputs
from valuebias.errors import StatisticsError, visible
from valuebias.measurement.paper import NAMES, PaperTests
from valuebias.report.document import RunRecord
from valuebias.stats.paper.ranks import LABEL, WHY, shown


@dataclass(frozen=True)
class BoundPaperTests:
    """The paper's tests of all ``--rm`` on one lexicon, as ``results``: reproduction only."""

    results: PaperTests
    inputs: Inputs
    item: pytest.Item

    def assert_significant(self, name: str, alpha: float = 0.05) -> None:
        """Pass if the paper's test ``name`` calls the base families (anova: the two models)
        different at ``alpha``.

        The names are mixed-model and anova (their three-way interaction), welch and permutation-t
        (every cell, Bonferroni-corrected). None of them is calibrated. Raises StatisticsError
        unless the run was given ``--valuebias-allow-uncalibrated=NAME``, under the quick profile,
        and where the test could not be computed.
        """
        if name not in NAMES or not 0 < alpha < 1:
            raise StatisticsError(
                "unknown test of the paper, or a level that is not between 0 and 1",
                seen=f"{name!r}, {alpha!r}",
                remedy=f"Give one of {', '.join(NAMES)}, and a level such as .05.",
            )
        if name not in self.inputs.values["allow-uncalibrated"]:
            raise StatisticsError(
                f"the paper's tests decide nothing: {WHY}",
                seen=f"assert_significant({name!r})",
                remedy="Assert on the bias fixture, or accept their false alarms by name: "
                f"--valuebias-allow-uncalibrated={name}.",
            )
        if self.inputs.quick:
            raise StatisticsError(
                "the paper's tests need all 27 prompts of each valence",
                seen="--valuebias-profile=quick, six of each",
                remedy="Run them under the profile ci or paper.",
            )
        p = self.results.p(name)
        reason = f"{LABEL}: the paper's {name}, {shown(p)}, alpha {alpha:g}; {WHY}"
        significant = p < alpha  # False if p is NaN
        self._record("REPRODUCTION ONLY" if significant else "FAIL", reason, p)
        if not significant:
            pytest.fail(f"not significant. {reason}", pytrace=False)

    def _record(self, verdict: Literal["REPRODUCTION ONLY", "FAIL"], reason: str, p: float) -> None:
        entry: RunRecord = {
            "nodeid": "",
            "suite": self.results.lexicon.name,
            "role": "paper",
            "kind": "",
            "lexicon_name": self.results.lexicon.name,
            "title": f"the paper's own tests ({LABEL})",
            "model": f"the paper's own tests ({LABEL})",
            "reference": None,
            "contrast": visible(self.results.contrast),
            "valence": "both",
            "verdict": verdict,
            "reason": reason,
            "gated": True,  # it was explicitly allowed to decide
            "shipped": False,
        }
        if math.isfinite(p):
            entry["p"] = float(p)
        self.item.stash.setdefault(RECORDS, []).append(entry)


@dataclass(frozen=True)
class PaperFixture:
    """``paper_tests("big_two").assert_significant("mixed-model")``."""

    inputs: Inputs
    item: pytest.Item

    def __call__(self, lexicon: str = "big_two") -> BoundPaperTests:
        """The paper's tests of all ``--rm`` on a lexicon of two categories; bases are ``--base``'s.

        Raises LexiconError unless the lexicon has two categories, and any error of scoring a model.
        """
        return BoundPaperTests(self.inputs.paper_tests(lexicon), self.inputs, self.item)
