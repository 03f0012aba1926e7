"""Bradley-Terry training of reward models on preferences, and the files of a run.

Everything here is imported at first use, so that it does not slow the command line down.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from valuebias.training.grid import Grid, load_grid, read_grid, train_grid
    from valuebias.training.recipe import DataSource, Recipe, load_recipe
    from valuebias.training.run import train
    from valuebias.training.run_directory import Checkpoint, Run, read_run

__all__ = [
    "Checkpoint",
    "DataSource",
    "Grid",
    "Recipe",
    "Run",
    "load_grid",
    "load_recipe",
    "read_grid",
    "read_run",
    "train",
    "train_grid",
]

_HOMES = {
    "grid": ("Grid", "load_grid", "read_grid", "train_grid"),
    "recipe": ("DataSource", "Recipe", "load_recipe"),
    "run": ("train",),
    "run_directory": ("Checkpoint", "Run", "read_run"),
}


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(importlib.import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
