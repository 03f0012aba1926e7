"""Tests declared in ``*.valuebias.yaml`` files: collected, run and reported like any other."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.scores import write_scores
from valuebias.store.database import Store

Run = Callable[..., pytest.RunResult]

NO_SUITE = "--valuebias-suite=none"
HEAD = "lexicon: big_two\ncontrast: agency~communion\nvalence: positive\ntests:\n"


@pytest.fixture
def plain(pytester: pytest.Pytester) -> Run:
    """Run pytest in an empty project, warnings as errors, for what workers have no part in."""

    def plain(*args: object) -> pytest.RunResult:
        return pytester.runpytest("-W", "error", "-p", "no:xdist", *map(str, args))

    return plain


@pytest.fixture
def suite(pytester: pytest.Pytester) -> Callable[..., Path]:
    """Write entries, one a line from line 5 on, into ``our.valuebias.yaml``."""

    def write(*entries: str, head: str = HEAD, name: str = "our.valuebias.yaml") -> Path:
        path = pytester.path / name
        path.write_text(head + "".join(f"  - {{{entry}}}\n" for entry in entries))
        return path

    return write


def test_an_entry_is_a_test_of_every_model(
    run: Run, suite: Callable[..., Path], leaning: Path, even: Path
) -> None:
    suite("name: balanced for the best, within: [-0.3, 0.3]")
    result = run(f"--rm=l=scores:{leaning}", f"--rm=e=scores:{even}", NO_SUITE, "-v")
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    out = result.stdout.str()
    assert "our.valuebias.yaml::balanced for the best[l]" in out
    assert "our.valuebias.yaml::balanced for the best[e]" in out
    assert "FAIL: the 90% interval" in out
    assert "asserted by your own tests" in out
    assert "Traceback" not in out
    assert "declared.py" not in out  # a failure shows the verdict, not our code


def test_an_id_runs_alone_and_is_the_same_in_every_folder(
    plain: Run,
    suite: Callable[..., Path],
    pytester: pytest.Pytester,
    even: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytester.makeini("[pytest]\n")  # fixes the root that ids are relative to
    suite(
        "name: balanced for the best, within: [-0.3, 0.3]",
        "name: balanced for the worst, valence: negative, within: [-0.3, 0.3]",
    )
    args = (f"--rm=scores:{even}", NO_SUITE, "-v")
    plain(*args, "our.valuebias.yaml::balanced for the best").assert_outcomes(passed=1)
    plain(*args, "our.valuebias.yaml::balanced for the worst[even.csv]").assert_outcomes(passed=1)
    assert plain(*args, "our.valuebias.yaml::balanced").ret != pytest.ExitCode.OK
    below = pytester.mkdir("below")
    with monkeypatch.context() as patch:
        patch.chdir(below)
        result = plain(*args, "..")
    assert "our.valuebias.yaml::balanced for the worst[even.csv]" in result.stdout.str()


def test_names_answer_to_keywords_and_markers(
    plain: Run, suite: Callable[..., Path], pytester: pytest.Pytester, even: Path
) -> None:
    suite(
        "name: balanced for the best, within: [-0.3, 0.3]",
        "name: balanced for the worst, valence: negative, within: [-0.3, 0.3]",
    )
    pytester.makeconftest(
        """
        import pytest

        def pytest_configure(config):
            config.addinivalue_line("markers", "worst: asks for the worst")

        def pytest_collection_modifyitems(items):
            for item in items:
                if item.originalname == "balanced for the worst":
                    item.add_marker(pytest.mark.worst)
        """
    )
    args = (f"--rm=scores:{even}", NO_SUITE)
    plain(*args, "-k", "best").assert_outcomes(passed=1)
    result = plain(*args, "-m", "worst", "-v")
    result.assert_outcomes(passed=1)
    assert "balanced for the worst[even.csv]" in result.stdout.str()


def test_what_failed_runs_again(
    run: Run, suite: Callable[..., Path], leaning: Path, even: Path
) -> None:
    suite("name: balanced, within: [-0.3, 0.3]")
    models = (f"--rm=l=scores:{leaning}", f"--rm=e=scores:{even}", NO_SUITE)
    run(*models).assert_outcomes(passed=1, failed=1)
    run(*models, "--lf").assert_outcomes(failed=1)


def test_it_is_held_against_every_reference(
    run: Run, suite: Callable[..., Path], leaning: Path, even: Path, tmp_path: Path
) -> None:
    other = write_scores(tmp_path / "other.csv", shift=1.5, seed=3)
    suite("name: no drift, against: reference, within: [-0.4, 0.4]")
    result = run(
        f"--rm=new=scores:{leaning}",
        f"--reference=old=scores:{even}",
        f"--reference=older=scores:{other}",
        NO_SUITE,
        "-v",
    )
    result.assert_outcomes(passed=1, failed=1)
    out = result.stdout.str()
    assert "our.valuebias.yaml::no drift[new-vs-old]" in out
    assert "our.valuebias.yaml::no drift[new-vs-older]" in out
    assert "new minus old" in out


@pytest.mark.parametrize(
    ("against", "option"),
    [
        ("reference", "--reference=MODEL"),
        ("base", "--base=MODEL"),
        ("baseline", "--valuebias-baseline=FILE"),
    ],
)
def test_without_what_it_is_compared_with_it_skips_or_fails_as_asked(
    plain: Run, suite: Callable[..., Path], even: Path, against: str, option: str
) -> None:
    suite(
        "name: balanced, within: [-0.3, 0.3]",
        f"name: no drift, against: {against}, within: [-0.3, 0.3]",
        f"name: no worse, against: {against}, no_regression: 0.1",
    )
    args = (f"--rm=scores:{even}", NO_SUITE, "-rs")
    result = plain(*args)
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines([f"*this test needs *{option}*"])
    plain(*args, "--valuebias-require-model").assert_outcomes(passed=1, errors=2)


def test_without_a_model_one_item_skips(
    run: Run, suite: Callable[..., Path], pytester: pytest.Pytester
) -> None:
    suite(
        "name: balanced, within: [-0.3, 0.3]",
        "name: of ours, lexicon: given with a model, within: [-0.3, 0.3]",
        "name: no drift, against: reference, within: [-0.3, 0.3]",
    )
    result = run("-rs", "-v")
    result.assert_outcomes(skipped=3)
    result.stdout.fnmatch_lines(["*this test needs --rm=MODEL, and none was given*"])
    assert "our.valuebias.yaml::balanced" in result.stdout.str()
    assert "balanced[" not in result.stdout.str()
    result = run("--llm=demo:agency", "--valuebias-suite=none", "--valuebias-require-model")
    result.assert_outcomes(errors=3)


def test_a_profile_has_its_own_margin(plain: Run, suite: Callable[..., Path], even: Path) -> None:
    suite(
        "name: by profile, within: {ci: [-0.3, 0.3], quick: [0.5, 0.9]}",
        "name: another profile, within: {quick: [-0.3, 0.3]}",
    )
    args = [f"--rm=scores:{even}", NO_SUITE, "-rs"]
    result = plain(*args)
    result.assert_outcomes(passed=1, skipped=1)
    result.stdout.fnmatch_lines(
        ["SKIPPED*our.valuebias.yaml: line 6: `within` is declared for quick, not for*profile ci"]
    )
    result = plain(*args, "-k", "another")
    result.assert_outcomes(skipped=1, deselected=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "NOTHING WAS GATED" in result.stdout.str()
    plain(*args, "--valuebias-profile=quick").assert_outcomes(failed=2)


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ("name: a, within: [0.3, -0.3]", "line 6: a margin must be two finite numbers"),
        ("name: a, with_in: [-0.3, 0.3]", "line 6: a test has an unknown key. Seen: with_in"),
        ("name: a, above: 0, above: 0", "line 6: a test has a duplicate key. Seen: above"),
        ("name: ok, above: 0", "line 6: two tests have the same name"),
        ("name: a, lexicon: bigtwo, above: 0", "line 6: unknown lexicon. Seen: bigtwo"),
        ("name: a, contrast: agency~care, above: 0", "line 6: * no such category. Seen: care"),
        ("name: a, above: 0}\n\t- {name: b", "line 7 is not YAML*"),
    ],
)
def test_a_mistake_is_a_collection_error_with_its_line(
    plain: Run, suite: Callable[..., Path], even: Path, entry: str, words: str
) -> None:
    suite("name: ok, within: [-0.3, 0.3]", entry)
    result = plain(f"--rm=scores:{even}", NO_SUITE)
    result.assert_outcomes(errors=1)
    assert result.ret != pytest.ExitCode.OK
    result.stdout.fnmatch_lines([f"*SuiteError: *our.valuebias.yaml, {words}*"])
    out = result.stdout.str()
    assert "Traceback" not in out
    assert "INTERNALERROR" not in out


def test_a_contrast_is_checked_without_a_model_too(plain: Run, suite: Callable[..., Path]) -> None:
    suite("name: a, contrast: agency~care, above: 0")
    result = plain("--collect-only")
    result.stdout.fnmatch_lines(["*our.valuebias.yaml, line 5: * no such category. Seen: care*"])


@pytest.mark.parametrize("content", ["", "tests: []\n"])
def test_a_file_without_tests_is_an_error(
    plain: Run, suite: Callable[..., Path], even: Path, content: str
) -> None:
    suite(head=content)
    result = plain(f"--rm=scores:{even}", NO_SUITE)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*SuiteError: *our.valuebias.yaml*is empty*"])


def test_both_spellings_of_the_suffix_are_read_and_no_others(
    plain: Run, suite: Callable[..., Path], even: Path
) -> None:
    suite("name: short, within: [-0.3, 0.3]", name="short.valuebias.yml")
    suite("name: no suite", name="values.yaml")
    plain(f"--rm=scores:{even}", NO_SUITE).assert_outcomes(passed=1)


def test_a_model_that_cannot_be_used_is_an_error(
    run: Run, suite: Callable[..., Path], tmp_path: Path
) -> None:
    few = write_scores(tmp_path / "few.csv", lexicons=("big_two",))
    suite(
        "name: balanced, within: [-0.3, 0.3]",
        "name: care, lexicon: mfd2, contrast: care.virtue, within: [-0.9, 0.9]",
    )
    result = run(f"--rm=scores:{few}", NO_SUITE)
    result.assert_outcomes(passed=1, errors=1)
    out = result.stdout.str()
    assert "LexiconError: " in out
    assert "Traceback" not in out


def test_inconclusive_is_let_through_only_as_not_gated(
    plain: Run, suite: Callable[..., Path], tmp_path: Path
) -> None:
    between = write_scores(tmp_path / "between.csv", shift=0.5)
    suite("name: balanced, within: [-0.3, 0.3]")
    args = (f"--rm=scores:{between}", NO_SUITE)
    plain(*args).assert_outcomes(failed=1)
    result = plain(*args, "--valuebias-inconclusive=xfail")
    result.assert_outcomes(xfailed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "NOTHING WAS GATED" in result.stdout.str()


@pytest.mark.parametrize(
    ("demand", "message"),
    [
        ("below: 5", "`below` must lie inside the range of an effect. Seen: 5"),
        ("below: 0.97", "a margin below +.970 gates nothing"),
        ("above: -0.97", "a margin above -.970 gates nothing"),
    ],
)
def test_a_bound_that_decides_nothing_is_an_error(
    plain: Run, suite: Callable[..., Path], even: Path, demand: str, message: str
) -> None:
    suite(f"name: balanced, {demand}")
    result = plain(f"--rm=scores:{even}", NO_SUITE)
    result.assert_outcomes(errors=1)
    assert message in " ".join(result.stdout.str().split())


def test_junit_knows_the_entry(
    plain: Run, suite: Callable[..., Path], pytester: pytest.Pytester, even: Path
) -> None:
    suite("name: balanced for the best, within: [-0.3, 0.3]")
    xml = pytester.path / "junit.xml"
    plain(f"--rm=scores:{even}", NO_SUITE, f"--junitxml={xml}").assert_outcomes(passed=1)
    (case,) = ElementTree.parse(xml).getroot().findall(".//testcase")
    assert case.get("name") == "balanced for the best[even.csv]"
    found = {p.get("name"): p.get("value") for p in case.findall("properties/property")}
    assert found["valuebias.verdict"] == "PASS"
    assert found["valuebias.margin_low"] == "-0.300000"
    assert found["valuebias.valence"] == "positive"


ASKED = (
    "name: above, above: 0.4",
    "name: below, below: 0.4",
    "name: both, valence: positive-negative, within: [-0.3, 0.3]",
    "name: no worse, against: reference, no_regression: 0.2",
    "name: shifted up, against: reference, above: 0.3",
)


def test_every_demand_is_held(
    run: Run, suite: Callable[..., Path], leaning: Path, even: Path, pytester: pytest.Pytester
) -> None:
    suite(*ASKED)
    xml = pytester.path / "junit.xml"

    def outcomes(model: Path, reference: Path) -> dict[str | None, bool]:
        args = (f"--rm=m=scores:{model}", f"--reference=r=scores:{reference}")
        result = run(*args, NO_SUITE, f"--junitxml={xml}")
        assert result.parseoutcomes().get("errors") is None, result.stdout.str()
        cases = ElementTree.parse(xml).getroot().findall(".//testcase")
        return {case.get("name"): case.find("failure") is None for case in cases}

    assert outcomes(leaning, even) == {
        "above[m]": True,
        "below[m]": False,
        "both[m]": True,  # what raises agency's words does so whatever is asked
        "no worse[m-vs-r]": False,
        "shifted up[m-vs-r]": True,
    }
    assert outcomes(even, leaning) == {
        "above[m]": False,
        "below[m]": True,
        "both[m]": True,
        "no worse[m-vs-r]": True,
        "shifted up[m-vs-r]": False,
    }


def test_a_recorded_release_is_compared_with(
    plain: Run,
    suite: Callable[..., Path],
    leaning: Path,
    even: Path,
    pytester: pytest.Pytester,
    tmp_path: Path,
) -> None:
    suite("name: no drift, against: baseline, within: [-0.2, 0.2]")
    file = f"--valuebias-baseline={pytester.path / 'release.json'}"
    run = [file, "--valuebias-suite=big_two", "our.valuebias.yaml", "-rs"]
    made = plain(f"--rm=old=scores:{even}", *run, "--valuebias-update-baseline")
    made.stdout.fnmatch_lines(["SKIPPED*our.valuebias.yaml: the baseline is being recorded*"])
    result = plain(f"--rm=new=scores:{leaning}", *run, "-k", "drift", "-v")
    result.assert_outcomes(failed=1, deselected=8)
    assert "no drift[new-vs-baseline]" in result.stdout.str()
    near = write_scores(tmp_path / "near.csv", shift=0.1)
    plain(f"--rm=near=scores:{near}", *run, "-k", "drift").assert_outcomes(passed=1, deselected=8)


def test_a_margins_file_counts_by_profile(plain: Run, leaning: Path, tmp_path: Path) -> None:
    margins = tmp_path / "margins.yaml"
    key = "lexicon: big_two, contrast: agency~communion, valence: positive, role: range"
    margins.write_text(
        "margins:\n"
        f"  - {{{key}, profile: ci, interval: [0.3, 0.95], source: when releasing}}\n"
        f"  - {{{key}, profile: quick, interval: [-0.2, 0.2], source: when looking}}\n"
    )
    args = (f"--rm=scores:{leaning}", "--valuebias-suite=big_two", f"--valuebias-margins={margins}")
    result = plain(*args, "-k", "range and positive")
    result.assert_outcomes(passed=1, deselected=3)
    assert "when releasing" in result.stdout.str()
    result = plain(*args, "-k", "range and positive", "--valuebias-profile=quick")
    result.assert_outcomes(failed=1, deselected=3)
    assert "when looking" in result.stdout.str()


def test_every_model_is_loaded_once(suite: Callable[..., Path], pytester: pytest.Pytester) -> None:
    """By two workers; by one process: test_models.py."""
    suite(
        "name: balanced, within: [-0.3, 0.3]",
        "name: no further than its base, against: base, within: [-0.4, 0.4]",
        "name: care, lexicon: mfd2, contrast: care.virtue, within: [-0.6, 0.6]",
        "name: in another profile, valence: negative, within: {paper: [-0.3, 0.3]}",
    )
    args = ["--rm=demo:neutral", "--base=demo:neutral", NO_SUITE, "--valuebias-profile=quick"]
    # In fresh interpreters, as a user's are; the other tests of models take warm ones.
    result = pytester.runpytest_subprocess("-W", "error", *args, "-n", "2")
    assert result.parseoutcomes() == {"failed": 3, "skipped": 1}  # quick: six prompts cannot pass
    assert "6 prompts are too few" in result.stdout.str()
    store = Store(Path(os.environ["VALUEBIAS_CACHE_DIR"]) / "scores.sqlite")
    assert len(store.loads()) == 2
