"""The declared registry of claims, and what no selection, order or process may change."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.scores import write_scores
from valuebias.lexicons.files import starter

Run = Callable[..., pytest.RunResult]

NO_SUITE = "--valuebias-suite=none"
PLAIN = pytest.mark.parametrize("run", ["plain"], indirect=True)
"""What another process cannot change is tested in one."""
SHIPPED = "suite: big_two, test: test_range, lexicon: big_two, contrast: agency~communion"


def properties(path: Path) -> dict[str, dict[str, str]]:
    """Test name -> its JUnit properties."""
    return {
        case.get("name", ""): {
            p.get("name", ""): p.get("value", "") for p in case.findall("properties/property")
        }
        for case in ElementTree.parse(path).getroot().findall(".//testcase")
    }


def registry(folder: Path, *entries: str, budget: str = "0.05") -> Path:
    path = folder / "claims.yaml"
    lines = [f"  - {{{entry}}}" for entry in entries]
    path.write_text("\n".join([f"budget: {budget}", "claims:", *lines, ""]))
    return path


def test_a_registry_decides_what_each_claim_is_tested_at(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    claims = registry(
        pytester.path,
        f"{SHIPPED}, valence: positive, role: range, weight: 4",
        f"{SHIPPED}, valence: negative, role: range",
    )
    xml = pytester.path / "junit.xml"
    args = [f"--rm=scores:{even}", "--valuebias-suite=big_two", f"--junitxml={xml}", "-k", "range"]
    run(*args).assert_outcomes(passed=2)
    before = properties(xml)
    result = run(*args, f"--valuebias-claims={claims}")
    result.assert_outcomes(passed=2)
    found = properties(xml)
    for valence, alpha in (("positive", 0.04), ("negative", 0.01)):
        name = f"test_range[big_two-agency~communion-{valence}-even.csv]"
        was, now = before[name], found[name]
        assert float(was["valuebias.alpha"]) == 0.05
        assert float(now["valuebias.alpha"]) == alpha
        for unchanged in ("estimate", "ci_low", "ci_high", "p"):
            assert now[f"valuebias.{unchanged}"] == was[f"valuebias.{unchanged}"]
        # The less it may spend, the wider the interval that must lie inside the margin.
        assert float(now["valuebias.gate_low"]) < float(was["valuebias.gate_low"])
        assert float(now["valuebias.gate_high"]) > float(was["valuebias.gate_high"])
    assert "declared budget (.01 to .04)" in " ".join(result.stdout.str().split())


@PLAIN
def test_a_smaller_share_can_take_a_pass_away(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile(
        test_ours="""
        def test_values(bias):
            bias("big_two", "agency", "communion", valence="positive").assert_within(-0.35, 0.35)
        """
    )
    claim = SHIPPED.replace("big_two, test: test_range", "test_ours.py, test: test_values")
    other = f"{SHIPPED}, valence: positive, role: range, weight: 1e6"
    args = [f"--rm=scores:{even}", NO_SUITE]
    run(*args).assert_outcomes(passed=1)
    mine = f"{claim}, valence: positive, role: range"
    claims = registry(pytester.path, mine)
    run(*args, f"--valuebias-claims={claims}").assert_outcomes(passed=1)
    claims = registry(pytester.path, mine, other)
    result = run(*args, f"--valuebias-claims={claims}")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert result.parseoutcomes().get("passed") is None


@PLAIN
def test_an_undeclared_claim_prints_the_line_that_declares_it(
    run: Run, pytester: pytest.Pytester, even: Path, leaning: Path
) -> None:
    pytester.makepyfile(
        """
        class TestOurs:
            def test_values(self, bias):
                effect = bias("mfd2", "Care.Virtue", valence="positive-negative")
                effect.assert_within(-1.5, 0.3)
        """
    )
    claims = registry(pytester.path, f"{SHIPPED}, valence: positive, role: range")
    args = [f"--rm=scores:{even}", NO_SUITE, f"--valuebias-claims={claims}"]
    result = run(*args)
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    out = result.stdout.str()
    assert "the claim is not declared" in out
    line = re.search(r"`(- \{suite: .*?\})`", out)
    assert line is not None
    claims.write_text(f"{claims.read_text()}  {line[1]}\n")
    run(*args).assert_outcomes(passed=1)


@PLAIN
def test_a_registry_that_cannot_be_read_is_a_usage_error(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    claims = registry(pytester.path, f"{SHIPPED}, valence: both, role: range")
    result = run(f"--rm=scores:{even}", f"--valuebias-claims={claims}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*claims.yaml, line 3: unknown valence. Seen: both*"])
    result = run(f"--rm=scores:{even}", "--valuebias-claims=nowhere.yaml")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*cannot read the claims file*"])


TESTS = """
    import pytest

    @pytest.mark.parametrize("width", [0.3, 0.5])
    def test_values(bias, width):
        effect = bias("big_two", "agency", "communion", valence="positive")
        effect.assert_within(-width, width)

    def test_few(bias):
        bias("few", "agency", "communion", valence="positive").assert_within(-0.3, 0.3)

    def test_few_against(bias, reference_model):
        effect = bias(
            "few", "agency", "communion", valence="negative", against=reference_model
        )
        effect.assert_below(0.3)
