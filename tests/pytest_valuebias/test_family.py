"""Families of models: do those of one base prefer a category more than those of another?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.scores import write_scores

Run = Callable[..., pytest.RunResult]

TEST = """
def test_bases(family_bias):
    found = family_bias("big_two", "agency", "communion", valence="positive")
    print("p", found.family.p_models, found.family.n_models, found.estimate > 0)
    found.{assertion}
"""


def models(folder: Path, first: int, second: int, shift: float = 0.0) -> list[str]:
    """--rm and --base of recorded models; those of the first base lean to agency by ``shift``."""
    options = []
    for i in range(first + second):
        lean = shift * (i < first)
        path = write_scores(folder / f"m{i}.csv", shift=lean + 0.02 * i, seed=i)
        base = "demo:agency" if i < first else "demo:communion"
        options += [f"--rm=m{i}=scores:{path}", f"--base=m{i}={base}"]
    return [*options, "--valuebias-suite=none"]


def declare(pytester: pytest.Pytester, assertion: str) -> None:
    pytester.makepyfile(TEST.format(assertion=assertion))


def test_two_families_that_differ(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    declare(pytester, "assert_above(0.1)")
    result = run(*models(tmp_path, 4, 4, shift=1.0), "-rP")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    out = result.stdout.str()
    assert "demo:agency (4 models) minus demo:communion (4 models)" in out
    if "p 0.02857142857142857 (4, 4) True" not in out:  # a worker's output is not shown
        assert "gw" in out or "xdist" in out or "workers" in out


def test_two_families_that_do_not(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    declare(pytester, "assert_above(0.1)")
    result = run(*models(tmp_path, 4, 4))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*raised by*", "* by models, p * by words, p * by both at once*"])


def test_too_few_models_are_refused(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    declare(pytester, "assert_within(-0.9, 0.9)")
    result = run(*models(tmp_path, 2, 3, shift=1.0))
    result.assert_outcomes(errors=1)
    assert "2 against 3 models cannot give a p below 0.1" in result.stdout.str()
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_one_base_is_no_comparison(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    declare(pytester, "assert_within(-0.9, 0.9)")
    result = run(*models(tmp_path, 3, 0))
    result.assert_outcomes(errors=1)
    assert "family_bias needs models of exactly two bases" in result.stdout.str()


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_two_bases_under_one_label_are_not_one_family(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    declare(pytester, "assert_within(-0.9, 0.9)")
    for name in ("one", "two"):
        folder = tmp_path / name / "base"
        folder.mkdir(parents=True)
        (folder / "config.json").write_text('{"model_type": "llama"}')
    options = models(tmp_path, 4, 4)
    for i, base in (("m0", "one"), ("m1", "one"), ("m2", "two"), ("m3", "two")):
        options[options.index(f"--base={i}=demo:agency")] = f"--base={i}={tmp_path / base}/base"
    result = run(*options)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*two models have the label 'base'*"])


@pytest.mark.parametrize("run", ["plain"], indirect=True)
def test_a_valence_has_to_be_one(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    declare(pytester, "assert_within(-0.9, 0.9)")
    text = (pytester.path / "test_a_valence_has_to_be_one.py").read_text()
    pytester.makepyfile(text.replace('valence="positive"', 'valence="both"'))
    result = run(*models(tmp_path, 4, 4))
    result.assert_outcomes(errors=1)
    assert "unknown valence. Seen: both" in result.stdout.str()


def test_without_bases_it_is_skipped(run: Run, pytester: pytest.Pytester, even: Path) -> None:
    declare(pytester, "assert_within(-0.9, 0.9)")
    result = run(f"--rm=scores:{even}", "--valuebias-suite=none")
    result.assert_outcomes(skipped=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED  # nothing was gated
