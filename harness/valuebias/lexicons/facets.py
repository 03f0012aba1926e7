"""Makes facets: groups of families of like meaning within a category, from vectors of the words.

A family's vector is the mean of its words' vectors, each of length 1, less the mean of all families
(word vectors share a direction that says nothing of their meaning: Mu and Viswanath 2018, "All-but-
the-top"). A category's families are joined by average linkage of cosine distances; the tree is cut
from its top until no group has more than ``MOST`` families. A group of fewer than ``LEAST`` then
joins the nearest group, by mean cosine, that has room for it. The cut is by size and not by a
distance, as cosines of two embedding models have different ranges, and as a variance between groups
cannot be estimated from a few large ones. A facet bears the name of its most central word.

Facets so small are seldom shown to lie anywhere. So the facets of a category, each with the mean of
its families' vectors, are grouped again in the same way, into groups of ``LEAST_GROUPED`` to
``MOST_GROUPED`` families. A facet in a group is named by its path, "power/fame".

Nothing is random: the same vectors give the same facets.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from valuebias.errors import LexiconError
from valuebias.lexicons.lexicon import Lexicon

SEPARATOR = "/"
"""Between the parts of a facet's path: "power/fame" is the facet fame in the group power."""

LEAST, MOST = 3, 8
"""Families in a facet. Set on 2026-11-28, before facets were made of any lexicon. At most eight
leaves at least five facets in a category of 35 words; at least three gives each a spread."""
LEAST_GROUPED, MOST_GROUPED = 15, 25
"""Families in a group of facets. Set on 2026-11-28, before groups were made of any lexicon. The
band of a mean of 15 to 25 families is .4 to .6 to either side, for all facets at once."""

FloatArray = npt.NDArray[np.float64]


def embedded_words(lexicon: Lexicon) -> tuple[str, ...]:
    """The texts that `make_facets` needs vectors of: each entry, a wildcard without its star."""
    entries = [entry for words in lexicon.categories.values() for entry in words]
    return tuple(dict.fromkeys(entry.removesuffix("*") for entry in entries))


def make_facets(lexicon: Lexicon, vectors: Mapping[str, FloatArray]) -> dict[str, str]:
    """Each entry's facet, as a path, by the vectors of `embedded_words`, each of shape
    (dimensions,).

    A family is grouped with the first category that it has words in. Facets that the lexicon
    declares are kept, without the groups that they are in, and are grouped anew. A category that
    would be one group has none. Raises LexiconError for a vector that is missing, zero or not
    finite.
    """
    families = _families(lexicon)
    members: dict[str, list[str]] = {}
    for entry, family in families.items():
        members.setdefault(family, []).append(entry)
    raw = {f: np.mean([_unit(e, vectors) for e in es], axis=0) for f, es in members.items()}
    mean = np.mean(list(raw.values()), axis=0)
    centred = {family: _normalised(vector - mean) for family, vector in raw.items()}

    def central(group: Sequence[str]) -> str:
        """The first entry of the most central of these families."""
        centre = np.mean([centred[f] for f in group], axis=0)
        best = max(
            range(len(group)), key=lambda i: (round(float(centred[group[i]] @ centre), 6), -i)
        )
        return members[group[best]][0].removesuffix("*")

    facets: dict[str, str] = {}
    grouped: set[str] = set()
    for entries in lexicon.categories.values():
        own = [f for f in dict.fromkeys(families[e] for e in entries) if f not in grouped]
        own.sort()  # the order of a file decides nothing
        if lexicon.facets:
            small = _declared(lexicon, {f: members[f][0] for f in own})
        else:
            each = _groups(np.array([centred[f] for f in own]), np.ones(len(own)), LEAST, MOST)
            small = {central(group): group for group in ([own[i] for i in g] for g in each)}
        grouped.update(own)
        names = sorted(small)
        centres = [_normalised(np.mean([centred[f] for f in small[n]], axis=0)) for n in names]
        sizes = np.array([len(small[n]) for n in names])
        groups = _groups(np.array(centres), sizes, LEAST_GROUPED, MOST_GROUPED)
        for group in groups:
            above = central(sorted(f for i in group for f in small[names[i]]))
            for path in (names[i] for i in group):
                name = path.rpartition(SEPARATOR)[2]
                named = name if len(groups) == 1 else f"{above}{SEPARATOR}{name}"
                facets |= {entry: named for f in small[path] for entry in members[f]}
    return facets


