"""What people said of things: one rating a word, from a CSV file or an installed one.

    load_ratings("norms.csv:word=Word,rating=Valence") -> Ratings

Which column holds the words, which the ratings, and which end of them is the better is said by the
file (columns named word and rating, or word and rank) or by the user, and never guessed: ``rating``
is a column where more is more of what was rated, ``rank`` one where 1 is the best.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

from valuebias.errors import LexiconError, SpecError
from valuebias.files import decoded
from valuebias.lexicons.index import fold
from valuebias.lexicons.install import PUBLISHED, installed
from valuebias.lexicons.lexicon import Lexicon

SETTINGS = r":(?:word|rating|rank)=.*$"
"""What follows a file's name in a spec, as a regular expression."""

_NAME = re.compile(r"[^\s/\\:@=\[\]]+")
_MISSING = ("", "NA")
_FORMS = (
    "Give FILE, FILE:word=COLUMN,rating=COLUMN (more is better), FILE:word=COLUMN,rank=COLUMN "
    "(1 is best), or the name of installed ratings, with a name if wanted, as in NAME=FILE."
)

Direction = Literal["rating", "rank"]


@dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings of things by people; higher is more of what was rated, of ranks better.

    ``label`` is what reports and node ids show, ``text`` the spec as given, ``source`` the file and
    its columns. ``values`` holds each thing's rating (of a rank its negative), in the file's order;
    ``notes`` what was left out on reading. It is a function from word to rating too, so that it can
    be given as a covariate; a word without a rating has NaN.
    """

    label: str
    text: str
    source: str
    values: Mapping[str, float]
    notes: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 of the things and their ratings, whatever the file's format and name."""
        lines = sorted(f"{thing}\x1f{value!r}" for thing, value in self.values.items())
        return hashlib.sha256("\x1e".join(lines).encode()).hexdigest()

    def __call__(self, word: str) -> float:
        """The rating of exactly this text, else that of its one variant in case and white space:
        "love" is rated as "Love". NaN where there is none, and where several variants were rated
        and none is exactly this."""
        if word in self.values:
            return self.values[word]
        variants = self._variants.get(fold(word), ())
        return self.values[variants[0]] if len(variants) == 1 else math.nan

    def ambiguous(self, words: Iterable[str]) -> tuple[str, ...]:
        """The words of which several variants were rated, none of them exactly."""
        return tuple(
            w for w in words if w not in self.values and len(self._variants.get(fold(w), ())) > 1
        )

    def lexicon(self) -> Lexicon:
        """The things that were rated as a lexicon of one category, "rated"."""
        things = tuple(name for name in self.values if not name.endswith("*"))
        return Lexicon(self.label, {"rated": things}, title=f"what was rated in {self.source}")

    @cached_property
    def _variants(self) -> dict[str, list[str]]:
        variants: dict[str, list[str]] = {}
        for thing in self.values:
            variants.setdefault(fold(thing), []).append(thing)
        return variants


def load_ratings(text: str, cache_dir: Path | None = None) -> Ratings:
    """Read ``SPEC`` or ``NAME=SPEC``, where SPEC is ``FILE``, ``FILE:word=COLUMN,rating=COLUMN``,
    ``FILE:word=COLUMN,rank=COLUMN`` or the name of installed ratings (``eloeverything``).

    Raises SpecError for another form, a file that does not exist and ratings that are not
    installed; LexiconError, naming the columns or the line, for a file whose columns are not known,
    a rating that is no number, and a thing that is rated twice.
    """
    given = text.strip()
    named = re.search(SETTINGS, given)
    settings = named[0][1:] if named and not os.path.isfile(given) else ""
    rest = given.removesuffix(f":{settings}") if settings else given
    label, equals, target = rest.partition("=")
    if not equals or os.path.isfile(os.path.expanduser(rest)) or not _NAME.fullmatch(label):
        label, target = "", rest
    target = target.strip()
    if not target:
        raise SpecError("ratings need a file", seen=repr(text), remedy=_FORMS)
    columns = _columns(settings, text)
    path = Path(os.path.expanduser(target))
    if os.path.isfile(path):  # unlike Path's, false for an impossible name
        return _read(path, label or path.name, text, columns)
    path, columns = _installed(target, columns, cache_dir)
    return _read(path, label or target, text, columns)


def _installed(
    name: str, columns: Mapping[str, str], cache_dir: Path | None
) -> tuple[Path, Mapping[str, str]]:
    """The installed file and its columns."""
    published = PUBLISHED.get(name)
    if published is None or not published.columns:
        known = ", ".join(each.name for each in PUBLISHED.values() if each.columns)
        raise SpecError(
            "file of ratings not found",
            seen=name,
            remedy=f"{_FORMS} Those that can be installed: {known}.",
        )
    if columns:
        raise SpecError(
            f"the columns of {name} are known",
            seen=", ".join(f"{key}={column}" for key, column in columns.items()),
            remedy=f"Give {name} alone.",
        )
    path = installed(name, cache_dir)
    if path is None:
        raise SpecError(
            f"the ratings {name} are not installed",
            remedy=f"Fetch them with: valuebias lexicon install {name}",
        )
    return path, published.columns


