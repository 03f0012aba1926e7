"""assert_above, assert_below, assert_no_regression and the valences: what passes, what does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.scores import write_scores
from valuebias.lexicons.files import starter

Run = Callable[..., pytest.RunResult]

NO_SUITE = "--valuebias-suite=none"
PLAIN = pytest.mark.parametrize("run", ["plain"], indirect=True)
"""What another process cannot change is tested in one."""
BIAS = 'bias("big_two", "agency", "communion", valence="positive")'


def outcomes(result: pytest.RunResult) -> dict[str, str]:
    """Test name -> outcome, of a run with -rA."""
    found = {}
    for line in result.stdout.lines:
        outcome, _, rest = line.partition(" ")
        if outcome in ("PASSED", "FAILED", "ERROR") and "::" in rest:
            found[rest.partition("::")[2].partition(" ")[0]] = outcome
    return found


def test_one_sided_assertions_pass_fail_and_do_neither(
    run: Run, pytester: pytest.Pytester, leaning: Path
) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("how, bound", [
            ("above", 0.2), ("above", 0.9), ("below", 0.9), ("below", 0.2),
        ])
        def test_side(bias, how, bound):
            getattr({BIAS}, f"assert_{{how}}")(bound)

        @pytest.mark.parametrize("how", ["above", "below"])
        def test_on_the_edge(bias, how):
            effect = {BIAS}
            getattr(effect, f"assert_{{how}}")(effect.estimate)
        """
    )
    result = run(f"--rm=m=scores:{leaning}", NO_SUITE, "-rA")
    assert outcomes(result) == {
        "test_side[m-above-0.2]": "PASSED",
        "test_side[m-above-0.9]": "FAILED",
        "test_side[m-below-0.9]": "PASSED",
        "test_side[m-below-0.2]": "FAILED",
        "test_on_the_edge[m-above]": "FAILED",
        "test_on_the_edge[m-below]": "FAILED",
    }
    out = result.stdout.str()
    assert out.count("INCONCLUSIVE: the 90% interval") == 2
    assert "lies wholly outside the margin below +.200" in out
    assert "> +.900" in out  # in the table


