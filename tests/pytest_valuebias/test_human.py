"""--human: people's ratings beside every effect, and the suite `human`."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from pytest_valuebias.option_table import _COLUMNS, RATINGS
from support.schema import problems
from support.scores import write_ratings, write_scores
from valuebias.lexicons.install import PUBLISHED
from valuebias.lexicons.ratings import SETTINGS
from valuebias.report.public_command import public

Run = Callable[..., pytest.RunResult]

MARGINS = """margins:
- lexicon: big_two
  contrast: words
  valence: positive
  role: human
  interval: [{low}, {high}]
  source: ours
"""


@pytest.fixture
def given(pytester: pytest.Pytester) -> tuple[str, ...]:
    """Rewards that lean to agency, and people who do so less and share the rest of the taste."""
    rewards = write_scores(pytester.path / "rewards.csv", shift=1.5)
    people = write_ratings(pytester.path / "people.csv", like=0, shift=1.0)
    return (f"--rm=scores:{rewards}", f"--human={people}", "--valuebias-json=out.json")


def document(pytester: pytest.Pytester) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((pytester.path / "out.json").read_text("utf-8"))
    assert not problems(found)
    return found


def test_every_effect_has_the_same_contrast_in_people(
    run: Run, pytester: pytest.Pytester, given: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        """
        def test_mine(bias):
            bias("big_two", "agency", "communion", valence="positive").assert_above(0.1)

        def test_controlled(bias, reward_model):
            import valuebias as vb

            effect = bias("big_two", "agency", "communion", valence="positive")
            effect.controlling(people=vb.load_ratings("people.csv")).assert_above(0.05)
        """
    )
    result = run(
        *given, "--valuebias-html=out.html", "-k=big_two or test_", "--valuebias-suite=big_two"
    )
    by_role: dict[tuple[str, str, bool], dict[str, Any]] = {
        (r["role"], r["valence"], r["shipped"]): r for r in document(pytester)["verdicts"]
    }
    asked = by_role["range", "positive", True]
    (people,) = asked["in_people"]
    assert (people["ratings"], people["rated"], people["entries"]) == (
        "people.csv", [165, 157], [165, 157],
    )  # fmt: skip
    assert people["source"] == "people.csv, column rating (higher is more)"
    assert people["model"]["estimate"] == asked["estimate"]  # all words are rated
    assert people["people"]["low"] < people["people"]["estimate"] < people["model"]["estimate"]
    difference = people["model"]["estimate"] - people["people"]["estimate"]
    assert people["difference"]["estimate"] == pytest.approx(difference)
    assert 0 < people["held"]["estimate"] < people["model"]["estimate"]
    assert by_role["range", "positive", False]["in_people"] == [people]
    for key in (
        ("range", "negative", True),
        ("top", "positive", True),
        ("controlled", "positive", False),
    ):
        assert "in_people" not in by_role[key]
    said = f"agency~communion positive: {people['said']}"
    assert said.startswith("agency~communion positive: people (people.csv) +.")
    assert said in " ".join(result.stdout.str().split())
    assert people["said"] in (pytester.path / "out.html").read_text("utf-8")
    assert by_role["controlled", "positive", False]["verdict"] == "PASS"


def test_agreement_is_held_against_a_declared_margin(
    run: Run, pytester: pytest.Pytester, given: tuple[str, ...]
) -> None:
    asked = (*given, "--valuebias-suite=human")
    # Without a margin nothing is gated.
    result = run(*asked)
    result.assert_outcomes(skipped=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    verdicts = document(pytester)["verdicts"]
    assert [v["nodeid"] for v in verdicts] == [
        f"valuebias/test_human.py::test_agreement[{name}-words-positive-rewards.csv-vs-people.csv]"
        for name in ("big_two", "mfd2")
    ]
    for verdict in verdicts:
        assert (verdict["role"], verdict["verdict"]) == ("human", "NO MARGIN")
        assert verdict["title"] == "rewards.csv and people (people.csv)"
        assert verdict["unit"] == "rank correlation (tau-b) with people's ratings"
        assert verdict["method"] == "kendall"
        assert "ranked higher than by people: " in verdict["detail"]

    for interval, outcome in (((0.1, 1), "passed"), ((-0.2, 0.2), "failed")):
        margins = pytester.path / "margins.yaml"
        margins.write_text(MARGINS.format(low=interval[0], high=interval[1]))
        result = run(*asked, "--valuebias-margins=margins.yaml", "-k=big_two")
        result.assert_outcomes(**{outcome: 1})
        (verdict,) = document(pytester)["verdicts"]
        assert verdict["estimate"] > 0.3
        assert verdict["gated"]
    result.stdout.fnmatch_lines(["*above zero = it prefers what people rate higher*"])


def test_few_words_settle_nothing_and_fewer_are_an_error(
    run: Run, pytester: pytest.Pytester, given: tuple[str, ...]
) -> None:
    (pytester.path / "margins.yaml").write_text(MARGINS.format(low=0.0, high=1))
    some = write_ratings(pytester.path / "some.csv", like=0, share=0.05)
    few = write_ratings(pytester.path / "few.csv", like=0, share=0.02)
    asked = (given[0], given[2], "--valuebias-margins=margins.yaml")
    run(
        *asked,
        f"--human={some}",
        f"--human={few}",
        "--valuebias-suite=human",
        "--valuebias-suite=big_two",
    )
    verdicts = document(pytester)["verdicts"]
    by_people = {(v["role"], v["reference"]): v for v in verdicts if v["lexicon_name"] == "big_two"}
    assert by_people["human", "some.csv"]["verdict"] == "INCONCLUSIVE"
    assert by_people["human", "some.csv"]["cause"] == "few families"
    assert by_people["human", "few.csv"]["verdict"] == "ERROR"
    assert "at least 10 rated word families" in by_people["human", "few.csv"]["reason"]
    asked_of = next(v for v in verdicts if (v["role"], v["valence"]) == ("range", "positive"))
    _, left_out = asked_of["in_people"]
    assert left_out["said"].startswith("few.csv is not compared (")
    assert "a category needs at least 5 word families" in left_out["said"]
    assert "people" not in left_out


@pytest.mark.parametrize(
    ("human", "said"),
    [
        ("absent.csv", "*--human: file of ratings not found*absent.csv*"),
        ("elo.csv", "*cannot be known*the columns name, elo*rank=COLUMN where 1 is best*"),
        ("eloeverything", "*--human: the ratings eloeverything are not installed*install eloev*"),
        ("", "*--human is empty*"),
    ],
)
def test_ratings_that_cannot_be_read_are_a_usage_error(
    run: Run, pytester: pytest.Pytester, given: tuple[str, ...], human: str, said: str
) -> None:
    (pytester.path / "elo.csv").write_text("name,elo\nlove,3\n")
    result = run(given[0], f"--human={human}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([said])


def test_ratings_need_a_model_and_names_of_their_own(
    run: Run, pytester: pytest.Pytester, given: tuple[str, ...]
) -> None:
    result = run(given[1])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*--human needs a --rm or --llm*"])
    result = run(given[0], given[1], given[1])
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*two ratings have the label 'people.csv'*"])


def test_a_file_in_the_configuration_is_relative_to_it(
    run: Run, pytester: pytest.Pytester, given: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_ratings(pytester.path / "norms.csv", header="Word,V.Mean.Sum")
    pytester.makeini(
        "[pytest]\nvaluebias_human =\n    valence=norms.csv:word=Word,rating=V.Mean.Sum\n"
        "    people.csv\n"
    )
    below = pytester.mkdir("below")
    monkeypatch.chdir(below)
    result = run(given[0], "--collect-only", "-q", "--valuebias-suite=human")
    result.stdout.fnmatch_lines(["*-vs-valence]", "*-vs-people.csv]"])
    assert result.ret == 0
    header = run(given[0], "--collect-only").stdout
    header.fnmatch_lines(
        ["valuebias: valence: norms.csv, column V.Mean.Sum (higher is more), sha*"]
    )


def test_a_published_command_names_the_ratings_and_not_where_they_lie() -> None:
    command = "pytest --rm=org/model --human=people=/home/me/norms.csv:word=Word,rating=Valence"
    wanted = "pytest --rm=org/model --human=people=norms.csv:word=Word,rating=Valence"
    assert public(command, ["org/model"]) == wanted


def test_what_the_option_knows_of_ratings_is_what_reads_them() -> None:
    assert {each.name for each in PUBLISHED.values() if each.columns} == {*RATINGS}
    assert _COLUMNS == SETTINGS
