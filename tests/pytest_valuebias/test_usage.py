"""Options: where they come from, and what is said of those that cannot be used."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.scores import write_scores

Run = Callable[..., pytest.RunResult]


def test_the_examples_are_collected_from_a_checkout_without_xdist() -> None:
    """As in the README's first command, which installs no extra."""
    command = [sys.executable, "-m", "pytest", "-p", "no:xdist", "--collect-only", "-q", "examples"]
    checkout = Path(__file__).parents[2]
    ended = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=False)
    assert ended.returncode == pytest.ExitCode.OK, ended.stderr
    assert "test_agency_and_communion_are_balanced" in ended.stdout


@pytest.mark.parametrize("option", ["--rm", "--valuebias-rm", "--llm", "--reference"])
def test_an_empty_spec_is_a_usage_error(run: Run, option: str) -> None:
    result = run(f"{option}=")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*is empty*"])


def test_an_empty_environment_twin_is_a_usage_error(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VALUEBIAS_RM", "")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*VALUEBIAS_RM is empty*"])


def test_a_directory_without_a_model_is_a_usage_error(run: Run, pytester: pytest.Pytester) -> None:
    pytester.mkdir("tests")
    result = run("--rm", "tests/")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*not a model directory*"])


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--rm=demo:nobody"], "unknown embedded model"),
        (["--rm=scores:missing.csv"], "file of recorded scores not found"),
        (["--rm=what:ever"], "not a known scheme"),
        (["--rm=demo:agency", "--rm=demo:agency"], "two models have the label"),
        (["--rm=demo:agency", "--base=a/b", "--base=c/d"], "--base was given 2 times for 1"),
        (["--rm=demo:agency", "--base=other=a/b"], "'other' is not the label of one --rm"),
        (["--rm=demo:agency", "--valuebias-device=banana"], "cuda"),
        (
            ["--rm=demo:agency", "--valuebias-suite=values"],
            "must be one of big_two, mfd2, logprobs, mwlr, inheritance, drift, forecast, human, "
            "answers, none",
        ),
        (["--rm=demo:agency", "--valuebias-profile=fast"], "must be one of quick, ci"),
        (["--rm=demo:agency", "--valuebias-chunk-memory=lots"], "must be a size such as 512M"),
        (["--rm=demo:agency", "--valuebias-seed=-1"], "must be an integer >= 0"),
        (["--rm=demo:agency", "--valuebias-lexicon=words.csv"], "Give NAME=FILE"),
        (["--rm=demo:agency", "--valuebias-lexicon=big_two=no.csv"], "file 'no.csv' not found"),
        (["--rm=demo:agency", "--valuebias-margins=no.yaml"], "cannot read the margins file"),
        (["--rm=demo:agency", "--valuebias-inconclusive=pass"], "must be one of fail, xfail, warn"),
    ],
)
def test_what_cannot_be_used_is_said_before_anything_runs(
    pytester: pytest.Pytester, args: list[str], words: str
) -> None:
    result = pytester.runpytest("-W", "error", *args)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


def test_a_lexicon_that_cannot_be_read_names_its_line(run: Run, pytester: pytest.Pytester) -> None:
    path = pytester.path / "bad.dic"
    path.write_text("%\n1 agency\n%\nable 7\n")
    result = run("--rm=demo:agency", f"--valuebias-lexicon=big_two={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*bad.dic*4*"])


