"""A training run as models to measure: its checkpoints, in the order of their steps."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from valuebias.errors import SpecError, TrainingError
from valuebias.models.spec import ModelSpec, holds_model, parse_spec

_CHECKPOINT = re.compile(r"checkpoint-(\d+)(?:\.(?:csv|parquet))?")


@dataclass(frozen=True)
class TrainingRun:
    """A run's checkpoints. ``label`` is what reports show; ``pairs`` are how many preference pairs
    the model had been shown at each step, where the run says so."""

    label: str
    path: Path
    steps: tuple[int, ...]
    models: tuple[ModelSpec, ...]
    pairs: tuple[int, ...] | None = None


def parse_run(text: str) -> TrainingRun:
    """Read ``RUN`` or ``NAME=RUN``: the directory of `valuebias train`, any other with
    ``checkpoint-N`` directories of models (as transformers' Trainer writes them), or one with
    recorded scores of each in ``checkpoint-N.csv`` or ``.parquet``.

    A checkpoint that was not written to its end is left out. Raises SpecError where fewer than two
    are left.
    """
    name, equals, rest = text.strip().partition("=")
    named = bool(equals) and not os.path.exists(text.strip())
    given = (rest if named else text).strip()
    path = Path(os.path.abspath(os.path.expanduser(given)))
    if not given or not os.path.isdir(path):
        raise SpecError(
            "there is no such directory of checkpoints",
            seen=text,
            remedy="Give the directory that holds checkpoint-1000 and the like.",
        )
    label = name.strip() if named else path.name
    found: dict[int, ModelSpec] = {}
    pairs: dict[int, int] = {}
    if (path / "run.json").is_file():
        found, pairs = _of_run(path)
    else:
        for entry in sorted(path.iterdir()):
            match = _CHECKPOINT.fullmatch(entry.name)
            if match and (entry.is_file() or holds_model(entry)):
                spec = f"scores:{entry}" if entry.is_file() else str(entry)
                found[int(match[1])] = parse_spec(spec)
    if len(found) < 2:
        raise SpecError(
            "drift is seen over two checkpoints or more",
            seen=f"{len(found)} whole checkpoints in {path}",
            remedy="Give the directory that holds checkpoint-1000 and the like, or save more of "
            "them (checkpoint_every).",
        )
    steps = tuple(sorted(found))
    models = tuple(replace(found[step], label=f"{label}@{step}") for step in steps)
    shown = tuple(pairs[step] for step in steps) if pairs else None
    return TrainingRun(label, path, steps, models, shown)


def check_runs(runs: Iterable[TrainingRun]) -> None:
    """Raise SpecError where two runs would be shown under one label."""
    seen: dict[str, TrainingRun] = {}
    for run in runs:
        other = seen.setdefault(run.label, run)
        if other is not run:
            raise SpecError(
                f"two runs have the label {run.label!r}",
                seen=f"{other.path} and {run.path}",
                remedy=f"Name them apart: first={other.path} second={run.path}.",
            )


def _of_run(path: Path) -> tuple[dict[int, ModelSpec], dict[int, int]]:
    from valuebias.training.rundir import read_run

    try:
        run = read_run(path)
    except TrainingError as error:
        raise SpecError(error.what, seen=error.seen, remedy=error.remedy) from None
    found = {c.step: parse_spec(str(c.path)) for c in run.checkpoints}
    return found, {step: run.pairs_at(step) for step in found}