def _columns(settings: str, text: str) -> Mapping[str, str]:
    """The columns that a spec names."""
    columns: dict[str, str] = {}
    for setting in filter(None, settings.split(",")):
        key, _, column = setting.partition("=")
        key = key.strip()
        if key not in ("word", "rating", "rank") or key in columns or not column.strip():
            raise SpecError("not a column of ratings", seen=f"{setting} in {text}", remedy=_FORMS)
        columns[key] = column.strip()
    if "rating" in columns and "rank" in columns:
        raise SpecError(
            "ratings are read from one column",
            seen=text,
            remedy="Give rating=COLUMN (more is better) or rank=COLUMN (1 is best).",
        )
    return columns


def _read(path: Path, label: str, text: str, columns: Mapping[str, str]) -> Ratings:
    try:
        content = decoded(path.read_bytes(), str(path), LexiconError)
        rows = list(_rows(content))
    except (OSError, csv.Error) as error:
        raise LexiconError(
            f"{path}: cannot read the ratings",
            seen=getattr(error, "strerror", None) or str(error),
            remedy="Give a CSV file in UTF-8 with a header.",
        ) from None
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    word_at, rated_at, direction = _places(path, header, columns)
    values: dict[str, float] = {}
    lines: dict[str, int] = {}
    missing = 0
    for line, row in rows[1:]:
        if len(row) != len(header):
            raise LexiconError(
                f"{path}, line {line}: {len(row)} cells where the header has {len(header)}",
                seen=",".join(row)[:80],
                remedy="Fix the row; quote a cell that contains a comma.",
            )
        thing, cell = row[word_at].strip(), row[rated_at].strip()
        if cell in _MISSING or not thing:
            missing += 1
            continue
        if thing in values:
            raise LexiconError(
                f"{path}, line {line}: rated twice",
                seen=f"{thing} (line {lines[thing]} too)",
                remedy="Give each thing once, with the mean of its ratings.",
            )
        values[thing], lines[thing] = _number(path, line, cell, direction), line
    if not values:
        raise LexiconError(
            f"{path}: no ratings in this file", remedy="Give a header, then a row for each word."
        )
    notes = (f"{missing} rows without a word or a rating left out",) if missing else ()
    more = "1 is best" if direction == "rank" else "higher is more"
    source = f"{path.name}, column {header[rated_at]} ({more})"
    return Ratings(label, text, source, values, notes)


def _rows(content: str) -> Iterator[tuple[int, list[str]]]:
    """Each row that is not empty, with the line on which it ends."""
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    yield from ((reader.line_num, row) for row in reader if any(cell.strip() for cell in row))


def _places(
    path: Path, header: Sequence[str], columns: Mapping[str, str]
) -> tuple[int, int, Direction]:
    """Where the words and their ratings are, and which of the two kinds these are."""
    both: tuple[Direction, ...] = ("rating", "rank")
    kinds = [k for k in both if k in columns] or [k for k in both if k in header]
    if ("word" not in columns and "word" not in header) or len(kinds) != 1:
        raise LexiconError(
            f"{path}: which columns are the words and their ratings, and whether more is better, "
            "cannot be known",
            seen=f"the columns {', '.join(header) or 'none'}",
            remedy=f"Say it: {path.name}:word=COLUMN,rating=COLUMN where more is better (or more "
            "of what was rated), rank=COLUMN where 1 is best.",
        )
    kind = kinds[0]
    wanted = columns.get("word", "word"), columns.get(kind, kind)
    for column in wanted:
        if header.count(column) != 1:
            raise LexiconError(
                f"{path}: {header.count(column)} columns are named {column}",
                seen=f"the columns {', '.join(header)}",
                remedy="Name one that is there once.",
            )
    if kind == "rating" and "rank" in wanted[1].casefold():
        raise LexiconError(
            f"{path}: a column of ranks was named as one where more is better",
            seen=f"rating={wanted[1]}",
            remedy=f"Give rank={wanted[1]} where 1 is best; else rename the column.",
        )
    return header.index(wanted[0]), header.index(wanted[1]), kind


def _number(path: Path, line: int, cell: str, direction: Direction) -> float:
    try:
        number = math.nan if "_" in cell else float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or (direction == "rank" and number < 1):
        what = "a rank from 1" if direction == "rank" else "a finite number"
        raise LexiconError(
            f"{path}, line {line}: not {what}",
            seen=cell[:80],
            remedy="Fix the cell; leave it empty, or NA, where there is no rating.",
        )
    return -number if direction == "rank" else number
