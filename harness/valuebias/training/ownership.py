"""Checks that a run continues only with its own recipe, base and preferences."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from valuebias.errors import TrainingError
from valuebias.training import run_directory
from valuebias.training.preferences import file_digest
from valuebias.training.recipe import Recipe, load_recipe
from valuebias.training.run_directory import Run


def check_directory(directory: Path, recipe: Recipe) -> None:
    """Raise TrainingError unless the directory is new, empty, or holds a run of this recipe."""
    path = directory / run_directory.RECIPE
    if directory.exists() and not directory.is_dir():
        raise TrainingError(
            "the run directory is a file", seen=directory, remedy="Give a directory."
        )
    if not directory.exists() or not any(
        entry.name != run_directory.LOCK and not entry.name.endswith(".new")
        for entry in directory.iterdir()
    ):
        return
    if not path.is_file():
        raise TrainingError(
            "the directory to train into contains something other than a training run",
            seen=directory,
            remedy="Give a new or an empty directory.",
        )
    before = _portable(load_recipe(path, sources=False))
    now = _portable(recipe)
    other = [key for key in now if now[key] != before[key]]
    if other:
        shown = ", ".join(f"{key}: {before[key]} there, {now[key]} now" for key in other)
        raise TrainingError(
            "the directory contains the run of another recipe",
            seen=f"{directory}: {shown}",
            remedy="Train into another directory, or remove this one.",
        )


def _portable(recipe: Recipe) -> dict[str, Any]:
    """A recipe without the paths of its files: their content is compared by fingerprint."""
    values = asdict(recipe)
    values["base"] = recipe.base.rstrip("/").rpartition("/")[2]
    values["fits"] = tuple(text.rstrip("/").rpartition("/")[2] for text in recipe.fits)
    values["data"]["source"] = recipe.data.source.rpartition("/")[2]
    return values


def check_sources(recipe: Recipe, run: Run) -> None:
    """Raise TrainingError if a finished run's file of preferences has changed since."""
    source = Path(recipe.data.source)
    if recipe.data.is_file and source.is_file():
        digest = file_digest(source).hexdigest()
        if digest != run.record["data"]["sha256"]:
            raise _changed(run.directory, "data", "sha256", run.record["data"]["sha256"], digest)


def check_record(directory: Path, record: dict[str, Any]) -> None:
    """Write what the run is made from, or check that it still is. Raises TrainingError."""
    path = directory / run_directory.RECORD
    if not path.is_file():
        run_directory.write_json(path, record)
        return
    before = run_directory.read_object(path)
    for part, names in (("base", ("fingerprint",)), ("data", ("sha256", "tokens_sha256"))):
        for name in names:
            was, now = before[part][name], record[part][name]
            if was != now:
                raise _changed(directory, part, name, was, now)


def _changed(directory: Path, part: str, name: str, was: str, now: str) -> TrainingError:
    return TrainingError(
        f"the run's {'base model' if part == 'base' else 'preferences'} changed since it began",
        seen=f"{directory}: {name} {was[:12]} then, {now[:12]} now",
        remedy="Restore the files, or train into another directory.",
    )


def claim(directory: Path, recipe: Recipe) -> None:
    """Make the directory, with the recipe in it. Raises TrainingError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        if not (directory / run_directory.RECIPE).is_file():
            run_directory.write_text(directory / run_directory.RECIPE, recipe.yaml())
    except OSError as error:
        raise TrainingError(
            "the directory to train into cannot be written to",
            seen=error,
            remedy="Give a directory that you can write to.",
        ) from None


def last_whole(directory: Path) -> run_directory.Checkpoint | None:
    """The last checkpoint whose files have not changed since it was sealed."""
    return next(
        (
            checkpoint
            for checkpoint in reversed(run_directory.checkpoints(directory))
            if run_directory.is_whole(checkpoint.path, deep=True)
        ),
        None,
    )
