"""How frequent words are: a covariate of every taste in words, from a file or from wordfreq."""

from __future__ import annotations

import csv
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from valuebias.errors import LexiconError


@dataclass(frozen=True)
class Frequencies:
    """Log frequencies by word; ``source`` says where they come from."""

    source: str
    look_up: Callable[[str], float]

    def of(self, words: Sequence[str]) -> list[float]:
        """One number a word, comparable within one source; rare words have the least."""
        return [self.look_up(word) for word in words]


def load_frequencies(path: Path) -> Frequencies:
    """Read a CSV file of word and frequency (a count or a share); a header line is skipped.

    A word that the file does not hold counts as rarer than all that it holds. Raises LexiconError
    naming the line, on one that is no word and number, is given twice or is negative.
    """
    found: dict[str, float] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if not row or (number == 1 and not _is_number(row[-1])):
                    continue
                if len(row) != 2 or not _is_number(row[1]) or float(row[1]) < 0:
                    raise LexiconError(
                        f"{path}, line {number}: this is no word and its frequency",
                        seen=",".join(row),
                        remedy="Give lines such as freedom,48213.",
                    )
                word = row[0].strip().casefold()
                if word in found:
                    raise LexiconError(
                        f"{path}, line {number}: a word is given twice",
                        seen=row[0],
                        remedy="Give each word once, whatever its case.",
                    )
                found[word] = float(row[1])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise LexiconError(
            f"{path}: the frequencies cannot be read",
            seen=str(error),
            remedy="Give a CSV file in UTF-8, of word,frequency.",
        ) from None
    if not found:
        raise LexiconError(
            f"{path}: there is no frequency in this file",
            remedy="Give lines such as freedom,48213.",
        )
    return Frequencies(path.name, _logarithm(found))


def _logarithm(found: Mapping[str, float]) -> Callable[[str], float]:
    # Counts and shares alike: of the least one given, zero is a tenth.
    least = min((value for value in found.values() if value > 0), default=1.0)
    return lambda word: math.log(found.get(word.strip().casefold(), 0.0) + least / 10)


def installed() -> Frequencies | None:
    """Those of the package wordfreq (Speer 2022), English, where it is installed."""
    try:
        zipf = import_module("wordfreq").zipf_frequency
    except ImportError:
        return None
    return Frequencies("wordfreq", lambda word: float(zipf(word, "en")))


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False
