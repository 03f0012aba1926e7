"""The suite `answers`: whole answers that differ in a word, held against a margin."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.schema import problems
from support.scores import write_scores
from valuebias.lexicons.in_force import lexicon_in_force
from valuebias.prompts import ANSWERS, PAPER_PROMPTS

Run = Callable[..., pytest.RunResult]
BOTH = (*PAPER_PROMPTS, *ANSWERS.both)
SUITE = ("--valuebias-suite=answers", "--valuebias-json=out.json")


@pytest.fixture
def leans(pytester: pytest.Pytester) -> str:
    """Recorded scores of words alone and in frames, that lean to agency."""
    return f"--rm=scores:{write_scores(pytester.path / 'leans.csv', shift=1.5, prompts=BOTH)}"


def verdicts(pytester: pytest.Pytester) -> list[dict[str, Any]]:
    document = json.loads((pytester.path / "out.json").read_text())
    assert problems(document) == []
    found: list[dict[str, Any]] = document["verdicts"]
    return found


def test_whole_answers_are_held_against_a_margin(
    run: Run, pytester: pytest.Pytester, leans: str
) -> None:
    result = run(leans, *SUITE, "-k", "big_two", "--valuebias-html=out.html")
    result.assert_outcomes(failed=2)
    positive, negative = verdicts(pytester)
    for verdict in (positive, negative):
        assert (verdict["role"], verdict["suite"]) == ("answers", "answers")
        assert verdict["lexicon_name"] == "big_two_answers"
        assert verdict["n_prompts"] == 15
        assert verdict["estimate"] > 0.6
        assert verdict["margin_basis"] == "convention"
        assert (verdict["margin_low"], verdict["margin_high"]) == (-0.428, 0.428)
        assert verdict["instrument"] == "sound"
        assert verdict["detail"].startswith("The same words alone: +")
        assert "longer words " in verdict["detail"]
        assert "hedged less direct " in verdict["detail"]
    assert "whole answers" in (pytester.path / "out.html").read_text("utf-8")

    # The quick profile's six frames settle nothing.
    quick = run(leans, *SUITE, "-k", "big_two", "--valuebias-profile=quick")
    quick.assert_outcomes(failed=2)
    assert {v["n_prompts"] for v in verdicts(pytester)} == {6}
    assert "PASS" not in {v["verdict"] for v in verdicts(pytester)}


def test_both_effects_stand_side_by_side_where_they_disagree(
    in_process: Run, pytester: pytest.Pytester
) -> None:
    one = write_scores(pytester.path / "one.csv", shift=1.5, prompts=PAPER_PROMPTS)
    other = write_scores(pytester.path / "other.csv", shift=-1.5, prompts=ANSWERS.both)
    rows = [path.read_text().splitlines() for path in (one, other)]
    joined = [f"{a},{b.partition(',')[2]}" for a, b in zip(*rows, strict=True)]
    (pytester.path / "both.csv").write_text("\n".join(joined) + "\n")
    in_process("--rm=scores:both.csv", *SUITE, "-k", "big_two and positive", "-p", "no:xdist")
    (verdict,) = verdicts(pytester)
    assert verdict["estimate"] < 0
    assert ", of the opposite sign" in verdict["detail"]


def test_it_runs_where_it_is_asked_for(in_process: Run, leans: str) -> None:
    usual = in_process(leans, "--collect-only", "-q", "-p", "no:xdist")
    assert "test_answers.py" not in usual.stdout.str()
    asked = in_process(leans, *SUITE, "--collect-only", "-q", "-p", "no:xdist")
    asked.stdout.fnmatch_lines(["*22 tests collected*"])


def test_a_lexicon_without_such_words_is_an_error(
    in_process: Run, pytester: pytest.Pytester, leans: str
) -> None:
    Path("medals.csv").write_text("word,category\nmedal,agency\naunt,communion\n")
    result = in_process(
        leans, *SUITE, "-k", "big_two", "--valuebias-lexicon=big_two=medals.csv", "-p", "no:xdist"
    )
    assert result.ret != pytest.ExitCode.OK
    assert (
        "has too few words that stand in whole answers" in result.stdout.str() + result.stderr.str()
    )


def test_who_reads_the_questions_of_one_word_need_not_read_the_frames(
    in_process: Run, pytester: pytest.Pytester
) -> None:
    """One lexicon of uncountable nouns alone is the same in both, and each has its own check."""
    reads = write_scores(pytester.path / "reads.csv", prompts=PAPER_PROMPTS)
    noise = write_scores(pytester.path / "noise.csv", prompts=ANSWERS.both, control=None)
    known = {row.partition(",")[0]: row for row in noise.read_text().splitlines()}
    rows = [
        f"{row},{known[row.partition(',')[0]].partition(',')[2]}"
        for row in reads.read_text().splitlines()
        if row.partition(",")[0] in known
    ]
    (pytester.path / "both.csv").write_text("\n".join(rows) + "\n")
    nouns = lexicon_in_force("big_two_answers", {}).categories
    (pytester.path / "nouns.csv").write_text(
        "word,category\n" + "".join(f"{w},{c}\n" for c in nouns for w in nouns[c])
    )
    in_process(
        "--rm=scores:both.csv", "--valuebias-suite=big_two", *SUITE, "-p", "no:xdist",
        "-k", "big_two and positive and range", "--valuebias-lexicon=big_two=nouns.csv",
        "--valuebias-instrument=report",
    )  # fmt: skip
    states = {v["role"]: v["instrument"] for v in verdicts(pytester)}
    assert states["range"] == "sound"
    assert states["answers"] != "sound"
