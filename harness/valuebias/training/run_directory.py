"""A run's directory: what it contains, which checkpoints are whole, and what a run was made from.

    RUN/recipe.yaml         the recipe, complete
    RUN/run.json            what it was made from: base and data fingerprints, counts
    RUN/environment.jsonl   versions, device, threads: a line for each start
    RUN/metrics.jsonl       loss, accuracy and the like: a line every so many steps
    RUN/checkpoint-N/       adapter and head (safetensors) after step N, and what resuming needs
    RUN/finished.json       written when the last step is done

A checkpoint is written beside the others under a hidden name, listed in its own ``checkpoint.json``
and renamed when all of it is on the disk. One that lacks a file, or has one of another size, is
left out. Imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valuebias.errors import TrainingError
from valuebias.training.recipe import Recipe, load_recipe

RECIPE, RECORD, FINISHED = "recipe.yaml", "run.json", "finished.json"
METRICS, ENVIRONMENT, LOCK = "metrics.jsonl", "environment.jsonl", ".lock"
STAGING, MANIFEST, PREFIX = ".partial", "checkpoint.json", "checkpoint-"


@dataclass(frozen=True)
class Checkpoint:
    """A reward model after ``step`` steps; ``path`` is a model spec, as of --rm."""

    step: int
    path: Path


@dataclass(frozen=True)
class Run:
    """A run on disk. ``checkpoints`` are the whole ones, in the order of their steps.

    ``record`` is what run.json says: "base", "data" (with "pairs", "overlong", "cut", …),
    "steps" (in all) and "pairs_a_step". ``finished`` is whether the last step is done.
    """

    directory: Path
    recipe: Recipe
    record: Mapping[str, Any]
    checkpoints: tuple[Checkpoint, ...]
    finished: bool

    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl: "step", "epoch", "loss", "accuracy", "margin" and so on."""
        return read_lines(self.directory / METRICS)

    def pairs_at(self, step: int) -> int:
        """How many pairs the model had been shown after so many steps (each epoch anew)."""
        per_epoch = int(self.record["data"]["pairs"])
        size = int(self.record["pairs_a_step"])
        epochs, rest = divmod(step, -(-per_epoch // size))
        return epochs * per_epoch + rest * size


def read_run(directory: str | Path) -> Run:
    """Read a run's directory, also of a run in progress. Raises TrainingError if it is not one."""
    directory = Path(directory)
    if not (directory / RECIPE).is_file() or not (directory / RECORD).is_file():
        raise TrainingError(
            "this directory does not contain a training run",
            seen=directory,
            remedy="Give the directory that `valuebias train` wrote.",
        )
    return Run(
        directory,
        load_recipe(directory / RECIPE, sources=False),
        read_object(directory / RECORD),
        checkpoints(directory),
        (directory / FINISHED).is_file(),
    )


def checkpoints(directory: Path) -> tuple[Checkpoint, ...]:
    """A run's whole checkpoints, in the order of their steps."""
    whole = []
    for path in directory.glob(f"{PREFIX}*"):
        number = path.name.removeprefix(PREFIX)
        if number.isdigit() and is_whole(path):
            whole.append(Checkpoint(int(number), path))
    return tuple(sorted(whole, key=lambda checkpoint: checkpoint.step))


def is_whole(checkpoint: Path, *, deep: bool = False) -> bool:
    """Whether every file of a checkpoint is there in its size, or (``deep``) its very content."""
    try:
        listed = json.loads((checkpoint / MANIFEST).read_bytes())["files"]
        for name, (size, sha256) in listed.items():
            if (checkpoint / name).stat().st_size != size:
                return False
            if deep and _sha256(checkpoint / name) != sha256:
                return False
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False
    return bool(listed)


def seal(staged: Path, final: Path) -> None:
    """Make a staged checkpoint a checkpoint: list its files, sync them to disk, rename it."""
    files = sorted(path for path in staged.rglob("*") if path.is_file())
    listed = {
        path.relative_to(staged).as_posix(): [path.stat().st_size, _sha256(path)] for path in files
    }
    step = int(final.name.removeprefix(PREFIX))
    write_json(staged / MANIFEST, {"step": step, "files": listed})
    for path in (*files, staged):
        _sync(path)
    if final.exists():  # one that is not whole: resuming left it out
        shutil.rmtree(final)
    staged.rename(final)
    _sync(final.parent)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON object whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(text, encoding="utf-8")
    _sync(temporary)
    temporary.replace(path)


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in one of a run's files. Raises TrainingError."""
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        content = error
    if not isinstance(content, dict):
        raise TrainingError(
            f"{path.name} of a training run cannot be read",
            seen=path if isinstance(content, list) else content,
            remedy="Train into another directory, or remove this one.",
        )
    return content


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a file of JSON objects; a last one that was cut off does not count."""
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    objects = []
    for line in lines:
        try:
            content = json.loads(line)
        except ValueError:
            continue
        if isinstance(content, dict):
            objects.append(content)
    return objects


def forget_after(directory: Path, step: int) -> None:
    """Drop the metrics of steps that will be repeated."""
    kept = [line for line in read_lines(directory / METRICS) if line.get("step", 0) <= step]
    write_text(directory / METRICS, "".join(json.dumps(line) + "\n" for line in kept))


def append_line(path: Path, content: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(content) + "\n")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    """Wait until a file, or a folder's list of files, is on the disk."""
    if os.name == "nt":
        return  # only files opened for writing can be synced there
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