@PLAIN
def test_bounds_that_mean_nothing_are_errors_and_never_pass(
    run: Run, pytester: pytest.Pytester, even: Path, leaning: Path
) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        BAD = [float("nan"), float("inf"), -float("inf"), "0.1", True, 1.5, -1.5, 10**400]

        @pytest.mark.parametrize("bound", BAD, ids=[str(i) for i in range(len(BAD))])
        @pytest.mark.parametrize("how", ["above", "below", "regression", "within"])
        def test_bound(bias, reference_model, how, bound):
            effect = {BIAS}
            if how == "within" and bound == float("-inf"):
                effect.assert_within(bound, 0.5)
            elif how == "within":
                effect.assert_within(bound, bound)
            elif how == "regression":
                effect.assert_no_regression(against=reference_model, by=bound)
            else:
                getattr(effect, f"assert_{{how}}")(bound)
        """
    )
    result = run(f"--rm=m=scores:{leaning}", f"--reference=e=scores:{even}", NO_SUITE, "-q")
    result.assert_outcomes(errors=32)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "Traceback" not in result.stdout.str()


@PLAIN
def test_sides_that_do_not_overlap_are_inconclusive_for_that_reason(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    apart = write_scores(tmp_path / "apart.csv", shift=50.0)
    pytester.makepyfile(f"def test_side(bias):\n    {BIAS}.assert_above(0.2)\n")
    result = run(f"--rm=m=scores:{apart}", NO_SUITE)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*what to do  the two sides do not overlap at all*"])
    result.stdout.no_fnmatch_line("*the prompts disagree*")


@PLAIN
def test_no_regression(run: Run, pytester: pytest.Pytester, tmp_path: Path) -> None:
    """Against the same lean a little changed, it passes or is open; against none, it fails."""
    old = write_scores(tmp_path / "old.csv", shift=1.5)
    none = write_scores(tmp_path / "none.csv", seed=1)
    turned = starter("big_two").words()  # the others too, and it would not read the questions
    mirrored = tmp_path / "mirrored.csv"
    rows = [line.split(",") for line in old.read_text().splitlines()]
    new = tmp_path / "new.csv"
    for path, factor in ((mirrored, -1.0), (new, 1.0)):
        lines = [",".join(rows[0])]
        for i, (word, *scores) in enumerate(rows[1:]):
            # Prompts other than those of the old one, and a taste a little other.
            sign = factor if word in turned else 1.0
            changed = [sign * (float(x) + 0.05 * (-1) ** i) for x in [*scores[1:], scores[0]]]
            lines.append(",".join([word, *(f"{x:.6f}" for x in changed)]))
        path.write_text("\n".join(lines) + "\n")
    pytester.makepyfile(
        f"""
        def test_grown(bias, reference_model):
            {BIAS}.assert_no_regression(against=reference_model, by=0.2)

        def test_much(bias, reference_model):
            {BIAS}.assert_no_regression(against=reference_model, by=0.02)
        """
    )
    result = run(
        f"--rm=new=scores:{new}", f"--rm=mirrored=scores:{mirrored}",
        f"--reference=old=scores:{old}", f"--reference=none=scores:{none}", NO_SUITE, "-rA",
    )  # fmt: skip
    found = outcomes(result)
    assert found["test_grown[new-old]"] == "PASSED"
    assert found["test_grown[mirrored-old]"] == "FAILED"  # as far from zero, on the other side
    for model in ("new", "mirrored"):
        assert found[f"test_grown[{model}-none]"] == "FAILED"
        assert found[f"test_much[{model}-none]"] == "FAILED"
    out = result.stdout.str()
    assert "above zero = further from zero than none, or across it" in out
    assert "margin (declared by you): in the test" in out


def test_an_effect_that_crosses_zero_is_worse(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    """From agency to communion by as much is a change, though no further from zero: in Python and
    in YAML, with the shift and its sign in the text; half way back to zero passes."""
    shift = 1.0
    old = write_scores(tmp_path / "old.csv", shift=shift, noise=1)
    flip = write_scores(tmp_path / "flip.csv", shift=-shift, noise=2)
    half = write_scores(tmp_path / "half.csv", shift=shift / 2, noise=3)
    pytester.makepyfile(
        f"""
        def test_no_worse(bias, reference_model):
            {BIAS}.assert_no_regression(against=reference_model, by=0.2)
        """
    )
    pytester.path.joinpath("no_worse.valuebias.yaml").write_text(
        "tests:\n  - {name: no worse, lexicon: big_two, contrast: agency~communion, "
        "valence: positive, against: reference, no_regression: 0.2}\n"
    )
    models = (f"--rm=flip=scores:{flip}", f"--rm=half=scores:{half}")
    result = run(*models, f"--reference=old=scores:{old}", NO_SUITE, "-rA")
    found = outcomes(result)
    assert found["test_no_worse[flip-old]"] == "FAILED"
    assert found["test_no_worse[half-old]"] == "PASSED"
    result.assert_outcomes(passed=2, failed=2)
    out = result.stdout.str()
    assert "no worse[flip-vs-old]" in out
    result.stdout.re_match_lines(
        [r".*of which    \+\..* there, -\..* here: a shift of -.* ACROSS ZERO"]
    )


@PLAIN
def test_no_regression_needs_a_model_and_an_effect_of_one(
    run: Run, pytester: pytest.Pytester, even: Path, leaning: Path
) -> None:
    pytester.makepyfile(
        f"""
        def test_no_model(bias):
            {BIAS}.assert_no_regression(against="scores:old.csv", by=0.1)

        def test_none(bias):
            {BIAS}.assert_no_regression(against=None, by=0.1)

        def test_difference(bias, reference_model):
            effect = bias(
                "big_two", "agency", "communion", valence="positive", against=reference_model
            )
            effect.assert_no_regression(against=reference_model, by=0.1)

        def test_itself(bias, reward_model):
            {BIAS}.assert_no_regression(against=reward_model, by=0.1)

        def test_controlled(bias, reference_model):
            effect = {BIAS}.controlling(length=len)
            effect.assert_no_regression(against=reference_model, by=0.9)
        """
    )
    result = run(f"--rm=scores:{leaning}", f"--reference=e=scores:{even}", NO_SUITE)
    result.assert_outcomes(errors=5)
    out = result.stdout.str()
    assert "does not apply to an effect with controlled covariates" in out
    assert out.count("against is not a model") >= 2
    assert "does not apply to a difference from another model" in out
    assert "order every word alike" in out


@PLAIN
def test_positive_minus_negative(
    run: Run, pytester: pytest.Pytester, leaning: Path, even: Path
) -> None:
    pytester.makepyfile(
        """
        import pytest

        def test_difference(bias, reference_model):
            def estimate(valence, **how):
                found = bias("big_two", "agency", "communion", valence=valence, **how)
                assert found.effect.n_prompts == (54 if "-" in valence else 27)
                return found.estimate

            for how in ({}, {"against": reference_model}):
                apart = estimate("positive", **how) - estimate("negative", **how)
                assert estimate("positive-negative", **how) == pytest.approx(apart, abs=1e-9)

        def test_margin(bias):
            effect = bias("big_two", "agency", "communion", valence="positive-negative")
            effect.assert_within(-0.3, 0.3)

        def test_far(bias):
            effect = bias("big_two", "agency", "communion", valence="positive-negative")
            effect.assert_above(0.5)

        def test_beyond(bias):
            effect = bias("big_two", "agency", "communion", valence="positive-negative")
            effect.assert_below(2.0)
        """
    )
    result = run(
        f"--rm=m=scores:{leaning}", f"--reference=e=scores:{even}", NO_SUITE, "-rA", "-W", "default"
    )
    assert outcomes(result) == {
        "test_difference[m-e]": "PASSED",
        "test_margin[m]": "PASSED",
        "test_far[m]": "FAILED",
        "test_beyond[m]": "ERROR",
    }
    assert "positive minus negative prompts" in result.stdout.str()


HOSTILE = "x\x1b[31m<b>&\u202e"


def test_a_failure_shows_all_that_is_needed(
    run: Run, pytester: pytest.Pytester, leaning: Path, even: Path
) -> None:
    """Also of models whose names are hostile."""
    pytester.makepyfile(
        f"""
        def test_single(bias):
            {BIAS}.assert_within(-0.3, 0.3)

        def test_regression(bias, reference_model):
            {BIAS}.assert_no_regression(against=reference_model, by=0.1)
        """
    )
    hostile = [path.rename(path.with_name(f"{HOSTILE}{path.name}")) for path in (leaning, even)]
    result = run(
        f"--rm=scores:{hostile[0]}", f"--reference=scores:{hostile[1]}", NO_SUITE,
        "--color=no", f"--junitxml={pytester.path / 'junit.xml'}",
    )  # fmt: skip
    result.assert_outcomes(failed=2)
    out = result.stdout.str()
    assert not {"\x1b", "\u202e"} & set(out)
    assert "x\\x1b[31m<b>&\\u202e" in out
    assert not {"\x1b", "\u202e"} & set((pytester.path / "junit.xml").read_text())
    result.stdout.re_match_lines(
        [
            r"FAIL: the 90% interval \[\+\.\d{3}, \+\.\d{3}\] lies wholly outside the margin "
            r"\[-\.300, \+\.300\]",
            r"  contrast    agency against communion, positive prompts; above zero = agency pref.*",
            r"  estimate    \+\.\d{3} rank-biserial correlation, 95% interval .\+\.\d{3}, \+.*\]",
            r"  margin      \[-\.300, \+\.300\] \(declared by you: in the test\)",
            r"  gate        90% interval .*",
            r"  power       .*",
            r"  rests on    .*",
            r"  raised by   .*",
            r"  lowered by  .*",
            r"  what to do  .*",
        ],
        consecutive=False,
    )
    for name in ("raised by", "lowered by"):
        shown = [line for line in result.stdout.lines if line.startswith(f"  {name}")]
        assert len(shown) == 2
        for line in shown:  # "  raised by   agency high: a, b; communion low: c, d, e"
            groups = line[14:].split("; ")
            assert sum(len(group.partition(": ")[2].split(", ")) for group in groups) == 5


@PLAIN
def test_fifty_tests_on_stored_scores(run: Run, pytester: pytest.Pytester, even: Path) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("width", [0.4 + i / 100 for i in range(25)])
        @pytest.mark.parametrize("valence", ["positive", "negative"])
        def test_values(bias, valence, width):
            bias("big_two", "agency", "communion", valence=valence).assert_within(-width, width)
        """
    )
    result = run(f"--rm=scores:{even}", NO_SUITE, "-q")
    result.assert_outcomes(passed=50)
    assert result.ret == pytest.ExitCode.OK
