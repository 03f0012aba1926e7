"""Facets made from vectors: against planted groups, a naive clustering, and invariances."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valuebias.errors import LexiconError
from valuebias.lexicons.facets import (
    LEAST,
    LEAST_GROUPED,
    MOST,
    MOST_GROUPED,
    FloatArray,
    embedded_words,
    facet_lists,
    facet_table,
    make_facets,
)
from valuebias.lexicons.files import load_lexicon, starter
from valuebias.lexicons.lexicon import Lexicon


def letters(number: int) -> str:
    """A word that the rules for families leave alone."""
    return "".join("bcdfghjkmn"[int(digit)] for digit in f"{number:03}") + "o"


def lexicon_of(counts: list[int]) -> Lexicon:
    numbers = iter(range(1000))
    return Lexicon(
        "f",
        {f"c{i}": tuple(itertools.islice(map(letters, numbers), n)) for i, n in enumerate(counts)},
    )


def groups_of(lexicon: Lexicon, facets: dict[str, str]) -> set[frozenset[str]]:
    grouped: dict[str, set[str]] = {}
    for entry, facet in facets.items():
        grouped.setdefault(facet, set()).add(lexicon.family(entry.removesuffix("*")))
    return {frozenset(families) for families in grouped.values()}


def larger_groups_of(lexicon: Lexicon, facets: dict[str, str]) -> dict[str, set[str]]:
    """The families of each group of facets."""
    groups: dict[str, set[str]] = {}
    for entry, facet in facets.items():
        if "/" in facet:
            groups.setdefault(facet.split("/")[0], set()).add(lexicon.family(entry))
    return groups


def random_vectors(lexicon: Lexicon, seed: int, dimensions: int = 12) -> dict[str, FloatArray]:
    rng = np.random.default_rng(seed)
    return {word: rng.normal(size=dimensions) for word in embedded_words(lexicon)}


def test_planted_groups_are_found():
    lexicon = lexicon_of([17, 15])
    rng = np.random.default_rng(1)
    planted = []
    vectors: dict[str, FloatArray] = {}
    for words, sizes in zip(lexicon.categories.values(), ([3, 6, 8], [5, 5, 5]), strict=True):
        at = 0
        for size in sizes:
            centre = 5 * rng.normal(size=30)
            members = words[at : at + size]
            vectors |= {word: centre + rng.normal(size=30) for word in members}
            planted.append(frozenset(lexicon.family(word) for word in members))
            at += size
    facets = make_facets(lexicon, vectors)
    assert groups_of(lexicon, facets) == set(planted)
    assert not larger_groups_of(lexicon, facets)  # a category would be one group


def planted_in_two_levels() -> tuple[Lexicon, dict[str, FloatArray], list[list[list[str]]]]:
    """Two groups of three facets of one category, and the words in them."""
    rng = np.random.default_rng(2)
    words = iter(lexicon_of([41]).words())
    vectors: dict[str, FloatArray] = {}
    groups = []
    for sizes in ((7, 6, 8), (4, 8, 8)):
        centre, group = 8 * rng.normal(size=30), []
        for size in sizes:
            lean = centre + 3 * rng.normal(size=30)
            group.append(list(itertools.islice(words, size)))
            vectors |= {word: lean + 0.5 * rng.normal(size=30) for word in group[-1]}
        groups.append(group)
    return Lexicon("f", {"c0": tuple(vectors)}), vectors, groups


def test_planted_groups_of_facets_are_found():
    lexicon, vectors, groups = planted_in_two_levels()
    facets = make_facets(lexicon, vectors)
    family = lexicon.family
    assert groups_of(lexicon, facets) == {
        frozenset(map(family, words)) for group in groups for words in group
    }
    found = larger_groups_of(lexicon, facets)
    assert sorted(map(sorted, found.values())) == sorted(
        sorted(family(word) for words in group for word in words) for group in groups
    )
    for name, members in found.items():
        assert family(name) in members


def test_declared_facets_are_kept_and_grouped_anew():
    lexicon, vectors, groups = planted_in_two_levels()
    names = {
        word: f"old/{k}{i}" for k, group in enumerate(groups) for i, ws in enumerate(group)
        for word in ws
    }  # fmt: skip
    first, *_, last = names
    names[first] = "by hand"
    del names[last]
    declared = Lexicon("f", lexicon.categories, facets=names)
    facets = make_facets(declared, vectors)
    assert {w: f.rpartition("/")[2] for w, f in facets.items()} == {
        w: f.rpartition("/")[2] for w, f in names.items()
    }
    assert facets[first].split("/")[0] == facets[groups[0][0][1]].split("/")[0] != "old"
    assert len(larger_groups_of(declared, facets)) == 2
    listed = [facet.split("/")[0] for _, facet, _ in facet_lists(declared, facets)]
    assert listed == [listed[0]] * 4 + [listed[-1]] * 3


def naive(vectors: dict[str, FloatArray]) -> set[frozenset[str]]:
    """Average linkage, the cut and the joins, on lists."""
    unit = {w: v / np.linalg.norm(v) for w, v in vectors.items()}
    mean = sum(unit.values()) / len(unit)
    centred = {w: (v - mean) / np.linalg.norm(v - mean) for w, v in unit.items()}

    def cosine(one: frozenset[str], other: frozenset[str]) -> float:
        return float(np.mean([centred[a] @ centred[b] for a in one for b in other]))

    clusters = {frozenset([word]) for word in centred}
    parts: dict[frozenset[str], tuple[frozenset[str], frozenset[str]]] = {}
    while len(clusters) > 1:
        one, other = max(itertools.combinations(clusters, 2), key=lambda pair: cosine(*pair))
        clusters = clusters - {one, other} | {one | other}
        parts[one | other] = one, other
    while any(len(cluster) > MOST for cluster in clusters):
        large = next(cluster for cluster in clusters if len(cluster) > MOST)
        clusters = clusters - {large} | set(parts[large])
    while True:
        pairs = [
            (small, other)
            for small, other in itertools.permutations(clusters, 2)
            if len(small) < LEAST and len(small | other) <= MOST
        ]
        if not pairs:
            return clusters
        one, other = max(pairs, key=lambda pair: cosine(*pair))
        clusters = clusters - {one, other} | {one | other}


@pytest.mark.parametrize("seed", range(8))
def test_as_a_naive_clustering(seed):
    lexicon = lexicon_of([9 + 4 * seed])
    vectors = random_vectors(lexicon, seed)
    by_family = {lexicon.family(word): vector for word, vector in vectors.items()}
    assert groups_of(lexicon, make_facets(lexicon, vectors)) == naive(by_family)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(0, 1000))
def test_facets_part_the_families_of_each_category(counts, seed):
    lexicon = lexicon_of(counts)
    vectors = random_vectors(lexicon, seed)
    facets = make_facets(lexicon, vectors)
    assert set(facets) == set(lexicon.words())
    groups = groups_of(lexicon, facets)
    for words in lexicon.categories.values():
        own = {lexicon.family(word) for word in words}
        inside = [group for group in groups if group & own]
        assert set().union(*inside) == own
        sizes = sorted(len(group) for group in inside)
        assert sizes[-1] <= MOST
        # A small group stands only where no other has room.
        assert sizes[0] >= LEAST or len(sizes) == 1 or sizes[0] + sizes[1] > MOST
        larger = [len(g) for g in larger_groups_of(lexicon, facets).values() if g <= own]
        assert sum(larger) == (len(own) if len(own) > MOST_GROUPED else 0)
        if larger:
            assert max(larger) <= MOST_GROUPED
            assert min(larger) >= LEAST_GROUPED or sum(sorted(larger)[:2]) > MOST_GROUPED
    scaled = {word: 3 * vector for word, vector in vectors.items()}
    assert make_facets(lexicon, scaled) == facets
    reordered = Lexicon("f", {c: words[::-1] for c, words in lexicon.categories.items()})
    assert make_facets(reordered, vectors) == facets


def test_a_family_is_one_vector_and_stands_once():
    lexicon = Lexicon(
        "f",
        {
            "a": ("cruel", "cruelty", "help*", "kind"),
            "b": ("helping", "cruelly", "kind", "loyal", "loyalist"),
        },
    )
    facets = make_facets(lexicon, random_vectors(lexicon, 1))
    assert facets["cruel"] == facets["cruelty"] == facets["cruelly"]
    assert facets["help*"] == facets["helping"]
    assert facets["loyal"] == facets["loyalist"] != facets["kind"]
    assert Lexicon("f", lexicon.categories, facets=facets).split_family() is None


@pytest.mark.parametrize("vector", [None, np.zeros(12), np.full(12, np.nan)])
def test_vectors_that_cannot_be_used(vector):
    lexicon = lexicon_of([4])
    vectors = random_vectors(lexicon, 1)
    word = lexicon.words()[2]
    if vector is None:
        del vectors[word]
    else:
        vectors[word] = vector
    with pytest.raises(LexiconError, match=f"a word has no usable vector. Seen: {word}"):
        make_facets(lexicon, vectors)


def test_the_table_is_read_back_as_the_same_lexicon(tmp_path: Path):
    lexicon = Lexicon(
        "f",
        {
            "care.virtue": ("kind", "kindness", "civil rights", "help*"),
            "care.vice": ("cruel", "kind"),
        },
        {"kindness": "kind"},
    )
    facets = make_facets(lexicon, random_vectors(lexicon, 2))
    path = tmp_path / "facets.csv"
    path.write_text(facet_table(lexicon, facets), encoding="utf-8")
    again = load_lexicon("f", path)
    assert again.categories == lexicon.categories
    assert dict(again.facets) == facets
    words = ["kind", "kindness", "civil right", "helpful", "cruelty"]
    assert [again.family(w) for w in words] == [lexicon.family(w) for w in words]
    lists = facet_lists(lexicon, facets)
    assert [(category, words) for category, _, words in lists] == [
        ("care.virtue", "kind, kindness, civil rights, help*"),
        ("care.vice", "cruel"),
        ("care.vice", "kind"),
    ]


def test_the_starters_facets_can_be_made_anew():
    shipped = starter("mfd2")
    lexicon = Lexicon("mfd2", shipped.categories, shipped.families)
    facets = make_facets(lexicon, random_vectors(lexicon, 3))
    assert set(facets) == set(lexicon.words())
    assert {len(g) for g in groups_of(lexicon, facets)} <= set(range(LEAST, MOST + 1))
