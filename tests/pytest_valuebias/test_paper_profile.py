"""The profile paper and the fixture paper_tests: the paper's own tests, which gate nothing."""

from __future__ import annotations

import csv
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
import statsmodels.api  # noqa: F401  (extension modules: an in-process run cannot import it twice)

import valuebias.measurement.paper
from pytest_valuebias import option_table
from support.scores import write_scores
from valuebias.store.database import Store

Run = Callable[..., pytest.RunResult]

FOLDER = os.environ.get("VALUEBIAS_PUBLISHED_DATA")
NO_SUITE = "--valuebias-suite=none"
TITLE = "*the paper's own tests: reproduction only, they gate nothing*"


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from support.models import save_reward_model

    return save_reward_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def plain(pytester: pytest.Pytester) -> Run:
    """One run in this process, for what does not depend on where scores are computed."""
    return lambda *args: pytester.runpytest("-W", "error", "-p", "no:xdist", *map(str, args))


def unwrapped(result: pytest.RunResult) -> str:
    return " ".join(result.stdout.str().split())


def panel(folder: Path, first: int, second: int, *, shift: float = 0.0) -> list[str]:
    """Options for models of two bases; the first base's lean to agency by ``shift``."""
    args: list[str] = []
    for base, n, lean in (("org/one", first, shift), ("org/two", second, 0.0)):
        for i in range(n):
            path = folder / f"{base[4:]}{i}.csv"
            seed = len(args)
            write_scores(path, shift=lean, seed=seed, lexicons=("big_two",))
            args += [f"--rm={path.stem}=scores:{path}", f"--base={base}"]
    return args


