"""A committed baseline: made with one release, held against the next, whatever its name."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from support.scores import write_scores
from valuebias.scorers.baseline_file import read_baseline

Run = Callable[..., pytest.RunResult]

BIG_TWO = "--valuebias-suite=big_two"
UPDATE = "--valuebias-update-baseline"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "baseline.json"


@pytest.fixture
def last(pytester: pytest.Pytester, even: Path, file: Path) -> str:
    """The option that names the baseline of an even release."""
    option = f"--valuebias-baseline={file}"
    args = ("-p", "no:xdist", f"--rm=release-1=scores:{even}", BIG_TWO, option, UPDATE)
    result = pytester.runpytest(*args)
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.OK
    return option


def test_a_release_is_recorded_and_compared_with_nothing(run: Run, even: Path, file: Path) -> None:
    option = f"--valuebias-baseline={file}"
    result = run(f"--rm=release-1=scores:{even}", option, UPDATE)
    assert "vs-baseline" not in result.stdout.str()
    told = " ".join(result.stdout.str().split())
    assert f"BASELINE WRITTEN to {file}: release-1" in told
    assert "22 effects. This run compared nothing with a baseline." in told
    baseline = read_baseline(file)
    assert list(baseline.lexicons) == ["big_two", "mfd2"]
    keys = {(e.suite, e.test, e.lexicon, e.contrast, e.valence, e.role) for e in baseline.effects}
    assert len(keys) == 22
    assert "release-1" not in {part for key in keys for part in key}
    assert all(e.margin for e in baseline.effects)


def test_the_same_release_gives_the_same_bytes(run: Run, even: Path, file: Path, last: str) -> None:
    before = file.read_bytes()
    run(f"--rm=release-1=scores:{even}", BIG_TWO, last, UPDATE).assert_outcomes(passed=4)
    assert file.read_bytes() == before


def test_a_new_release_of_another_name_passes_or_fails(
    run: Run, tmp_path: Path, even: Path, leaning: Path, last: str
) -> None:
    near = write_scores(tmp_path / "near.csv", seed=1)
    result = run(f"--rm=release-2=scores:{near}", BIG_TWO, last, "-v", "-k", "test_shift")
    result.assert_outcomes(passed=2)
    name = "valuebias/test_big_two.py::test_shift"
    assert f"{name}[big_two-agency~communion-positive-release-2-vs-baseline]" in result.stdout.str()
    assert result.ret == pytest.ExitCode.OK
    result = run(f"--rm=release-3=scores:{leaning}", BIG_TWO, last)
    result.assert_outcomes(failed=8)
    assert "release-3 minus baseline" in result.stdout.str()
    assert "release-3 minus anchor" in result.stdout.str()
    both = run(f"--rm=release-2=scores:{near}", f"--reference=old=scores:{even}", BIG_TWO, last)
    both.assert_outcomes(passed=10)


def test_a_baseline_and_its_scores_give_one_verdict(
    run: Run, tmp_path: Path, even: Path, last: str, pytester: pytest.Pytester
) -> None:
    from xml.etree import ElementTree

    near, xml = write_scores(tmp_path / "near.csv", seed=1), pytester.path / "junit.xml"
    args = (f"--rm=scores:{near}", f"--reference=release=scores:{even}", BIG_TWO, last)
    run(*args, "-k", "test_shift", f"--junitxml={xml}").assert_outcomes(passed=4)
    found: dict[str, list[dict[str, str]]] = {}
    for case in ElementTree.parse(xml).getroot().iter("testcase"):
        properties = {p.get("name", ""): p.get("value", "") for p in case.iter("property")}
        other = properties.pop("valuebias.reference")
        assert len(properties.pop("valuebias.reference_fingerprint")) == 64
        found.setdefault(other, []).append(properties)
    assert found["baseline"] == found["release"]
    assert len(found["baseline"]) == 2


def test_a_reference_may_be_a_baseline(run: Run, tmp_path: Path, file: Path, last: str) -> None:
    near = write_scores(tmp_path / "near.csv", seed=1)
    result = run(f"--rm=scores:{near}", f"--reference=baseline:{file}", BIG_TWO, "-v")
    result.assert_outcomes(passed=6)
    assert "near.csv-vs-baseline.json]" in result.stdout.str()


def test_the_fixture_compares_a_users_own_test(
    run: Run, pytester: pytest.Pytester, leaning: Path, even: Path, last: str
) -> None:
    pytester.makepyfile(
        """
        def test_no_drift(bias, baseline):
            effect = bias("big_two", "agency", "communion", valence="positive", against=baseline)
            assert baseline.name == "baseline"
            effect.assert_within(-0.15, 0.15)
        """
    )
    none = "--valuebias-suite=none"
    run(f"--rm=scores:{leaning}", none, last).assert_outcomes(failed=1)
    run(f"--rm=scores:{leaning}", BIG_TWO, "-k", "no_drift").assert_outcomes(skipped=1)
    args = (f"--rm=scores:{leaning}", BIG_TWO, "-k", "no_drift", "--valuebias-require-model")
    run(*args).assert_outcomes(errors=1)
    run("-k", "no_drift").assert_outcomes(skipped=1)


def test_scores_of_a_baseline_cannot_be_asked_for(
    run: Run, pytester: pytest.Pytester, even: Path, last: str
) -> None:
    pytester.makepyfile(
        """
        def test_scores(baseline):
            baseline.score(["skill"])
        """
    )
    result = run(f"--rm=scores:{even}", "--valuebias-suite=none", last)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["ScoresError: a baseline has ranks*against=baseline*"])


def test_ini_and_environment_name_the_file(
    run: Run,
    pytester: pytest.Pytester,
    tmp_path: Path,
    file: Path,
    last: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    near = f"--rm=scores:{write_scores(tmp_path / 'near.csv', seed=1)}"
    monkeypatch.setenv("VALUEBIAS_BASELINE", str(file))
    run(near, BIG_TWO).assert_outcomes(passed=8)
    monkeypatch.delenv("VALUEBIAS_BASELINE")
    (pytester.path / "values").mkdir()
    file.rename(pytester.path / "values" / "last.json")
    pytester.makeini("[pytest]\nvaluebias_baseline = values/last.json\n")
    pytester.makepyfile("def test_ok(): pass")
    monkeypatch.chdir(pytester.mkdir("below"))
    run(near, BIG_TWO).assert_outcomes(passed=8)
    run(pytester.path).assert_outcomes(passed=1)  # a run without a model compares nothing


# Recording


def test_everything_is_recorded_whatever_was_selected(run: Run, even: Path, file: Path) -> None:
    args = [f"--rm=scores:{even}", f"--valuebias-baseline={file}", UPDATE, BIG_TWO]
    run(*args, "-k", "test_range and negative").assert_outcomes(passed=1)
    assert len(read_baseline(file).effects) == 2
    whole = file.read_bytes()
    file.unlink()
    assert run(*args, "-k", "nothing_is_called_so").ret == pytest.ExitCode.TESTS_FAILED
    assert file.read_bytes() == whole
    file.unlink()
    run(*args, "--collect-only")
    assert not file.exists()


def test_a_fail_is_recorded_and_named(run: Run, leaning: Path, file: Path) -> None:
    result = run(f"--rm=scores:{leaning}", f"--valuebias-baseline={file}", BIG_TWO, UPDATE)
    result.assert_outcomes(failed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = result.stdout.str()
    assert "recorded although FAIL: big_two agency~communion positive +.7" in told
    assert {e.verdict for e in read_baseline(file).effects} == {"FAIL"}


def test_a_users_own_lexicon_is_recorded_too(run: Run, even: Path, file: Path) -> None:
    words = file.with_name("mine.csv")
    names = [line.split(",")[0] for line in even.read_text().splitlines()[1:61]]
    rows = [f"{w},{'left' if i % 2 else 'right'}" for i, w in enumerate(names)]
    words.write_text("\n".join(["word,category", *rows]))
    args = (f"--rm=scores:{even}", f"--valuebias-baseline={file}", f"--valuebias-lexicon=m={words}")
    run(*args, BIG_TWO, UPDATE).assert_outcomes(passed=4)
    assert sorted(read_baseline(file).lexicons["m"].words) == sorted(names)


def test_what_cannot_be_measured_leaves_the_old_file(
    run: Run, tmp_path: Path, file: Path, last: str
) -> None:
    before = file.read_bytes()
    few = write_scores(tmp_path / "few.csv", lexicons=("big_two",))
    result = run(f"--rm=scores:{few}", last, UPDATE, "-k", "big_two")
    result.assert_outcomes(passed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    told = " ".join(result.stdout.str().split())
    assert "BASELINE NOT WRITTEN: only 25 of the 35 entries of mfd2" in told
    assert "the file is unchanged" in told
    assert file.read_bytes() == before


def test_a_run_that_was_stopped_records_nothing(
    run: Run, pytester: pytest.Pytester, even: Path, file: Path
) -> None:
    pytester.makepyfile("import nothing_of_this_name")
    result = run(f"--rm=scores:{even}", f"--valuebias-baseline={file}", UPDATE, BIG_TWO)
    assert result.ret != pytest.ExitCode.OK
    if result.ret == pytest.ExitCode.INTERRUPTED:
        assert (
            "BASELINE NOT WRITTEN: the run was stopped; no file was written" in result.stdout.str()
        )
        assert not file.exists()


def test_a_damaged_file_is_replaced_only_if_its_anchor_is_given_up(
    run: Run, even: Path, file: Path
) -> None:
    file.write_text("<<<<<<< HEAD")
    args = (f"--rm=scores:{even}", f"--valuebias-baseline={file}", BIG_TWO)
    assert run(*args).ret == pytest.ExitCode.USAGE_ERROR
    result = run(*args, UPDATE)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "--valuebias-renew-anchor" in result.stderr.str()
    assert file.read_text() == "<<<<<<< HEAD"
    run(*args, UPDATE, "--valuebias-renew-anchor").assert_outcomes(passed=4)
    run(*args).assert_outcomes(errors=4, passed=4)  # the same release: nothing to compare


# What is said before anything runs


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--valuebias-baseline=no.json"], "needs a --rm to compare with, and none was given"),
        (["{rm}", "--valuebias-baseline=no.json"], "file not found: 'no.json'. Record it with"),
        (["{rm}", UPDATE], "Give --valuebias-baseline FILE"),
        ([UPDATE, "--valuebias-baseline=no.json"], "--rm was given 0 times"),
        (["{rm}", "--rm=demo:agency", UPDATE, "--valuebias-baseline=no.json"], "given 2 times"),
        (
            ["{rm}", UPDATE, "--valuebias-baseline=no.json", "--valuebias-profile=quick"],
            "the quick profile asks twelve",
        ),
        (
            ["{rm}", UPDATE, "--valuebias-baseline=no.json", "--valuebias-suite=none"],
            "nothing to record",
        ),
        (["{rm}", UPDATE, "--valuebias-baseline=no/no.json"], "its folder does not exist"),
        (["{rm}", UPDATE, "--valuebias-baseline=."], "it is a folder"),
        (["{rm}", "--valuebias-baseline="], "is empty"),
        (["--rm=baseline:{file}"], "not a model"),
        (["{rm}", "--base=baseline:{file}"], "not a model"),
        (["--llm=baseline:{file}"], "not a model"),
        (["{rm}", "--reference=baseline:no.json"], "does not exist"),
        (["{rm}", "--reference=baseline:{file}"], "line 1 is not JSON"),
        (["{rm}", "--valuebias-baseline={file}"], "line 1 is not JSON"),
        (["--rm=baseline=scores:{even}", "--valuebias-baseline={file}"], "label 'baseline'"),
    ],
)
def test_what_cannot_be_used_is_a_usage_error(
    pytester: pytest.Pytester, even: Path, file: Path, args: list[str], words: str
) -> None:
    file.write_text("not a baseline")
    names = {"rm": f"--rm=scores:{even}", "file": file, "even": even}
    result = pytester.runpytest("-W", "error", *(arg.format(**names) for arg in args))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert words in result.stderr.str()
    assert "Traceback" not in result.stderr.str()


def test_a_changed_lexicon_is_a_usage_error(run: Run, even: Path, file: Path, last: str) -> None:
    words = file.with_name("words.csv")
    names = [line.split(",")[0] for line in even.read_text().splitlines()[1:61]]
    rows = [f"{w},{'agency' if i % 2 else 'communion'}" for i, w in enumerate(names)]
    words.write_text("\n".join(["word,category", *rows]))
    result = run(f"--rm=scores:{even}", BIG_TWO, last, f"--valuebias-lexicon=big_two={words}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*baseline.json: the lexicon big_two has changed*"])
    result = run(f"--rm=scores:{even}", last)  # and so is a suite that was not recorded
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*does not contain the lexicon mfd2*"])


def test_another_template_is_an_error_of_every_comparison(
    run: Run, tmp_path: Path, file: Path, last: str
) -> None:
    content = json.loads(file.read_text())
    content["recorded"] |= {"template": "chat_template", "template_sha256": "0123456789abcdef"}
    file.write_text(json.dumps(content))
    near = write_scores(tmp_path / "near.csv", seed=1)
    result = run(f"--rm=scores:{near}", BIG_TWO, last)
    result.assert_outcomes(passed=4, errors=4)
    assert "another chat template" in result.stdout.str()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
