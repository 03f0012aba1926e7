"""What pytest shows of the plugin: its fixtures, and the marker of tests that need a model."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from support.scores import write_scores

Run = Callable[..., pytest.RunResult]

PUBLIC = {
    "anchor", "base_model", "baseline", "bias", "checkpoints", "data_quantities", "family_bias",
    "implicit_bias", "implicit_reward", "inheritance", "language_bias", "language_model", "lexicon",
    "paper_tests", "prompts", "reference_model", "reward_model", "scores", "top_tokens",
    "training_runs",
}  # fmt: skip

TESTS = """
def test_plain(tmp_path):
    pass

def test_lexicon(lexicon):
    assert lexicon("big_two").words()

def test_bias(bias):
    bias("big_two", "agency", "communion", valence="positive").assert_within(-0.9, 0.9)

def test_through_a_fixture(mine):
    assert mine

def test_runs(training_runs):
    pass
"""
OWN = """
import pytest

from support.scores import write_scores

@pytest.fixture
def mine(reward_model):
    return reward_model
"""
SUITE = """
lexicon: big_two
contrast: agency~communion
tests:
  - {name: balanced, valence: positive, within: [-0.9, 0.9]}
"""


def test_fixtures_that_are_listed_are_for_users_and_say_what_they_are(
    in_process: Run, pytester: pytest.Pytester
) -> None:
    out = in_process("--fixtures", "-p", "no:xdist").stdout.str()
    section = out.partition("fixtures defined from valuebias_fixtures.fixtures")[2]
    section = section.partition("\n---")[0]
    listed = re.findall(r"(?m)^(\w+).* -- .*valuebias_fixtures", section)
    assert set(listed) == PUBLIC
    assert "no docstring available" not in section


def collected(result: pytest.RunResult) -> set[str]:
    return {line.rpartition("::")[2].partition("[")[0] for line in result.outlines if "::" in line}


def test_the_marker_selects_the_tests_that_need_a_model(
    in_process: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile(test_own=TESTS)
    pytester.makeconftest(OWN)
    (pytester.path / "our.valuebias.yaml").write_text(SUITE)
    ask = ("--collect-only", "-q", "-p", "no:xdist", "--strict-markers")
    needing = {"test_bias", "test_through_a_fixture", "test_runs", "balanced"}
    without = {"test_plain", "test_lexicon"}
    # Without a model too: that is how a project leaves them out.
    assert collected(in_process(*ask, "-m", "valuebias")) == needing
    assert collected(in_process(*ask, "-m", "not valuebias")) == without
    model = (f"--rm=scores:{even}", "--valuebias-suite=big_two")
    shipped = {"test_range", "test_top"}
    assert collected(in_process(*ask, *model, "-m", "valuebias")) == needing | shipped
    assert collected(in_process(*ask, *model, "-m", "not valuebias")) == without


def test_the_marker_is_described(in_process: Run) -> None:
    in_process("--markers", "-p", "no:xdist").stdout.fnmatch_lines(
        ["@pytest.mark.valuebias: needs a model (--rm, --llm or --valuebias-checkpoints)"]
    )


def test_the_fixtures_of_models_hold_what_a_notebook_does(
    run: Run, pytester: pytest.Pytester, even: Path, leaning: Path
) -> None:
    pytester.makepyfile(
        """
        import valuebias as vb

        QUESTION = ("big_two", "agency", "communion")

        def test_models(reward_model, reference_model, base_model, language_model):
            for model in (reward_model, reference_model, base_model, language_model):
                assert isinstance(model, vb.Model), model
            effect = reward_model.contrast(*QUESTION, valence="positive", against=reference_model)
            assert isinstance(effect, vb.MeasuredEffect)
            assert effect.judge(-0.9, 0.9).outcome in list(vb.Outcome)

        def test_an_assertion_is_an_effect_too(bias, reward_model):
            effect = bias(*QUESTION, valence="positive")
            assert isinstance(effect, vb.MeasuredEffect)
            assert effect.estimate == reward_model.contrast(*QUESTION, valence="positive").estimate
            effect.assert_within(-0.9, 0.9)
        """
    )
    base = write_scores(pytester.path / "base.csv", level=-20)
    result = run(
        f"--rm=m=scores:{even}", f"--reference=r=scores:{leaning}", f"--base=m=scores:{base}",
        f"--llm=l=scores:{base}", "--valuebias-suite=none",
    )  # fmt: skip
    result.assert_outcomes(passed=2)
