"""Finds a lexicon's entries among the scored responses."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache

from valuebias.errors import ScoresError

_INSIDE = "_'’-\u200c\u200d"
"""Characters that are not letters and may be inside a word; the last two are zero-width joiners."""


def composed(text: str) -> str:
    """The text in NFC: every letter with its marks as one character if there is one. "für" can be
    typed in two ways that look the same."""
    return unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    """A form that is equal for texts that differ only in case, white space or composition."""
    folded = composed(" ".join(text.split())).casefold()
    return folded if folded.isascii() else composed(folded)


def continues(prefix: str, folded: str) -> bool:
    """Whether a text is a single word that begins with the prefix."""
    rest = folded[len(prefix) :]
    return folded.startswith(prefix) and all(
        c.isalnum() or c in _INSIDE or unicodedata.category(c).startswith("M") for c in rest
    )


class Index:
    """Finds entries among responses."""

    def __init__(self, responses: Sequence[str]) -> None:
        self.responses = responses
        # ``repeated`` are texts of several responses, among which there is no rule to choose.
        # From the closest match to the widest: the exact text, the text without surrounding white
        # space, its case variants (those without white space first). Each keeps the first response.
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
        """Raise ScoresError if one of these responses occurs more than once."""
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
        matches: list[tuple[str, int]] = []
        for i in range(bisect_left(self._sorted, prefix), len(self._sorted)):
            if not self._sorted[i].startswith(prefix):
                break
            if continues(prefix, self._sorted[i]):
                matches += self.find(self._sorted[i])
        return tuple(matches)


@lru_cache(maxsize=4)
def index_of(responses: tuple[str, ...]) -> Index:
    """The index of these responses, cached: one serves every contrast of a model."""
    return Index(responses)
