"""Files of recorded scores: CSV or Parquet, read and written.

One row per candidate, the columns `token_id` (optional, and then the key), `response`, and one for
each prompt, headed by its id or its text. Strings that are not valid Unicode are backslash-escaped.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import math
import os
import tempfile
from array import array
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from valuebias.candidates import Candidates
from valuebias.errors import ScoresError, SpecError, visible
from valuebias.prompts import PAPER, Prompt, PromptSet, known, resolve
from valuebias.scores import FloatArray, Scores

_SUFFIXES = (".csv", ".parquet")
_LONGEST_CELL = 1 << 20


def read_scores(path: Path, label: str, prompts: PromptSet = PAPER) -> Scores:
    """Read CSV or Parquet, with columns named by ids or texts of ``prompts``; the provenance names
    the model by ``label`` and has the file's SHA-256 as fingerprint. Raises ScoresError naming file
    and line (of Parquet: row)."""
    _check_suffix(path)
    try:
        data = path.read_bytes()
    except OSError as e:
        raise ScoresError(
            f"cannot read the scores {path}", seen=e.strerror, remedy="Give a readable file."
        ) from None
    table = _Table(path, prompts)
    if path.suffix.lower() == ".parquet":
        _read_parquet(table, data)
    else:
        _read_csv(table, data)
    return table.scores({"model": label, "fingerprint": hashlib.sha256(data).hexdigest()})


def write_scores(scores: Scores, path: Path, prompts: PromptSet = PAPER) -> None:
    """Write CSV or Parquet, as the suffix says, so that `read_scores` with the same ``prompts``
    gives back the same float32 numbers. Columns are headed by the ids of shipped prompts and the
    texts of others. The file is replaced at once or not at all.

    Raises ScoresError if a score is not finite, or if without token ids two responses are the same
    once escaped.
    """
    _check_suffix(path)
    scores.check_finite()
    responses = [_printed(r) for r in scores.candidates.responses]
    token_ids = scores.candidates.token_ids
    if token_ids is None and len(set(responses)) < len(responses):
        raise ScoresError(
            "two responses are the same once written as valid Unicode",
            remedy="Score by token id.",
        )
    for header in (headers := [p.id if known(p.id) == p else p.text for p in scores.prompts]):
        _prompt(header, str(path), prompts)
    handle, temporary = tempfile.mkstemp(dir=path.parent or ".", prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as out:
            if path.suffix.lower() == ".parquet":
                columns: dict[str, pa.Array] = {}
                if token_ids is not None:
                    columns["token_id"] = pa.array(token_ids, pa.int64())
                columns["response"] = pa.array(responses, pa.string())
                columns |= dict(zip(headers, map(pa.array, scores.values), strict=True))
                pq.write_table(pa.table(columns), out)
            else:
                first = [] if token_ids is None else ["token_id"]
                out.write((",".join([*first, "response", *map(_quoted, headers)]) + "\n").encode())
                for i, response in enumerate(responses):
                    cells = [] if token_ids is None else [str(token_ids[i])]
                    cells.append(_quoted(response))
                    # Nine digits identify every float32.
                    cells += [f"{value:.9g}" for value in scores.values[:, i].tolist()]
                    out.write((",".join(cells) + "\n").encode())
        os.replace(temporary, path)
    except BaseException:
        os.unlink(temporary)
        raise


class _Table:
    """The columns of a file while it is read, with the checks that both formats share."""

    def __init__(self, path: Path, known: PromptSet) -> None:
        self.path = path
        self.known = known
        self.responses: list[str] = []
        self.tokens: list[int] | None = None
        self.prompts: list[Prompt] = []
        self.values: FloatArray = np.empty((0, 0), np.float32)
        self.lines: Sequence[int] = ()

    def fail(self, where: str, what: str, remedy: str, seen: object = None) -> ScoresError:
        return ScoresError(f"{self.path}, {where}: {what}", seen=seen, remedy=remedy)

    def columns(self, names: Sequence[str]) -> tuple[int, int | None, list[int]]:
        """Where response, token id and prompts are; fills in the prompts."""
        twice = next((n for i, n in enumerate(names) if n in names[:i]), None)
        if twice is not None:
            raise self.fail(
                "header", "two columns have the same name", "Remove one of them.", twice
            )
        if "response" not in names:
            line = ",".join(names)
            for mark, name in ((";", "semicolons"), ("\t", "tabs")):
                cells = [cell.strip(' "') for cell in line.split(mark)]
                if len(cells) > 1 and (len(names) == 1 or "response" in cells):
                    raise self.fail(
                        "header",
                        f"the columns are separated by {name}",
                        "Separate them by commas.",
                        line[:80],
                    )
            raise self.fail(
                "header",
                "no column `response`",
                "Give a first line with response and the prompts' ids.",
                ",".join(names)[:80],
            )
        others = [i for i, n in enumerate(names) if n not in ("response", "token_id")]
        self.prompts = [_prompt(names[i], f"{self.path}, header", self.known) for i in others]
        texts = [p.text for p in self.prompts]
        again = next((p.id for i, p in enumerate(self.prompts) if p.text in texts[:i]), None)
        if again is not None:
            raise self.fail("header", "a prompt has two columns", "Remove one of them.", again)
        if not others:
            raise self.fail("header", "no prompt", "Add a column headed by a prompt's id.")
        return (
            names.index("response"),
            names.index("token_id") if "token_id" in names else None,
            others,
        )

    def scores(self, provenance: dict[str, str]) -> Scores:
        """The table as scores. Raises ScoresError without rows and for duplicate keys."""
        if not self.responses:
            raise self.fail("header", "no rows after it", "Give a row for each response.")
        keys: Sequence[object] = self.tokens if self.tokens is not None else self.responses
        seen: dict[object, int] = {}
        for i, key in enumerate(keys):
            if key in seen:
                what = "response" if self.tokens is None else "token id"
                raise self.fail(
                    self.where(i),
                    f"the {what} was already given in {self.where(seen[key])}",
                    "Keep one of the rows; where spellings repeat, add a token_id column.",
                    key,
                )
            seen[key] = i
        candidates = Candidates(
            tuple(self.responses),
            None if self.tokens is None else tuple(self.tokens),
            "text" if self.tokens is None else "token",
        )
        return Scores(self.values, tuple(self.prompts), candidates, provenance)

    def check_finite(self, written: Callable[[int, int], object]) -> None:
        """``written`` gives the number in a row and a prompt's column as written in the file."""
        bad = np.argwhere(~np.isfinite(self.values.T))
        if not len(bad):
            return
        row, column = bad[0].tolist()
        number = str(written(row, column)).strip()
        large = "n" not in number.lower()  # neither nan nor inf nor infinity
        raise self.fail(
            self.where(row),
            f"the score for {visible(self.prompts[column].id)} is "
            + ("beyond the range of float32" if large else "not finite"),
            "Give scores within ±3.4e38." if large else "Score this response again.",
            number,
        )

    def where(self, row: int) -> str:
        return f"line {self.lines[row]}" if self.lines else f"row {row + 1}"


