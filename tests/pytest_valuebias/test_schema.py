"""``--valuebias-json`` writes what its published schema describes, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from support.schema import SCHEMA, STRICT, problems
from support.scores import write_scores

Run = Callable[..., pytest.RunResult]
Report = Callable[..., dict[str, Any]]
BIG_TWO = "--valuebias-suite=big_two"
NO_SUITE = "--valuebias-suite=none"
BIAS = 'bias("big_two", "agency", "communion", valence="{}")'


@pytest.fixture
def report(in_process: Run, pytester: pytest.Pytester) -> Report:
    """Run with these arguments; the report, which is as described. In one process: what others
    report is compared in test_same_numbers."""
    extra = ("-W", "error", "-p", "no:xdist", "-p", "no:cacheprovider")

    def report(*args: object) -> dict[str, Any]:
        path = pytester.path / "report.json"
        result = in_process(*extra, *args, f"--valuebias-json={path}")
        assert path.exists(), result.stdout.str()
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        assert problems(found) == []
        return found

    return report


def roles(found: dict[str, Any]) -> set[tuple[str, str]]:
    return {(r["role"], r["verdict"]) for r in found["verdicts"]}


def test_every_key_is_described() -> None:
    Draft202012Validator.check_schema(SCHEMA)

    def properties(schema: Any) -> Iterator[tuple[str, Any]]:
        if isinstance(schema, dict):
            named = schema.get("properties", {})
            yield from named.items()
            for part in schema.values():
                yield from properties(part)
        elif isinstance(schema, list):
            for part in schema:
                yield from properties(part)

    for name, about in properties(SCHEMA):
        assert "$ref" in about or about["description"].endswith("."), name


def test_the_strict_form_finds_what_is_not_described(report: Report, even: Path) -> None:
    found = report(f"--rm=scores:{even}", BIG_TWO)
    for where in (found, found["verdicts"][0], found["subjects"][0], found["words"][0]["rows"][0]):
        where["surprise"] = 1
        assert not STRICT.is_valid(found)
        assert Draft202012Validator(SCHEMA).is_valid(found)  # readers accept what later ones add
        del where["surprise"]
    del found["verdicts"][0]["ci_low"]
    assert not Draft202012Validator(SCHEMA).is_valid(found)


def test_reward_models_a_reference_and_a_baseline(
    report: Report, even: Path, leaning: Path, tmp_path: Path
) -> None:
    base = tmp_path / "baseline.json"
    baseline = f"--valuebias-baseline={base}"
    report(f"--rm=old=scores:{even}", BIG_TWO, baseline, "--valuebias-update-baseline")
    found = report(
        f"--rm=new=scores:{leaning}", f"--reference=ref=scores:{even}", BIG_TWO, baseline
    )
    assert {r for r, _ in roles(found)} == {"range", "shift", "anchor", "top"}
    assert {s["reference"] for s in found["subjects"]} == {None, "ref", "baseline", "anchor"}
    assert found["outcome"] == "FAIL"
    assert [s["outcome"] for s in found["subjects"]].count("FAIL") == 4


def test_language_models_pairs_and_a_matrix(report: Report, tmp_path: Path) -> None:
    a = write_scores(tmp_path / "a.csv", shift=1.5, seed=1, level=-20)
    b = write_scores(tmp_path / "b.csv", seed=2, level=-20)
    found = report(
        f"--llm=A=scores:{a}",
        f"--llm=B=scores:{b}",
        "--valuebias-matrix=success~love",
        "--valuebias-matrix=agency~communion",
        "--valuebias-matrix=agency~nothing",
        "-k",
        "big_two",
    )
    assert {r for r, _ in roles(found)} == {"logprob", "implicit"}
    assert len(found["matrices"]) == 2
    assert len(found["notes"]) == 1


def test_inheritance(report: Report, tmp_path: Path) -> None:
    base = write_scores(tmp_path / "base.csv", seed=1, level=-20)
    other = write_scores(tmp_path / "other.csv", seed=2, level=-20)
    child = write_scores(tmp_path / "child.csv", seed=1, noise=7)
    margins = tmp_path / "margins.yaml"
    margins.write_text(
        "margins:\n- {lexicon: big_two, contrast: words, valence: positive, role: inheritance, "
        "interval: [-0.3, 0.3]}\n"
    )
    found = report(
        f"--rm=child=scores:{child}",
        f"--base=scores:{base}",
        f"--rm=stranger=scores:{child}",
        f"--base=scores:{other}",
        "--valuebias-suite=inheritance",
        f"--valuebias-margins={margins}",
        "-k",
        "big_two",
    )
    assert ("inheritance", "NO MARGIN") in roles(found)
    assert {s["base"] for s in found["subjects"]} == {"base.csv", "other.csv"}


def test_checkpoints_with_drift_and_gap(report: Report, tmp_path: Path) -> None:
    for name, shifts in (("one", (1.2, 0.6, 0.0)), ("two", (0.2, 0.2, 0.2))):
        (tmp_path / name).mkdir()
        for i, shift in enumerate(shifts):
            write_scores(tmp_path / name / f"checkpoint-{100 * i}.csv", shift=shift, noise=i)
    margins = tmp_path / "margins.yaml"
    margins.write_text(
        "margins:\n- {lexicon: big_two, contrast: agency~communion, valence: positive, "
        "role: drift, interval: [-0.2, 0.2]}\n"
    )
    found = report(
        f"--valuebias-checkpoints={tmp_path / 'one'}",
        f"--valuebias-checkpoints={tmp_path / 'two'}",
        f"--valuebias-margins={margins}",
        "-k",
        "big_two",
    )
    assert {r for r, _ in roles(found)} == {"drift", "gap"}
    assert all(r["trajectory"] for r in found["verdicts"])
    assert {r["kind"] for r in found["ranks"]} == {"checkpoint"}


def test_a_claim_about_a_trajectory_has_no_gate(
    report: Report, tmp_path: Path, pytester: pytest.Pytester
) -> None:
    for name, shifts in (("one", (1.2, 0.6, 0.3)), ("two", (0.2, 0.2, 0.2))):
        (tmp_path / name).mkdir()
        for i, shift in enumerate(shifts):
            write_scores(tmp_path / name / f"checkpoint-{100 * i}.csv", shift=shift, noise=i)
    pytester.makepyfile(
        """
        def test_gap(training_runs):
            first, second = training_runs
            gap = first.gap(second, "big_two", "agency", "communion", valence="positive")
            gap.assert_closed(0.1)
        """
    )
    options = (f"--valuebias-checkpoints={tmp_path / name}" for name in ("one", "two"))
    found = report(*options, NO_SUITE)
    (verdict,) = found["verdicts"]
    assert "gate_low" not in verdict
    assert verdict["trajectory"]


def test_assertions_of_the_users_own(
    report: Report, pytester: pytest.Pytester, even: Path, leaning: Path
) -> None:
    pytester.makepyfile(
        f"""
        def test_both(bias):
            {BIAS.format("positive-negative")}.assert_within(-0.5, 0.5)

        def test_one_side(bias):
            {BIAS.format("positive")}.assert_above(0.1)
            {BIAS.format("negative")}.assert_below(0.1)

        def test_regression(bias, reference_model):
            {BIAS.format("positive")}.assert_no_regression(against=reference_model, by=0.2)

        def test_controlled(bias):
            {BIAS.format("positive")}.controlling(length=len).assert_within(-0.5, 0.5)

        def test_error(bias):
            {BIAS.format("positive")}.assert_within(0.5, -0.5)
        """
    )
    found = report(f"--rm=m=scores:{leaning}", f"--reference=e=scores:{even}", NO_SUITE)
    assert {"range", "regression", "controlled"} <= {r for r, _ in roles(found)}
    assert {None} < {r.get("margin_low") for r in found["verdicts"]}  # one that is open below


def test_families_of_models(report: Report, tmp_path: Path, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_bases(family_bias):
            found = family_bias("big_two", "agency", "communion", valence="positive")
            found.assert_above(0.1)
        """
    )
    options = []
    for i in range(8):
        path = write_scores(tmp_path / f"m{i}.csv", shift=(i < 4) + 0.02 * i, seed=i)
        base = "demo:agency" if i < 4 else "demo:communion"
        options += [f"--rm=m{i}=scores:{path}", f"--base=m{i}={base}"]
    assert roles(report(*options, NO_SUITE)) == {("family", "PASS")}


