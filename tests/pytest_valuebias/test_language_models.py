"""Language models, their pairs, and what reward models owe to them: suites, fixtures, reports."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.scores import write_scores

Run = Callable[..., pytest.RunResult]
BIG_TWO = ("-k", "big_two")
PLAIN = pytest.mark.parametrize("run", ["plain"], indirect=True)


@pytest.fixture
def agentic(tmp_path: Path) -> str:
    """Recorded log-probabilities that lean to agency."""
    return f"A=scores:{write_scores(tmp_path / 'a.csv', shift=1.5, seed=1, level=-20)}"


@pytest.fixture
def plain(tmp_path: Path) -> str:
    """Recorded log-probabilities with no lean."""
    return f"B=scores:{write_scores(tmp_path / 'b.csv', seed=2, level=-20)}"


def test_a_language_model_is_held_against_a_margin(run: Run, agentic: str) -> None:
    result = run(f"--llm={agentic}", *BIG_TWO, "-v")
    result.assert_outcomes(failed=2)
    out = result.stdout.str()
    assert "valuebias/test_logprobs.py::test_range[big_two-agency~communion-positive-A]" in out
    assert "A (language model)" in out
    assert "values of language models" in out
    assert "test_mwlr" not in out


def test_pairs_show_which_model_prefers_what(
    run: Run, pytester: pytest.Pytester, agentic: str, plain: str
) -> None:
    result = run(
        f"--llm={plain}",
        f"--llm={agentic}",
        "--valuebias-suite=mwlr",
        "--valuebias-matrix=success~love",
        "--valuebias-matrix=agency~communion",
        "--junitxml=out.xml",
        *BIG_TWO,
    )
    result.assert_outcomes(failed=2)
    out = result.stdout.str()
    assert "above zero = agency preferred more by the second model" in out
    assert "B-to-A (implicit reward)" in out
    # antisymmetric, models numbered
    matrices = re.findall(r"^1 B +([+-]\d*\.\d+)\n2 A +([+-]\d*\.\d+)", out, re.MULTILINE)
    assert len(matrices) == 2
    assert all(float(a) == -float(b) for a, b in matrices)
    assert float(matrices[1][0]) > 0.4
    cases = ElementTree.parse(pytester.path / "out.xml").iter("testcase")
    found = {p.get("name"): p.get("value") for case in cases for p in case.iter("property")}
    assert found["valuebias.role"] == "implicit"
    assert float(found["valuebias.estimate"] or 0) != 0


@PLAIN
def test_three_models_make_three_pairs_each_in_one_direction(
    run: Run, agentic: str, plain: str, tmp_path: Path
) -> None:
    third = f"C=scores:{write_scores(tmp_path / 'c.csv', seed=3, level=-20)}"
    result = run(
        f"--llm={plain}",
        f"--llm={agentic}",
        f"--llm={third}",
        "--valuebias-suite=mwlr",
        "--collect-only",
        "-q",
        "-k",
        "big_two and positive",
    )
    ids = re.findall(
        r"test_mwlr\.py::test_range\[big_two-agency~communion-positive-(.*)\]", result.stdout.str()
    )
    assert ids == ["B-to-A", "B-to-C", "A-to-C"]


def test_inheritance_of_a_reward_model_from_its_base(run: Run, tmp_path: Path) -> None:
    base = write_scores(tmp_path / "base.csv", seed=1, level=-20)
    other = write_scores(tmp_path / "other.csv", seed=2, level=-20)
    child = write_scores(tmp_path / "child.csv", seed=1, noise=7)
    stranger = write_scores(tmp_path / "stranger.csv", seed=3)
    margins = tmp_path / "margins.yaml"
    margins.write_text(
        "margins:\n- {lexicon: big_two, contrast: words, valence: positive, role: inheritance, "
        "interval: [-0.3, 0.3]}\n"
    )
    result = run(
        f"--rm=child=scores:{child}",
        f"--base=scores:{base}",
        f"--rm=stranger=scores:{stranger}",
        f"--base=scores:{other}",
        "--valuebias-suite=inheritance",
        f"--valuebias-margins={margins}",
        "-k",
        "big_two and positive",
        "-rA",
    )
    out = result.stdout.str()
    result.assert_outcomes(failed=1, passed=1)
    assert (
        "PASSED valuebias/test_inheritance.py::test_excess[big_two-words-positive-stranger" in out
    )
    assert "correlation with its own base +.886" in out
    assert "noise ceiling" in out
    assert "controlled for length" in out


@PLAIN
def test_without_a_margin_an_inheritance_is_shown_and_not_gated(run: Run, tmp_path: Path) -> None:
    base = write_scores(tmp_path / "base.csv", seed=1, level=-20)
    child = write_scores(tmp_path / "child.csv", seed=1, noise=7)
    result = run(
        f"--rm=scores:{child}", f"--base=scores:{base}", "--valuebias-suite=inheritance", *BIG_TWO
    )
    result.assert_outcomes(skipped=2, deselected=2)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    out = result.stdout.str()
    assert "NO MARGIN" in out
    assert "give other bases" in " ".join(out.split())
    assert "NOTHING WAS GATED" in out


def test_fixtures_of_language_models(
    run: Run, pytester: pytest.Pytester, agentic: str, plain: str
) -> None:
    pytester.makepyfile(
        """
        import pytest
        from valuebias.errors import SpecError

        def test_language(language_bias):
            effect = language_bias("big_two", "agency", "communion", valence="positive")
            assert effect.measurement.role == "logprob"
            effect.assert_above(-0.3)

        def test_pair(implicit_bias, implicit_reward):
            effect = implicit_bias("big_two", "agency", "communion", valence="positive")
            effect.assert_above(0.2)
            reward = implicit_reward.score(["success", "love"]).values
            ratio = implicit_reward.by("LLR").score(["success", "love"]).values
            assert ((reward > 0) == (ratio > 0)).all() and (abs(ratio) > abs(reward)).all()
            gap = implicit_reward.gap("success", "love")
            assert gap == float(reward[0, 0]) - float(reward[0, 1])
            with pytest.raises(SpecError, match="measure"):
                implicit_reward.by("LR").gap("success", "love")

        def test_controlled(implicit_bias):
            effect = implicit_bias("big_two", "agency", "communion", valence="positive")
            effect.controlling(length=len).assert_above(0.2)
        """
    )
    result = run(f"--llm={plain}", f"--llm={agentic}", "--valuebias-suite=none")
    result.assert_outcomes(passed=4)


@PLAIN
def test_a_test_of_pairs_skips_without_two_models(
    run: Run, pytester: pytest.Pytester, agentic: str
) -> None:
    pytester.makepyfile("def test_pair(implicit_reward): pass")
    result = run(f"--llm={agentic}", "--valuebias-suite=none", "-rs")
    result.assert_outcomes(skipped=1)
    assert "two --llm" in result.stdout.str()


@PLAIN
@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("--valuebias-matrix=love", "two words or two categories"),
        ("--valuebias-answer-cue= ", "empty"),
        ("--llm=dpo:demo:agency,demo:neutral", "not a language model"),
        ("--rm=dpo:demo:agency", "two language models"),
        ("--rm=dpo:demo:agency,demo:agency", "are the same model"),
        ("--rm=dpo:demo:agency,scores:x.csv", "not found"),
        ("--valuebias-frequencies=gone.csv", "cannot read the frequencies"),
    ],
)
def test_what_is_given_wrongly(run: Run, agentic: str, given: str, said: str) -> None:
    result = run(f"--llm=Z{agentic}", given)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert said in result.stderr.str()


@PLAIN
@pytest.mark.parametrize("given", ["\nAnswer:", r"\nAnswer:"])
def test_the_white_space_of_an_answer_cue_counts(
    run: Run, pytester: pytest.Pytester, agentic: str, given: str
) -> None:
    pytester.makepyfile(
        r"""
        def test_cue(_valuebias_inputs):
            assert _valuebias_inputs.bench.settings.answer_cue == "\nAnswer:"
        """
    )
    args = (f"--llm={agentic}", "--valuebias-suite=none")
    result = run(*args, f"--valuebias-answer-cue={given}")
    assert result.parseoutcomes().get("passed") == 1


def test_a_raw_correlation_passes_no_margin(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    base = write_scores(tmp_path / "base.csv", seed=1, level=-20)
    child = write_scores(tmp_path / "child.csv", seed=1, noise=7)
    pytester.makepyfile(
        """
        def test_it_inherits(inheritance):
            inheritance("big_two", valence="positive").assert_above(0.2)
        """
    )
    result = run(f"--rm=scores:{child}", f"--base=scores:{base}", "--valuebias-suite=none")
    result.assert_outcomes(failed=1)
    out = result.stdout.str()
    assert "INCONCLUSIVE" in out
    assert "give other bases" in " ".join(out.split())


@PLAIN
def test_rewards_are_no_log_probabilities(run: Run, even: Path) -> None:
    result = run(f"--llm=scores:{even}", *BIG_TWO)
    result.assert_outcomes(errors=2, deselected=20)
    assert "are not log-probabilities" in result.stdout.str()


@PLAIN
def test_no_matrix_where_no_pair_was_tested(run: Run, agentic: str, plain: str) -> None:
    result = run(f"--llm={plain}", f"--llm={agentic}", "-k", "logprobs and big_two and positive")
    result.assert_outcomes(failed=1, passed=1, deselected=64)
    assert "MWLR" not in result.stdout.str()
