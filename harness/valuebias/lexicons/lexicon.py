"""Lexicons: which words stand for which value."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import get_args

import numpy as np
import numpy.typing as npt

from valuebias.errors import LexiconError
from valuebias.lexicons.families import family_by_rules
from valuebias.lexicons.index import Index, composed, continues, fold, index_of
from valuebias.prompts import Valences

MIN_COVERAGE = 0.8
"""Below this share of a category's entries among the scored responses nothing is concluded."""

MIN_DISTINCT = 0.8
"""The least share of either side's words that must not be on the other side too."""

_WILDCARDS = " A wildcard finds words among scores of a vocabulary; for a model, write them out."

TWO_FACETS = "two words of one family have two facets"
ONE_FACET = "Give them one facet, or declare that they are two families."

POLARITIES = ("virtue", "vice")

_POLARITY = re.compile(r"(.+?)[\s._-]+(virtue|vice)")
_CATEGORY = re.compile(r"[\w.+-]+")


@dataclass(frozen=True)
class Coverage:
    """How many of a category's entries are among the scored responses."""

    lexicon: str
    category: str
    matched: int
    total: int
    missing: tuple[str, ...]

    @property
    def fraction(self) -> float:
        """Matched entries over all entries."""
        return self.matched / self.total

    def check(self, minimum: float = MIN_COVERAGE) -> None:
        """Raise LexiconError, naming missing words, below the minimum."""
        if self.fraction < minimum:
            shown = ", ".join(self.missing[:8]) + (", …" if len(self.missing) > 8 else "")
            raise LexiconError(
                f"only {self.matched} of the {self.total} entries of {self.lexicon}'s category "
                f"{self.category} were scored ({self.fraction:.0%}; at least {minimum:.0%} needed)",
                seen=f"no score for {shown}",
                remedy="Score these words too, or use a lexicon of the words that were scored."
                + _WILDCARDS * any(w.endswith("*") for w in self.missing),
            )


@dataclass(frozen=True)
class Contrast:
    """Categories ``a`` against categories ``b``; ``name`` as in node ids ("agency~communion")."""

    name: str
    a: tuple[str, ...]
    b: tuple[str, ...]


@dataclass(frozen=True)
class Selection:
    """The scored responses of a contrast.

    ``columns`` (words,) are indices into the responses, ``in_a`` (words,) True on the first side,
    ``families`` (words,) each word's family, ``facets`` (words,) each word's declared facet or "".
    ``shared`` are words of both sides, left out.
    """

    contrast: Contrast
    columns: npt.NDArray[np.intp]
    words: tuple[str, ...]
    in_a: npt.NDArray[np.bool_]
    families: npt.NDArray[np.str_]
    facets: npt.NDArray[np.str_]
    shared: tuple[str, ...]
    coverage: tuple[Coverage, ...]


