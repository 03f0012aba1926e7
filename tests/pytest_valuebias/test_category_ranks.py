"""Files of category ranks in the drift suite: shown in every report, and never gated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.schema import problems

Run = Callable[..., pytest.RunResult]
PLAIN = pytest.mark.parametrize("run", ["plain"], indirect=True)
WHY = "NOT GATED: ranks of categories without words: no interval"
TEST = "valuebias/test_drift.py::test_ranks[ranks.csv]"
DRIFT = "--valuebias-suite=drift"


@pytest.fixture
def ranks(tmp_path: Path) -> Path:
    """Two runs that change places, each row given twice."""
    values = {"from-a": ((900, 700), (700, 810.5)), "from-b<b>\u202e": ((600, 800), (690, 720))}
    rows = [
        f"{run},{side},{1000 * step},{base},{value}"
        for (run, steps), base in zip(values.items(), ("A", "NA"), strict=True)
        for step, pair in enumerate(steps, 1)
        for side, value in zip(("Agency", "Communion"), pair, strict=True)
    ]
    path = tmp_path / "ranks.csv"
    numbered = [f"{i},{row}" for i, row in enumerate(rows * 2)]
    text = "\n".join([",model_id,Category,checkpoint,base_model,sum_value", *numbered])
    path.write_text(text, encoding="utf-8")
    return path


def test_ranks_are_shown_everywhere_and_alone_are_not_green(
    run: Run, ranks: Path, tmp_path: Path
) -> None:
    made = {kind: tmp_path / f"report.{kind}" for kind in ("json", "html", "xml")}
    result = run(
        f"--valuebias-checkpoints=ranks:{ranks}",
        f"--valuebias-json={made['json']}",
        f"--valuebias-html={made['html']}",
        f"--junitxml={made['xml']}",
        "-rs",
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(skipped=1)
    out = " ".join(result.stdout.str().split())
    for said in (
        WHY,
        "1: from-a (base A) 2: from-b<b>\\u202e",
        "step 1 2 1 less 2 1,000 +200.0 -200.0 +400.0 2,000 -110.5 -30.0 -80.5",
        "8 repeated rows left out",
        "+400.0 at step 1,000, -80.5 at step 2,000; their order reverses at step 2,000",
        "NOTHING WAS GATED: no verdict was held against a margin, so this run fails.",
    ):
        assert said in out
    found = json.loads(made["json"].read_text())
    assert problems(found) == []
    assert (found["outcome"], found["not_run"]) == ("NOT GATED", 0)
    (verdict,) = found["verdicts"]
    assert (verdict["nodeid"], verdict["role"], verdict["gated"]) == (TEST, "ranks", False)
    (file,) = found["category_ranks"]
    assert file["runs"][0]["checkpoints"][1] == {
        "step": 2000, "ranks": [700.0, 810.5], "difference": -110.5,
    }  # fmt: skip
    assert file["gaps"][0]["turns"] == [2000]
    page = made["html"].read_text()
    table = page.partition('<table class="category-ranks" data-name="ranks.csv">')[2]
    assert "from-b&lt;b&gt;\\u202e" in table
    assert "\u202e" not in page + result.stdout.str()
    assert "<b>from" not in page
    assert '<td class="n">-80.5</td>' in table
    assert f"<strong>NOT GATED:</strong> {WHY.removeprefix('NOT GATED: ')}." in page
    (case,) = ElementTree.parse(made["xml"]).getroot().iter("testcase")
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert properties["valuebias.status"] == "NOT GATED"


def test_ranks_beside_a_model_leave_its_verdict_as_it_is(
    run: Run, ranks: Path, even: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    page = tmp_path / "report.html"
    result = run(
        f"--rm=m=scores:{even}",
        f"--valuebias-checkpoints=mine=ranks:{ranks}",
        "--valuebias-suite=big_two",
        DRIFT,
        f"--valuebias-json={report}",
        f"--valuebias-html={page}",
    )
    result.assert_outcomes(passed=4, skipped=1)
    assert result.ret == 0
    found = json.loads(report.read_text())
    assert problems(found) == []
    assert found["outcome"] == "PASS"
    assert found["headline"].startswith("m: all ")
    assert "(1 more not gated)" in found["headline"]
    assert "1 ranks of categories without words" in page.read_text()


@PLAIN
def test_ranks_that_were_left_out_are_not_shown_and_counted(
    run: Run, ranks: Path, even: Path, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    result = run(
        f"--rm=m=scores:{even}",
        f"--valuebias-checkpoints=ranks:{ranks}",
        "--valuebias-suite=big_two",
        DRIFT,
        "-k",
        "not ranks",
        f"--valuebias-json={report}",
    )
    result.assert_outcomes(passed=4, deselected=1)
    found = json.loads(report.read_text())
    assert "category_ranks" not in found
    assert (found["outcome"], found["not_run"]) == ("INCOMPLETE", 1)
    assert "ranks of categories" not in result.stdout.str()


@PLAIN
def test_where_ranks_are_named(
    run: Run, ranks: Path, even: Path, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = run(f"--rm=scores:{even}", f"--valuebias-checkpoints=ranks:{ranks}", TEST)
    one.assert_outcomes(skipped=1)
    assert run(f"--valuebias-checkpoints=ranks:{ranks}", "--valuebias-suite=big_two").ret == 1
    # In an ini file a path is relative to that file.
    pytester.makeini(
        f"[pytest]\nvaluebias_checkpoints =\n    ranks:{ranks.name}\n    b=ranks:x.csv"
    )
    for name in (ranks.name, "x.csv"):
        (pytester.path / name).write_bytes(ranks.read_bytes())
    below = pytester.mkdir("below")
    monkeypatch.chdir(below)
    found = run("-c", str(pytester.path / "tox.ini"), "--collect-only", "-q")
    assert [line for line in found.outlines if "test_ranks" in line] == [
        TEST,
        TEST.replace("ranks.csv", "b"),
    ]


@PLAIN
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["a,Agency,1000,A,3", "a,Agency,1000,A,4"], "line 3: contradicts line 2"),
        (["a,Agency,1000,A,best"], "line 2: sum_value must be a rank, a number >= 1. Seen: best."),
    ],
)
def test_rows_that_cannot_be_used_are_a_usage_error(
    run: Run, tmp_path: Path, more: list[str], said: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("\n".join(["model_id,Category,checkpoint,base_model,sum_value", *more]))
    result = run(f"--valuebias-checkpoints=ranks:{path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()


@PLAIN
def test_ranks_are_no_model(run: Run, ranks: Path) -> None:
    result = run(f"--valuebias-checkpoints=ranks:{ranks}", "--valuebias-require-model")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--valuebias-require-model: no model was given" in result.stderr.str()