def _declared(lexicon: Lexicon, families: Mapping[str, str]) -> dict[str, list[str]]:
    """The facets that a lexicon declares of these families, each with an entry."""
    declared: dict[str, list[str]] = {}
    for family, entry in families.items():
        if facet := lexicon.facet(entry.removesuffix("*")):
            declared.setdefault(facet, []).append(family)
    return declared


def _families(lexicon: Lexicon) -> dict[str, str]:
    """Entry -> family; a wildcard's is that of all that it stands for."""
    entries = [entry for words in lexicon.categories.values() for entry in words]
    return {entry: lexicon.family(entry.removesuffix("*")) for entry in entries}


def _unit(entry: str, vectors: Mapping[str, FloatArray]) -> FloatArray:
    word = entry.removesuffix("*")
    vector = vectors.get(word)
    if vector is None or not np.isfinite(vector).all() or not vector.any():
        raise LexiconError(
            "a word has no usable vector",
            seen=word,
            remedy="Use another embedding model, or remove the word.",
        )
    return _normalised(np.asarray(vector, np.float64))


def _normalised(vector: FloatArray) -> FloatArray:
    length = float(np.linalg.norm(vector))
    return vector / length if length else vector


def _groups(vectors: FloatArray, sizes: FloatArray, least: int, most: int) -> list[list[int]]:
    """Groups of rows (rows, dimensions), sorted; ``sizes`` (rows,) is how many families each is."""
    if sizes.sum() <= most or len(vectors) == 1:
        return [list(range(len(vectors)))] if len(vectors) else []
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    # Rounded, so that the last bits of a machine's arithmetic decide no tie.
    cosines = np.round(vectors @ vectors.T, 6)
    distances = np.clip(1 - cosines, 0, 2)
    np.fill_diagonal(distances, 0)
    tree = linkage(squareform(distances, checks=False), method="average")
    joins = [(int(left), int(right)) for left, right, *_ in tree]
    nodes = [[row] for row in range(len(vectors))]
    for left, right in joins:
        nodes.append(nodes[left] + nodes[right])
    waiting, groups = [len(nodes) - 1], []
    while waiting:
        node = waiting.pop()
        if node >= len(vectors) and sizes[nodes[node]].sum() > most:
            waiting += joins[node - len(vectors)]
        else:
            groups.append(sorted(nodes[node]))
    return _joined(groups, cosines, sizes, least, most)


def _joined(
    groups: list[list[int]], cosines: FloatArray, sizes: FloatArray, least: int, most: int
) -> list[list[int]]:
    """Groups without those of fewer than ``least``, as far as others have room for them."""
    groups = sorted(groups)
    while True:
        joins = [
            (-float(cosines[np.ix_(small, other)].mean()), small, other)
            for small in groups
            if sizes[small].sum() < least
            for other in groups
            if other is not small and sizes[small + other].sum() <= most
        ]
        if not joins:
            return groups
        _, small, other = min(joins)
        groups = sorted([g for g in groups if g not in (small, other)] + [sorted(small + other)])


def facet_table(lexicon: Lexicon, facets: Mapping[str, str]) -> str:
    """A lexicon as CSV with the columns word, category, family and facet."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("word", "category", "family", "facet"))
    families = _families(lexicon)
    for category, entries in lexicon.categories.items():
        writer.writerows((e, category, families[e], facets.get(e, "")) for e in entries)
    return out.getvalue()


def facet_lists(lexicon: Lexicon, facets: Mapping[str, str]) -> Sequence[tuple[str, str, str]]:
    """Category, facet and its words, to be read through; the facets of a group together."""
    lists: dict[tuple[str, str], list[str]] = {}
    for category, entries in lexicon.categories.items():
        for entry in entries:
            if entry in facets:
                lists.setdefault((category, facets[entry]), []).append(entry)
    places = {category: i for i, category in enumerate(lexicon.categories)}
    groups = {facet.rpartition(SEPARATOR)[0]: i for i, (_, facet) in reversed([*enumerate(lists)])}
    ordered = sorted(lists, key=lambda f: (places[f[0]], groups[f[1].rpartition(SEPARATOR)[0]]))
    return [(*found, ", ".join(lists[found])) for found in ordered]
