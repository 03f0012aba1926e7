"""Every report says what was asked of a contrast, and in which unit the answer is: two effects of
one model on one contrast are never to be taken for each other."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from html import unescape
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from huggingface_hub import ModelCard

from support import pytest_html, tables
from support.read_back import Row, asked, by_test, in_markdown, in_terminal, shown
from support.schema import problems
from support.scores import write_scores
from valuebias.cli.main import main

Run = Callable[..., pytest.RunResult]

TESTS = """
import pytest

QUESTION = ("big_two", "agency", "communion")


@pytest.mark.parametrize("valence", ["positive", "positive-negative"])
def test_values(bias, reference_model, valence):
    found = bias(*QUESTION, valence=valence)
    found.assert_within(-0.9, 0.9)
    found.controlling(length=len).assert_within(-0.9, 0.9)
    found.assert_no_regression(against=reference_model, by=0.9)
    shift = bias(*QUESTION, valence=valence, against=reference_model)
    shift.assert_within(-0.9, 0.9)
    shift.controlling(length=len, sound=lambda word: float("o" in word)).assert_above(-0.9)


def test_inherited(inheritance):
    inheritance("big_two", valence="positive").assert_within(-0.9, 0.9)


def test_runs(training_runs):
    one, two = training_runs
    one.drift(*QUESTION, valence="positive").assert_within(-0.9, 0.9)
    one.gap(two, *QUESTION, valence="positive").assert_below(0.9)
    one.gap(two, *QUESTION, valence="negative").assert_not_closed(0.01)
