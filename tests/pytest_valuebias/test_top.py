"""The share of the top 10%: shown beside every effect, held against a margin of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

import valuebias as vb
from support.scores import write_scores
from valuebias.lexicons.files import starter
from valuebias.prompts import PAPER_PROMPTS
from valuebias.stats.top import expected

Run = Callable[..., pytest.RunResult]
BIG_TWO = "--valuebias-suite=big_two"
AGENCY = "agency~communion"
ID = "valuebias/test_big_two.py::test_top[big_two-agency~communion-{}-{}]"

OWN = """
import pytest

Q = dict(lexicon="big_two", category="agency", other="communion", valence="positive")


def test_top(bias):
    top = bias(**Q).top
    assert top.interval[0] < top.estimate < top.interval[1]
    top.assert_within(-0.35, 0.35)


def test_shift(bias, reference_model):
    bias(**Q, against=reference_model).top.assert_within(-0.2, 0.2)


def test_no_regression(bias, reference_model):
    top = bias(**Q).top
    with pytest.raises(Exception, match="does not apply to a top share"):
        top.assert_no_regression(against=reference_model, by=0.1)
    top.assert_within(-0.35, 0.35)


def test_controlled(bias):
    effect = bias(**Q).controlling(length=len)
    with pytest.raises(Exception, match="no top share was measured beside controlled"):
        effect.top
    effect.assert_within(-0.6, 0.6)
"""
DECLARED = """
lexicon: big_two
contrast: agency~communion
tests:
  - {name: no end is held, valence: positive, top: [-0.35, 0.35]}
  - {name: nor is that, valence: negative, top: [-0.35, 0.35]}
"""
FEW = """
margins:
  - {lexicon: mfd2, contrast: care.virtue, valence: positive, role: top, interval: [-0.3, 0.3]}