def _read_csv(table: _Table, data: bytes) -> None:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise table.fail("header", "the file is in UTF-16", "Save it as UTF-8.")
    if not data.removeprefix(codecs.BOM_UTF8).strip():
        raise ScoresError(
            f"{table.path} is empty",
            remedy="Give a header of response and the prompts' ids, then one row per response.",
        )
    text = data.decode("utf-8-sig", errors="backslashreplace")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    limit = csv.field_size_limit(_LONGEST_CELL)
    numbers, lines, line = array("d"), array("q"), 1
    try:
        header = next(reader, [])
        response_at, token_at, prompts_at = table.columns(header)
        if token_at is not None:
            table.tokens = []
        line = reader.line_num + 1
        for row in reader:
            if row:
                if len(row) != len(header):
                    raise table.fail(
                        f"line {line}",
                        f"{len(row)} cells where the header has {len(header)}",
                        "Fix the row; quote a response that contains a comma.",
                        ",".join(row)[:80],
                    )
                table.responses.append(row[response_at])
                lines.append(line)
                if table.tokens is not None and token_at is not None:
                    table.tokens.append(_token_id(table, f"line {line}", row[token_at]))
                cells = [row[i] for i in prompts_at]
                try:
                    numbers.extend(map(float, cells))
                except ValueError:
                    raise _not_number(table, f"line {line}", cells) from None
                if any("_" in cell for cell in cells):  # Python's 1_000
                    raise _not_number(table, f"line {line}", cells)
            line = reader.line_num + 1
        with np.errstate(over="ignore"):  # becomes infinite, and is refused as such
            wide = np.frombuffer(numbers, np.float64).reshape(-1, len(table.prompts))
            table.values = np.ascontiguousarray(wide.T.astype(np.float32))
        table.lines = lines

        def written(row: int, column: int) -> str:
            rows = filter(None, csv.reader(io.StringIO(text, newline="")))
            return next(islice(rows, row + 1, None))[prompts_at[column]]

        table.check_finite(written)
    except csv.Error as e:
        raise table.fail(f"line {line}", "not a row of CSV", "Fix its quotes.", e) from None
    finally:
        csv.field_size_limit(limit)


