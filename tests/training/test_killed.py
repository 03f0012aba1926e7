"""A run that is killed at any moment ends with the same bits as one that is not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from valuebias.training import Recipe, read_run

RESUMED = ("adapter_model.safetensors", "optimizer.pt", "scheduler.pt", "rng_state.pth")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_killed_and_resumed_it_ends_with_the_same_bits(recipe: Recipe, tmp_path: Path) -> None:
    assert recipe.lora_dropout > 0
    file = tmp_path / "recipe.yaml"
    file.write_text(recipe.yaml(), encoding="utf-8")
    script = Path(__file__).with_name("killed.py")
    ended = subprocess.run(
        [sys.executable, script, file, tmp_path / "run", tmp_path / "whole"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines() == [
        "whole: 0 [3, 6, 9, 10]",
        "before the first checkpoint: -9 []",
        "half an optimizer: -9 []",
        "before the name: -9 []",
        "in the second epoch: -9 [3, 6]",
        "half a line: -9 [3, 6]",
        "to the end: 0 [3, 6, 9, 10]",
    ]
    run, whole = read_run(tmp_path / "run"), read_run(tmp_path / "whole")
    for mine, its in zip(run.checkpoints, whole.checkpoints, strict=True):
        for name in RESUMED:
            assert (mine.path / name).read_bytes() == (its.path / name).read_bytes(), mine.path
    assert run.metrics() == whole.metrics()
    assert run.record == whole.record
    starts = (tmp_path / "run" / "environment.jsonl").read_text().splitlines()
    assert len(starts) == 6
