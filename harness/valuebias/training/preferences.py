"""Preferences from a file or a data set of the hub, each with its line."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from valuebias.errors import TrainingError
from valuebias.files import decoded
from valuebias.training.recipe import DataSource, Recipe
from valuebias.training.row_forms import Preference, PrefersNothing, preference

_SHOWN = 20


@dataclass(frozen=True)
class Preferences:
    """What a source holds, in its order.

    ``invalid`` lists the pairs left out because they prefer nothing, as messages. ``sha256`` is
    the file's, or that of a hub data set's rows written as JSON. ``stripped`` counts the pairs
    whose texts began with their prompt.
    """

    pairs: tuple[Preference, ...]
    invalid: tuple[str, ...]
    sha256: str
    stripped: int


def read_preferences(recipe: Recipe, *, offline: bool = False) -> Preferences:
    """All preferences of a recipe's source.

    Raises TrainingError naming file and line: on rows that are malformed; on pairs that prefer
    nothing unless the recipe leaves them out; on pairs without a margin where it asks for theirs.
    """
    source = recipe.data
    digest = hashlib.sha256()
    pairs, invalid = [], []
    rows = _file_rows(Path(source.source)) if source.is_file else _hub_rows(source, offline, digest)
    for where, row in rows:
        try:
            pair = preference(row, where, source)
        except PrefersNothing as error:
            if recipe.invalid == "error":
                raise
            invalid.append(error.what)
            continue
        if recipe.margin == "data" and pair.margin is None:
            raise TrainingError(
                f"{where}: the pair has no `margin`, which the recipe asks for",
                remedy="Give every pair one, or a number as the recipe's `margin`.",
            )
        pairs.append(pair)
    if not pairs:
        raise TrainingError(
            "there are no preferences to train on", seen=source.source, remedy="Give pairs."
        )
    if source.is_file:
        digest = file_digest(Path(source.source))
    stripped = sum(pair.stripped for pair in pairs)
    return Preferences(tuple(pairs), tuple(invalid), digest.hexdigest(), stripped)


def file_digest(path: Path) -> Any:
    """The hashlib digest (SHA-256) of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def _file_rows(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        yield from _parquet(path) if path.suffix.lower() == ".parquet" else _json_lines(path)
    except (OSError, EOFError) as error:
        raise TrainingError(
            f"the preferences {path} cannot be read", seen=error, remedy="Give a readable file."
        ) from None


def _json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            where = f"{path.name}, line {number}"
            if not line.strip():
                continue
            text = decoded(line, path.name, TrainingError, line=number)
            try:
                yield where, json.loads(text)
            except (ValueError, RecursionError) as error:
                raise TrainingError(
                    f"{where}: not JSON",
                    seen=f"{error}: {text[:80]!r}",
                    remedy="Write one pair a line, as a JSON object.",
                ) from None


def _parquet(path: Path) -> Iterator[tuple[str, Any]]:
    import pyarrow  # type: ignore[import-untyped]
    import pyarrow.parquet  # type: ignore[import-untyped]

    try:
        table = pyarrow.parquet.ParquetFile(path)
        number = 0
        for batch in table.iter_batches(batch_size=1024):
            for row in _rows(batch, path.name, number):
                number += 1
                yield f"{path.name}, row {number}", row
    except pyarrow.ArrowInvalid as error:
        raise TrainingError(
            f"{path.name} is not a readable Parquet file", seen=error, remedy="Save it again."
        ) from None


def _rows(batch: Any, name: str, before: int) -> list[Any]:
    """The rows of a batch. Parquet does not check that its strings are UTF-8."""
    try:
        return list(batch.to_pylist())
    except UnicodeDecodeError:
        for index in range(len(batch)):
            try:
                batch.slice(index, 1).to_pylist()
            except UnicodeDecodeError as error:
                raise TrainingError(
                    f"{name}, row {before + index + 1}: a string is not UTF-8",
                    seen=error,
                    remedy="Save its strings as UTF-8.",
                ) from None
        raise


def _hub_rows(source: DataSource, offline: bool, digest: Any) -> Iterator[tuple[str, Any]]:
    try:
        import datasets  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        raise TrainingError(
            "a data set of the hub needs the package datasets, which is not installed",
            seen=source.source,
            remedy="Install it: pip install 'pytest-valuebias[train]'.",
        ) from None
    options: dict[str, Any] = {}
    if offline:
        options["download_config"] = datasets.DownloadConfig(local_files_only=True)
    try:
        rows = datasets.load_dataset(
            source.source, source.config, split=source.split, revision=source.revision, **options
        )
    except Exception as error:  # the hub, the network and the data set raise many errors
        text = str(error).strip().partition("\n")[0]
        raise TrainingError(
            "the data set cannot be loaded",
            seen=f"{source.source}: {type(error).__name__}: {text}",
            remedy="Check its name, config, split and revision, and the network.",
        ) from None
    for number, row in enumerate(rows, start=1):
        digest.update(
            json.dumps(row, sort_keys=True, default=str).encode("utf-8", "backslashreplace")
        )
        yield f"{source.source} [{source.split}], row {number}", row


def told(invalid: tuple[str, ...]) -> list[str]:
    """Lines that name the first of the pairs left out."""
    more = len(invalid) - _SHOWN
    return [*invalid[:_SHOWN], *([f"and {more} more"] if more > 0 else [])]
