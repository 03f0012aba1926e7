"""Judge templates: the shipped one, files of one's own, and what is wrong with a file, by line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.declarations.judge_templates import DEFAULT, judge_template, shipped_judges
from valuebias.errors import SpecError

Write = Callable[[str], str]

OWN = """\
mode: log-odds
system: You judge answers.
text: "Q: {question}\\nA: {answer}\\nGood?"
ratings:
  yes: 1
  no: 0
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> str:
        path = tmp_path / "own.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_the_shipped_one_rates_from_1_to_5() -> None:
    assert shipped_judges() == (DEFAULT,)
    found = judge_template(DEFAULT)
    assert (found.name, found.mode, found.system) == ("rating", "expected", "")
    assert dict(found.ratings) == {"1": 1, "2": 2, "3": 3, "4": 4, "5": 5}
    assert "\nQuestion: Why?\n\nAnswer:\nBecause\n" in found.filled("Why?", "Because")


def test_a_file_of_ones_own(write: Write) -> None:
    found = judge_template(write(OWN))
    assert (found.name, found.mode, found.system) == ("own", "log-odds", "You judge answers.")
    assert found.ratings == (("yes", 1.0), ("no", 0.0))  # words, not true and false
    assert found.best == 1
    assert found.filled("Why?", "Because") == "Q: Why?\nA: Because\nGood?"


@given(st.text(), st.text())
def test_what_is_filled_in_stays_as_it_is(question: str, answer: str) -> None:
    before, between, after = judge_template(DEFAULT).text
    filled = judge_template(DEFAULT).filled(question + "{answer}", answer + "{question}")
    assert filled == f"{before}{question}{{answer}}{between}{answer}{{question}}{after}"


def test_the_digest_is_of_the_content(write: Write, tmp_path: Path) -> None:
    known = judge_template(write(OWN)).digest
    other = tmp_path / "other.yaml"
    other.write_text(OWN.replace("  yes: 1\n  no: 0\n", "  no: 0\n  yes: 1.0\n"), encoding="utf-8")
    assert judge_template(str(other)).digest == known  # neither name nor order
    for old, new in (
        ("log-odds", "expected"),
        ("You judge answers.", "You judge answers"),
        ("Good?", "Good? "),
        ("Q: {question}", "{question}"),
        ("yes: 1", "yes: 2"),
        ("no: 0", "nay: 0"),
    ):
        assert judge_template(write(OWN.replace(old, new))).digest != known


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("mode: log-odds", "mode: mean", "line 1: unknown mode. Seen: mean. Give expected or"),
        ("mode: log-odds\n", "", "line 1: no `mode`"),
        ("system: You judge answers.", "system: ' '", "line 2: `system` is empty"),
        ("You judge answers.", "'{question}'", "line 2: `system` is the same for every question"),
        ("system:", "sistem:", "line 2: unknown key. Seen: sistem. Use mode, text, ratings, sys"),
        ("{question}", "", "line 3: `text` must contain {question} once"),
        ("A: {answer}", "{answer}, {answer}", "line 3: `text` must contain {answer} once"),
        ("{question}\\nA: {answer}", "{answer} {question}", "line 3: {answer} comes before"),
        ("  yes: 1", "  '': 1", "line 5: a rating is empty"),
        ("  yes: 1", "  yes: one", "line 5: the value of yes must be a finite number. Seen: one"),
        ("  yes: 1", "  yes: inf", "line 5: the value of yes must be a finite number. Seen: inf"),
        ("  yes: 1", "  yes: [1]", "line 5: the value of yes is not a text"),
        ("  no: 0", "  yes: 0", "line 6: `ratings` has a duplicate key"),
        ("  no: 0", "  no: 0\n  so: 2", "line 5: log-odds need two values"),
        ("  yes: 1\n  no: 0", "  - yes", "line 5: `ratings` is not a mapping"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    write: Write, old: str, new: str, message: str
) -> None:
    assert old in OWN
    with pytest.raises(SpecError) as refused:
        judge_template(write(OWN.replace(old, new)))
    assert message in str(refused.value)


def test_ratings_of_one_value_are_refused(write: Write) -> None:
    one = OWN.replace("log-odds", "expected").replace("no: 0", "no: 1")
    with pytest.raises(SpecError, match="line 5: ratings of one value tell no answers apart"):
        judge_template(write(one))


def test_neither_a_name_nor_a_file() -> None:
    with pytest.raises(SpecError, match=r"nor a file. Seen: raiting. Give rating, or a YAML file"):
        judge_template("raiting")
