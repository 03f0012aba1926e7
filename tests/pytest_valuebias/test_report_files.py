"""The files a run leaves: written once it has ended, whole or not at all, and never in its way."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.scores import write_scores

Run = Callable[..., pytest.RunResult]
PLAIN = pytest.mark.parametrize("run", ["plain"], indirect=True)
BIG_TWO = "--valuebias-suite=big_two"
POSITIVE_A = tuple(
    f"--deselect=valuebias/test_big_two.py::{test}[big_two-agency~communion-positive-a]"
    for test in ("test_range", "test_top")
)


def read(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def test_the_document_holds_the_run(run: Run, leaning: Path, tmp_path: Path) -> None:
    even = write_scores(tmp_path / "even.csv", seed=1)
    out = tmp_path / "report.json"
    result = run(
        f"--rm=a=scores:{leaning}", f"--reference=b=scores:{even}", f"--valuebias-json={out}"
    )
    result.stdout.fnmatch_lines([f"valuebias: json report in {out}"])
    found = read(out)
    assert (found["outcome"], found["exit_status"], found["complete"]) == ("FAIL", 1, True)
    assert found["headline"].startswith("2 models and comparisons: ")
    assert f"--reference=b=scores:{even}" in found["command"]
    assert [s["title"] for s in found["subjects"]] == ["a", "a minus b"]
    assert len(found["verdicts"]) == 2 * 22 + 2  # and the two of the top
    ids = [v["nodeid"] for v in found["verdicts"]]
    assert "valuebias/test_big_two.py::test_range[big_two-agency~communion-positive-a]" in ids
    assert len(set(ids)) == len(ids)
    assert [(r["subject"], r["lexicon"]) for r in found["ranks"]] == [
        ("a", "big_two"), ("b", "big_two"), ("a", "mfd2"), ("b", "mfd2"),
    ]  # fmt: skip
    for ranks in found["ranks"]:
        assert len(ranks["medians"]) == len(ranks["prompts"]) == 54
    for words, n in zip(found["words"], (322, 366), strict=True):
        assert len(words["rows"]) == n or words["lexicon"] == "mfd2"
        assert all(
            len(c[v]) == len(words["rows"])
            for c in words["columns"]
            for v in ("positive", "negative")
        )
    lexicon = found["lexicons"][0]
    assert lexicon["starter"]
    assert lexicon["sha256"][:12] in found["verdicts"][0]["lexicon"]


def test_only_what_was_measured_is_shown(
    run: Run, leaning: Path, even: Path, tmp_path: Path
) -> None:
    out = tmp_path / "report.json"
    run(
        f"--rm=a=scores:{leaning}",
        f"--reference=b=scores:{even}",
        f"--valuebias-json={out}",
        "-k",
        "test_range and big_two and positive",
    )
    found = read(out)
    assert [(r["subject"], r["lexicon"]) for r in found["ranks"]] == [("a", "big_two")]
    assert [x["name"] for x in found["lexicons"]] == ["big_two"]
    assert len(found["verdicts"]) == 1


def test_a_selection_is_told_and_a_model_without_a_verdict_is_no_pass(
    run: Run, even: Path, leaning: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "report.json"
    models = (f"--rm=n=scores:{even}", f"--rm=a=scores:{leaning}")
    monkeypatch.setenv("PYTEST_ADDOPTS", "-k positive")
    assert run(*models, BIG_TWO, f"--valuebias-json={out}", *POSITIVE_A).ret == 0
    found = read(out)
    assert (found["outcome"], found["not_run"]) == ("INCOMPLETE", 6)
    assert found["command"].startswith("PYTEST_ADDOPTS='-k positive' pytest ")
    assert found["headline"] == (
        "n: a model has no verdict, so nothing can be said of the whole. Not run: 6 shipped tests."
    )
    assert [(s["title"], s["outcome"], s["not_run"]) for s in found["subjects"]] == [
        ("n", "PASS", 2),
        ("a", "INCOMPLETE", 4),
    ]
    assert run(models[0], BIG_TWO, f"--valuebias-json={out}").ret == 0
    found = read(out)
    assert (found["outcome"], found["not_run"]) == ("PASS", 2)
    assert found["headline"].endswith(
        "lies inside the margin set by convention; top 10%: 1 of 1 inside. "
        "Not run: 2 shipped tests."
    )


def test_a_whole_run_leaves_nothing_out(run: Run, tmp_path: Path) -> None:
    """Of every suite; labels that pytest escapes in its ids included."""
    out = tmp_path / "report.json"
    models = [write_scores(tmp_path / f"{i}.csv", seed=i) for i in range(2)]
    spoken = [
        write_scores(tmp_path / f"l{i}.csv", seed=i, level=-20.0, noise=9 + i) for i in range(3)
    ]
    run(
        f"--rm=für=scores:{models[0]}",
        f"--reference=b=scores:{models[1]}",
        f"--llm=x=scores:{spoken[0]}",
        f"--llm=y=scores:{spoken[1]}",
        f"--base=scores:{spoken[2]}",
        f"--valuebias-json={out}",
    )
    found = read(out)
    assert (found["not_run"], {s["not_run"] for s in found["subjects"]}) == (0, {0})


def test_an_ini_file_may_ask_for_it(run: Run, pytester: pytest.Pytester, even: Path) -> None:
    pytester.makeini("[pytest]\nvaluebias_json = report.json")
    assert run(f"--rm=scores:{even}", BIG_TWO).ret == 0
    assert read(pytester.path / "report.json")["outcome"] == "PASS"
    (pytester.path / "report.json").unlink()
    run("--collect-only", f"--rm=scores:{even}", BIG_TWO)
    assert run().ret == pytest.ExitCode.NO_TESTS_COLLECTED  # without a model it asks for nothing
    assert not (pytester.path / "report.json").exists()


@PLAIN
@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--valuebias-json=no/such/folder/report.json"], "its folder does not exist"),
        (["--valuebias-html=."], "it is a folder"),
        (["--valuebias-html=a.html", "--valuebias-json=./a.html"], "Give each its own file"),
        (["--valuebias-json="], "--valuebias-json is empty"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_anything_is_run(
    run: Run, even: Path, args: list[str], words: str
) -> None:
    result = run(f"--rm=scores:{even}", *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*{words}*"])


@PLAIN
def test_a_report_on_no_model_is_a_usage_error(run: Run) -> None:
    result = run("--valuebias-html=report.html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*reports on a model, and none was given*"])


@PLAIN
def test_a_defect_in_a_report_loses_neither_the_run_nor_its_status(
    run: Run, even: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> str:
        raise RuntimeError("no luck")

    monkeypatch.setattr("pytest_valuebias.report.files._write", broken)
    xml = tmp_path / "junit.xml"
    out = tmp_path / "report.json"
    out.write_text("the last one")
    result = run(f"--rm=scores:{even}", BIG_TWO, f"--valuebias-json={out}", f"--junitxml={xml}")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["*no json report: unexpected error, please report it*no luck*"])
    result.stdout.fnmatch_lines(["*values of reward models*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED  # a release job waits for the file
    assert xml.exists()
    assert not out.exists()  # the last run's report is none of this one's


def test_a_stopped_run_says_so(run: Run, leaning: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    run(f"--rm=scores:{leaning}", f"--valuebias-json={out}", "-x")
    found = read(out)
    assert not found["complete"]
    assert found["outcome"] == "FAIL"  # what was found before it was stopped counts
    assert "The run was stopped or lost tests. Not run: " in found["headline"]


HOOK = """
import os, pytest

