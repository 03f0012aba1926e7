"""A reward model that does not read the questions has no verdicts, and none of it passes."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from support.scores import write_scores, write_table
from valuebias.lexicons.files import starter
from valuebias.prompts import PAPER_PROMPTS

Run = Callable[..., pytest.RunResult]
Found = dict[str, Any]

FOLDER = os.environ.get("VALUEBIAS_PUBLISHED_DATA")
WORDS = tuple(dict.fromkeys(w for name in ("big_two", "mfd2") for w in starter(name).words()))
NEGATIVE = np.array([p.valence == "negative" for p in PAPER_PROMPTS])
BIG_TWO = "--valuebias-suite=big_two"

OWN = """
def test_values(bias):
    bias("big_two", "agency", "communion", valence="positive").assert_within(-0.9, 0.9)


def test_shown(bias):
    bias("big_two", "agency", "communion", valence="positive").judge(-0.9, 0.9)
"""

DECLARED = """
lexicon: big_two
contrast: agency~communion
tests:
  - {name: balanced, valence: positive, within: [-0.9, 0.9]}
"""


def reading(tmp_path: Path, name: str = "reading.csv") -> np.ndarray[Any, Any]:
    """Scores (words, prompts) of a table that reads the questions."""
    path = write_scores(tmp_path / name)
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()[1:]]
    by_word = {row[0]: np.array(row[1:], dtype=float) for row in rows}
    return np.stack([by_word[word] for word in WORDS])


def noise() -> np.ndarray[Any, Any]:
    return np.random.default_rng(1).normal(size=(len(WORDS), len(PAPER_PROMPTS)))


def garbage(tmp_path: Path, kind: str) -> Path:
    """A table that knows nothing of the questions."""
    if kind == "noise":
        values = noise()
    elif kind == "alphabet":
        values = np.argsort(np.argsort(WORDS))[:, None] + 3 * noise()
    elif kind == "length":
        values = np.array([len(word) for word in WORDS])[:, None] + 0.3 * noise()
    elif kind == "one order":
        values = np.random.default_rng(2).normal(size=(len(WORDS), 1)) + 0.3 * noise()
    elif kind == "copied columns":
        values = reading(tmp_path)
        values[:, NEGATIVE] = values[:, ~NEGATIVE]
    elif kind == "flipped sign":
        values = -reading(tmp_path)
    else:  # words and rows joined wrongly
        values = np.random.default_rng(3).permutation(reading(tmp_path))
    return write_table(tmp_path / "garbage.csv", WORDS, values)


KINDS = (
    "noise", "alphabet", "length", "one order", "copied columns", "flipped sign", "misjoined",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_garbage_is_an_error_and_nothing_of_it_passes(
    in_process: Run, pytester: pytest.Pytester, tmp_path: Path, kind: str
) -> None:
    pytester.makepyfile(test_own=OWN)
    (pytester.path / "our.valuebias.yaml").write_text(DECLARED, encoding="utf-8")
    table = garbage(tmp_path, kind)
    result = in_process(
        f"--rm=m=scores:{table}", "--valuebias-json=report.json", "--junitxml=junit.xml"
    )
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.assert_outcomes(errors=27)
    found = read(pytester.path / "report.json")
    assert found["outcome"] == "ERROR"
    assert "does not read the questions" in found["headline"]
    # What was measured only to look at its verdict is an error too, and a row without a verdict.
    assert Counter(r["verdict"] for r in found["verdicts"]) == {"ERROR": 26, "NOT GATED": 1}
    (shown,) = (r for r in found["verdicts"] if r["verdict"] == "NOT GATED")
    assert (shown["nodeid"], shown["gated"]) == ("test_own.py::test_shown[m]", False)
    assert {r["instrument"] for r in found["verdicts"]} == {"failed"}
    assert found["subjects"][0]["instrument"]["state"] == "failed"
    (checked,) = {r["instrument"] for r in found["verdicts"]}
    assert checked == "failed"
    properties = {(p.get("name"), p.get("value")) for p in tree(pytester).iter("property")}
    assert ("valuebias.instrument", "failed") in properties
    assert not any(value == "PASS" for _, value in properties)
    result.stdout.fnmatch_lines(["*Likely causes:*", "*instrument failed: virtue over vice*"])


def test_a_model_that_reads_the_questions_is_sound(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    run(f"--rm=m=scores:{even}", BIG_TWO, "--valuebias-json=report.json", "--junitxml=junit.xml")
    found = read(pytester.path / "report.json")
    assert found["outcome"] == "PASS"
    checked = found["subjects"][0]["instrument"]
    assert (checked["state"], checked["required"], checked["reason"]) == ("sound", True, "")
    figures = {c["key"]: c for c in checked["checks"]}
    assert list(figures) == [
        "told_apart_positive", "told_apart_negative", "prompts_positive", "prompts_negative",
        "valences",
    ]  # fmt: skip
    for figure in figures.values():
        assert figure["low"] <= figure["estimate"] <= figure["high"]
        assert not figure["missed"]
    assert figures["told_apart_positive"]["estimate"] > 0.8
    assert figures["told_apart_negative"]["estimate"] < -0.8
    properties = {p.get("name"): p.get("value") for p in tree(pytester).iter("property")}
    assert properties["valuebias.instrument"] == "sound"
    assert float(properties["valuebias.instrument.valences"] or "nan") == pytest.approx(
        figures["valences"]["estimate"], abs=1e-6
    )


def test_reported_verdicts_of_garbage_gate_nothing(
    run: Run, pytester: pytest.Pytester, tmp_path: Path, even: Path
) -> None:
    table = garbage(tmp_path, "noise")
    result = run(
        f"--rm=m=scores:{table}", f"--rm=sound=scores:{even}", BIG_TWO,
        "--valuebias-instrument=report", "--valuebias-json=report.json",
    )  # fmt: skip
    result.assert_outcomes(passed=4, skipped=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    found = read(pytester.path / "report.json")
    assert found["outcome"] == "NOT GATED"
    assert found["headline"].startswith("m: the instrument check failed, so nothing of it passed.")
    mine = [r for r in found["verdicts"] if r["model"] == "m"]
    assert [(r["verdict"], r["gated"], r["instrument"]) for r in mine] == [
        ("PASS", False, "failed")
    ] * 4
    assert {s["model"]: s["outcome"] for s in found["subjects"]} == {
        "m": "NOT GATED", "sound": "PASS"
    }  # fmt: skip
    result.stdout.fnmatch_lines(["agency~communion *positive*NOT GATED*", "NOT GATED: m does not*"])


def test_without_control_words_a_verdict_is_shown_and_not_gated(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    table = write_scores(tmp_path / "few.csv", lexicons=("big_two",), control=None, turns=True)
    result = run(f"--rm=m=scores:{table}", BIG_TWO, "--valuebias-json=report.json")
    result.assert_outcomes(skipped=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    found = read(pytester.path / "report.json")
    assert found["outcome"] == "NOT GATED"
    assert found["headline"].startswith("m: instrument not checked")
    assert {(r["verdict"], r["gated"]) for r in found["verdicts"]} == {("PASS", False)}
    result.stdout.fnmatch_lines(["NOT GATED: instrument not checked: m has no scores of control*"])


def test_the_checks_that_need_no_words_still_refuse(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    values = np.random.default_rng(4).normal(size=(322, 54))
    table = write_table(tmp_path / "few.csv", starter("big_two").words(), values)
    result = run(f"--rm=m=scores:{table}", BIG_TWO)
    result.assert_outcomes(errors=4)
    result.stdout.fnmatch_lines(["*prompts agree on own words, positive*must be at least*"])


def test_another_table_of_the_model_has_the_control_words(
    run: Run, pytester: pytest.Pytester, tmp_path: Path, even: Path
) -> None:
    table = write_scores(tmp_path / "few.csv", lexicons=("big_two",), control=None, turns=True)
    one = run(f"--rm=m=scores:{table}", BIG_TWO, f"--valuebias-control=scores:{even}")
    one.assert_outcomes(passed=4)
    assert one.ret == pytest.ExitCode.OK
    other = run(
        f"--rm=m=scores:{table}", f"--rm=n=scores:{even}", BIG_TWO,
        f"--valuebias-control=m=scores:{even}",
    )  # fmt: skip
    other.assert_outcomes(passed=8)


def test_a_control_table_does_not_save_garbage(run: Run, tmp_path: Path, even: Path) -> None:
    values = np.random.default_rng(4).normal(size=(322, 54))
    table = write_table(tmp_path / "few.csv", starter("big_two").words(), values)
    result = run(f"--rm=m=scores:{table}", BIG_TWO, f"--valuebias-control=scores:{even}")
    result.assert_outcomes(errors=4)


def test_too_many_controls_are_a_usage_error(run: Run, even: Path) -> None:
    control = f"--valuebias-control=scores:{even}"
    result = run(f"--rm=m=scores:{even}", BIG_TWO, control, control)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--valuebias-control was given 2 times for 1 reward models*"])


def test_a_lexicon_may_declare_its_own_control(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    """Words of another language, of which two categories are the control contrast."""
    rng = np.random.default_rng(5)
    names = ("kraft", "nahe", "gut", "schlecht")
    words = [
        f"{name}{chr(97 + i)}{chr(97 + j)}" for name in names for i in range(5) for j in range(6)
    ]
    lines = [
        f"  {name}: [{', '.join(words[k * 30 : k * 30 + 30])}]" for k, name in enumerate(names)
    ]
    declared = "categories:\n" + "\n".join(lines) + "\n"
    (pytester.path / "with.yaml").write_text(declared + "control: gut~schlecht\n")
    (pytester.path / "without.yaml").write_text(declared)
    turn = np.where(NEGATIVE, -1, 1)[None, :]
    good = np.repeat([0, 0, 1, -1], 30)[:, None]
    taste = rng.normal(size=(120, 1, 2))
    values = np.where(NEGATIVE[None, :], taste[:, :, 1], taste[:, :, 0])
    values = values + 2 * turn * good + 0.3 * rng.normal(size=(120, 54))
    table = write_table(tmp_path / "german.csv", words, values)
    pytester.makepyfile(
        'def test_own(bias):\n    bias("l", "kraft", "nahe", valence="positive")'
        ".assert_within(-0.9, 0.9)\n"
    )
    none = ("--valuebias-suite=none", f"--rm=m=scores:{table}")
    run(*none, "--valuebias-lexicon=l=with.yaml").assert_outcomes(passed=1)
    run(*none, "--valuebias-lexicon=l=without.yaml").assert_outcomes(skipped=1)


def test_a_language_model_is_checked_and_not_refused(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    values = noise() - 20
    table = write_table(tmp_path / "llm.csv", WORDS, values)
    margins = pytester.path / "margins.yaml"
    margins.write_text(
        "margins:\n"
        + "".join(
            "- {lexicon: big_two, contrast: agency~communion, role: logprob, "
            f"valence: {valence}, interval: [-0.3, 0.3]}}\n"
            for valence in ("positive", "negative")
        )
    )
    result = run(
        f"--llm=m=scores:{table}", "--valuebias-suite=logprobs", f"--valuebias-margins={margins}",
        "-k", "big_two", "--valuebias-json=report.json",
    )  # fmt: skip
    result.assert_outcomes(passed=2)
    found = read(pytester.path / "report.json")
    assert found["outcome"] == "PASS"
    checked = found["subjects"][0]["instrument"]
    assert (checked["state"], checked["required"]) == ("failed", False)
    assert all("instrument" not in r for r in found["verdicts"])
    result.stdout.fnmatch_lines(["*instrument failed (reported only)*"])


def test_what_is_reported_of_a_language_model_is_required_of_a_reward_model(
    run: Run, tmp_path: Path
) -> None:
    """One table as both, under one name: what was found of one does not serve the other."""
    table = write_table(tmp_path / "both.csv", WORDS, noise() - 20)
    both = (f"--llm=m=scores:{table}", f"--rm=m=scores:{table}")
    result = run(*both, "--valuebias-suite=logprobs", BIG_TWO, "-k", "big_two and range")
    result.assert_outcomes(passed=2, errors=2)


@pytest.mark.skipif(not FOLDER, reason="VALUEBIAS_PUBLISHED_DATA is not set")
def test_the_ten_published_models_are_sound_with_their_moral_tables_as_control(
    in_process: Run, pytester: pytest.Pytester
) -> None:
    scores = Path(FOLDER or "") / "data" / "reward_model_scores"
    args = []
    for nouns in sorted((scores / "dict_big2_nouns").glob("*.csv")):
        name = nouns.stem.split("_", 3)[-1]
        (moral,) = (scores / "dict_MFD_20").glob(f"*_{name}.csv")  # six are misnamed big2_
        args += [f"--rm={name}=scores:{nouns}", f"--valuebias-control={name}=scores:{moral}"]
    lexicon = Path(FOLDER or "") / "data" / "corpora" / "dict_big2_nouns.csv"
    in_process(
        *args, BIG_TWO, f"--valuebias-lexicon=big_two={lexicon}", "--valuebias-json=report.json"
    )
    found = read(pytester.path / "report.json")
    assert [s["instrument"]["state"] for s in found["subjects"]] == ["sound"] * 10
    assert {r["instrument"] for r in found["verdicts"]} == {"sound"}
    assert "ERROR" not in {r["verdict"] for r in found["verdicts"]}


def read(path: Path) -> Found:
    found: Found = json.loads(path.read_text(encoding="utf-8"))
    return found


def tree(pytester: pytest.Pytester) -> ElementTree.Element:
    return ElementTree.parse(pytester.path / "junit.xml").getroot()
