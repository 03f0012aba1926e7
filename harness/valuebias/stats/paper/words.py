"""Which words the paper's released code takes: a range of MFD2's columns, and the shared nouns.

The paper speaks of the moral foundations' virtue words. Its code selects the dictionary's columns
by their first and last name, ``Care_Virtue:Sanctity_Virtue``, which is a range of positions: it
holds virtue and vice of four foundations, and of sanctity virtue alone (1,652 of 2,040 words).
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import LexiconError
from valuebias.files import decoded
from valuebias.format import bare
from valuebias.prompts import Valence
from valuebias.stats.paper.ranks import Cell, Reproduction, cells, median_ranks

FOUNDATIONS = ("care", "fairness", "loyalty", "authority", "sanctity")
COLUMNS = tuple(f"{f}.{polarity}" for f in FOUNDATIONS for polarity in ("virtue", "vice"))
"""MFD2's columns, in the published file's order."""
RELEASED = COLUMNS[: COLUMNS.index("sanctity.virtue") + 1]
VIRTUES = tuple(column for column in COLUMNS if column.endswith(".virtue"))


@dataclass(frozen=True)
class ColumnRange(Reproduction):
    """Effects by foundation where the words of these columns are ranked, and no others."""

    columns: tuple[str, ...]
    n_words: int
    cells: tuple[Cell, ...]

    def cell(self, foundation: str, valence: Valence) -> Cell:
        """One foundation's effect."""
        return next(c for c in self.cells if (c.category, c.valence) == (foundation, valence))

    @property
    def line(self) -> str:
        effects = (f"{c.category} {c.valence} d {bare(f'{c.d:+.2f}')}" for c in self.cells)
        return f"{len(self.columns)} columns, {self.n_words} words: {', '.join(effects)}"


def column_ranges(
    scores: Mapping[str, npt.NDArray[Any]],
    bases: Mapping[str, str],
    columns: Sequence[str],
    valences: Sequence[Valence],
    *,
    seed: int = 0,
) -> tuple[ColumnRange, ColumnRange]:
    """The foundations' effects as the released code selects words, and for the virtues alone.

    ``scores`` holds, by model, arrays (prompts, words) over MFD2's words, higher preferred;
    ``bases`` the models' base families; ``columns`` (words,) the column each word stands in
    ("care.virtue"). Positive effects mean that the first family prefers the words less.

    Raises LexiconError on a column that is not MFD2's, and StatisticsError as `cells` does.
    """
    names = np.asarray(columns)
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown or not set(VIRTUES) <= set(columns):
        raise LexiconError(
            "not the columns of MFD2",
            seen=", ".join(unknown) or ", ".join(sorted(set(columns))),
            remedy=f"Give {', '.join(COLUMNS)}.",
        )
    ranges = []
    for chosen in (RELEASED, VIRTUES):
        kept = np.isin(names, chosen)
        medians = median_ranks(
            {model: values[:, kept] for model, values in scores.items()},
            bases,
            [str(name).partition(".")[0] for name in names[kept]],
            valences,
        )
        ranges.append(ColumnRange(chosen, int(kept.sum()), cells(medians, seed=seed)))
    return ranges[0], ranges[1]


def shared_nouns(
    categories: Mapping[str, Sequence[str]], tokens: Path
) -> Mapping[str, tuple[str, ...]]:
    """A lexicon's words that are tokens of both vocabularies, to the letter, by category.

    ``tokens`` is the authors' table of shared tokens, with a column ``token_decoded``. Raises
    LexiconError if it cannot be read.
    """
    try:
        text = decoded(tokens.read_bytes(), str(tokens), LexiconError)
        known = {row["token_decoded"] for row in csv.DictReader(io.StringIO(text, newline=""))}
    except (OSError, csv.Error, KeyError) as error:
        raise LexiconError(
            f"cannot read the shared tokens {tokens}",
            seen=f"{type(error).__name__}: {error}",
            remedy="Give a CSV file in UTF-8 with a column token_decoded.",
        ) from None
    if not known:
        raise LexiconError("no shared tokens", seen=tokens, remedy="Give the authors' whole table.")
    return {
        category: tuple(word for word in words if word in known)
        for category, words in categories.items()
    }
