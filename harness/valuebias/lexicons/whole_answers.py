"""The words of a lexicon that stand in frames of whole answers: its uncountable nouns.

"What matters most is freedom" is English; "What matters most is medal" is not. Which nouns are
uncountable is a shipped list, made of the starter lexicons; of these as many were left out, by
length alone, as it took for the sides of their contrasts to be about alike in it.
"""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from importlib.resources import files

from valuebias.errors import LexiconError
from valuebias.lexicons.lexicon import Lexicon

SUFFIX = "_answers"
"""What the name of a lexicon's words of whole answers ends in: "big_two_answers"."""
LEAST = 20
"""Words that every category needs: too few give an interval that no margin holds."""


@cache
def uncountable() -> frozenset[str]:
    """Nouns that take no article and no plural, in lower case."""
    listed = files("valuebias.lexicons") / "shipped" / "uncountable.txt"
    return frozenset(listed.read_text("utf-8").split())


def for_whole_answers(lexicon: Lexicon) -> Lexicon:
    """The lexicon's words that every frame takes, under its name with `SUFFIX`.

    Raises LexiconError where a category has fewer than LEAST of them.
    """
    known = uncountable()
    kept = {
        category: tuple(entry for entry in entries if entry.lower() in known)
        for category, entries in lexicon.categories.items()
    }
    few = {category: len(entries) for category, entries in kept.items() if len(entries) < LEAST}
    if few:
        raise LexiconError(
            f"{lexicon.name} has too few words that stand in whole answers",
            seen=", ".join(f"{n} of {category}" for category, n in few.items()),
            remedy=f"Every category needs {LEAST} of the uncountable nouns listed in "
            "valuebias/lexicons/shipped/uncountable.txt. Give a lexicon that has them, or leave "
            "the suite answers out.",
        )
    words = {entry for entries in kept.values() for entry in entries}
    return replace(
        lexicon,
        name=lexicon.name + SUFFIX,
        title=f"{lexicon.title or lexicon.name}: uncountable nouns",
        categories=kept,
        families={word: family for word, family in lexicon.families.items() if word in words},
        facets={word: facet for word, facet in lexicon.facets.items() if word in words},
    )
