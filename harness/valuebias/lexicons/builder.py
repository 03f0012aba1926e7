"""Collects the entries of a lexicon's file, whatever its format."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from valuebias.errors import LexiconError
from valuebias.lexicons.facets import SEPARATOR
from valuebias.lexicons.index import composed
from valuebias.lexicons.lexicon import ONE_FACET, TWO_FACETS, Lexicon, normal_category

_JOINERS = {0x200C: None, 0x200D: None}  # zero-width, and part of words in some scripts


class Builder:
    """Collects entries; errors name file and line."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = path
        self.categories: dict[str, dict[str, None]] = {}
        self.families: dict[str, str] = {}
        self.facets: dict[str, str] = {}
        self.facet_lines: dict[str, int] = {}
        self.notes: list[str] = []
        self.repeated: Counter[str] = Counter()
        self.unplaced = 0  # words in no category
        self.starter = False
        self.licence = "unknown"
        self.title = ""
        self.control = ""

    def fail(self, line: int, what: str, remedy: str, seen: object = None) -> LexiconError:
        return LexiconError(f"{self.path}, line {line}: {what}", seen=seen, remedy=remedy)

    def declare(self, line: int, written: str) -> str:
        """The normal name of a category that the file declares; a duplicate is an error."""
        before = len(self.categories)
        name = self.category(line, written)
        if len(self.categories) == before:
            raise self.fail(line, "duplicate category", "Keep one of them.", name)
        return name

    def category(self, line: int, written: str) -> str:
        """The category's normal name; the category is added if it is new."""
        try:
            name = normal_category(written)
        except LexiconError as e:
            raise self.fail(line, e.what, e.remedy, e.seen) from None
        self.categories.setdefault(name, {})
        return name

    def entry(self, line: int, written: str) -> str:
        """An entry cleaned: composed letters (a model reads others as other tokens), single spaces,
        and at most one wildcard, at the end."""
        word = composed(" ".join(written.split()))
        if not word:
            raise self.fail(line, "no word", "Give a word, or remove the line.")
        if not word.translate(_JOINERS).isprintable():
            raise self.fail(
                line, "a word contains an invisible character", "Remove the character.", word
            )
        if word.endswith(".*") and "*" not in word[:-1]:
            # A regular expression; the dot is not part of the word.
            self.notes.append(f"line {line}: '{word}' was read as '{word[:-2]}*'")
            word = word[:-2] + "*"
        if "*" in word[:-1] or word == "*":
            raise self.fail(
                line, "a wildcard must be at the end of a word", "Write it as in accept*.", word
            )
        return word

    def add(self, category: str, word: str) -> None:
        if word in self.categories[category]:
            self.repeated[category] += 1
        self.categories[category][word] = None

    def add_family(self, line: int, word: str, family: str) -> None:
        family = composed(" ".join(family.split()))
        if not family:
            raise self.fail(line, "no family", "Give one, or remove the column.", word)
        if self.families.setdefault(word, family) != family:
            raise self.fail(line, "a word has two families", "Keep one of them.", word)

    def add_facet(self, line: int, word: str, facet: str) -> None:
        facet = composed(" ".join(facet.split()))
        if not facet:
            raise self.fail(line, "no facet", "Give one, or remove the word from `facets`.", word)
        parts = [part.strip() for part in facet.split(SEPARATOR)]
        if not all(parts):
            raise self.fail(
                line, "a facet's path has an empty part", "Write it as in power/fame.", facet
            )
        facet = SEPARATOR.join(parts)
        if self.facets.setdefault(word, facet) != facet:
            raise self.fail(line, "a word has two facets", "Keep one of them.", word)
        self.facet_lines.setdefault(word, line)

    def lexicon(self) -> Lexicon:
        for category, count in self.repeated.items():
            self.notes.append(f"{category}: {count} repeated entries counted once")
        words = {word for words in self.categories.values() for word in words}
        foreign = [w for w in words - self.families.keys() if not w.isascii() and w[-1] != "*"]
        if foreign:
            self.notes.append(
                f"{len(foreign)} words with letters beyond A to Z have no declared family: they "
                "are stemmed as if they were English"
            )
        if self.unplaced:
            self.notes.append(f"{self.unplaced} words left out, they are in no category")
        for category in [c for c, words in self.categories.items() if not words]:
            self.notes.append(f"{category}: left out, it has no words")
            del self.categories[category]
        if not self.categories:
            raise LexiconError(
                f"{self.path} contains no words", remedy="Give words with categories."
            )
        lexicon = Lexicon(
            name=self.name,
            categories={c: tuple(words) for c, words in self.categories.items()},
            families=self.families,
            facets=self.facets,
            starter=self.starter,
            licence=self.licence,
            title=self.title,
            control=self.control,
            notes=tuple(self.notes),
        )
        if (split := lexicon.split_family()) is not None:
            raise self.fail(
                self.facet_lines[split[1]], TWO_FACETS, ONE_FACET,
                ", ".join(f"{word} ({self.facets[word]})" for word in split),
            )  # fmt: skip
        return lexicon