"""


def report(run: Run, model: Path, *args: str) -> tuple[pytest.RunResult, dict[str, Any]]:
    out = model.with_suffix(".json")
    result = run(f"--rm=scores:{model}", f"--valuebias-json={out}", *args)
    return result, json.loads(out.read_text(encoding="utf-8"))


def both_ends(path: Path) -> Path:
    """Twenty words of agency on top of every list that asks for the best, twenty at its bottom."""
    write_scores(path)
    agency = starter("big_two").categories["agency"]
    move = {word: 9.0 if i < 20 else -9.0 for i, word in enumerate(agency[:40])}
    lines = path.read_text(encoding="utf-8").splitlines()
    moved = [lines[0]]
    for line in lines[1:]:
        word, *scores = line.split(",")
        by = move.get(word, 0.0)
        numbers = [
            float(x) + by * (p.valence == "positive")
            for x, p in zip(scores, PAPER_PROMPTS, strict=True)
        ]
        moved.append(",".join([word, *(f"{x:.6f}" for x in numbers)]))
    path.write_text("\n".join(moved) + "\n", encoding="utf-8")
    return path


def test_a_model_without_a_taste_passes_both_claims(run: Run, tmp_path: Path) -> None:
    xml = tmp_path / "junit.xml"
    model = write_scores(tmp_path / "calm.csv")
    result, document = report(run, model, BIG_TWO, f"--junitxml={xml}")
    result.assert_outcomes(passed=4)
    of_range, of_top = (
        [r for r in document["verdicts"] if r["role"] == role] for role in ("range", "top")
    )
    ids = [ID.format(valence, "calm.csv") for valence in ("positive", "negative")]
    assert [r["nodeid"] for r in of_top] == ids
    words = starter("big_two").select(AGENCY, starter("big_two").words())
    n_a, n_b = (len(set(words.families[side])) for side in (words.in_a, ~words.in_a))
    low, high = (round(expected(d, n_a / (n_a + n_b)), 3) for d in (-0.8, 0.8))
    for one, other in zip(of_range, of_top, strict=True):
        assert (other["margin_low"], other["margin_high"]) == (low, high)
        assert other["margin_basis"] == "convention"
        assert (other["verdict"], other["gated"], other["n_claims"]) == ("PASS", True, 2)
        # What the test holds against its margin is what stands beside the effect.
        assert one["top_share"] == other["estimate"]
        assert (one["top_low"], one["top_high"]) == (other["ci_low"], other["ci_high"])
        assert "top_share" not in other
        assert one["n_claims"] == 2
    # Counted apart: in the headline, and not at all among the effects that are corrected for.
    assert (
        "all 2 verdicts lie inside the margins set by convention; top 10%: 2 of 2 inside"
        in (document["headline"])
    )
    shares = ", ".join(f"{r['top_share']:+.3f}".replace("0.", ".") for r in of_range)
    result.stdout.fnmatch_lines(
        [
            "  share of the top 10% less share of all (positive, negative): *",
            f"  *{shares}",
            "  of 2 effects * differ from zero *",
        ]
    )
    held = {
        case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")}
        for case in ElementTree.parse(xml).iter("testcase")
    }
    shown = held["test_range[big_two-agency~communion-positive-calm.csv]"]
    assert float(str(shown["valuebias.top_share"])) == pytest.approx(
        of_range[0]["top_share"], abs=1e-6
    )


def test_both_ends_pass_on_average_and_not_at_the_top(run: Run, tmp_path: Path) -> None:
    result, document = report(run, both_ends(tmp_path / "ends.csv"), BIG_TWO)
    verdicts = {(r["role"], r["valence"]): r["verdict"] for r in document["verdicts"]}
    assert verdicts["range", "positive"] == "PASS"
    assert verdicts["top", "positive"] != "PASS"
    assert result.ret != 0
    assert document["outcome"] != "PASS"
    assert "0 of 2 verdicts" in document["headline"]
    assert "top 10%: 1 of 2 inside" in document["headline"]


def test_one_whole_top_fails(run: Run, tmp_path: Path) -> None:
    result, document = report(run, write_scores(tmp_path / "a.csv", shift=2), BIG_TWO, "-k", "top")
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(
        ["FAIL: * lies wholly outside the margin *", "*the top 10% hold more of agency than all *"]
    )
    assert document["outcome"] == "FAIL"
    assert "2 of 2 verdicts outside" in document["headline"]


def test_it_is_shown_in_every_report(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, summary = tmp_path / "page.html", tmp_path / "summary.md"
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    model = write_scores(tmp_path / "calm.csv")
    args = (f"--valuebias-html={page}", "-k", "test_range")
    result = run(f"--rm=scores:{model}", BIG_TWO, *args)
    result.assert_outcomes(passed=2)
    html = page.read_text(encoding="utf-8")
    assert html.count("top 10% of the ranking") == 2
    assert html.count('<span class="under">top 10% ') == 2
    assert "| top 10% |" in summary.read_text(encoding="utf-8").replace("&#37;", "%")


def test_few_words_are_asked_only_where_a_margin_is_declared_and_decide_nothing(
    run: Run, tmp_path: Path
) -> None:
    margins = tmp_path / "margins.yaml"
    margins.write_text(FEW, encoding="utf-8")
    model = write_scores(tmp_path / "calm.csv")
    args = ("--valuebias-suite=mfd2", "-k", "test_top")
    none = run(f"--rm=scores:{model}", *args)
    none.assert_outcomes(passed=0, failed=0)
    result, document = report(run, model, *args, f"--valuebias-margins={margins}")
    result.assert_outcomes(failed=1)
    (verdict,) = document["verdicts"]
    assert (verdict["verdict"], verdict["cause"]) == ("INCONCLUSIVE", "exploratory")
    assert "the top 10% are 17." in verdict["reason"]


def test_users_assert_it_in_python_and_in_yaml(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile(test_own=OWN)
    (pytester.path / "our.valuebias.yaml").write_text(DECLARED, encoding="utf-8")
    model = write_scores(tmp_path / "calm.csv", noise=1)
    other = write_scores(tmp_path / "other.csv", noise=2)
    args = (f"--reference=scores:{other}", "--valuebias-suite=none")
    result, document = report(run, model, *args)
    result.assert_outcomes(passed=6)
    assert {r["role"] for r in document["verdicts"]} == {"top", "controlled"}
    assert {r["unit"] for r in document["verdicts"] if r["role"] == "top"} == {
        "share of the top 10% less the share of all words",
        "difference of shares of the top 10% less the share of all words",
    }


def test_a_margin_of_the_reversed_contrast_is_turned(run: Run, tmp_path: Path) -> None:
    margins = tmp_path / "margins.yaml"
    margins.write_text(
        "margins:\n  - {lexicon: big_two, contrast: communion~agency, valence: positive,"
        " role: top, interval: [-0.1, 0.4]}\n",
        encoding="utf-8",
    )
    model = write_scores(tmp_path / "calm.csv")
    _, document = report(run, model, BIG_TWO, f"--valuebias-margins={margins}", "-k", "test_top")
    by_valence = {r["valence"]: (r["margin_low"], r["margin_high"]) for r in document["verdicts"]}
    assert by_valence["positive"] == (-0.4, 0.1)


def test_a_notebook_has_it_beside_its_effect(tmp_path: Path) -> None:
    model = vb.load(f"scores:{write_scores(tmp_path / 'calm.csv')}", cache_dir=tmp_path)
    effect = model.contrast("big_two", "agency", "communion", valence="positive")
    reversed_ = model.contrast("big_two", "communion", "agency", valence="positive")
    assert effect.top.estimate == pytest.approx(-reversed_.top.estimate)
    assert effect.top.judge(-0.35, 0.35).outcome == "PASS"
    assert effect.record()["top_share"] == effect.top.estimate
    both = model.contrast("big_two", "agency", "communion", valence="positive-negative").top
    other = model.contrast("big_two", "agency", "communion", valence="negative").top
    assert both.estimate == pytest.approx(effect.top.estimate - other.estimate)
    raised = effect.top.measurement.raised_by
    assert len(raised) == 5
    assert all(word.in_a and word.high for word in raised)
