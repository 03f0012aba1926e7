"""Files of recorded scores: CSV or Parquet, read and written.

One row per candidate, the columns `token_id` (optional, and then the key), `response`, and one for
each prompt, headed by its id or its text. What no valid Unicode can hold is backslash-escaped: lone
surrogates, and in Parquet a column of bytes. Any other text that is not UTF-8 is refused.
"""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
import tempfile
from array import array
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from valuebias.errors import ScoresError, visible
from valuebias.files import decoded
from valuebias.prompts import PAPER, PromptSet, known
from valuebias.scorers.recorded_table import Table, not_number, prompt_of, token_id
from valuebias.scores import Scores

_SUFFIXES = (".csv", ".parquet")
_LONGEST_CELL = 1 << 20
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


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
    table = Table(path, prompts)
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
        prompt_of(header, str(path), prompts)
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


def _read_csv(table: Table, data: bytes) -> None:
    text = decoded(_escaped(data), str(table.path), ScoresError)
    if not text.strip():
        raise ScoresError(
            f"{table.path} is empty",
            remedy="Give a header of response and the prompts' ids, then one row per response.",
        )
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
                    table.tokens.append(token_id(table, f"line {line}", row[token_at]))
                cells = [row[i] for i in prompts_at]
                try:
                    numbers.extend(map(float, cells))
                except ValueError:
                    raise not_number(table, f"line {line}", cells) from None
                if any("_" in cell for cell in cells):  # Python's 1_000
                    raise not_number(table, f"line {line}", cells)
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


def _read_parquet(table: Table, data: bytes) -> None:
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
            token_id(table, f"row {i + 1}", t) for i, t in enumerate(tokens.to_pylist())
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


def _texts(table: Table, column: pa.ChunkedArray) -> list[str]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    try:
        raw: list[bytes] = column.cast(pa.large_binary()).to_pylist()
    except pa.ArrowException:
        raise table.fail(
            "header", "the responses are not text", "Cast them to strings.", column.type
        ) from None
    texts = [text.decode("utf-8", errors="backslashreplace") for text in map(_escaped, raw)]
    if not pa.types.is_string(column.type) and not pa.types.is_large_string(column.type):
        return texts  # bytes by their type
    for row, (data, text) in enumerate(zip(raw, texts, strict=True)):
        if text.encode() != _escaped(data):
            raise table.fail(
                table.where(row), "not UTF-8", "Save strings as UTF-8, bytes as binary.", text
            )
    return texts


def _escaped(data: bytes) -> bytes:
    """Lone surrogates, which UTF-8 does not have, as backslash escapes."""
    return _SURROGATE.sub(lambda half: half[0].decode("utf-8", "backslashreplace").encode(), data)


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
