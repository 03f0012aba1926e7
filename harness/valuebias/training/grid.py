"""A grid of runs: every base on every quantity of every data source, for every seed."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from valuebias.errors import SpecError, TrainingError, ValueBiasError
from valuebias.models.settings import Settings
from valuebias.training import run_directory
from valuebias.training.fields import FieldReader
from valuebias.training.recipe import (
    DATA_KEYS,
    KEYS,
    DataSource,
    Recipe,
    build,
    load_recipe,
    source_of,
)
from valuebias.training.run import train
from valuebias.training.run_directory import Run, read_run
from valuebias.yaml_nodes import YamlFile

log = logging.getLogger("valuebias.training")

INDEX = "index.json"
_AXES = ("base", "data", "pairs", "seed", "fits")
_GRID_KEYS = ("bases", "data", "pairs", "seeds", *(key for key in KEYS if key not in _AXES))


@dataclass(frozen=True)
class Grid:
    """Recipes by the names of their run directories.

    In one of them the bases see the same pairs: a pair that is too long for any of them is left
    out for all, and a smaller quantity is the beginning of a larger one of the same seed.
    """

    runs: tuple[tuple[str, Recipe], ...]


def is_grid(path: str | Path) -> bool:
    """Whether a recipe file is a grid's: it has ``bases``. Raises SpecError if it is not YAML."""
    file = YamlFile.read(Path(path), "the recipe", SpecError)
    return "bases" in file.mapping(file.root, "the recipe")


def load_grid(path: str | Path) -> Grid:
    """Read a grid: a recipe with ``bases`` and ``seeds`` (lists) for ``base`` and ``seed``, a list
    of sources as ``data`` and a list of quantities as ``pairs`` (numbers or ``all``).

    A source given as a mapping may have ``pairs`` of its own. Raises SpecError naming file and
    line.
    """
    path = Path(path)
    file = YamlFile.read(path, "the recipe", SpecError)
    given = FieldReader.of(file, file.root, "the recipe", _GRID_KEYS, path.parent)
    for name in ("bases", "data"):
        given.require(name)
    bases = [given.model("bases", node) for node in given.items("bases")]
    seeds = (
        [given.whole("seeds", node) for node in given.items("seeds")] if "seeds" in given else [0]
    )
    fits = tuple(bases) if len(bases) > 1 else ()
    runs: dict[str, Recipe] = {}
    for node in given.items("data"):
        source, quantities = _source(given, node)
        for base in bases:
            for pairs in quantities:
                for seed in seeds:
                    name = run_name(base, source, pairs, seed)
                    if name in runs:
                        raise given.fail(
                            "bases",
                            "two runs of the grid would have one directory",
                            "Give each base, source, quantity and seed once; give bases and "
                            "sources apart: NAME=SPEC, and `name: ...` beside a source.",
                            name,
                        )
                    runs[name] = build(
                        given, base=base, data=source, pairs=pairs, seed=seed, fits=fits
                    )
    return Grid(tuple(runs.items()))


def _source(given: FieldReader, node: yaml.Node) -> tuple[DataSource, list[int | None]]:
    """A source and its quantities: its own, else the grid's, else all there is."""
    if isinstance(node, yaml.ScalarNode):
        inner, source = given, DataSource(given.source(node))
    else:
        inner = given.inside(node, "a source of `data`", (*DATA_KEYS, "pairs"))
        source = source_of(inner)
    holder = next((fields for fields in (inner, given) if "pairs" in fields), None)
    if holder is None:
        return source, [None]
    return source, [
        None if getattr(item, "value", None) == "all" else holder.whole("pairs", item)
        for item in holder.items("pairs")
    ]


def run_name(base: str, source: DataSource, pairs: int | None, seed: int) -> str:
    """A run's directory inside its grid's."""
    from valuebias.scorers.schemes import parse_spec

    label = parse_spec(base).label.rpartition("/")[2]
    parts = (label, source.label, "all" if pairs is None else str(pairs), f"seed{seed}")
    return "-".join(re.sub(r"[^\w.]+", "-", part) for part in parts)


def train_grid(
    grid: Grid,
    out: str | Path,
    *,
    settings: Settings | None = None,
    callbacks: Sequence[Any] = (),
) -> dict[str, Run]:
    """Train every run of a grid, each once, into its own directory inside ``out``.

    Finished runs are skipped and a stopped one continues. ``index.json`` lists all of them with
    their state. Returns the runs by name. A failed run does not stop the others: after
    all were tried, raises the one's error, or TrainingError naming all of several.
    """
    directory = Path(out)
    directory.mkdir(parents=True, exist_ok=True)
    runs: dict[str, Run] = {}
    failed: dict[str, ValueBiasError] = {}
    for name, recipe in grid.runs:
        _write_index(directory, grid, running=name)
        try:
            runs[name] = train(recipe, directory / name, settings=settings, callbacks=callbacks)
        except ValueBiasError as error:
            failed[name] = error
            log.error("%s failed: %s", name, error)
        finally:
            _write_index(directory, grid)
    if len(failed) == 1:
        raise next(iter(failed.values()))
    if failed:
        raise TrainingError(
            f"{len(failed)} of {len(grid.runs)} runs failed",
            seen="; ".join(f"{name}: {error.what}" for name, error in failed.items()),
            remedy="Fix these errors and run the same command again: finished runs stay.",
        )
    return runs


def _write_index(directory: Path, grid: Grid, running: str = "") -> None:
    rows = []
    for name, recipe in grid.runs:
        finished = (directory / name / run_directory.FINISHED).is_file()
        started = (directory / name / run_directory.RECIPE).is_file()
        state = "finished" if finished else "running" if name == running else "stopped"
        rows.append(
            {
                "run": name,
                "base": recipe.base,
                "data": recipe.data.label,
                "pairs": recipe.pairs,
                "seed": recipe.seed,
                "state": state if started or name == running else "to do",
                "checkpoints": [c.step for c in run_directory.checkpoints(directory / name)],
            }
        )
    run_directory.write_json(directory / INDEX, {"format": 1, "runs": rows})


def read_grid(directory: str | Path) -> dict[str, Run]:
    """The runs of a grid's directory that have begun, by name. Raises TrainingError."""
    directory = Path(directory)
    try:
        names = [str(row["run"]) for row in run_directory.read_object(directory / INDEX)["runs"]]
    except (KeyError, TypeError):
        raise TrainingError(
            f"{INDEX} of this directory does not belong to a grid of training runs",
            seen=directory,
            remedy="Give the directory that `valuebias train` wrote, or one of its runs.",
        ) from None
    return {
        name: read_run(directory / name)
        for name in names
        if (directory / name / run_directory.RECORD).is_file()
    }


def load(path: str | Path) -> Recipe | Grid:
    """A recipe or a grid, whichever the file holds. Raises SpecError naming file and line."""
    return load_grid(path) if is_grid(path) else load_recipe(path)
