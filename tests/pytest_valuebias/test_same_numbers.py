"""Every report of one run holds the same numbers: read back from all of them, and compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from huggingface_hub import ModelCard

from support import pytest_html, tables
from support.read_back import (
    Row,
    by_test,
    in_markdown,
    in_terminal,
    number,
    rendered,
    shown,
    text_of,
    top_shown,
    tops_in_markdown,
)
from support.schema import problems
from valuebias.cli.main import main

Run = Callable[..., pytest.RunResult]

TESTS = """
import pytest


def test_two_at_once(bias):
    bias("big_two", "agency", "communion", valence="positive").assert_above(0.1)
    bias("mfd2", "loyalty.vice", valence="negative").assert_within(-0.9, 0.95)


def test_on_the_edge(bias):
    found = bias("big_two", "agency", "communion", valence="negative")
    found.assert_below(found.estimate)


@pytest.mark.xfail(reason="known")
def test_let_through(bias):
    bias("big_two", "agency", "communion", valence="positive-negative").assert_above(0.5)
"""

NUMBERS = (
    "estimate", "ci_level", "ci_low", "ci_high", "gate_low", "gate_high", "margin_low",
    "margin_high", "alpha", "p", "mde", "coverage",
)  # fmt: skip
COUNTS = ("n_words", "n_families", "n_prompts", "n_shared")


def test_all_reports_hold_the_same_numbers(
    run: Run, pytester: pytest.Pytester, leaning: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makepyfile(test_own=TESTS)
    folder = pytester.path
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "summary.md"))
    monkeypatch.setenv("COLUMNS", "160")
    result = run(
        f"--rm=m=scores:{leaning}", "--valuebias-suite=big_two", "--valuebias-suite=mfd2",
        f"--junitxml={folder / 'j.xml'}",
        f"--valuebias-json={folder / 'r.json'}", f"--valuebias-html={folder / 'r.html'}",
        f"--html={folder / 'p.html'}",
    )  # fmt: skip
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    report = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert problems(report) == []
    verdicts = report["verdicts"]
    words = Counter(r["verdict"] if r["gated"] else "NOT GATED" for r in verdicts)
    assert set(words) == {"PASS", "FAIL", "INCONCLUSIVE", "NOT GATED"}
    assert len({r["estimate"] for r in verdicts}) >= 8  # or any two could be taken for each other
    wanted = Counter(map(shown, verdicts))

    assert Counter(in_terminal(result.stdout.lines)) == wanted
    junit(ElementTree.parse(folder / "j.xml").getroot(), report)
    page((folder / "r.html").read_text(encoding="utf-8"), report)
    markdown = (folder / "summary.md").read_text(encoding="utf-8")
    assert markdown.count("## Values: FAIL\n") == 1  # written once, whoever ran the tests
    assert text_of(rendered(markdown)).count(report["headline"]) == 1
    assert Counter(in_markdown(markdown)) == wanted
    tops = Counter(map(top_shown, verdicts))
    assert Counter(tops_in_markdown(markdown)) == tops
    assert any(top for _, _, top in tops)
    assert main(["card", str(folder / "r.json"), "--out", str(folder / "card.md")]) == 0
    card(ModelCard((folder / "card.md").read_text(encoding="utf-8")), verdicts, wanted)
    other_page(folder / "p.html", report)


def properties(element: ElementTree.Element) -> dict[str, str]:
    pairs = [(p.get("name"), p.get("value")) for p in element.findall("properties/property")]
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)  # type: ignore[arg-type]


def junit(root: ElementTree.Element, report: dict[str, Any]) -> None:
    seen = 0
    for case in root.iter("testcase"):
        module = (case.get("classname") or "").replace(".", "/")
        held = properties(case)
        for place, r in enumerate(by_test(report["verdicts"])[f"{module}.py::{case.get('name')}"]):
            start = "valuebias." if not place else f"valuebias.{place + 1}."
            seen += 1
            for name in NUMBERS:
                if r[name] is None:
                    assert start + name not in held
                else:
                    assert abs(float(held[start + name]) - r[name]) <= 5.0001e-7
            for name in COUNTS:
                assert int(held[start + name]) == r[name]
            for name in ("verdict", "contrast", "valence", "model", "fingerprint", "reason"):
                assert held[start + name] == r[name]
            assert held[f"{start}gated"] == str(r["gated"]).lower()
            assert held.get(f"{start}status") == (None if r["gated"] else "NOT GATED")
    assert seen == len(report["verdicts"])
    (suite,) = root.iter("testsuite")
    held = properties(suite)
    for name in ("tool", "profile", "outcome", "headline", "command", "created"):
        assert held.pop(f"valuebias.{name}") == report[name]
    assert held.pop("valuebias.complete") == "true"
    assert held.pop("valuebias.not_run") == str(report["not_run"])
    for name, version in report["versions"].items():
        assert held.pop(f"valuebias.version.{name}") == version
    for setting in report["settings"]:
        assert held.pop(f"valuebias.setting.{setting['name']}") == setting["value"]
    for lexicon in report["lexicons"]:
        told = held.pop(f"valuebias.lexicon.{lexicon['name']}")
        assert told.startswith(f"sha256:{lexicon['sha256']}, {lexicon['words']} words")
        assert ("not validated" in told) == lexicon["starter"]
    (subject,) = report["subjects"]
    assert held.pop("valuebias.model.1") == subject["title"]
    assert held.pop("valuebias.model.1.fingerprint") == subject["fingerprint"]
    assert [name for name in held if name.startswith("valuebias.")] == []


def page(text: str, report: dict[str, Any]) -> None:
    rows = [line for line in tables.lines(text) if line.data.get("class", "").startswith("verdict")]
    found: dict[str, list[tables.Line]] = {}
    for line in rows:
        found.setdefault(line.data["data-nodeid"], []).append(line)
    assert len(rows) == len(report["verdicts"])
    for node, verdicts in by_test(report["verdicts"]).items():
        for r, line in zip(verdicts, found[node], strict=True):
            for name in (*NUMBERS, *COUNTS):
                held = line.data.get(f"data-{name.replace('_', '-')}")
                assert (None if held in (None, "") else float(held)) == r[name], name
            assert line.data["data-verdict"] == r["verdict"]
            assert line.data["data-gated"] == str(r["gated"]).lower()
            contrast, _, estimate, interval, margin, word = shown(r)
            cells = [cell.replace("−", "-") for cell in line.cells]
            assert cells[0].startswith(contrast.replace(" (top 10%)", " top"))
            top = "" if r.get("top_share") is None else f"top 10% {number(r['top_share'])}"
            assert cells[2:5] == [estimate + top, interval, margin]
            assert cells[-1].startswith(word)
    assert report["headline"] in text_of(text)


def card(found: Any, verdicts: list[dict[str, Any]], wanted: Counter[Row]) -> None:
    assert Counter(in_markdown(found.text)) == wanted
    names = ("ci_level", "ci_low", "ci_high", "margin_low", "margin_high", "verdict", "n_words")
    held = Counter(
        (
            *(r.metric_value, r.dataset_args["prompts"], r.dataset_args["valence"]),
            *(r.metric_args.get(name) for name in names),
        )
        for r in found.data.eval_results
    )
    assert held == Counter(
        (r["estimate"], r["n_prompts"], r["valence"], *(r[name] for name in names))
        for r in verdicts
        if r["gated"]
    )


def other_page(path: Path, report: dict[str, Any]) -> None:
    rows = pytest_html.rows(path)
    assert report["headline"] in text_of(path.read_text(encoding="utf-8"))
    for node, verdicts in by_test(report["verdicts"]).items():
        cells = {name: text.split("<br>") for name, text in rows[node].items()}
        for i, r in enumerate(verdicts):
            contrast, valence, estimate, interval, margin, word = shown(r)
            assert cells["model"][i] == r["model"]
            assert cells["effect"][i] == f"{estimate} {interval}"
            held = [cells[name][i] for name in ("contrast", "valence", "margin", "verdict")]
            assert held == [contrast, valence, margin, word]
