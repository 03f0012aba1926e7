"""Where a lexicon's entries are found among the responses that were scored."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache

from valuebias.errors import ScoresError

_INSIDE = "_'’-\u200c\u200d"
"""Stands inside a word, and is no letter; the last two are zero-width joiners."""


def composed(text: str) -> str:
    """The text with every letter and its marks as one character where there is one (NFC): "für" is
    typed in two ways that nobody can tell apart."""
    return unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """What is equal for texts that differ in case, white space or how they are composed alone."""
    folded = composed(" ".join(text.split())).casefold()
    return folded if folded.isascii() else composed(folded)


def continues(prefix: str, folded: str) -> bool:
    """Whether a text is the prefix and the rest of that one word."""
    rest = folded[len(prefix) :]
    return folded.startswith(prefix) and all(
        c.isalnum() or c in _INSIDE or unicodedata.category(c).startswith("M") for c in rest
    )


class Index:
    """Where an entry is found among responses."""

    def __init__(self, responses: Sequence[str]) -> None:
        self.responses = responses
        # ``repeated`` are texts of several responses, between which nothing here can choose.
        # From the closest to the widest: the very text, it without white space around it, its case
        # variants (those without white space first). Each keeps the first response it meets.
        self.repeated: set[str] = set()
        self._exact: dict[str, int] = {}
        self._stripped: dict[str, int] = {}
        self._bare: dict[str, int] = {}
        self._folded: dict[str, int] = {}
        for i, text in enumerate(responses):
            if text in self._exact:
                self.repeated.add(text)
            bare, folded = text.strip(), fold(text)
            self._exact.setdefault(text, i)
            self._stripped.setdefault(bare, i)
            self._folded.setdefault(folded, i)
            if bare == text:
                self._bare.setdefault(folded, i)
        self._sorted = sorted(self._folded)

    def check_single(self, columns: Iterable[int], what: str) -> None:
        """Raise ScoresError where one of these responses is there more than once."""
        texts = (self.responses[column] for column in columns)
        twice = [text for text in texts if text in self.repeated]
        if twice:
            raise ScoresError(
                f"{len(twice)} of the words of {what} have several scores each: the same text was "
                "recorded more than once, under different token ids",
                seen=", ".join(twice[:8]) + (", …" if len(twice) > 8 else ""),
                remedy="Record each word once, as text: valuebias search --candidates FILE.",
            )

    def find(self, entry: str) -> tuple[tuple[str, int], ...]:
        """The words the entry stands for (in folded case), each with the index of its response."""
        if not entry.endswith("*"):
            folded = fold(entry)
            for table, key in (
                (self._exact, entry),
                (self._stripped, entry),
                (self._bare, folded),
                (self._folded, folded),
            ):
                if key in table:
                    return ((folded, table[key]),)
            return ()
        prefix = fold(entry[:-1])
        found: list[tuple[str, int]] = []
        for i in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            if not self._sorted[i].startswith(prefix):
                break
            if continues(prefix, self._sorted[i]):
                found += self.find(self._sorted[i])
        return tuple(found)


@lru_cache(maxsize=4)
def index_of(responses: tuple[str, ...]) -> Index:
    """One index serves every contrast of a model, whose vocabulary may be long."""
    return Index(responses)
