"""A training run as models to measure: its checkpoints, in the order of their steps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

from valuebias.errors import SpecError, TrainingError
from valuebias.models.spec import ModelSpec, check_distinct, holds_model
from valuebias.scorers.schemes import parse_spec

if TYPE_CHECKING:
    from valuebias.training.run_directory import Run

_CHECKPOINT = re.compile(r"checkpoint-(\d+)(?:\.(?:csv|parquet))?")


@dataclass(frozen=True)
class RunOrigin:
    """What a run was made from: its base, the name of its data, how many pairs of them, its seed,
    and the directory of the grid it belongs to (None: of none)."""

    base: str
    data: str
    amount: int
    seed: int
    grid: Path | None = None


@dataclass(frozen=True)
class TrainingRun:
    """A run's checkpoints. ``label`` is what reports show; ``pairs`` are how many preference pairs
    the model had been shown at each step, and ``made`` what it was made from, where the run says
    so."""

    label: str
    path: Path
    steps: tuple[int, ...]
    models: tuple[ModelSpec, ...]
    pairs: tuple[int, ...] | None = None
    origin: RunOrigin | None = None


def parse_runs(text: str) -> tuple[TrainingRun, ...]:
    """The run that a text names, as `parse_run` reads it; of a grid's directory, all its runs."""
    path = Path(os.path.abspath(os.path.expanduser(text.strip())))
    if not (path / "index.json").is_file():
        return (parse_run(text),)
    from valuebias.training.grid import read_grid

    try:
        names = tuple(read_grid(path))
    except TrainingError as error:
        raise SpecError(error.what, seen=error.seen, remedy=error.remedy) from None
    runs = []
    for name in names:
        run = parse_run(str(path / name))
        assert run.origin is not None
        runs.append(replace(run, origin=replace(run.origin, grid=path)))
    if not runs:
        raise SpecError(
            "no run of this grid has started",
            seen=path,
            remedy="Train it: valuebias train RECIPE.yaml --out DIR.",
        )
    return tuple(runs)


def side_by_side(runs: Sequence[TrainingRun]) -> list[tuple[TrainingRun, TrainingRun]]:
    """The pairs of runs whose gap is measured: all of those given one by one; of a grid's, those
    that differ in the base alone."""
    return [
        (a, b)
        for a, b in combinations(runs, 2)
        if (grid := _grid(a)) == _grid(b) and (grid is None or differ_in_base(a, b))
    ]


def _grid(run: TrainingRun) -> Path | None:
    return None if run.origin is None else run.origin.grid


def differ_in_base(a: TrainingRun, b: TrainingRun) -> bool:
    """Whether two runs say what they were made from, and differ in the base alone."""
    if a.origin is None or b.origin is None:
        return False
    return a.origin.base != b.origin.base and a.origin == replace(b.origin, base=a.origin.base)


def parse_run(text: str) -> TrainingRun:
    """Read ``RUN`` or ``NAME=RUN``: the directory of `valuebias train`, any other with
    ``checkpoint-N`` directories of models (as transformers' Trainer writes them), or one with
    recorded scores of each in ``checkpoint-N.csv`` or ``.parquet``.

    An incomplete checkpoint is left out. Raises SpecError if fewer than two are left.
    """
    name, equals, rest = text.strip().partition("=")
    named = bool(equals) and not os.path.exists(text.strip())
    given = (rest if named else text).strip()
    path = Path(os.path.abspath(os.path.expanduser(given)))
    if not given or not os.path.isdir(path):
        raise SpecError(
            "checkpoint directory not found",
            seen=text,
            remedy="Give the directory that holds checkpoint-1000 and the like.",
        )
    label = name.strip() if named else path.name
    run = _read(path) if (path / "run.json").is_file() else None
    by_step: dict[int, ModelSpec] = {}
    for entry in sorted(path.iterdir()):
        match = _CHECKPOINT.fullmatch(entry.name)
        if match and entry.is_file():
            by_step[int(match[1])] = parse_spec(f"scores:{entry}")
        elif match and run is None and holds_model(entry):
            by_step[int(match[1])] = parse_spec(str(entry))
    if run is not None:  # it knows which of its checkpoints are whole
        by_step |= {c.step: parse_spec(str(c.path)) for c in run.checkpoints}
    if len(by_step) < 2:
        raise SpecError(
            "drift needs at least two checkpoints",
            seen=f"{len(by_step)} whole checkpoints in {path}",
            remedy="Give the directory that holds checkpoint-1000 and the like, or save more of "
            "them (checkpoint_every).",
        )
    steps = tuple(sorted(by_step))
    models = tuple(replace(by_step[step], label=f"{label}@{step}") for step in steps)
    if run is None:
        return TrainingRun(label, path, steps, models)
    try:
        amount = int(run.record["data"]["pairs"])
        pairs = tuple(map(run.pairs_at, steps))
    except (KeyError, TypeError, ValueError, ZeroDivisionError):
        raise SpecError(
            "run.json does not say what the run was made from",
            seen=path,
            remedy="Remove it: the checkpoints can be compared without it.",
        ) from None
    made = RunOrigin(run.recipe.base, run.recipe.data.label, amount, run.recipe.seed)
    return TrainingRun(label, path, steps, models, pairs, made)


def check_runs(runs: Iterable[TrainingRun]) -> None:
    """Raise SpecError if two runs have the same label."""
    check_distinct(runs, "runs", lambda run: str(run.path), lambda run: str(run.path))


def _read(path: Path) -> Run:
    from valuebias.training.run_directory import read_run

    try:
        return read_run(path)
    except TrainingError as error:
        raise SpecError(error.what, seen=error.seen, remedy=error.remedy) from None
