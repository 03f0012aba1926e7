"""The columns of a file of recorded scores while it is read, with the checks that CSV and Parquet
share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from valuebias.candidates import Candidates
from valuebias.errors import ScoresError, SpecError, visible
from valuebias.prompts import Prompt, PromptSet, resolve
from valuebias.scores import FloatArray, Scores


class Table:
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
        self.prompts = [prompt_of(names[i], f"{self.path}, header", self.known) for i in others]
        texts = [p.key for p in self.prompts]
        again = next((p.id for i, p in enumerate(self.prompts) if p.key in texts[:i]), None)
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


def token_id(table: Table, where: str, cell: str | int) -> int:
    text = str(cell).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise table.fail(
            where, "a token id must be an integer >= 0", "Give the vocabulary's id.", cell
        )
    return int(text)


def not_number(table: Table, where: str, cells: Sequence[str]) -> ScoresError:
    def numeric(cell: str) -> bool:
        try:
            return math.isfinite(float(cell)) and "_" not in cell
        except ValueError:
            return False

    at = next(i for i, cell in enumerate(cells) if not numeric(cell))
    prompt = visible(table.prompts[at].id)
    return table.fail(where, f"the score for {prompt} is not a number", "Fix the cell.", cells[at])


def prompt_of(header: str, where: str, prompts: PromptSet) -> Prompt:
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