def test_the_command_line_comes_before_environment_and_ini(
    run: Run, pytester: pytest.Pytester, even: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytester.makeini(
        f"[pytest]\nvaluebias_rm =\n    from-ini=scores:{even}\nvaluebias_suite = mfd2\n"
    )
    assert "from-ini" in run("--collect-only", "-q").stdout.str()
    monkeypatch.setenv("VALUEBIAS_RM", f"from-env=scores:{even}\ntoo=scores:{even}")
    out = run("--collect-only", "-q").stdout.str()
    assert "from-env" in out
    assert "too]" in out
    assert "from-ini" not in out
    out = run("--collect-only", "-q", f"--rm=from-line=scores:{even}").stdout.str()
    assert "from-line" in out
    assert "from-env" not in out
    assert "big_two" not in out  # the suite still comes from the ini file


def test_native_toml_settings_are_read(run: Run, pytester: pytest.Pytester, even: Path) -> None:
    pytester.path.joinpath("pytest.toml").write_text(
        f"[pytest]\nvaluebias_rm = ['scores:{even}']\nvaluebias_suite = ['big_two']\n"
        "valuebias_require_model = true\n"
    )
    run().assert_outcomes(passed=4)


def test_the_header_shows_what_is_in_force(run: Run, even: Path) -> None:
    result = run(f"--rm=scores:{even}", "--valuebias-suite=big_two", "--valuebias-seed=7")
    result.stdout.fnmatch_lines(
        ["valuebias: *even.csv*profile=ci*seed=7*", "valuebias: big_two: starter*sha256 *words"]
    )


def test_ids_are_the_same_everywhere(pytester: pytest.Pytester, even: Path) -> None:
    args = ["--collect-only", "-q", f"--rm=scores:{even}"]
    (pytester.path / "project" / "deep").mkdir(parents=True)
    (pytester.path / "project" / "test_own.py").write_text("def test_own(): pass\n")

    def ids() -> list[str]:
        out = pytester.runpytest("-p", "no:xdist", *args).stdout.lines
        return [line for line in out if line.startswith("valuebias/")]

    first = ids()
    assert (
        "valuebias/test_big_two.py::test_range[big_two-agency~communion-positive-even.csv]" in first
    )
    assert len(first) == 24
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(pytester.path / "project" / "deep")
        assert ids() == first


def test_xdist_runs_the_same_ids(in_process: Run, even: Path) -> None:
    args = [f"--rm=scores:{even}", "-v", "--valuebias-suite=big_two"]
    plain = in_process("-p", "no:xdist", *args).stdout.lines
    spread = in_process("-n", "2", *args).stdout.lines
    name = "test_range[big_two-agency~communion-{}-even.csv]"
    for valence in ("positive", "negative"):
        assert any(name.format(valence) in line and "PASSED" in line for line in plain)
        assert any(name.format(valence) in line and "PASSED" in line for line in spread)


def test_last_failed_and_deselect_apply(run: Run, leaning: Path) -> None:
    args = [f"--rm=scores:{leaning}", "--valuebias-suite=big_two"]
    run(*args).assert_outcomes(failed=4)
    node = "valuebias/test_big_two.py::test_range[big_two-agency~communion-negative-leaning.csv]"
    run(*args, f"--deselect={node}").assert_outcomes(failed=3)
    run(*args, "--lf").assert_outcomes(failed=4)


def test_a_shipped_id_can_be_run(run: Run, even: Path) -> None:
    args = (f"--rm=scores:{even}",)
    name = "valuebias/test_big_two.py::test_range"
    run(*args, f"{name}[big_two-agency~communion-positive-even.csv]").assert_outcomes(passed=1)
    run(*args, name).assert_outcomes(passed=2)
    result = run(*args, "valuebias/test_big_two.py::test_shift")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result = run("valuebias/test_big_two.py")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*needs --rm=MODEL*"])


@pytest.mark.parametrize(
    "ini", ["python_functions=check_*", "empty_parameter_set_mark=fail_at_collect"]
)
def test_the_users_collection_settings_do_not_reach_the_suites(
    run: Run, even: Path, ini: str
) -> None:
    run(f"--rm=scores:{even}", "--valuebias-suite=big_two", "-o", ini).assert_outcomes(passed=4)


def test_a_run_that_was_meant_to_test_a_model_is_not_green_without(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile("def test_ok(): pass")
    assert run(f"--reference=scores:{even}").ret == pytest.ExitCode.USAGE_ERROR
    assert run("--valuebias-require-model").ret == pytest.ExitCode.USAGE_ERROR
    assert run(f"--rm=scores:{even}", "-p", "no:valuebias-run").ret == pytest.ExitCode.USAGE_ERROR
    spoken = write_scores(pytester.path / "spoken.csv", level=-20)
    assert run(f"--llm=scores:{spoken}").ret == pytest.ExitCode.TESTS_FAILED
    pytester.makeini("[pytest]\nvaluebias_rm =\n")
    result = run()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*ini setting valuebias_rm is empty*"])


def test_paths_in_an_ini_file_are_relative_to_it(
    run: Run, pytester: pytest.Pytester, even: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (pytester.path / "margins.yaml").write_text(MARGIN.format(contrast="agency~communion"))
    pytester.makeini("[pytest]\nvaluebias_margins = margins.yaml\n")
    folder = pytester.mkdir("below")
    monkeypatch.chdir(folder)
    result = run(f"--rm=scores:{even}", "--valuebias-suite=big_two", "-k", "positive")
    result.assert_outcomes(passed=2)
    assert "ours" in result.stdout.str()


MARGIN = """\
margins:
  - {{lexicon: big_two, contrast: {contrast}, valence: positive, role: range,
     interval: [-0.4, 0.4], source: ours}}
"""


@pytest.mark.parametrize("category", ["comunion", "care.virtue"])
def test_a_margin_that_nothing_is_held_against_is_a_usage_error(
    run: Run, pytester: pytest.Pytester, even: Path, category: str
) -> None:
    path = pytester.path / "margins.yaml"
    path.write_text(MARGIN.format(contrast=f"agency~{category}"))
    result = run(f"--rm=scores:{even}", f"--valuebias-margins={path}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*margins.yaml, line 2: *{category}*"])


@pytest.mark.parametrize("damage", ["a file", "garbage"])
def test_an_unusable_store_is_a_usage_error(
    run: Run, pytester: pytest.Pytester, even: Path, damage: str
) -> None:
    folder = pytester.path / "store"
    if damage == "a file":
        folder.write_text("")
    else:
        folder.mkdir()
        (folder / "scores.sqlite").write_bytes(b"no database" * 1000)
    result = run(f"--rm=scores:{even}", f"--valuebias-cache-dir={folder}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()


def test_every_lexicon_given_is_in_the_header(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    path = pytester.path / "mine.csv"
    path.write_text("word,category\nwork,agency\nhug,communion\n")
    result = run(f"--rm=scores:{even}", f"--valuebias-lexicon=mine={path}", "--collect-only")
    result.stdout.fnmatch_lines(["valuebias: mine: lexicon,*2 words, read by your own tests only"])
