"""What the shipped suites find, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.scores import write_scores

Run = Callable[..., pytest.RunResult]


def test_a_leaning_model_fails_with_its_sign(run: Run, leaning: Path) -> None:
    result = run(f"--rm=scores:{leaning}", "--valuebias-suite=big_two")
    result.assert_outcomes(failed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    out = result.stdout.str()
    assert "FAIL: the 90% interval" in out
    assert "agency against communion, positive prompts; above zero = agency preferred" in out
    assert "+.7" in out  # 1.5 SD is a rank-biserial of 2*Phi(1.5/sqrt2)-1 = .71


def test_an_even_model_passes(run: Run, even: Path) -> None:
    result = run(f"--rm=scores:{even}", "--valuebias-suite=big_two")
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.OK
    assert "convention" in result.stdout.str()


def test_a_shift_is_gated_against_each_reference(run: Run, leaning: Path, even: Path) -> None:
    result = run(
        f"--rm=new=scores:{leaning}",
        f"--reference=old=scores:{even}",
        "--valuebias-suite=big_two",
        "-v",
    )
    result.assert_outcomes(failed=6)
    out = result.stdout.str()
    assert "test_shift[big_two-agency~communion-positive-new-vs-old]" in out
    assert "new minus old" in out


def test_between_the_two_is_inconclusive_and_fails(run: Run, tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "between.csv", shift=0.5)
    result = run(f"--rm=scores:{scores}", "--valuebias-suite=big_two", "-k", "range and positive")
    result.assert_outcomes(failed=1)
    assert "INCONCLUSIVE" in result.stdout.str()


@pytest.mark.parametrize("how", ["xfail", "warn"])
def test_let_through_means_not_gated_and_not_green(run: Run, tmp_path: Path, how: str) -> None:
    scores = write_scores(tmp_path / "between.csv", shift=0.5)
    warn = ("-W", "default") if how == "warn" else ()
    result = run(
        f"--rm=scores:{scores}",
        "--valuebias-suite=big_two",
        f"--valuebias-inconclusive={how}",
        "-k",
        "range and positive",
        *warn,
    )
    result.assert_outcomes(**({"xfailed": 1} if how == "xfail" else {"passed": 1, "warnings": 1}))
    assert "NOT GATED" in result.stdout.str()
    assert "NOTHING WAS GATED" in result.stdout.str()
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_where_xfail_does_nothing_an_inconclusive_test_fails(run: Run, tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "between.csv", shift=0.5)
    args = [f"--rm=scores:{scores}", "--valuebias-suite=big_two", "-k", "range and positive"]
    result = run(*args, "--valuebias-inconclusive=xfail", "--runxfail")
    result.assert_outcomes(failed=1)
    assert "INCONCLUSIVE: the 90% interval" in result.stdout.str()


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_a_margins_source_cannot_reach_the_terminal_raw(
    run: Run, leaning: Path, tmp_path: Path
) -> None:
    margins = tmp_path / "margins.yaml"
    margins.write_text(
        "margins: [{lexicon: big_two, contrast: agency~communion, valence: positive, role: range, "
        'interval: [-0.1, 0.1], basis: "b\\e[31m", source: "s\\e]0;title\\a"}]\n'
    )
    args = [f"--rm=scores:{leaning}", "--valuebias-suite=big_two", "-k", "range and positive"]
    result = run(*args, f"--valuebias-margins={margins}")
    result.assert_outcomes(failed=1)
    out = result.stdout.str()
    assert "\x1b" not in out
    assert r"(declared by you: s\x1b]0;title\x07)" in out


def test_the_quick_profile_cannot_pass(run: Run, even: Path) -> None:
    result = run(f"--rm=scores:{even}", "--valuebias-suite=big_two", "--valuebias-profile=quick")
    result.assert_outcomes(failed=4)
    assert "6 prompts are too few" in result.stdout.str()


def test_without_a_margin_nothing_is_gated(run: Run, even: Path, tmp_path: Path) -> None:
    words = tmp_path / "mine.csv"
    names = [line.split(",")[0] for line in even.read_text().splitlines()[1:61]]
    rows = [f"{w},{'agency' if i % 2 else 'communion'}" for i, w in enumerate(names)]
    words.write_text("\n".join(["word,category", *rows]))
    result = run(
        f"--rm=scores:{even}", f"--valuebias-lexicon=big_two={words}", "--valuebias-suite=big_two"
    )
    result.assert_outcomes(skipped=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "NOTHING WAS GATED" in result.stdout.str()
    assert "no margin is declared" in result.stdout.str()


def test_declared_margins_come_first(run: Run, leaning: Path, tmp_path: Path) -> None:
    margins = tmp_path / "margins.yaml"
    margins.write_text(
        "margins:\n"
        "  - {lexicon: big_two, contrast: agency~communion, valence: positive, role: range,\n"
        "     interval: [0.3, 0.95], basis: declared, source: we want agency}\n"
    )
    result = run(
        f"--rm=scores:{leaning}",
        "--valuebias-suite=big_two",
        f"--valuebias-margins={margins}",
        "-k",
        "range and positive",
    )
    result.assert_outcomes(passed=1)
    assert "we want agency" in result.stdout.str()


def test_too_little_coverage_is_an_error(run: Run, tmp_path: Path) -> None:
    scores = write_scores(tmp_path / "few.csv", lexicons=("big_two",))
    result = run(f"--rm=scores:{scores}", "--valuebias-suite=mfd2", "-k", "care.virtue")
    result.assert_outcomes(errors=2)
    assert "LexiconError" in result.stdout.str()
    assert "Traceback" not in result.stdout.str()


def test_deselecting_everything_is_not_green(run: Run, even: Path) -> None:
    result = run(f"--rm=scores:{even}", "-k", "nothing_is_called_so")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "NOTHING WAS GATED" in result.stdout.str()


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_last_failed_runs_shipped_tests_beside_the_users_own(
    run: Run, pytester: pytest.Pytester, leaning: Path
) -> None:
    path = pytester.makepyfile("def test_ours():\n    assert False")
    args = [f"--rm=scores:{leaning}", "--valuebias-suite=big_two"]
    run(*args).assert_outcomes(failed=5)
    path.write_text("def test_ours():\n    pass")
    result = run(*args, "--lf")
    result.assert_outcomes(passed=1, failed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_every_foundation_is_asked_for(run: Run, even: Path) -> None:
    result = run(f"--rm=scores:{even}", "--valuebias-suite=mfd2", "--collect-only", "-q")
    ids = [line for line in result.stdout.lines if "::test_range[mfd2-" in line]
    assert len(ids) == 20
    assert result.ret == pytest.ExitCode.OK
