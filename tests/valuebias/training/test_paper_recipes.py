"""The paper's study as recipes: valid, and run on stand-ins for its models and data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from valuebias.models.settings import Settings
from valuebias.training import DataSource, Grid, Recipe, load_grid, train_grid

PAPER = Path(__file__).parents[3] / "examples" / "paper"
RUNS = {"skywork": 9, "unified": 36, "grm": 9}


@pytest.mark.parametrize("name", RUNS)
def test_the_recipes_are_the_papers_setting(name: str) -> None:
    grid = load_grid(PAPER / f"{name}.yaml")
    assert len(grid.runs) == RUNS[name]
    for _, recipe in grid.runs:
        paper = Recipe(recipe.base, recipe.data)
        for setting in (
            *("lora_rank", "lora_alpha", "learning_rate", "epochs", "batch_size"),
            *("accumulation", "max_length", "checkpoint_every", "margin", "label_smoothing"),
        ):
            assert getattr(recipe, setting) == getattr(paper, setting)
        assert len(recipe.fits) == 3
        assert (recipe.regularizer == "text") == (name == "grm")
    quantities = {recipe.pairs for _, recipe in grid.runs}
    assert (
        quantities
        == {
            "skywork": {None},
            "unified": {13_000, 26_000, 53_000, 106_000},
            "grm": {53_000},
        }[name]
    )


@pytest.mark.parametrize("name", RUNS)
def test_they_run_on_stand_ins(name: str, base: Path, pairs_file: Path, tmp_path: Path) -> None:
    first, recipe = load_grid(PAPER / f"{name}.yaml").runs[0]
    stand_in = replace(
        recipe,
        base=str(base),
        fits=(),
        data=DataSource(str(pairs_file)),
        pairs=16,
        checkpoint_every=1,
    )
    runs = train_grid(Grid(((first, stand_in),)), tmp_path, settings=Settings(device="cpu"))
    steps = [c.step for c in runs[first].checkpoints]
    assert steps == ([0, 1, 2] if recipe.initial_checkpoint else [1, 2])
