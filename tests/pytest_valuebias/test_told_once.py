"""A broken model is one fault: it is told once, and the other tests say where."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import unescape
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.scores import write_scores

Run = Callable[..., pytest.RunResult]

OURS = """
    def test_ours(bias):
        bias("big_two", "agency", "communion", valence="positive").assert_within(-.3, .3)
"""
YAML = """\
tests:
  - {name: one, lexicon: big_two, contrast: agency~communion, valence: positive, within: [-.3, .3]}
"""
REMEDIES = {
    "ScoresError: torn: ": "the score for best_ever_please is not a number. Seen: x. Fix the cell.",
    "InstrumentError: deaf does not read the questions: ": "Likely causes: an untrained head",
}
"""What the short form begins with, and what only the full one has."""


def test_a_broken_model_is_told_once(
    run: Run, request: pytest.FixtureRequest, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    """One file of scores cannot be read, and the other does not read the questions."""
    torn = write_scores(tmp_path / "torn.csv", control=None)
    lines = torn.read_text().splitlines()
    lines[5] = lines[5].replace(lines[5].split(",")[3], "x", 1)
    torn.write_text("\n".join(lines))
    deaf = write_scores(tmp_path / "deaf.csv", control=None)
    (pytester.path / "our.valuebias.yaml").write_text(YAML)
    pytester.makepyfile(test_ours=OURS)
    result = run(
        *(f"--rm=deaf=scores:{deaf}", f"--rm=torn=scores:{torn}", "--valuebias-suite=big_two"),
        *("--valuebias-json=o.json", "--valuebias-html=o.html", "--junitxml=o.xml"),
    )
    assert result.parseoutcomes() == {"errors": 12}
    workers = 2 if "xdist" in request.node.name else 1
    out = " ".join(result.stdout.str().split())
    errors, summary = out.split("= values of reward models =")
    page = " ".join(unescape((pytester.path / "o.html").read_text()).split())
    told = [str(e.get("message")) for e in ElementTree.parse(pytester.path / "o.xml").iter("error")]
    short = [text for text in told if "Told in full at " in text]
    assert len(told) == 12
    assert 12 - 2 * workers <= len(short) <= 10
    for start, remedy in REMEDIES.items():
        assert 1 <= errors.count(remedy) <= workers
        assert summary.count(remedy) == 1
        # In its headline, the list of what did not pass, the table and the instrument check.
        assert 1 <= page.count(remedy) <= 4
        mine = [text.removeprefix('failed on setup with "') for text in short]
        mine = [text for text in mine if text.startswith(start)]
        assert 4 <= len(mine) <= 5
        assert not any(remedy in text or "\n" in text for text in mine)
        tellers = {text.partition("Told in full at ")[2].rstrip('"') for text in mine}
        assert len(tellers) <= workers
    # Each verdict of the document stands by itself.
    verdicts = json.loads((pytester.path / "o.json").read_text())["verdicts"]
    assert all(any(text in v["reason"] for text in REMEDIES.values()) for v in verdicts)
