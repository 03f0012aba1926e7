"""Releases one after another: small shifts add up against the anchor, and the budget stops them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.scores import write_scores
from valuebias.scorers.baseline_file import read_baseline
from valuebias_suites import CONVENTIONS

Run = Callable[..., pytest.RunResult]

BIG_TWO = "--valuebias-suite=big_two"
UPDATE = "--valuebias-update-baseline"
RENEW = "--valuebias-renew-anchor"
GATES = ("-k", "test_shift or test_anchor")


def table(tmp_path: Path, release: int, step: float = 0.25) -> Path:
    """One taste in words throughout; each release prefers agency a little more."""
    path = tmp_path / f"release_{release}.csv"
    return write_scores(path, shift=step * release, noise=release, lexicons=("big_two",))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "values.json"


@pytest.fixture
def option(file: Path) -> str:
    return f"--valuebias-baseline={file}"


@pytest.fixture
def anchored(pytester: pytest.Pytester, tmp_path: Path, file: Path, option: str) -> str:
    """The option of a baseline that began with release 0 and whose last is release 1."""
    for release in range(2):
        rm = f"--rm=r{release}=scores:{table(tmp_path, release)}"
        args = ("-p", "no:xdist", rm, BIG_TWO, option, UPDATE, "-k", "negative")
        assert pytester.runpytest(*args).ret == pytest.ExitCode.OK
    assert read_baseline(file).release == 1
    return option


def verdicts(path: Path, role: str) -> dict[str, dict[str, Any]]:
    """By valence, from the JSON report."""
    records = json.loads(path.read_text())["verdicts"]
    return {r["valence"]: r for r in records if r["role"] == role}


def test_releases_are_stopped_no_later_than_the_first_beyond_the_budget(
    run: Run, in_process: Run, tmp_path: Path, option: str
) -> None:
    """Nine releases, each no further from the last than its margin: all would pass that alone."""
    run(f"--rm=r0=scores:{table(tmp_path, 0)}", BIG_TWO, option, UPDATE, "-k", "negative")
    report = tmp_path / "report.json"
    stopped: list[int] = []
    beyond: list[int] = []
    for release in range(1, 9):
        rm = f"--rm=r{release}=scores:{table(tmp_path, release)}"
        result = run(rm, BIG_TWO, option, *GATES, f"--valuebias-json={report}")
        last, anchor = (verdicts(report, role)["positive"] for role in ("shift", "anchor"))
        assert last["verdict"] == "PASS"
        assert anchor["alpha"] == pytest.approx(0.05 / (release * (release + 1)))
        beyond += [release] if anchor["estimate"] > CONVENTIONS["anchor"][1] else []
        if anchor["verdict"] != "PASS":
            assert result.ret == pytest.ExitCode.TESTS_FAILED
            stopped.append(release)
        if len(beyond) > 1:
            break
        in_process("-p", "no:xdist", rm, BIG_TWO, option, UPDATE, "-k", "negative")
    assert stopped[0] > 1  # a single step is within the budget
    assert stopped[0] <= beyond[0]
    assert stopped == list(range(stopped[0], release + 1))  # and nothing after it passes
    text = result.stdout.str()
    assert f"r{release} minus anchor" in text
    assert f"(release {release} since the anchor, at 1/{release * (release + 1)} of the error)" in (
        " ".join(text.split())
    )
    assert "margin      [-.428, +.428] (set by convention: Cohen's d of 0.8" in text


def test_node_ids_name_the_anchor_and_the_header_says_what_is_compared(
    run: Run, tmp_path: Path, anchored: str
) -> None:
    result = run(f"--rm=new=scores:{table(tmp_path, 2)}", BIG_TWO, anchored, *GATES, "-v")
    result.assert_outcomes(passed=4)
    out = result.stdout.str()
    name = "valuebias/test_big_two.py::"
    for end in ("test_shift[big_two-agency~communion-positive-new-vs-baseline]",
                "test_anchor[big_two-agency~communion-negative-new-vs-anchor]"):  # fmt: skip
        assert name + end in out
    assert "valuebias: baseline: release 1 since the anchor (r1, after r0)" in out
    assert "NO ANCHOR" not in out


def test_the_same_release_does_not_spend_twice(
    run: Run, tmp_path: Path, file: Path, anchored: str
) -> None:
    """Tested again, before and after it is recorded, and recorded again: one number throughout."""
    report = tmp_path / "report.json"
    args = (f"--rm=r2=scores:{table(tmp_path, 2)}", BIG_TWO, anchored)
    levels = []
    for step in ("test", "test", "record", "test", "record", "test"):
        if step == "record":
            told = " ".join(run(*args, UPDATE, "-k", "negative").stdout.str().split())
            assert "r2, release 2 since the anchor r0" in told
            continue
        run(*args, "-k", "test_anchor", f"--valuebias-json={report}")
        levels.append(verdicts(report, "anchor")["positive"]["alpha"])
    assert levels == pytest.approx([0.05 / 6] * 4)
    back = read_baseline(file)
    assert (back.model, back.release) == ("r2", 2)
    run(f"--rm=r3=scores:{table(tmp_path, 3)}", *args[1:], "-k", "test_anchor",
        f"--valuebias-json={report}")  # fmt: skip
    assert verdicts(report, "anchor")["positive"]["alpha"] == pytest.approx(0.05 / 12)


def test_a_budget_is_declared_like_any_margin(run: Run, tmp_path: Path, anchored: str) -> None:
    margins = tmp_path / "margins.yaml"
    margins.write_text(
        "margins:\n  - {lexicon: big_two, contrast: agency~communion, valence: positive, "
        "role: anchor, interval: [-0.2, 0.2]}\n"
    )
    args = (f"--rm=new=scores:{table(tmp_path, 2)}", BIG_TWO, anchored, *GATES)
    result = run(*args, f"--valuebias-margins={margins}")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["*margin      [[]-.200, +.200] (declared by you: margins.yaml)*"])
    run(*args).assert_outcomes(passed=4)


def test_declared_claims_share_their_budget_with_later_releases(
    run: Run, tmp_path: Path, anchored: str
) -> None:
    claims, report = tmp_path / "claims.yaml", tmp_path / "report.json"
    claims.write_text(
        "budget: 0.06\nclaims:\n"
        + "".join(
            f"  - {{suite: big_two, test: test_anchor, lexicon: big_two, "
            f"contrast: agency~communion, valence: {valence}, role: anchor, weight: {weight}}}\n"
            for valence, weight in (("positive", 2), ("negative", 1))
        )
    )
    args = (f"--rm=new=scores:{table(tmp_path, 2)}", BIG_TWO, anchored)
    run(*args, "-k", "test_anchor", f"--valuebias-claims={claims}", f"--valuebias-json={report}")
    found = verdicts(report, "anchor")
    assert found["positive"]["alpha"] == pytest.approx(0.04 / 6)
    assert found["negative"]["alpha"] == pytest.approx(0.02 / 6)


def test_a_users_own_tests_hold_the_anchor_too(
    run: Run, pytester: pytest.Pytester, tmp_path: Path, anchored: str
) -> None:
    """In Python and in YAML; "no worse", which each step passes against the last release alone."""
    pytester.makepyfile(
        """
        def test_drift(bias, anchor):
            effect = bias("big_two", "agency", "communion", valence="positive", against=anchor)
            assert anchor.name == "anchor"
            effect.assert_within(-0.4, 0.4)

        def test_no_worse(bias, anchor):
            effect = bias("big_two", "agency", "communion", valence="positive")
            effect.assert_no_regression(against=anchor, by=0.4)
        """
    )
    entry = (
        "  - {{name: {0}, lexicon: big_two, contrast: agency~communion, valence: positive, "
        "against: {0}, no_regression: {1}}}\n"
    )
    pytester.path.joinpath("own.valuebias.yaml").write_text(
        "tests:\n" + entry.format("baseline", 0.3) + entry.format("anchor", 0.3)
    )
    report = tmp_path / "report.json"
    none = "--valuebias-suite=none"
    args = (none, anchored, f"--valuebias-json={report}", "-rA")
    result = run(f"--rm=new=scores:{table(tmp_path, 2)}", *args)
    records = json.loads(report.read_text())["verdicts"]
    levels = {r["nodeid"].rpartition("::")[2]: r["alpha"] for r in records}
    assert levels == pytest.approx(
        {
            "test_drift[new]": 0.05 / 6,
            "test_no_worse[new]": 0.05 / 6,
            "anchor[new-vs-anchor]": 0.05 / 6,
            "baseline[new-vs-baseline]": 0.05,
        }
    )
    far = table(tmp_path, 3)  # two steps from the last release would be seen, one is not
    result = run(f"--rm=far=scores:{far}", *args)
    out = result.stdout.str()
    for name in ("test_drift[far]", "test_no_worse[far]", "anchor[far-vs-anchor]"):
        assert any(line.startswith("FAILED") and name in line for line in out.splitlines())
    run(f"--rm=far=scores:{far}", none, "-k", "drift").assert_outcomes(skipped=1)


def test_an_anchor_is_renewed_by_one_run_that_asks_for_it(
    run: Run,
    pytester: pytest.Pytester,
    tmp_path: Path,
    file: Path,
    anchored: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    args = (f"--rm=r2=scores:{table(tmp_path, 2)}", BIG_TWO, anchored)
    before = file.read_bytes()
    result = run(*args, RENEW)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert f"{RENEW} records nothing by itself" in result.stderr.str()
    monkeypatch.setenv("VALUEBIAS_RENEW_ANCHOR", "yes")
    result = run(*args, UPDATE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "the anchor is renewed by one run, not by a setting" in result.stderr.str()
    monkeypatch.delenv("VALUEBIAS_RENEW_ANCHOR")
    pytester.makeini("[pytest]\nvaluebias_renew_anchor = true\n")
    assert run(*args, UPDATE).ret == pytest.ExitCode.USAGE_ERROR
    pytester.makeini("[pytest]\n")
    assert file.read_bytes() == before
    result = run(*args, UPDATE, RENEW, "-k", "negative")
    assert "r2, the anchor that later releases are compared with" in (
        " ".join(result.stdout.str().split())
    )
    assert (read_baseline(file).release, read_baseline(file).anchor) == (0, None)


def test_a_file_of_an_earlier_format_says_that_it_has_no_anchor(
    run: Run, tmp_path: Path, file: Path, anchored: str
) -> None:
    content = json.loads(file.read_text())
    for name in ("release", "spending", "anchor"):
        del content[name]
    file.write_text(json.dumps(content | {"version": 1}))
    args = (f"--rm=r2=scores:{table(tmp_path, 2)}", BIG_TWO, anchored)
    result = run(*args, *GATES)
    result.assert_outcomes(passed=2)
    out = " ".join(result.stdout.str().split())
    assert "NO ANCHOR: the baseline has no anchor: it is of an earlier format." in out
    assert json.loads(file.read_text())["version"] == 1  # a comparison writes nothing
    told = " ".join(run(*args, UPDATE, "-k", "negative").stdout.str().split())
    assert "r2, release 1 since the anchor r1" in told
    result = run(f"--rm=r3=scores:{table(tmp_path, 3)}", *args[1:], *GATES)
    assert "NO ANCHOR" not in result.stdout.str()
    result.assert_outcomes(passed=4)


def test_an_anchor_without_a_lexicon_of_the_suites_is_refused_and_kept(
    run: Run, tmp_path: Path, file: Path, anchored: str
) -> None:
    before = file.read_bytes()
    both = write_scores(tmp_path / "both.csv", noise=1)
    result = run(f"--rm=both=scores:{both}", anchored, UPDATE, "-k", "big_two and negative")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = " ".join(result.stdout.str().split())
    assert "BASELINE NOT WRITTEN: the baseline" in told
    assert "(its anchor): it does not contain the lexicon mfd2" in told
    assert RENEW in told
    assert file.read_bytes() == before


def test_the_label_of_the_anchor_is_taken(run: Run, tmp_path: Path, anchored: str) -> None:
    result = run(f"--rm=anchor=scores:{table(tmp_path, 2)}", BIG_TWO, anchored)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "two models have the label 'anchor'" in result.stderr.str()
