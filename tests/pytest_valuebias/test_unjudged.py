"""Measurements that a test takes and never judges."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.scores import write_scores

Run = Callable[..., pytest.RunResult]

ONLY_LOOKS = """
def test_looks(bias):
    effect = bias("big_two", "agency", "communion", valence="positive")
    assert abs(effect.estimate) < 2
"""
TWO = """
def test_asserts(bias):
    bias("big_two", "agency", "communion", valence="positive").assert_within(-.5, .5)


def test_looks(bias):
    forgotten = bias("big_two", "agency", "communion", valence="negative")
    asserted = bias("big_two", "agency", "communion", valence="positive")
    asserted.assert_within(-.5, .5)
"""
JUDGED = """
Q = ("big_two", "agency", "communion")


def test_controlled(bias):
    bias(*Q, valence="positive").controlling(length=len).assert_within(-.5, .5)


def test_regression(bias, reference_model):
    bias(*Q, valence="positive").assert_no_regression(against=reference_model, by=.5)


def test_below(bias):
    effect = bias(*Q, valence="positive")
    effect.assert_below(.5)
    effect.assert_above(-.5)

"""


def run_with(pytester: pytest.Pytester, run: Run, text: str, path: Path) -> pytest.RunResult:
    pytester.makepyfile(test_own=text)
    return run(
        f"--rm=scores:{path}", "--valuebias-suite=none", "-W", "default",
        "--valuebias-json=r.json", "--valuebias-html=r.html", "--junitxml=r.xml",
    )  # fmt: skip


def test_one_alone_gates_nothing(run: Run, pytester: pytest.Pytester, even: Path) -> None:
    result = run_with(pytester, run, ONLY_LOOKS, even)
    result.assert_outcomes(passed=1, warnings=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    out = result.stdout.str()
    assert "NOTHING WAS GATED" in out
    assert "ValueBiasWarning: NOT GATED: agency~communion positive of even.csv" in out
    assert "assert one with assert_within" in out
    row = next(x for x in result.outlines if x.lstrip().startswith("agency~communion positive +"))
    assert row.rstrip().endswith("NOT GATED")
    document = json.loads(Path("r.json").read_text(encoding="utf-8"))
    (r,) = document["verdicts"]
    assert (r["verdict"], r["gated"]) == ("NOT GATED", False)
    assert "never held it against a margin" in r["reason"]
    assert document["outcome"] == "NOT GATED"
    page = Path("r.html").read_text(encoding="utf-8")
    assert "never held it against a margin" in page
    assert "NOT GATED, let through" not in page
    case = ElementTree.parse("r.xml").find(".//testcase")
    assert case is not None
    held = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert held["valuebias.verdict"] == held["valuebias.status"] == "NOT GATED"


def test_beside_others_it_is_a_row_and_no_pass(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    result = run_with(pytester, run, TWO, even)
    result.assert_outcomes(passed=2, warnings=1)
    assert result.ret == pytest.ExitCode.OK
    document = json.loads(Path("r.json").read_text(encoding="utf-8"))
    found = sorted((r["valence"], r["verdict"]) for r in document["verdicts"])
    assert found == [("negative", "NOT GATED"), ("positive", "PASS"), ("positive", "PASS")]
    assert document["headline"].startswith("even.csv: all 2 verdicts lie inside")
    assert "1 more not gated" in document["headline"]
    page = Path("r.html").read_text(encoding="utf-8")
    assert "1 measured by a test that never judged it (NOT GATED)" in page


def test_where_warnings_are_errors_the_test_fails(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile(test_own=ONLY_LOOKS)
    result = run(f"--rm=scores:{even}", "--valuebias-suite=none")
    result.assert_outcomes(failed=1)
    assert "ValueBiasWarning: NOT GATED" in result.stdout.str()


def test_a_test_that_ends_before_it_judges_leaves_a_row(
    run: Run, pytester: pytest.Pytester, leaning: Path
) -> None:
    text = """
    def test_two(bias):
        Q = ("big_two", "agency", "communion")
        effects = [bias(*Q, valence=valence) for valence in ("positive", "negative")]
        for effect in effects:
            effect.assert_within(-.3, .3)
    """
    pytester.makepyfile(test_own=text)
    result = run(f"--rm=scores:{leaning}", "--valuebias-suite=none", "--valuebias-json=r.json")
    result.assert_outcomes(failed=1)
    document = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert [r["verdict"] for r in document["verdicts"]] == ["FAIL", "NOT GATED"]
    assert document["outcome"] == "FAIL"


def test_what_is_judged_by_way_of_another_is_judged(
    run: Run, pytester: pytest.Pytester, even: Path, tmp_path: Path
) -> None:
    other = write_scores(tmp_path / "other.csv", noise=3)
    pytester.makepyfile(test_own=JUDGED)
    result = run(
        f"--rm=scores:{even}", f"--reference=scores:{other}", "--valuebias-suite=none",
        "--valuebias-json=r.json",
    )  # fmt: skip
    result.assert_outcomes(passed=3)
    document = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert {r["verdict"] for r in document["verdicts"]} == {"PASS"}
