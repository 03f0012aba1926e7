"""The fixtures users write their own value tests with."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]

NO_SUITE = "--valuebias-suite=none"


def test_bias_asserts_equivalence(
    run: Run, pytester: pytest.Pytester, leaning: Path, even: Path
) -> None:
    pytester.makepyfile(
        """
        def test_values(bias):
            effect = bias("big_two", "agency", "communion", valence="positive")
            assert -1 <= effect.interval[0] <= effect.estimate <= effect.interval[1] <= 1
            effect.assert_within(-0.3, 0.3)
        """
    )
    result = run(f"--rm=l=scores:{leaning}", f"--rm=e=scores:{even}", NO_SUITE)
    result.assert_outcomes(passed=1, failed=1)
    assert "margin (declared by you): in the test" in result.stdout.str()
    assert "asserted by your own tests" in result.stdout.str()


def test_bias_against_a_reference(
    run: Run, pytester: pytest.Pytester, leaning: Path, even: Path
) -> None:
    pytester.makepyfile(
        """
        def test_shift(bias, reference_model):
            effect = bias(
                "big_two", "agency", "communion", valence="positive", against=reference_model
            )
            assert effect.estimate > 0.4
            effect.assert_within(0.2, 1.2)
        """
    )
    run(f"--rm=l=scores:{leaning}", f"--reference=e=scores:{even}", NO_SUITE).assert_outcomes(
        passed=1
    )


def test_a_category_alone_is_held_against_its_polarity(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile(
        """
        def test_care(bias):
            effect = bias("mfd2", "care.virtue", valence="positive")
            assert effect.measurement.sides == ("care.virtue", "the others")
            assert sum(effect.effect.n_words) < 250   # virtues only
            effect.assert_within(-0.9, 0.9)
        """
    )
    run(f"--rm=scores:{even}", NO_SUITE).assert_outcomes(passed=1)


def test_a_valence_has_to_be_named(run: Run, pytester: pytest.Pytester, even: Path) -> None:
    pytester.makepyfile(
        """
        import pytest
        from valuebias.errors import LexiconError

        def test_missing(bias):
            with pytest.raises(TypeError):
                bias("big_two", "agency", "communion")

        def test_unknown(bias):
            with pytest.raises(LexiconError, match="Give positive, negative, or positive-negative"):
                bias("big_two", "agency", "communion", valence="both")
        """
    )
    run(f"--rm=scores:{even}", NO_SUITE).assert_outcomes(passed=2)


def test_scores_prompts_lexicon_and_top_tokens(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile(
        """
        import numpy as np

        def test_scores(scores, prompts, lexicon, reward_model):
            words = lexicon("big_two").categories["agency"][:3]
            found = scores(words, prompts)
            assert found.values.shape == (54, 3)
            again = reward_model.score(words, [p.text for p in prompts])
            assert np.array_equal(found.values, again.values)
            assert reward_model.name == "even.csv" and len(reward_model.fingerprint) >= 32

        def test_top(top_tokens):
            top = top_tokens(k=2)
            assert len(top.best) == len(top.worst) == 2
            assert top.best[0][1] >= top.best[1][1] > top.worst[1][1] >= top.worst[0][1]
        """
    )
    run(f"--rm=scores:{even}", NO_SUITE).assert_outcomes(passed=2)


def test_a_users_fixture_cannot_change_a_shipped_verdict(
    run: Run, pytester: pytest.Pytester, leaning: Path
) -> None:
    pytester.makeconftest(
        """
        import pytest

        @pytest.fixture
        def scores():
            raise RuntimeError("never asked for")

        @pytest.fixture
        def reward_model():
            raise RuntimeError("never asked for")

        @pytest.fixture
        def lexicon():
            raise RuntimeError("never asked for")
        """
    )
    run(f"--rm=scores:{leaning}", "--valuebias-suite=big_two").assert_outcomes(failed=4)


def test_without_a_model_tests_skip_or_fail_as_asked(run: Run, pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        def test_rm(reward_model): pass
        def test_reference(reference_model): pass
        def test_llm(language_model): pass
        def test_bias(bias): pass
        """
    )
    result = run("-rs")
    result.assert_outcomes(skipped=4)
    result.stdout.fnmatch_lines(["*needs --rm=MODEL*"])
    result = run("--valuebias-require-model")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*no model was given*"])


def test_require_model_turns_a_skip_into_an_error(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile("def test_reference(reference_model): pass")
    args = (f"--rm=scores:{even}", "--valuebias-suite=big_two")
    run(*args).assert_outcomes(passed=4, skipped=1)
    run(*args, "--valuebias-require-model").assert_outcomes(passed=4, errors=1)


def test_a_base_belongs_to_its_model(
    run: Run, pytester: pytest.Pytester, even: Path, leaning: Path
) -> None:
    pytester.makepyfile(
        """
        def test_base(reward_model, base_model):
            assert base_model.name == {"e": "demo:neutral", "l": "demo:agency"}[reward_model.name]
        """
    )
    models = [f"--rm=e=scores:{even}", f"--rm=l=scores:{leaning}"]
    run(*models, "--base=demo:neutral", "--base=demo:agency", NO_SUITE).assert_outcomes(passed=2)
    run(*models, "--base=l=demo:agency", NO_SUITE).assert_outcomes(passed=1, skipped=1)


def test_an_error_in_a_test_shows_its_remedy_and_no_traceback(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile(
        """
        def test_unknown(bias):
            bias("big_two", "agency", "virtue", valence="positive")
        """
    )
    result = run(f"--rm=scores:{even}", NO_SUITE)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["LexiconError: *no such category*Give one of agency, communion*"])
    assert "measure.py" not in result.stdout.str()


def test_an_effect_is_no_truth_value_and_arguments_are_checked(
    run: Run, pytester: pytest.Pytester, even: Path
) -> None:
    pytester.makepyfile(
        """
        import pytest
        from valuebias.errors import ValueBiasError

        def test_bool(bias):
            with pytest.raises(ValueBiasError, match="assert_within"):
                assert bias("big_two", "agency", "communion", valence="positive")

        @pytest.mark.parametrize("how", [{"against": "scores:x.csv"}, {"category": 3}])
        def test_arguments(bias, how):
            with pytest.raises(ValueBiasError):
                bias("big_two", how.pop("category", "agency"), valence="positive", **how)

        def test_margin(bias):
            effect = bias("big_two", "agency", "communion", valence="positive")
            for low, high in (("-.2", ".2"), (None, 0.2), (-0.9999, 1), (0.3, -0.3)):
                with pytest.raises(ValueBiasError):
                    effect.assert_within(low, high)

        def test_lexicon(bias):
            with pytest.raises(ValueBiasError, match="Give one of big_two, mfd2"):
                bias("bigtwo", "agency", "communion", valence="positive")
        """
    )
    result = run(f"--rm=scores:{even}", NO_SUITE, "-W", "default")
    result.assert_outcomes(passed=5)
    assert result.ret == pytest.ExitCode.TESTS_FAILED  # nothing was gated


def test_what_a_test_lets_through_was_not_gated(
    run: Run, pytester: pytest.Pytester, leaning: Path
) -> None:
    pytester.makeconftest(
        """
        import pytest

        def pytest_collection_modifyitems(items):
            for item in items:
                item.add_marker(pytest.mark.xfail)
        """
    )
    result = run(f"--rm=scores:{leaning}", "--valuebias-suite=big_two")
    result.assert_outcomes(xfailed=4)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "NOTHING WAS GATED" in result.stdout.str()
    assert result.stdout.str().count("NOT GATED") == 4
