"""Whether a PASS holds however it is computed, through the public commands."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

import valuebias as vb
from support.scores import write_scores
from valuebias.lexicons.files import load_lexicon, starter
from valuebias.report.github import markdown

Run = Callable[..., pytest.RunResult]
BIG_TWO = ("--valuebias-suite=big_two", "-k", "test_range and positive")
EFFECT = {"lexicon": "big_two", "category": "agency", "other": "communion", "valence": "positive"}


def verdict(pytester: pytest.Pytester) -> dict[str, Any]:
    document = json.loads((pytester.path / "run.json").read_text())
    (found,) = document["verdicts"]
    return dict(found)


def said(pytester: pytest.Pytester) -> str | None:
    case = ElementTree.parse(pytester.path / "junit.xml").find(".//testcase")
    assert case is not None
    properties = {x.get("name"): x.get("value") for x in case.findall("properties/property")}
    return properties.get("valuebias.robustness")


REPORTS = ("--valuebias-json=run.json", "--valuebias-html=run.html", "--junitxml=junit.xml")


def test_a_table_without_a_taste_passes_robustly(
    run: Run, even: Path, pytester: pytest.Pytester
) -> None:
    result = run(f"--rm=scores:{even}", *BIG_TWO, *REPORTS)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*computed in other ways, 1 of 1 PASS are robust*"])
    assert said(pytester) == "robust"
    robustness = verdict(pytester)["robustness"]
    assert (robustness["not_inside"], robustness["outside"]) == (0, 0)
    # Families or spellings alike, families or facets drawn, words' properties held constant or
    # not, all adjectives or all but one: no two alike, and none is the effect itself.
    rows = robustness["specifications"]
    assert len({tuple(map(str, row[:5])) for row in rows}) == len(rows)
    assert {(row[0], row[1]) for row in rows} == {
        (alike, drawn) for alike in ("families", "spellings") for drawn in ("families", "facets")
    }
    assert {row[2] for row in rows} == {"as written"}
    assert {row[4] for row in rows} == {"", "best", "greatest", "good"}
    assert "length" in {name for row in rows for name in row[3]}
    document = json.loads((pytester.path / "run.json").read_text())
    assert "1 of 1 PASS are robust" in markdown(document, 100_000)
    page = (pytester.path / "run.html").read_text()
    assert page.count('id="figure-fig-curve-') == 1
    assert "robust: inside in all of" in page


def test_a_fragile_pass_names_what_turns_it(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    even = write_scores(tmp_path / "even.csv")
    effect = vb.load(f"scores:{even}", prompts="paper").contrast(**EFFECT)  # type: ignore[arg-type]
    low, high = effect.effect.interval(0.9)
    reached = [s.interval(0.9) for s in effect.effect.alternatives.of(effect.effect)]  # type: ignore[union-attr]
    # A margin that the effect just meets, and some specifications do not.
    least, most = min(low for low, _ in reached), max(high for _, high in reached)
    assert least < low or most > high
    pytester.makepyfile(
        f"""
        def test_even(bias):
            bias("big_two", "agency", "communion", valence="positive").assert_within(
                {low - 1e-4}, {high + 1e-4})
        """
    )
    result = run(f"--rm=scores:{even}", "--valuebias-suite=none", *REPORTS)
    result.assert_outcomes(passed=1)
    robustness = verdict(pytester)["robustness"]
    told = f"0 of 1 PASS are robust; fragile: agency~communion positive ({robustness['turned_by']})"
    assert told in " ".join(result.stdout.str().split())
    assert said(pytester) == "fragile"
    outside = [row for row in robustness["specifications"] if row[6] < low or row[7] > high]
    assert robustness["not_inside"] == pytest.approx(len(outside), abs=2)  # ends are rounded
    assert robustness["outside"] == 0
    assert robustness["reason"] in verdict(pytester)["reason"]


def test_what_does_not_pass_has_no_robustness(
    run: Run, leaning: Path, pytester: pytest.Pytester
) -> None:
    run(f"--rm=scores:{leaning}", *BIG_TWO, *REPORTS).assert_outcomes(failed=1)
    assert "robustness" not in verdict(pytester)
    assert said(pytester) is None


def test_thorough_also_writes_the_words_in_other_ways(run: Run, pytester: pytest.Pytester) -> None:
    lexicon = starter("big_two")
    sides = {side: lexicon.categories[side][:24] for side in ("agency", "communion")}
    listed = "\n".join(f"  {side}: [{', '.join(words)}]" for side, words in sides.items())
    path = pytester.path / "few.yaml"
    path.write_text(f"categories:\n{listed}\n")
    few = load_lexicon("few", path)
    (pytester.path / "margins.yaml").write_text(
        """margins:
  - {lexicon: big_two, contrast: agency~communion, valence: positive, role: range,
     interval: [-0.9, 0.9]}
"""
    )
    result = run(
        "--rm=demo:neutral", "--valuebias-profile=thorough", "--valuebias-prompts=paper",
        "--valuebias-lexicon=big_two=few.yaml", "--valuebias-margins=margins.yaml", *BIG_TWO,
        *REPORTS,
    )  # fmt: skip
    result.assert_outcomes(passed=1)
    rows = verdict(pytester)["robustness"]["specifications"]
    # The starter's words are in lower case, so that this form is no other.
    forms = [row[2] for row in rows]
    n = forms.count("as written") + 1  # the effect itself is not among them
    assert {form: forms.count(form) for form in {*forms} - {"as written"}} == {
        "capitalised": n, "with a full stop": n,
    }  # fmt: skip
    # Each is the effect on those very words.
    model = vb.load("demo:neutral", prompts="paper")
    prompts = model.prompts.of("positive")
    words = [word for side in sides.values() for word in side]
    in_a = np.isin(words, sides["agency"])
    for form, write in (("capitalised", str.capitalize), ("with a full stop", "{}.".format)):
        values = model.score([write(w) for w in words], prompts).values
        alone = vb.stats.single(values, in_a, [few.family(w) for w in words])
        (row,) = [row for row in rows if row[:5] == ["families", "families", form, [], ""]]
        assert row[5] == pytest.approx(alone.estimate, abs=1e-4)


def test_thorough_on_a_table_has_the_forms_that_were_recorded(
    run: Run, even: Path, pytester: pytest.Pytester
) -> None:
    result = run(f"--rm=scores:{even}", "--valuebias-profile=thorough", *BIG_TWO, *REPORTS)
    result.assert_outcomes(passed=1)
    rows = verdict(pytester)["robustness"]["specifications"]
    assert {row[2] for row in rows} == {"as written"}


def test_thorough_uses_the_margins_of_ci(run: Run, even: Path, pytester: pytest.Pytester) -> None:
    (pytester.path / "margins.yaml").write_text(
        """margins:
  - {lexicon: big_two, contrast: agency~communion, valence: positive, role: range,
     interval: [-0.9, -0.5], profile: ci}
"""
    )
    for profile in ("ci", "thorough"):
        result = run(
            f"--rm=scores:{even}", f"--valuebias-profile={profile}",
            "--valuebias-margins=margins.yaml", *BIG_TWO,
        )  # fmt: skip
        result.assert_outcomes(failed=1)