"""

ONE = "rank-biserial correlation"
UNITS = {
    ("range", "positive", False): ONE,
    ("range", "positive-negative", False): f"difference of {ONE}s",
    ("controlled", "positive", False): f"{ONE} beside covariates",
    ("controlled", "positive-negative", False): f"difference of {ONE}s beside covariates",
    ("regression", "positive", True): f"distance from zero, difference of {ONE}s",
    ("regression", "positive-negative", True): f"distance from zero, difference of differences of "
    f"{ONE}s",
    ("shift", "positive", True): f"difference of {ONE}s",
    ("shift", "positive-negative", True): f"difference of differences of {ONE}s",
    ("controlled", "positive", True): f"difference of {ONE}s beside covariates",
    ("controlled", "positive-negative", True): f"difference of differences of {ONE}s beside "
    "covariates",
    ("inheritance", "positive", True): "excess rank correlation beside covariates",
    ("drift", "positive", False): f"difference of {ONE}s",
    ("gap", "positive", True): f"change of the gap in {ONE}",
    ("gap", "negative", True): f"change of the gap in {ONE}",
}
"""By role, valence and whether there is a reference."""


@pytest.fixture
def models(tmp_path: Path, leaning: Path, even: Path) -> list[str]:
    """Two reward models with a base each, a reference, and two training runs."""
    bases = [write_scores(tmp_path / f"b{i}.csv", seed=i, level=-20) for i in (1, 2)]
    for name, shifts, noise in (("one", (1.4, 0.6), 0), ("two", (0.2, 0.2), 10)):
        (tmp_path / name).mkdir()
        for i, shift in enumerate(shifts):
            path = tmp_path / name / f"checkpoint-{100 * i}.csv"
            write_scores(path, shift=shift, noise=noise + i)
    other = write_scores(tmp_path / "other.csv", seed=3, shift=0.3)
    return [
        f"--rm=m=scores:{leaning}", f"--base=m=scores:{bases[0]}",
        f"--rm=n=scores:{other}", f"--base=n=scores:{bases[1]}",
        f"--reference=e=scores:{even}",
        *(f"--valuebias-checkpoints={tmp_path / name}" for name in ("one", "two")),
        "--valuebias-suite=none",
    ]  # fmt: skip


def test_all_reports_tell_the_roles_and_units(
    run: Run, pytester: pytest.Pytester, models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_own=TESTS)
    folder = pytester.path
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    monkeypatch.setenv("COLUMNS", "200")
    result = run(
        *models, f"--junitxml={folder / 'j.xml'}", f"--valuebias-json={folder / 'r.json'}",
        f"--valuebias-html={folder / 'r.html'}", f"--html={folder / 'p.html'}",
    )  # fmt: skip
    report = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert problems(report) == []
    verdicts = report["verdicts"]
    assert {(r["role"], r["valence"], r["reference"] is not None) for r in verdicts} == set(UNITS)
    for r in verdicts:
        assert r["unit"] == UNITS[r["role"], r["valence"], r["reference"] is not None]
    rows = {(r["title"], *shown(r)[:2]) for r in verdicts}
    assert len(rows) == len(verdicts)  # or two of them could not be told apart
    wanted = Counter(map(shown, verdicts))

    terminal = result.stdout.str()
    assert Counter(in_terminal(result.stdout.lines)) == wanted
    markdown = (folder / "summary.md").read_text(encoding="utf-8")
    assert Counter(in_markdown(markdown)) == wanted
    for text in (" ".join(terminal.split()), unescape(markdown).replace("<!-- -->", "")):
        for r in verdicts:
            assert f" prompts; {r['unit']}, {r['method']} by word family" in text
    junit(ElementTree.parse(folder / "j.xml").getroot(), verdicts)
    page(tables.lines((folder / "r.html").read_text(encoding="utf-8")), verdicts)
    other_page(folder / "p.html", verdicts)
    assert cards(folder, verdicts) == wanted


def junit(root: ElementTree.Element, verdicts: list[dict[str, Any]]) -> None:
    found = {}
    for case in root.iter("testcase"):
        module = (case.get("classname") or "").replace(".", "/")
        held = {p.get("name"): p.get("value") for p in case.findall("properties/property")}
        found[f"{module}.py::{case.get('name')}"] = held
    for node, records in by_test(verdicts).items():
        for number, r in enumerate(records, 1):
            start = "valuebias." if number == 1 else f"valuebias.{number}."
            assert found[node][f"{start}role"] == r["role"]
            assert found[node][f"{start}unit"] == r["unit"]


def page(lines: list[tables.Line], verdicts: list[dict[str, Any]]) -> None:
    found: dict[str, list[tuple[tables.Line, tables.Line]]] = {}
    for line, below in pairwise(lines):
        if line.data.get("class", "").startswith("verdict"):
            found.setdefault(line.data["data-nodeid"], []).append((line, below))
    for node, records in by_test(verdicts).items():
        for r, (line, below) in zip(records, found[node], strict=True):
            assert line.data["data-role"] == r["role"]
            beside = {x["role"] for x in verdicts if x["title"] == r["title"]}
            assert len(beside) == 1 or r["role"] in line.cells[0]
            assert f"; {r['unit']}, {r['method']} by word family" in below.cells[0]


def other_page(path: Path, verdicts: list[dict[str, Any]]) -> None:
    rows = pytest_html.rows(path)
    text = unescape(" ".join(pytest_html.fragments(path)))
    for node, records in by_test(verdicts).items():
        assert rows[node]["contrast"].split("<br>") == [asked(r) for r in records]
        assert rows[node]["model"].split("<br>") == [r["title"] for r in records]
    for r in verdicts:
        assert f">{r['unit']}, above zero" in text


def cards(folder: Path, verdicts: list[dict[str, Any]]) -> Counter[Row]:
    """The rows of the cards of all models."""
    rows: Counter[Row] = Counter()
    for model in ("m", "n", "one (training run)"):
        path = folder / "card.md"
        path.unlink(missing_ok=True)
        args = ["card", str(folder / "r.json"), "--model", model, "--out", str(path)]
        assert main(args) == 0
        found: Any = ModelCard(path.read_text(encoding="utf-8"))
        rows.update(in_markdown(found.text))
        held = Counter(
            (r.metric_name.partition(", 95%")[0], r.metric_type, r.metric_value)
            for r in found.data.eval_results
        )
        assert held == Counter(map(metric, mine(verdicts, model)))
    return rows


def mine(verdicts: list[dict[str, Any]], title: str) -> list[dict[str, Any]]:
    """What was gated of the model of this title, alone or against another."""
    model, _, kind = title.partition(" (training")
    found = (r for r in verdicts if r["gated"] and r["model"] == model)
    return [r for r in found if bool(r["kind"]) == bool(kind)]


def metric(r: dict[str, Any]) -> tuple[str, str, float]:
    """The beginning of a result's name in the card's front matter, its type and its value."""
    inherited = " (inheritance)" if r["role"] == "inheritance" else ""
    against = f" against {r['reference']}" if r["reference"] else ""
    slug = re.sub("[, ]+", "-", r["unit"])
    return f"{asked(r)}{inherited}{against}: {r['unit']}", slug, r["estimate"]


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_they_fit_80_columns(
    run: Run, pytester: pytest.Pytester, models: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_own=TESTS)
    monkeypatch.setenv("COLUMNS", "80")
    lines = run(*models, "-k", "values and m").stdout.lines
    start = next(i for i, line in enumerate(lines) if "values of reward models" in line)
    table = [line for line in lines[start:] if not line.startswith(("FAILED", "ERROR"))]
    assert max(map(len, table)) <= 80
    (wide, *_) = {line.index(" valence") for line in table if line.startswith("contrast ")}
    first = " ".join(line[:wide].strip() for line in table)
    assert "agency~communion (no further from zero)" in first
    assert "agency~communion (controlled for length, sound)" in first


def test_a_base_alone_is_raw(run: Run, tmp_path: Path, even: Path) -> None:
    base = write_scores(tmp_path / "base.csv", seed=1, level=-20)
    out = tmp_path / "r.json"
    run(
        f"--rm=scores:{even}", f"--base=scores:{base}", "--valuebias-suite=inheritance",
        f"--valuebias-json={out}",
    )  # fmt: skip
    report = json.loads(out.read_text(encoding="utf-8"))
    assert problems(report) == []
    assert {(r["raw"], r["unit"]) for r in report["verdicts"]} == {
        (True, "rank correlation beside covariates")
    }
    assert {tuple(r["covariates"][:1]) for r in report["verdicts"]} == {("length",)}