def test_the_papers_own_tests(
    report: Report, leaning: Path, even: Path, pytester: pytest.Pytester
) -> None:
    pytester.makepyfile(
        """
        def test_paper(paper_tests):
            paper_tests("big_two").assert_significant("anova")
        """
    )
    found = report(
        f"--rm=a=scores:{leaning}",
        f"--rm=b=scores:{even}",
        "--base=a=demo:agency",
        "--base=b=demo:communion",
        "--valuebias-profile=paper",
        "--valuebias-allow-uncalibrated=anova",
        BIG_TWO,
    )
    assert "They gate nothing because" in found["paper"]
    assert {s["base"] for s in found["subjects"]} == {"demo:agency", "demo:communion", None}


def test_errors_and_a_run_that_was_stopped(report: Report, tmp_path: Path) -> None:
    few = write_scores(tmp_path / "few.csv", lexicons=("big_two",))
    found = report(f"--rm=scores:{few}", "-x")
    assert found["complete"] is False
    found = report(f"--rm=scores:{few}")
    assert ("range", "ERROR") in roles(found)
    assert found["outcome"] == "ERROR"
    assert found["subjects"][0]["outcome"] == "ERROR"


def test_no_margin_and_a_profile_that_passes_nothing(
    report: Report, even: Path, tmp_path: Path
) -> None:
    words = [line.split(",")[0] for line in even.read_text(encoding="utf-8").splitlines()[1:161]]
    own = tmp_path / "own.csv"
    lines = [f"{word},{('agency', 'communion')[i % 2]}" for i, word in enumerate(words)]
    own.write_text("word,category\n" + "\n".join(lines) + "\n", encoding="utf-8")
    found = report(f"--rm=scores:{even}", BIG_TWO, f"--valuebias-lexicon=big_two={own}")
    assert roles(found) == {("range", "NO MARGIN")}
    assert found["outcome"] == found["subjects"][0]["outcome"] == "NOT GATED"
    found = report(f"--rm=scores:{even}", "--valuebias-profile=quick", BIG_TWO)
    assert roles(found) == {("range", "INCONCLUSIVE"), ("top", "INCONCLUSIVE")}


def test_a_token_that_is_no_text_of_any_encoding(report: Report, tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "odd.csv", extra={"\u202etfel": 99.0, "\ufffe": -99.0})
    found = report(f"--rm=scores:{scores}", BIG_TWO)
    assert found["subjects"][0]["tokens"]["best"][0] == ["\\u202etfel", 99.0]
