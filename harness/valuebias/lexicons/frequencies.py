"""Word frequencies from a file or from wordfreq, to be controlled for as a covariate."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from valuebias.errors import LexiconError
from valuebias.files import decoded


@dataclass(frozen=True)
class Frequencies:
    """Log frequencies by word; ``source`` says where they come from."""

    source: str
    look_up: Callable[[str], float]

    def of(self, words: Sequence[str]) -> list[float]:
        """One number per word, comparable within one source; lower for rarer words."""
        return [self.look_up(word) for word in words]


def load_frequencies(path: Path) -> Frequencies:
    """Read a CSV file of word and frequency (a count or a share); a header line is skipped.

    A word that is not in the file counts as rarer than all words in it. Raises LexiconError, naming
    the line, for a line that is not a word and a number, a duplicate word or a negative number.
    """
    frequencies: dict[str, float] = {}
    try:
        text = decoded(path.read_bytes(), f"cannot read the frequencies {path}", LexiconError)
        for number, row in enumerate(csv.reader(io.StringIO(text, newline="")), 1):
            if not row or (number == 1 and not _is_number(row[-1])):
                continue
            if len(row) != 2 or not _is_number(row[1]) or float(row[1]) < 0:
                raise LexiconError(
                    f"{path}, line {number}: not a word and its frequency",
                    seen=",".join(row),
                    remedy="Give lines such as freedom,48213.",
                )
            word = row[0].strip().casefold()
            if word in frequencies:
                raise LexiconError(
                    f"{path}, line {number}: duplicate word",
                    seen=row[0],
                    remedy="Give each word once, whatever its case.",
                )
            frequencies[word] = float(row[1])
    except (OSError, csv.Error) as error:
        raise LexiconError(
            f"{path}: cannot read the frequencies",
            seen=str(error),
            remedy="Give a CSV file in UTF-8, of word,frequency.",
        ) from None
    if not frequencies:
        raise LexiconError(
            f"{path}: no frequencies in this file",
            remedy="Give lines such as freedom,48213.",
        )
    return Frequencies(path.name, _logarithm(frequencies))


def _logarithm(frequencies: Mapping[str, float]) -> Callable[[str], float]:
    # For counts and shares alike: zero counts as a tenth of the smallest number given.
    least = min((value for value in frequencies.values() if value > 0), default=1.0)
    return lambda word: math.log(frequencies.get(word.strip().casefold(), 0.0) + least / 10)


def installed() -> Frequencies | None:
    """English frequencies from the package wordfreq (Speer 2022); None if it is not installed."""
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
