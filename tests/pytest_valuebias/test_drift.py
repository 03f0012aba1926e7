"""Training runs: the drift suite, its fixtures and its report, on recorded checkpoints."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from support.scores import write_scores
from valuebias.lexicons.files import starter
from valuebias.measurement.drift import measure_gap
from valuebias.models.settings import Settings
from valuebias.scorers.bench import Bench
from valuebias.store.database import Store
from valuebias.training import DataSource, Recipe
from valuebias.training.checkpoints import parse_run
from valuebias.training.ownership import claim

Run = Callable[..., pytest.RunResult]
PLAIN = pytest.mark.parametrize("run", ["plain"], indirect=True)
BIG_TWO = ("-k", "big_two and positive")


def write_run(folder: Path, shifts: list[float], noise: int = 0) -> Path:
    """A run whose checkpoints prefer agency by so much, one every hundred steps."""
    folder.mkdir()
    for i, shift in enumerate(shifts):
        path = folder / f"checkpoint-{100 * i}.csv"
        write_scores(path, shift=shift, noise=noise + i)
    return folder


@pytest.fixture
def steady(tmp_path: Path) -> Path:
    return write_run(tmp_path / "steady", [1.2, 1.2, 1.2])


@pytest.fixture
def fading(tmp_path: Path) -> Path:
    return write_run(tmp_path / "fading", [1.2, 0.6, 0.0], noise=10)


@pytest.fixture
def margins(tmp_path: Path) -> Path:
    path = tmp_path / "margins.yaml"
    entries = [
        f"- {{lexicon: big_two, contrast: agency~communion, valence: positive, role: {role}, "
        f"interval: [{low}, {high}]}}"
        for role, low, high in (("drift", -0.2, 0.2), ("gap", -1.0, 0.1))
    ]
    path.write_text("margins:\n" + "\n".join(entries) + "\n")
    return path


def test_a_change_is_gated_and_every_checkpoint_shown(
    run: Run, steady: Path, fading: Path, margins: Path
) -> None:
    result = run(
        f"--valuebias-checkpoints={steady}",
        f"--valuebias-checkpoints={fading}",
        f"--valuebias-margins={margins}",
        "-rA",
        *BIG_TWO,
    )
    out = result.stdout.str()
    ids = "valuebias/test_drift.py::test_{}[big_two-agency~communion-positive-{}]"
    assert f"PASSED {ids.format('change', 'steady')}" in out
    assert f"FAILED {ids.format('change', 'fading')}" in out
    assert f"FAILED {ids.format('gap', 'steady-vs-fading')}" in out
    assert "fading (training run)" in out
    assert "steady (training run) minus fading" in out
    shown = re.search(
        r"^fading \(training run\)$.*?effect by step, simultaneous 95% band\n(.*?)\n  margin",
        out,
        re.MULTILINE | re.DOTALL,
    )
    assert shown is not None
    rows = [line.split() for line in shown[1].splitlines()[1:]]
    assert [row[0] for row in rows] == ["0", "100", "200"]
    effects = [float(row[1]) for row in rows]
    assert effects[0] > 0.5 > effects[1] > 0.1 > effects[2] > -0.2
    assert rows[-1][-1] == "1.000"
    assert "words that rose most" in out
    assert "only words were recorded" in " ".join(out.split())


def test_fixtures_of_runs(run: Run, pytester: pytest.Pytester, steady: Path, fading: Path) -> None:
    pytester.makepyfile(
        """
        import pytest
        from valuebias.errors import SpecError, StatisticsError

        QUESTION = ("big_two", "agency", "communion")

        def test_each(checkpoints):
            assert checkpoints.steps == (0, 100, 200)
            assert [m.name for m in checkpoints.models][0].endswith("@0")
            effect = checkpoints.drift(*QUESTION, valence="positive")
            effect.assert_below(0.2)
            assert len(effect.drift.trajectory.effects) == 3

        def test_gap(training_runs):
            steady, fading = training_runs
            gap = steady.gap(fading, *QUESTION, valence="positive")
            gap.assert_above(0.2)
            gap.assert_not_closed(0.1, since=200)
            with pytest.raises(SpecError, match="share"):
                gap.assert_area_below(0.5)  # it began at nothing
            with pytest.raises(StatisticsError, match="not observed"):
                gap.assert_closed(0.1, by=300)

        def test_closed(training_runs):
            steady, fading = training_runs
            steady.gap(fading, *QUESTION, valence="positive").assert_closed(0.1)

        def test_no_run(training_runs):
            with pytest.raises(SpecError, match="another training run"):
                training_runs[0].gap("fading", *QUESTION, valence="positive")
        """
    )
    result = run(
        f"--valuebias-checkpoints={steady}",
        f"--valuebias-checkpoints={fading}",
        "--valuebias-suite=none",
    )
    result.assert_outcomes(passed=4, failed=1)
    out = result.stdout.str()
    assert "FAIL: closed to within 0.1 by step 200: the gap's band lies wholly outside" in out


def test_an_area_under_a_gap_is_held_to_a_bound_it_could_miss(
    run: Run, pytester: pytest.Pytester, tmp_path: Path, fading: Path
) -> None:
    none = write_run(tmp_path / "none", [0.0, 0.0, 0.0], noise=20)
    pytester.makepyfile(
        """
        import pytest
        from valuebias.errors import StatisticsError

        def test_area(training_runs):
            fading, none = training_runs
            gap = fading.gap(none, "big_two", "agency", "communion", valence="positive")
            gap.assert_area_below(0.9)
            for bound in (50, 0):
                with pytest.raises(StatisticsError, match="an estimate of this kind lies between"):
                    gap.assert_area_below(bound)
        """
    )
    result = run(
        f"--valuebias-checkpoints={fading}", f"--valuebias-checkpoints={none}",
        "--valuebias-suite=none",
    )  # fmt: skip
    result.assert_outcomes(passed=1)


@PLAIN
def test_what_a_band_shows_spends_no_more_than_its_claim_may(
    run: Run, pytester: pytest.Pytester, steady: Path, fading: Path
) -> None:
    pytester.makepyfile(
        test_ours="""
        def test_gap(training_runs):
            steady, fading = training_runs
            gap = steady.gap(fading, "big_two", "agency", "communion", valence="positive")
            path = gap.gap.trajectory
            low = min(l for step, l in zip(path.steps, path.low) if step >= 100)
            gap.assert_not_closed(low - 0.01, since=100)
        """
    )
    args = [f"--valuebias-checkpoints={path}" for path in (steady, fading)]
    args.append("--valuebias-suite=none")
    run(*args).assert_outcomes(passed=1)
    claims = pytester.path / "claims.yaml"
    other = (
        "- {suite: drift, test: test_gap, lexicon: big_two, contrast: agency~communion, "
        "valence: positive, role: gap, weight: 1000}\n"
    )
    claims.write_text(f"claims:\n{other}")
    args.append(f"--valuebias-claims={claims}")
    result = run(*args)
    result.assert_outcomes(errors=1)
    line = re.search(r"`(- \{suite: .*?\})`", result.stdout.str())
    assert line is not None
    claims.write_text(f"claims:\n{other}{line[1]}\n")
    result = run(*args)
    result.assert_outcomes(failed=1)
    assert "INCONCLUSIVE: not closed" in result.stdout.str()


@PLAIN
def test_without_a_margin_a_run_is_shown_and_not_gated(run: Run, steady: Path) -> None:
    result = run(f"--valuebias-checkpoints={steady}", *BIG_TWO)
    result.assert_outcomes(skipped=1, deselected=21)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "NOTHING WAS GATED" in result.stdout.str()


@PLAIN
def test_runs_given_wrongly(run: Run, tmp_path: Path, steady: Path) -> None:
    single = write_run(tmp_path / "single", [0.0])
    other = tmp_path / "other"
    other.mkdir()
    again = write_run(other / "steady", [0.0, 0.0])
    damaged = write_run(tmp_path / "damaged", [0.0, 0.0])
    claim(damaged, Recipe("org/a", DataSource("data.jsonl")))
    (damaged / "run.json").write_text("{}")
    for given, said in (
        ([tmp_path / "gone"], "checkpoint directory not found"),
        ([single], "drift needs at least two checkpoints"),
        ([steady, again], "two runs have the label 'steady'"),
        ([damaged], "does not say what the run was made from"),
    ):
        result = run(*(f"--valuebias-checkpoints={path}" for path in given))
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert said in result.stderr.str()
    named = [f"--valuebias-checkpoints={n}={p}" for n, p in (("a", steady), ("b", again))]
    result = run(*named, "--collect-only", "-q", *BIG_TWO)
    assert "positive-a-vs-b]" in result.stdout.str()


@PLAIN
def test_a_test_of_runs_skips_without_one(run: Run, pytester: pytest.Pytester, even: Path) -> None:
    pytester.makepyfile("def test_a(checkpoints): pass\ndef test_b(training_runs): pass")
    run(f"--rm=scores:{even}", "--valuebias-suite=none").assert_outcomes(skipped=2)
    result = run(f"--rm=scores:{even}", "--valuebias-suite=none", "--valuebias-require-model")
    assert result.ret == pytest.ExitCode.TESTS_FAILED


def test_the_words_that_widen_a_gap_that_changed_sides(tmp_path: Path) -> None:
    runs = [
        parse_run(str(write_run(tmp_path / name, shifts, noise=noise)))
        for name, shifts, noise in (("a", [0.6, 0.0, -1.2], 0), ("b", [0.0, 0.0, 0.0], 10))
    ]
    with Bench(Store(tmp_path / "scores.sqlite"), Settings(device="cpu")) as bench:
        one, other = runs
        found, _ = measure_gap(
            bench, one, other, starter("big_two"), "agency~communion", "positive"
        )
    gaps = [step.estimate for step in found.trajectory]
    assert gaps[0] > 0 > gaps[-1]
    assert found.effect.estimate == pytest.approx(-gaps[-1] - gaps[0])
    assert all(pull.in_a != pull.high for pull in found.raised_by)
    assert all(pull.in_a == pull.high for pull in found.lowered_by)


def write_grid(
    folder: Path, *, seeds: int, closing: float, bases: tuple[str, ...] = ("org/a", "org/b")
) -> Path:
    """A grid of bases on 100 and 200 pairs, of recorded scores: with twice the data the gap of
    the first to the others is smaller by ``closing``."""
    rows = []
    for base, pairs, seed in product(bases, (100, 200), range(seeds)):
        name = f"{base[-1]}-{pairs}-{seed}"
        gap = 1.4 - (closing if pairs == 200 else 0.0) + 0.1 * seed
        write_run(
            folder / name,
            [1.4 if base == "org/a" else 0.0, gap if base == "org/a" else 0.0],
            noise=100 * seed + pairs + (50 if base == "org/a" else 0),
        )
        claim(folder / name, Recipe(base, DataSource("data.jsonl"), pairs=pairs, seed=seed))
        record = {"data": {"pairs": pairs}, "pairs_a_step": 1}
        (folder / name / "run.json").write_text(json.dumps(record))
        rows.append({"run": name})
    (folder / "index.json").write_text(json.dumps({"runs": rows}))
    return folder


def test_what_data_do_to_a_gap_asks_for_three_seeds(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile(
        """
        import pytest
        from valuebias.errors import StatisticsError

        def test_more_data_close_the_gap(data_quantities):
            found = data_quantities("big_two", "agency", "communion", valence="positive")
            assert found.quantities.pairs == (100, 200)
            assert set(found.quantities.seeds) == {3}
            found.assert_slope_below(-0.1)

        @pytest.mark.parametrize("bound", [5, 2, -2.5])
        def test_a_bound_that_decides_nothing(data_quantities, bound):
            found = data_quantities("big_two", "agency", "communion", valence="positive")
            with pytest.raises(StatisticsError, match="an estimate of this kind lies between -2 "):
                found.assert_slope_below(bound)
        """
    )
    for seeds in (2, 3):
        (tmp_path / str(seeds)).mkdir()
    few = write_grid(tmp_path / "2", seeds=2, closing=1.0)
    enough = write_grid(tmp_path / "3", seeds=3, closing=1.0)
    result = run(f"--valuebias-checkpoints={few}", "--valuebias-suite=none")
    result.assert_outcomes(errors=4)
    assert "three seeds" in result.stdout.str() or "3 seeds" in result.stdout.str()
    result = run(f"--valuebias-checkpoints={enough}", "--valuebias-suite=none", "-W", "default")
    result.assert_outcomes(passed=4)
    assert "200 pairs" in result.stdout.str()


@PLAIN
def test_three_bases_are_no_three_seeds(
    run: Run, pytester: pytest.Pytester, tmp_path: Path
) -> None:
    pytester.makepyfile(
        """
        def test_more_data_close_the_gap(data_quantities):
            found = data_quantities("big_two", "agency", "communion", valence="positive")
            found.assert_slope_below(1)
        """
    )
    grids = {}
    for name, seeds, bases in (("bases", 1, "abc"), ("seeds", 3, "ab")):
        (tmp_path / name).mkdir()
        named = tuple(f"org/{base}" for base in bases)
        grids[name] = write_grid(tmp_path / name, seeds=seeds, closing=1.0, bases=named)
    result = run(f"--valuebias-checkpoints={grids['bases']}", "--valuebias-suite=none")
    result.assert_outcomes(errors=1)
    assert "two bases, one source of data" in result.stdout.str()
    args = (f"--valuebias-checkpoints={grids['seeds']}", "--valuebias-suite=none")
    run(*args).assert_outcomes(passed=1)
    result = run(*args, "--valuebias-profile=quick")  # a first look never passes
    result.assert_outcomes(failed=1)
    assert "INCONCLUSIVE" in result.stdout.str()


@PLAIN
def test_of_a_grid_the_runs_that_differ_in_their_base_are_compared(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "grid").mkdir()
    grid = write_grid(tmp_path / "grid", seeds=1, closing=0.5)
    result = run(f"--valuebias-checkpoints={grid}", "--collect-only", "-q", *BIG_TWO)
    ids = re.findall(r"test_gap\[big_two-agency~communion-positive-(.*)\]", result.stdout.str())
    assert ids == ["a-100-0-vs-b-100-0", "a-200-0-vs-b-200-0"]