def _read_parquet(table: _Table, data: bytes) -> None:
    try:
        # The names come first: reading two columns of one name fails in Arrow's words.
        names = pq.read_schema(pa.BufferReader(data)).names
        response_at, token_at, prompts_at = table.columns(names)
        content = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError) as e:
        raise ScoresError(
            f"{table.path} is not a Parquet file",
            seen=str(e).splitlines()[0],
            remedy="Write it again, or give CSV a name that ends in .csv.",
        ) from None
    for name in content.column_names:
        if content[name].null_count:
            row = content[name].is_null().to_pylist().index(True)
            raise table.fail(
                f"row {row + 1}", f"empty cell in column {visible(name)}", "Fill the cell in."
            )
    table.responses = _texts(table, content.column(response_at))
    if token_at is not None:
        tokens = content.column(token_at)
        if not pa.types.is_integer(tokens.type):
            raise table.fail("header", "token ids are not integers", "Cast them.", tokens.type)
        table.tokens = [
            _token_id(table, f"row {i + 1}", t) for i, t in enumerate(tokens.to_pylist())
        ]
    rows = []
    for i in prompts_at:
        column = content.column(i)
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            raise table.fail(
                "header",
                f"the column {visible(content.column_names[i])} does not hold numbers",
                "Cast it to float32.",
                column.type,
            )
        with np.errstate(over="ignore"):
            rows.append(column.to_numpy().astype(np.float32))
    table.values = np.array(rows, np.float32).reshape(len(prompts_at), len(table.responses))
    table.check_finite(lambda row, column: content.column(prompts_at[column])[row].as_py())


def _texts(table: _Table, column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        raw: Iterable[bytes] = column.cast(pa.large_binary()).to_pylist()
    except pa.ArrowException:
        raise table.fail(
            "header", "the responses are not text", "Cast them to strings.", column.type
        ) from None
    return [text.decode("utf-8", errors="backslashreplace") for text in raw]


def _token_id(table: _Table, where: str, cell: str | int) -> int:
    text = str(cell).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise table.fail(
            where, "a token id must be an integer >= 0", "Give the vocabulary's id.", cell
        )
    return int(text)


def _not_number(table: _Table, where: str, cells: Sequence[str]) -> ScoresError:
    def numeric(cell: str) -> bool:
        try:
            return math.isfinite(float(cell)) and "_" not in cell
        except ValueError:
            return False

    at = next(i for i, cell in enumerate(cells) if not numeric(cell))
    prompt = visible(table.prompts[at].id)
    return table.fail(where, f"the score for {prompt} is not a number", "Fix the cell.", cells[at])


def _prompt(header: str, where: str, prompts: PromptSet) -> Prompt:
    try:
        return resolve(header, prompts)
    except SpecError as e:
        raise ScoresError(
            f"{where}: a column's name is neither response, token_id, the id of a prompt nor a "
            "question",
            seen=header,
            remedy="Rename or remove the column, or name its set (--valuebias-prompts). Ids of "
            f"{prompts.title} look like {visible(prompts.lead.id)}.",
        ) from e


def _check_suffix(path: Path) -> None:
    if path.suffix.lower() not in _SUFFIXES:
        raise ScoresError(
            f"{path} is neither CSV nor Parquet",
            seen=path.suffix or "no suffix",
            remedy="Give a name that ends in .csv or .parquet.",
        )


def _printed(text: str) -> str:
    return text.encode("utf-8", errors="backslashreplace").decode("utf-8")


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
