"""A run that is killed at any moment ends with the same bits as one that is not; one that two
processes share, with the same numbers as one that is not shared."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from valuebias.errors import TrainingError
from valuebias.models.settings import Settings
from valuebias.training import Recipe, read_run, train

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

RESUMED = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth")


@pytest.fixture(scope="module")
def dry(recipe: Recipe) -> Recipe:
    """Without dropout, whose random numbers are each process's own."""
    return replace(recipe, lora_dropout=0.0, epochs=1)


@pytest.fixture(scope="module")
def attempts(
    recipe: Recipe, dry: Recipe, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """The folder of the runs of killed.py, and what it said of them."""
    folder = tmp_path_factory.mktemp("attempts")
    (folder / "recipe.yaml").write_text(recipe.yaml(), encoding="utf-8")
    (folder / "dry.yaml").write_text(dry.yaml(), encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, Path(__file__).with_name("killed.py"), folder],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return folder, [line for line in ended.stdout.splitlines() if "/" not in line]


def test_killed_and_resumed_it_ends_with_the_same_bits(
    recipe: Recipe, attempts: tuple[Path, list[str]]
) -> None:
    assert recipe.lora_dropout > 0
    folder, said = attempts
    assert said[:7] == [
        "whole: 0 [3, 6, 9, 10]",
        "before the first checkpoint: -9 []",
        "half an optimizer: -9 []",
        "before the name: -9 []",
        "in the second epoch: -9 [3, 6]",
        "half a line: -9 [3, 6]",
        "to the end: 0 [3, 6, 9, 10]",
    ]
    run, whole = read_run(folder / "run"), read_run(folder / "whole")
    for mine, its in zip(run.checkpoints, whole.checkpoints, strict=True):
        for name in RESUMED:
            assert (mine.path / name).read_bytes() == (its.path / name).read_bytes(), mine.path
    assert run.metrics() == whole.metrics()
    assert run.record == whole.record
    starts = (folder / "run" / "environment.jsonl").read_text().splitlines()
    assert len(starts) == 6


def test_two_processes_train_what_one_does(dry: Recipe, attempts: tuple[Path, list[str]]) -> None:
    folder, said = attempts
    assert said[7:] == ["one process: 0", "two processes: [0, 0]"]
    one, two = read_run(folder / "one"), read_run(folder / "two")
    assert [c.step for c in two.checkpoints] == [c.step for c in one.checkpoints] == [3, 5]
    for mine, its in zip(two.metrics(), one.metrics(), strict=True):
        for name in ("loss", "accuracy", "margin", "reward"):
            assert mine[name] == pytest.approx(its[name], abs=1e-4)
    environment = json.loads((folder / "two" / "environment.jsonl").read_text())
    assert environment["processes"] == 2
    (folder / "two" / "finished.json").unlink()
    with pytest.raises(TrainingError, match="a different number of processes"):
        train(dry, folder / "two", settings=Settings(device="cpu"))