def test_suites_that_are_no_lexicon_do_not_stop_it(run: Run, even: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    result = run(f"--rm=scores:{even}", "--valuebias-profile=paper", f"--valuebias-json={out}")
    result.stdout.fnmatch_lines([TITLE, "big_two: mean over*", "mfd2: left out, the paper's*"])
    assert result.ret in (0, 1)
    text = json.loads(out.read_text())["paper"]
    assert "big_two: mean over prompts of the median rank" in text
    assert "mfd2: left out" in text


def test_the_paper_stands_beside_ours(run: Run, tmp_path: Path) -> None:
    result = run(
        *panel(tmp_path, 4, 4),
        "--valuebias-suite=big_two",
        "--valuebias-profile=paper",
        "--valuebias-inconclusive=xfail",
    )
    result.stdout.fnmatch_lines(
        [
            "*values of reward models*",
            TITLE,
            "*60 to 80% of comparisons*",
            "big_two: mean over prompts of the median rank; 1 is preferred;*",
            "org/one (4 models) minus org/two (4 models); above zero*",
            "*category*valence*Welch p*p x4*FDR p*permuted p*",
            "*agency*positive*",
            "*communion*negative*",
            "*mixed model, base x category x valence: *(SE *), t(850) *",
            "*REML log-likelihood *, 864 rows*",
            "*the same contrast with models for the sample: SE *, t(6) *",
            "what may be said, with models and word families for the sample:*",
            "*positive minus negative: *(by models *",
            "anova: it compares two models, and there are 8*",
        ]
    )
    section = result.stdout.str().partition("reproduction only, they gate")[2]
    section = section.partition("short test summary")[0]
    assert max(len(line) for line in section.splitlines()[1:-1]) <= 80
    for model in ("one0", "two3"):
        assert model in section


def test_two_models_have_their_anova_and_too_few_for_anything_else(
    plain: Run, tmp_path: Path
) -> None:
    result = plain(*panel(tmp_path, 1, 1), "--valuebias-suite=big_two", "--valuebias-profile=paper")
    text = unwrapped(result)
    assert "analysis of variance, category x valence x model: F(1, 208) " in text
    assert "mixed-model, by models: the paper's mixed model needs two categories and" in text
    assert "1 against 1 models cannot give a p below 1, but alpha is 0.05" in text


def test_a_suite_of_more_categories_and_models_without_bases_are_said_to_be_left_out(
    plain: Run, even: Path, leaning: Path
) -> None:
    result = plain(f"--rm=e=scores:{even}", f"--rm=l=scores:{leaning}", "--valuebias-profile=paper")
    result.stdout.fnmatch_lines(
        [
            TITLE,
            "mixed-model, welch, permutation-t: no --base was given*",
            "mfd2: left out, the paper's tests compare two categories and it has 10*",
        ]
    )


def test_other_profiles_do_not_show_it(plain: Run, even: Path) -> None:
    for extra in ([], ["--valuebias-profile=quick"]):
        result = plain(f"--rm=scores:{even}", "--valuebias-suite=big_two", *extra)
        assert "paper's own tests" not in result.stdout.str()


def test_what_cannot_be_scored_has_a_line_and_hides_nothing_else(run: Run, tmp_path: Path) -> None:
    args = panel(tmp_path, 2, 2)
    with (tmp_path / "two1.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    with (tmp_path / "two1.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows[:40])
    result = run(*args, "--valuebias-suite=big_two", "--valuebias-profile=paper")
    assert result.ret != 0
    result.stdout.fnmatch_lines(["*values of reward models*", TITLE, "big_two: only * of the *"])
    assert "INTERNALERROR" not in result.stdout.str()


SIGNIFICANT = """
    def test_paper(paper_tests):
        tests = paper_tests("big_two")
        assert tests.results.medians.reproduction_only
        tests.assert_significant("{name}", alpha={alpha})
"""


def test_unless_allowed_it_decides_nothing(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile(SIGNIFICANT.format(name="mixed-model", alpha=0.05))
    args = [*panel(tmp_path, 2, 2, shift=2.0), NO_SUITE]
    # Allowing one test allows no other.
    result = run(*args, "--valuebias-allow-uncalibrated=welch")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        ["*StatisticsError: the paper's tests decide nothing*", "NOTHING WAS GATED*"]
    )
    assert "Traceback" not in result.stdout.str()


def test_a_refusal_that_is_swallowed_gates_nothing(
    plain: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile(
        """
        import pytest
        from valuebias.errors import StatisticsError

        def test_paper(paper_tests):
            with pytest.raises(StatisticsError):
                paper_tests("big_two").assert_significant("welch")
        """
    )
    result = plain(*panel(tmp_path, 2, 2, shift=2.0), NO_SUITE)
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["NOTHING WAS GATED*"])


def test_allowed_by_name_it_gates_in_every_process(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile(SIGNIFICANT.format(name="welch", alpha=0.05))
    allow = "--valuebias-allow-uncalibrated=welch"
    result = run(*panel(tmp_path, 2, 2, shift=2.0), NO_SUITE, allow)
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert "REPRODUCTION ONLY" in result.stdout.str()


@pytest.mark.parametrize("name", ["mixed-model", "welch", "permutation-t"])
def test_allowed_by_name_it_passes_and_says_what_it_is(
    name: str, plain: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile(SIGNIFICANT.format(name=name, alpha=0.05))
    # Agency raised for both valences: every cell differs. The mixed model asks for the three-way
    # interaction, which such a shift lacks, so its model gets one.
    args = panel(tmp_path, 2, 2, shift=2.0)
    if name == "mixed-model":
        turn_round_negative_prompts(tmp_path, ("one0.csv", "one1.csv"))
    xml = tmp_path / "junit.xml"
    result = plain(*args, NO_SUITE, f"--valuebias-allow-uncalibrated={name}", f"--junitxml={xml}")
    result.assert_outcomes(passed=1)
    assert result.ret == 0
    assert "REPRODUCTION ONLY" in result.stdout.str()
    assert "NOTHING WAS GATED" not in result.stdout.str()
    found = {
        p.get("name"): p.get("value") for p in ElementTree.parse(xml).getroot().iter("property")
    }
    assert found["valuebias.verdict"] == "REPRODUCTION ONLY"
    assert "call 60 to 80%" in (found["valuebias.reason"] or "")


def turn_round_negative_prompts(folder: Path, names: tuple[str, ...]) -> None:
    for name in names:
        with (folder / name).open(newline="") as file:
            header, *rows = csv.reader(file)
        negative = [h.split("_")[0] in ("worst", "bad", "terrible") for h in header]
        with (folder / name).open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(header)
            out.writerows(
                [str(-float(x)) if n else x for n, x in zip(negative, row, strict=True)]
                for row in rows
            )


def test_what_is_not_significant_fails_and_marked_xfail_gates_nothing(
    plain: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile(SIGNIFICANT.format(name="anova", alpha=1e-250))
    args = [*panel(tmp_path, 1, 1), NO_SUITE, "--valuebias-allow-uncalibrated=anova"]
    result = plain(*args)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*not significant. REPRODUCTION ONLY: the paper's anova*"])
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.xfail
        """
        + SIGNIFICANT.format(name="anova", alpha=1e-250).replace("\n    ", "\n        ")
    )
    result = plain(*args)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["NOTHING WAS GATED*"])


def test_the_quick_profile_and_what_was_not_computed_are_refused(
    plain: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile(SIGNIFICANT.format(name="anova", alpha=0.05))
    allow = "--valuebias-allow-uncalibrated=anova"
    args = [*panel(tmp_path, 1, 2, shift=2.0), NO_SUITE, allow]
    result = plain(*args)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*anova could not be computed*there are 3*"])
    result = plain(*args, "--valuebias-profile=quick")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*27 prompts of each valence*"])


def test_names_and_levels_are_checked(plain: Run, pytester: pytest.Pytester, even: Path) -> None:
    pytester.makepyfile(
        """
        import pytest
        from valuebias.errors import LexiconError, StatisticsError

        def test_names(paper_tests):
            tests = paper_tests("big_two")
            for name, alpha in (("welsh", .05), ("welch", 5)):
                with pytest.raises(StatisticsError, match="a level that is not between 0 and 1"):
                    tests.assert_significant(name, alpha)
            with pytest.raises(LexiconError, match="two categories"):
                paper_tests("mfd2")
        """
    )
    plain(f"--rm=scores:{even}", NO_SUITE).assert_outcomes(passed=1)
    result = plain(f"--rm=scores:{even}", "--valuebias-allow-uncalibrated=t-test")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*must be one of mixed-model, anova, welch, permutation-t*"])


@pytest.mark.parametrize("extra", [["-p", "no:xdist"], ["-n", "2"]], ids=["plain", "xdist"])
def test_the_vocabulary_is_searched_for_every_prompt_with_one_load(
    extra: list[str], own_process: Run, tiny_model: Path, tmp_path: Path
) -> None:
    # In a process of its own: torch does not survive being imported twice.
    result = own_process(
        *extra, f"--rm=tiny={tiny_model}", "--valuebias-suite=big_two", "--valuebias-profile=paper"
    )
    result.stdout.fnmatch_lines([TITLE, "vocabulary of tiny: searched for all 54 prompts"])
    store = Store(tmp_path / "store" / "scores.sqlite")
    assert len(store.loads()) == 1
    store.close()


def test_without_a_model_the_fixture_skips(plain: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_paper(paper_tests): raise AssertionError")
    plain().assert_outcomes(skipped=1)


def test_the_names_are_the_same_in_the_option_and_the_engine() -> None:
    assert option_table.PAPER_TESTS == valuebias.measurement.paper.NAMES


@pytest.mark.skipif(not FOLDER, reason="VALUEBIAS_PUBLISHED_DATA is not set")
def test_the_published_scores(plain: Run, pytester: pytest.Pytester) -> None:
    data = Path(FOLDER or "") / "data"
    args = []
    for file in sorted((data / "reward_model_scores" / "dict_big2_nouns").glob("*.csv")):
        name = file.stem.split("_", 3)[-1]
        base = "google/gemma" if "gemma" in name.lower() else "meta-llama/llama"
        args += [f"--rm={name}=scores:{file}", f"--base={base}"]
    result = plain(
        *args,
        f"--valuebias-lexicon=big_two={data / 'corpora' / 'dict_big2_nouns.csv'}",
        "--valuebias-suite=big_two",
        "--valuebias-profile=paper",
    )
    result.stdout.fnmatch_lines(
        [
            TITLE,
            "*104 agency, 159*",
            "google/gemma (4 models) minus meta-llama/llama (6 models);*",
            "*agency*positive +.430  .00049*",
            "*communion*positive -.401  .00093*",
            "*agency*negative -.478  .00011*",
            "*communion*negative +.845 1.4e-11*",
            "*: -19.828 (SE 2.496), t(1064) -7.943, p*",
            "*REML log-likelihood -4017.6126, 1080 rows*",
            "*SE 9.780, t(8) -2.027, p*",
            "*positive minus negative: -.070 *, p = .2857 (by models p = .2857,*",
        ]
    )


def test_a_p_that_is_not_a_number_never_passes() -> None:
    from pytest_valuebias.assertions.paper import BoundPaperTests

    lexicon = SimpleNamespace(name="big_two")
    results: Any = SimpleNamespace(
        p=lambda name: math.nan, lexicon=lexicon, contrast="agency~communion"
    )
    state: Any = SimpleNamespace(values={"allow-uncalibrated": ("welch",)}, quick=False)
    item: Any = SimpleNamespace(stash=pytest.Stash())
    with pytest.raises(pytest.fail.Exception, match="not significant"):
        BoundPaperTests(results, state, item).assert_significant("welch")
