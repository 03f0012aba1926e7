"""A verdict's record: JSON whatever the numbers are."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from pytest_valuebias.report.record import properties
from support.reports import report
from support.schema import problems
from support.scores import write_scores
from valuebias.lexicons.files import starter
from valuebias.measurement.contrast import Measurement, Step, measure
from valuebias.models.settings import Settings
from valuebias.records.record import record
from valuebias.report.document import Document
from valuebias.report.json import text
from valuebias.report.lines import differ
from valuebias.scorers.bench import Bench
from valuebias.scorers.schemes import parse_spec
from valuebias.store.database import Store


@pytest.fixture
def measured(tmp_path: Path) -> Measurement:
    spec = parse_spec(f"scores:{write_scores(tmp_path / 'a.csv')}")
    with Bench(Store(tmp_path / "scores.sqlite"), Settings()) as bench:
        return measure(bench.scorer(spec), starter("big_two"), "agency~communion", "positive")


def test_a_number_that_is_none_loses_no_report(measured: Measurement) -> None:
    """No effect is known that has one; a defect that made one must not cost the whole file."""
    effect = replace(measured.effect, p=math.nan, parts=((math.inf, 9.0),))
    steps = (Step(0, None, 0.1, -math.inf, math.inf, math.nan),)
    odd = replace(measured, effect=effect, trajectory=steps)
    found = record(odd, None, "PASS", "because", gated=True, suite="big_two", n_claims=2)
    scored = found.pop("tokens")
    assert scored is not None
    assert (found["p"], found["mde"]) == (None, None)
    assert found["trajectory"][0] == {
        "step": 0, "pairs": None, "estimate": 0.1, "low": None, "high": None, "tau": None,
    }  # fmt: skip
    held = report({**found, "nodeid": "x"})
    held["subjects"][0]["tokens"] = {**scored, "best": [["odd", None]]}
    assert problems(json.loads(text(cast(Document, held)))) == []
    assert differ([found, found, found]) == []  # nothing to correct
    assert "valuebias.p" not in dict(properties(found))
