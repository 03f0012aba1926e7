"""The half that a repair is fitted on and the half that it is judged on, of words and prompts.

Words go by facets, groups of families of like meaning, so that no word of the judged half has a
near relation in the other; a word without a facet goes by its family. Both halves have the same
categories, and prompts of every adjective.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from valuebias.lexicons.lexicon import Lexicon
from valuebias.prompts import VALENCES, PromptSet


@dataclass(frozen=True)
class Half:
    """Part of a lexicon, and part of a prompt set."""

    lexicon: Lexicon
    prompts: PromptSet


def halves(
    lexicon: Lexicon, prompts: PromptSet, responses: Sequence[str], parts: int = 2
) -> tuple[Half, ...]:
    """The two halves, that to fit on first; or so many ``parts``.

    ``responses`` are the words that were scored. In each category the facets, in the order of their
    names, go to one part after the other; so do the prompts of a valence, in their order.
    """
    found = {c: words for c, words in lexicon.expand(responses).items() if words}
    part_of: dict[str, int] = {}
    for words in found.values():
        for i, facet in enumerate(sorted({_facet(lexicon, word) for word in words})):
            part_of.setdefault(facet, i % parts)
    every = {word.strip() for words in found.values() for word in words}
    families = {word: lexicon.family(word) for word in every}
    facets = {word: facet for word in every if (facet := lexicon.facet(word))}
    return tuple(
        Half(
            replace(
                lexicon,
                categories={
                    category: tuple(w.strip() for w in words if part_of[_facet(lexicon, w)] == part)
                    for category, words in found.items()
                },
                families=families,
                facets=facets,
            ),
            _prompts(prompts, [part], parts),
        )
        for part in range(parts)
    )


def folds(half: Half, responses: Sequence[str], parts: int) -> Iterable[tuple[Half, Half]]:
    """What is fitted on and what is left out, for each of so many parts of a half: neither the
    words nor the prompts that are left out were fitted on."""
    pieces = halves(half.lexicon, half.prompts, responses, parts)
    for k, left_out in enumerate(pieces):
        others = [piece for i, piece in enumerate(pieces) if i != k]
        categories = {
            category: tuple(w for piece in others for w in piece.lexicon.categories[category])
            for category in left_out.lexicon.categories
        }
        lexicon = replace(left_out.lexicon, categories=categories)
        rest = [i for i in range(parts) if i != k]
        yield Half(lexicon, _prompts(half.prompts, rest, parts)), left_out


def _prompts(prompts: PromptSet, keep: Sequence[int], parts: int) -> PromptSet:
    kept = tuple(
        prompt
        for valence in VALENCES
        for i, prompt in enumerate(prompts.of(valence))
        if i % parts in keep
    )
    return replace(prompts, prompts=kept, whole=prompts)


def _facet(lexicon: Lexicon, word: str) -> str:
    return lexicon.facet(word) or f"\x1f{lexicon.family(word)}"