@dataclass(frozen=True)
class Lexicon:
    """Words by category.

    ``categories`` holds entries as written (without surrounding white space), category names in
    lower case; an entry that ends in "*" stands for every word that begins so. ``families`` and
    ``facets`` (groups of families of like meaning, "power/fame" being in the group "power") hold
    what the file itself declares, by entry. ``starter`` marks the short lists shipped with the
    tool. ``notes`` are the decisions made on reading, one line each. ``control`` is a contrast of
    its categories that every model that reads the questions tells apart, its first side preferred;
    empty if none is declared.
    """

    name: str
    categories: Mapping[str, tuple[str, ...]]
    families: Mapping[str, str] = field(default_factory=dict)
    facets: Mapping[str, str] = field(default_factory=dict)
    starter: bool = False
    licence: str = "unknown"
    title: str = ""
    notes: tuple[str, ...] = ()
    control: str = ""

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the lexicon's content (categories, entries, declared families and facets),
        independent of the file's format, order and name."""
        lines = [f"{c}\x1f{w}" for c, words in self.categories.items() for w in words]
        lines += [f"\x1d{word}\x1f{family}" for word, family in self.families.items()]
        lines += [f"\x1c{word}\x1f{facet}" for word, facet in self.facets.items()]
        if self.control:
            lines.append(f"\x1c{self.control}")
        return hashlib.sha256("\x1e".join(sorted(lines)).encode()).hexdigest()

    def words(self, contrast: str | None = None) -> tuple[str, ...]:
        """Every entry without a wildcard, once, of all categories or of a contrast's two sides."""
        names: Sequence[str] = tuple(self.categories)
        if contrast is not None:
            parsed = self.contrast(contrast)
            names = parsed.a + parsed.b
        return tuple(
            dict.fromkeys(w for name in names for w in self.categories[name] if not w.endswith("*"))
        )

    def contrast(self, text: str) -> Contrast:
        """The contrast named by "a~b", or by one category: that one against the others of its
        polarity (virtue, vice); against all others if it has none.

        Raises LexiconError if a category is unknown or has no category to compare with.
        """
        name = normal_contrast(text)
        a, _, b = name.partition("~")
        for category in filter(None, (a, b)):
            if category not in self.categories:
                raise LexiconError(
                    f"the lexicon {self.name} has no such category",
                    seen=category,
                    remedy=f"Give one of {', '.join(self.categories)}.",
                )
        others = (b,) if b else tuple(c for c in self.categories if c != a and _like(c, a))
        if not others or a == b:
            raise LexiconError(
                f"the category {a} of {self.name} has no category to compare with",
                seen=text,
                remedy="Name two different categories, as in agency~communion.",
            )
        return Contrast(name, (a,), others)

    def family(self, word: str) -> str:
        """The word's family: the declared one (the relatives of its name are in it too), else that
        of a wildcard of this lexicon that matches the word, else its root by the rules."""
        if word in self.families:
            return fold(self.families[word])
        folded = fold(word)
        if folded in self._declared:
            return folded
        for prefix in self._prefixes:
            if continues(prefix, folded):
                return f"{prefix}*"
        root = family_by_rules(folded)
        return self._declared_by_root.get(root, root)

    def facet(self, word: str) -> str:
        """The facet declared for the word's family, "" if none; a LexiconError if two are."""
        return self._facets.get(self.family(word), "")

    def split_family(self) -> tuple[str, str] | None:
        """Two entries of one family that are declared to be of two facets, if there are any."""
        first: dict[str, str] = {}
        for entry, facet in self.facets.items():
            other = first.setdefault(self.family(entry.removesuffix("*")), entry)
            if self.facets[other] != facet:
                return other, entry
        return None

    @cached_property
    def _facets(self) -> Mapping[str, str]:
        """Each family's facet."""
        if (split := self.split_family()) is not None:
            raise LexiconError(f"{self.name}: {TWO_FACETS}", seen=split, remedy=ONE_FACET)
        return {self.family(entry.removesuffix("*")): facet for entry, facet in self.facets.items()}

    @cached_property
    def _declared(self) -> frozenset[str]:
        """The names of declared families."""
        return frozenset(map(fold, self.families.values()))

    @cached_property
    def _declared_by_root(self) -> Mapping[str, str]:
        """Root -> the one declared family whose name has it."""
        roots = Counter(map(family_by_rules, self._declared))
        return {r: name for name in self._declared if roots[r := family_by_rules(name)] == 1}

    @cached_property
    def _prefixes(self) -> tuple[str, ...]:
        """The wildcards' prefixes, shortest first."""
        prefixes = {fold(w[:-1]) for ws in self.categories.values() for w in ws if w.endswith("*")}
        return tuple(sorted(prefixes, key=lambda p: (len(p), p)))

    def expand(self, responses: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Category -> the responses that its entries, wildcards included, stand for."""
        index = index_of(tuple(responses))
        return {
            category: tuple(
                responses[i] for i in dict.fromkeys(i for e in entries for _, i in index.find(e))
            )
            for category, entries in self.categories.items()
        }

    def select(self, contrast: str, responses: Sequence[str]) -> Selection:
        """Find a contrast's words among scored responses.

        An entry stands for the response of exactly its text; else for the first of: the same text
        with white space around it (" freedom"), the same in other case ("Freedom"), both. So one
        word is counted once, however many variants a vocabulary or the lexicon itself holds. A
        wildcard stands for every single word that begins so, one variant each. Words of both sides
        are left out.

        Raises LexiconError below 80% coverage of a category (a wildcard counts as covered by one
        response) and if words of both sides leave less than 80% of a side; ScoresError if a
        response that an entry stands for occurs more than once.
        """
        parsed = self.contrast(contrast)
        index = index_of(tuple(responses))
        (first, of_a), (second, of_b) = (self._found(side, index) for side in (parsed.a, parsed.b))
        shared = tuple(first[word][1] for word in first if word in second)
        for names, words in zip((parsed.a, parsed.b), (first, second), strict=True):
            own = len(words) - len(shared)
            if own / len(words) < MIN_DISTINCT:
                raise LexiconError(
                    f"only {own} of the {len(words)} scored words of {self.name}'s "
                    f"{', '.join(names)} are left without the {len(shared)} that are on both sides "
                    f"of {parsed.name} (at least {MIN_DISTINCT:.0%} needed)",
                    seen=", ".join(shared[:8]) + (", …" if len(shared) > 8 else ""),
                    remedy="Contrast categories that share fewer words, or decide for each word "
                    "which one it belongs to.",
                )
        kept = [(*place, True) for word, place in first.items() if word not in second]
        kept += [(*place, False) for word, place in second.items() if word not in first]
        index.check_single([column for column, _, _ in kept], f"{self.name}'s {parsed.name}")
        written = tuple(word for _, word, _ in kept)
        return Selection(
            contrast=parsed,
            columns=np.array([column for column, _, _ in kept], dtype=np.intp),
            words=written,
            in_a=np.array([side for _, _, side in kept], dtype=bool),
            families=np.array([self.family(word) for word in written], dtype=np.str_),
            facets=np.array([self.facet(word) for word in written], dtype=np.str_),
            shared=shared,
            coverage=(*of_a, *of_b),
        )

    def select_all(self, responses: Sequence[str]) -> Selection:
        """Find all of the lexicon's words among scored responses, each once, as `select` does; the
        contrast is "words" and has one side. Raises as `select` does."""
        index = index_of(tuple(responses))
        words, coverage = self._found(tuple(self.categories), index)
        index.check_single([column for column, _ in words.values()], self.name)
        written = tuple(word for _, word in words.values())
        return Selection(
            contrast=Contrast("words", tuple(self.categories), ()),
            columns=np.array([column for column, _ in words.values()], dtype=np.intp),
            words=written,
            in_a=np.ones(len(written), dtype=bool),
            families=np.array([self.family(word) for word in written], dtype=np.str_),
            facets=np.array([self.facet(word) for word in written], dtype=np.str_),
            shared=(),
            coverage=coverage,
        )

    def _found(
        self, categories: Iterable[str], index: Index
    ) -> tuple[dict[str, tuple[int, str]], tuple[Coverage, ...]]:
        """The categories' words by folded form: the response's index and the word as written.

        Raises LexiconError if too little of a category is covered."""
        words: dict[str, tuple[int, str]] = {}
        coverage = []
        for category in categories:
            missing = []
            for entry in self.categories[category]:
                matches = index.find(entry)
                if not matches:
                    missing.append(entry)
                for folded, column in matches:
                    text = index.responses[column].strip() if entry.endswith("*") else entry
                    words.setdefault(folded, (column, text))
            total = len(self.categories[category])
            coverage.append(
                Coverage(self.name, category, total - len(missing), total, tuple(missing))
            )
        for part in coverage:
            part.check()
        return words, tuple(coverage)


def normal_category(name: str) -> str:
    """'Care_Virtue' -> 'care.virtue', 'Agency' -> 'agency'. Raises LexiconError for a name that
    cannot be part of a node id."""
    folded = composed(" ".join(name.split()).lower())
    polar = _POLARITY.fullmatch(folded)
    normal = (f"{polar[1]}.{polar[2]}" if polar else folded).replace(" ", "_")
    if not _CATEGORY.fullmatch(normal):
        raise LexiconError(
            "invalid category name",
            seen=name,
            remedy="Use letters, digits, '.', '_', '-' and '+'.",
        )
    return normal


def normal_contrast(text: str) -> str:
    """'Agency ~ Communion' -> 'agency~communion'."""
    return "~".join(normal_category(part) for part in text.split("~", 1))


def contrast_of(category: str, other: str | None, valence: Valences) -> str:
    """The contrast's name. Raises LexiconError for an invalid category or valence."""
    if not isinstance(category, str) or not isinstance(other, str | None):
        raise LexiconError(
            "a category must be a string",
            seen=f"{category!r}, {other!r}",
            remedy='Write bias("big_two", "agency", "communion", valence="positive").',
        )
    if valence not in get_args(Valences):
        raise LexiconError(
            "unknown valence",
            seen=valence,
            remedy="Give positive, negative, or positive-negative (their difference).",
        )
    return category if other is None else f"{category}~{other}"


def _like(category: str, other: str) -> bool:
    """Whether both have the same polarity; a category without one is like any other."""
    polarity = other.rpartition(".")[2]
    return polarity not in POLARITIES or category.rpartition(".")[2] == polarity
