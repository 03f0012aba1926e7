"""Median ranks of two categories' words at the checkpoints of training runs, without the words.

This is how the paper's authors publish their ablation: one number for a run, a category and a
checkpoint. No interval can be had from it, so it is shown and held against nothing.
"""

from __future__ import annotations

import csv
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from valuebias.errors import ScoresError, SpecError
from valuebias.files import decoded
from valuebias.models.spec import check_distinct

SCHEME = "ranks:"
"""What comes before the file in ``--valuebias-checkpoints``."""
WHY = "ranks of categories without words: no interval"
"""Why such ranks are NOT GATED."""

_NEEDED = ("model_id", "Category", "checkpoint", "sum_value")
_SAID = ("base_model", "data_size", "data_source", "method", "prompt")
_NUMBERS = ("", "X")
"""Headings of R's row numbers, which say nothing and differ where a row is repeated."""
_NUMBER = re.compile(r"\d{1,15}(?:\.\d+)?(?:[eE][+-]?\d{1,2})?", re.ASCII)


@dataclass(frozen=True)
class RankedRun:
    """One run: at each of its ``steps`` the median rank of the first and of the second category's
    words (1 is preferred). ``base`` is None where the file does not name it."""

    label: str
    base: str | None
    steps: tuple[int, ...]
    ranks: tuple[tuple[float, float], ...]

    @property
    def differences(self) -> tuple[float, ...]:
        """The first category's median rank less the second's; below zero the first is preferred."""
        return tuple(first - second for first, second in self.ranks)


@dataclass(frozen=True)
class RankGap:
    """The first run's difference less the second's at the steps that both have; below zero, the
    first run prefers the first category more."""

    first: str
    second: str
    steps: tuple[int, ...]
    differences: tuple[float, ...]

    @property
    def turns(self) -> tuple[int, ...]:
        """The steps at which the runs have changed places since the last step before."""
        turned, side = [], 0.0
        for step, gap in zip(self.steps, self.differences, strict=True):
            if gap * side < 0:
                turned.append(step)
            side = gap or side
        return tuple(turned)


@dataclass(frozen=True)
class CategoryRanks:
    """A file: two categories, the runs, and what else it says of all of them.

    ``repeated`` is the number of rows that were left out because an equal one had been read.
    """

    label: str
    path: Path
    sides: tuple[str, str]
    runs: tuple[RankedRun, ...]
    said: Mapping[str, str]
    repeated: int

    @property
    def gaps(self) -> tuple[RankGap, ...]:
        """Each two runs that have a step in common, as the file has them."""
        return tuple(gap for a, b in combinations(self.runs, 2) if (gap := _gap(a, b)).steps)


def names_ranks(text: str) -> bool:
    """Whether a text is ``ranks:FILE`` or ``NAME=ranks:FILE``."""
    return _parts(text) is not None


def parse_ranks(text: str) -> CategoryRanks:
    """Read the file that ``ranks:FILE`` or ``NAME=ranks:FILE`` names.

    It is CSV with the columns model_id, Category (two of them), checkpoint (steps) and sum_value
    (the median rank); base_model, data_size, data_source, method and prompt may be there, and row
    numbers. Equal rows are read once. Raises SpecError without a file, and ScoresError naming the
    line for rows that contradict each other, are missing, or are no ranks.
    """
    parts = _parts(text)
    assert parts is not None
    name, given = parts
    path = Path(os.path.abspath(os.path.expanduser(given)))
    if not given or not path.is_file():
        raise SpecError(
            "file of category ranks not found",
            seen=text,
            remedy="Give a CSV file with the columns " + ", ".join(_NEEDED) + ".",
        )
    return _read(path, name or path.name)


def check_labels(files: Iterable[CategoryRanks]) -> None:
    """Raise SpecError if two files have the same label."""
    check_distinct(
        files,
        "files of category ranks",
        lambda file: str(file.path),
        lambda file: f"{SCHEME}{file.path}",
    )


def _parts(text: str) -> tuple[str, str] | None:
    name, found, given = text.strip().partition(SCHEME)
    label, equals, rest = name.rpartition("=")
    if not found or rest.strip() or (name and not equals):
        return None
    return label.strip(), given.strip()


def _gap(a: RankedRun, b: RankedRun) -> RankGap:
    mine, others = (dict(zip(run.steps, run.differences, strict=True)) for run in (a, b))
    steps = tuple(step for step in a.steps if step in others)
    return RankGap(a.label, b.label, steps, tuple(mine[step] - others[step] for step in steps))


@dataclass(frozen=True)
class _Row:
    """One row: what it says, whatever its number."""

    line: int
    cells: Mapping[str, str]
    step: int
    rank: float