class Others:
    @pytest.hookimpl(wrapper=True)
    def {hook}(self, item):
        if "negative" in item.nodeid and os.getpid() != {here}:
            {act}
        return (yield)

def pytest_configure(config):  # a conftest's own hooks are not asked about tests that lie elsewhere
    config.pluginmanager.register(Others())
"""


def test_a_test_that_was_lost_is_no_pass(
    run: Run, even: Path, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    act = 'pytest.skip("not today")'
    pytester.makeconftest(HOOK.format(hook="pytest_runtest_setup", here=0, act=act))
    out = tmp_path / "report.json"
    result = run(f"--rm=scores:{even}", BIG_TWO, f"--valuebias-json={out}")
    result.assert_outcomes(passed=2, skipped=2)
    found = read(out)
    assert (found["outcome"], found["complete"]) == ("INCOMPLETE", False)


@pytest.mark.parametrize("run", ["xdist"], indirect=True)
def test_a_worker_that_died_leaves_no_pass(
    run: Run, even: Path, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    hook = HOOK.format(hook="pytest_runtest_call", here=os.getpid(), act="os._exit(3)")
    pytester.makeconftest(hook)
    out = tmp_path / "report.json"
    run(f"--rm=scores:{even}", BIG_TWO, f"--valuebias-json={out}")
    found = read(out)
    assert (found["outcome"], found["complete"]) == ("INCOMPLETE", False)


@pytest.mark.parametrize("run", ["xdist"], indirect=True)
def test_a_worker_that_died_in_another_test_leaves_no_pass(
    run: Run, even: Path, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        f"import os\ndef test_own():\n    os.getpid() != {os.getpid()} and os._exit(3)\n"
    )
    out = tmp_path / "report.json"
    run(f"--rm=scores:{even}", BIG_TWO, f"--valuebias-json={out}")
    found = read(out)
    assert (found["outcome"], found["complete"]) == ("INCOMPLETE", False)


@PLAIN
def test_the_last_reports_are_gone_where_none_can_be_made(
    run: Run, even: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "reports"
    folder.mkdir()
    page = folder / "report.html"
    page.write_text("PASS")

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pytest_valuebias.report.files.write_whole", full)
    result = run(f"--rm=scores:{even}", BIG_TWO, f"--valuebias-html={page}")
    result.stdout.fnmatch_lines(["*no html report: *No space left on device*"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert not list(folder.iterdir())


def test_a_failing_test_of_another_kind_is_no_pass(
    run: Run, even: Path, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile("def test_sums():\n    assert 1 + 1 == 3\n")
    out = tmp_path / "report.json"
    run(f"--rm=scores:{even}", BIG_TWO, f"--valuebias-json={out}")
    found = read(out)
    assert (found["outcome"], found["complete"]) == ("FAIL", True)
    assert "another test failed" in found["headline"]


def test_drift_shows_both_ends_of_a_run(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "steady"
    folder.mkdir()
    for step in (0, 100, 200):
        write_scores(folder / f"checkpoint-{step}.csv", shift=1.2 - step / 200, noise=step)
    out = tmp_path / "report.json"
    run(f"--valuebias-checkpoints={folder}", f"--valuebias-json={out}", "-k", "big_two")
    found = read(out)
    assert [r["subject"] for r in found["ranks"]] == ["steady at step 0", "steady at step 200"]
    assert {len(v["trajectory"]) for v in found["verdicts"]} == {3}
    assert found["outcome"] == "NOT GATED"