"""
_KEPT = ("estimate", "p", "verdict", "alpha", "ci_low", "ci_high", "gate_low", "gate_high")


def kept(path: Path) -> dict[str, dict[str, str]]:
    """What a test found, without what it is called."""
    return {
        name: {k: found[f"valuebias.{k}"] for k in _KEPT}
        for name, found in properties(path).items()
    }


def few_words(folder: Path) -> Path:
    """A lexicon of eleven and forty words: families few enough to be permuted."""
    categories = starter("big_two").categories
    path = folder / "few.csv"
    rows = [f"{w},agency" for w in categories["agency"][:11]]
    rows += [f"{w},communion" for w in categories["communion"][:40]]
    path.write_text("\n".join(["word,category", *rows, ""]))
    return path


def test_no_selection_order_or_process_changes_a_result(
    pytester: pytest.Pytester, even: Path, tmp_path: Path
) -> None:
    """Neither do other models, nor what a model is called."""
    pytester.makepyfile(test_it=TESTS)
    leaning = write_scores(tmp_path / "leaning.csv", shift=0.4)
    third = write_scores(tmp_path / "third.csv", shift=0.5, seed=3)
    few = f"--valuebias-lexicon=few={few_words(tmp_path)}"
    xml = pytester.path / "junit.xml"

    def results(*args: str, rm: str = f"a=scores:{leaning}") -> dict[str, dict[str, str]]:
        pytester.runpytest(
            "-W", "error", f"--rm={rm}", f"--reference=r=scores:{even}", few, f"--junitxml={xml}",
            "--valuebias-suite=big_two", "-p", "no:randomly", *args,
        )  # fmt: skip
        return kept(xml)

    every = results("-p", "no:xdist")
    assert len(every) == 2 + 2 + 6  # widths, few words, and the shipped ones
    permuted = properties(xml)["test_few[a]"]
    assert permuted["valuebias.method"] == "permutation"
    assert 0.001 < float(permuted["valuebias.p"]) < 0.5
    assert len({found["verdict"] for found in every.values()}) > 1

    def agree(found: dict[str, dict[str, str]], count: int) -> None:
        mine = {k: v for k, v in found.items() if k in every}
        assert len(mine) == count
        assert mine == {k: every[k] for k in mine}

    agree(results("-p", "no:xdist", "-k", "few"), 2)
    agree(results("-p", "no:xdist", "test_it.py::test_few_against", "test_it.py::test_few"), 8)
    agree(results("-n", "2", f"--rm=b=scores:{third}"), 10)
    pytester.makeconftest("def pytest_collection_modifyitems(items): items.reverse()")
    agree(results("-p", "no:xdist", f"--rm=b=scores:{third}"), 10)
    (pytester.path / "conftest.py").unlink()
    renamed = results("-p", "no:xdist", rm=f"Another-name=scores:{leaning}")
    assert {k.replace("Another-name", "a"): v for k, v in renamed.items()} == every
    # Another seed of the run draws other permutations, and changes nothing else.
    other = results("-p", "no:xdist", "--valuebias-seed=7")
    changed = {k for k in every if every[k] != other[k]}
    assert changed <= {"test_few[a]", "test_few_against[a-r]", "test_few_against[r-a]"}
    assert changed
    for name in changed:
        assert every[name] == other[name] | {"p": every[name]["p"]}


@PLAIN
def test_the_report_says_how_many_effects_were_looked_at(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile(
        """
        def test_values(bias):
            bias("big_two", "agency", "communion", valence="positive").assert_within(-0.4, 0.4)
        """
    )
    args = [f"--rm=scores:{even}", "--valuebias-suite=big_two", "--valuebias-suite=mfd2"]
    # Two of the big two, twenty of mfd2, whatever was selected; and the user's own.
    for selection, count in (("values or range", 23), ("range and agency", 22), ("test_values", 0)):
        out = " ".join(run(*args, "-k", selection).stdout.str().split())
        found = re.findall(r"of (\d+) effects (\d+) differ from zero at .05 each, (\d+) after", out)
        assert [int(m) for m, _, _ in found] == ([count] if count else [])
        for _, raw, strict in found:
            assert int(strict) <= int(raw)
    assert "gates nothing" not in out


@PLAIN
def test_a_test_that_is_run_again_does_not_break_the_report(
    run: Run, pytester: pytest.Pytester, leaning: Path
) -> None:
    """As plugins that rerun failures do: more results than claims."""
    pytester.makeconftest(
        """
        from _pytest.runner import runtestprotocol

        def pytest_runtest_protocol(item, nextitem):
            for _ in range(3):
                runtestprotocol(item, nextitem=nextitem)
            return True
        """
    )
    result = run(f"--rm=scores:{leaning}", "--valuebias-suite=big_two")
    result.assert_outcomes(failed=12)
    assert "INTERNALERROR" not in result.stdout.str() + result.stderr.str()
    assert "differ from zero" in result.stdout.str()


@PLAIN
def test_what_is_measured_and_not_asserted_needs_no_claim(
    run: Run, pytester: pytest.Pytester, even: Path, leaning: Path
) -> None:
    pytester.makepyfile(
        test_ours="""
        def test_no_worse(bias, reference_model):
            effect = bias("big_two", "agency", "communion", valence="positive")
            effect.assert_no_regression(against=reference_model, by=0.1)
        """
    )
    claims = registry(
        pytester.path,
        "suite: test_ours.py, test: test_no_worse, lexicon: big_two, "
        "contrast: agency~communion, valence: positive, role: regression",
    )
    models = (f"--rm=scores:{even}", f"--reference=scores:{leaning}", NO_SUITE)
    run(*models, f"--valuebias-claims={claims}").assert_outcomes(passed=1)