def _read(path: Path, label: str) -> CategoryRanks:
    rows: dict[tuple[str, str, int], _Row] = {}
    repeated = 0
    for row in _rows(path):
        key = (row.cells["model_id"], row.cells["Category"], row.step)
        known = rows.setdefault(key, row)
        if known is row:
            continue
        if (known.cells, known.rank) != (row.cells, row.rank):
            raise _wrong(
                path,
                row.line,
                f"contradicts line {known.line} on the same run, category and checkpoint",
                ", ".join(row.cells.values()),
                "Keep one of the two; ranks of different prompts or data go into files of their "
                "own.",
            )
        repeated += 1
    sides = tuple(dict.fromkeys(category for _, category, _ in rows))
    if len(sides) != 2:
        raise ScoresError(
            f"{path}: ranks of two categories are compared",
            seen=", ".join(sides) or "no row",
            remedy="Give a file with two categories in the column Category.",
        )
    said = {name: _all(rows.values(), name) for name in _SAID[1:]}
    if len(said["prompt"]) > 1:
        raise ScoresError(
            f"{path}: the ranks are on more than one prompt",
            seen=", ".join(said["prompt"]),
            remedy="Give one file for each prompt.",
        )
    runs = tuple(
        _run(path, name, (sides[0], sides[1]), [row for key, row in rows.items() if key[0] == name])
        for name in dict.fromkeys(name for name, _, _ in rows)
    )
    shown = {name: ", ".join(values) for name, values in said.items() if values}
    return CategoryRanks(label, path, (sides[0], sides[1]), runs, shown, repeated)


def _run(path: Path, label: str, sides: tuple[str, str], rows: Sequence[_Row]) -> RankedRun:
    bases = _all(rows, "base_model")
    if len(bases) > 1:
        raise ScoresError(
            f"{path}: {label} has more than one base_model",
            seen=", ".join(bases),
            remedy="Give each run a model_id of its own.",
        )
    ranks = {(row.step, row.cells["Category"]): row.rank for row in rows}
    for row in rows:
        for side in sides:
            if (row.step, side) not in ranks:
                what = f"has no {side} beside it at checkpoint {row.step}"
                raise _wrong(
                    path, row.line, what, label, "Give both categories at each checkpoint."
                )
    steps = tuple(sorted({row.step for row in rows}))
    pairs = tuple((ranks[step, sides[0]], ranks[step, sides[1]]) for step in steps)
    return RankedRun(label, bases[0] if bases else None, steps, pairs)


def _all(rows: Iterable[_Row], name: str) -> list[str]:
    """What the rows say in a column, each once; NA says nothing."""
    return [
        v for v in dict.fromkeys(row.cells.get(name, "") for row in rows) if v not in ("", "NA")
    ]


def _rows(path: Path) -> Iterator[_Row]:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise SpecError(
            "file of category ranks cannot be read",
            seen=f"{path}: {error.strerror}",
            remedy="Give a CSV file that can be read.",
        ) from None
    text = decoded(data, str(path), ScoresError)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    try:
        for cells in reader:
            if not header:
                header = _header(path, [cell.strip() for cell in cells])
            elif cells:
                yield _row(path, reader.line_num, header, [cell.strip() for cell in cells])
    except csv.Error as error:
        raise _wrong(path, reader.line_num, f"not CSV ({error})", None, "Save it as CSV.") from None


def _header(path: Path, names: list[str]) -> list[str]:
    missing = [name for name in _NEEDED if name not in names]
    unknown = [name for name in names if name not in (*_NEEDED, *_SAID, *_NUMBERS)]
    twice = [name for i, name in enumerate(names) if name in names[:i]]
    for columns, what in ((missing, "missing"), (unknown, "unknown"), (twice, "given twice")):
        if columns:
            raise ScoresError(
                f"{path}, line 1: a column is {what}: {columns[0] or 'one without a name'}",
                seen=",".join(names),
                remedy=f"The columns are {', '.join(_NEEDED)}; {', '.join(_SAID)} may be there.",
            )
    return names


def _row(path: Path, line: int, header: Sequence[str], cells: Sequence[str]) -> _Row:
    if len(cells) != len(header):
        what = f"has {len(cells)} cells, the header {len(header)}"
        raise _wrong(path, line, what, ",".join(cells), "Give one cell for each column.")
    named = {n: cell for n, cell in zip(header, cells, strict=True) if n not in _NUMBERS}
    for name in _NEEDED[:2]:
        if named[name] in ("", "NA"):
            raise _wrong(path, line, f"{name} is empty", named[name], "Name it.")
    step, rank = (_number(named.pop(name)) for name in _NEEDED[2:])
    at = dict(zip(header, cells, strict=True))
    if step is None or not step.is_integer():
        what, seen = "checkpoint must be an integer >= 0", at["checkpoint"]
        raise _wrong(path, line, what, seen, "Give the optimiser steps taken by then.")
    if rank is None or rank < 1:
        what, seen = "sum_value must be a rank, a number >= 1", at["sum_value"]
        raise _wrong(path, line, what, seen, "Give the median rank; leave out what has none.")
    return _Row(line, named, int(step), rank)


def _number(cell: str) -> float | None:
    """A number as R writes it, such as 735.5 or 1e+05."""
    value = float(cell) if _NUMBER.fullmatch(cell) else math.inf
    return value if math.isfinite(value) else None


def _wrong(path: Path, line: int, what: str, seen: object, remedy: str) -> ScoresError:
    return ScoresError(f"{path}, line {line}: {what}", seen=seen, remedy=remedy)
