"""Lexicons: contrasts, families, digests, and finding words among scored responses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.errors import LexiconError
from valuebias.lexicon import STARTERS, Lexicon, normal_category, normal_contrast, starter

MORAL = Lexicon(
    "moral",
    {
        "care.virtue": ("care", "compassion"),
        "care.vice": ("harm",),
        "loyalty.virtue": ("loyal", "compassion"),
        "loyalty.vice": ("traitor",),
        "moral": ("ethics",),
    },
)


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("Care_Virtue", "care.virtue"),
        ("care.vice", "care.vice"),
        ("Care Virtue", "care.virtue"),
        ("Agency", "agency"),
        (" Self  Direction ", "self_direction"),
        ("advice", "advice"),
        ("VICE", "vice"),
    ],
)
def test_category_names(written, normal):
    assert normal_category(written) == normal


@pytest.mark.parametrize("written", ["", "a~b", "a[b", "care/virtue", "\x1b[2J"])
def test_category_names_that_cannot_stand_in_a_node_id(written):
    with pytest.raises(LexiconError, match="cannot name a category"):
        normal_category(written)


def test_contrasts():
    alone = MORAL.contrast("Care_Virtue")
    assert (alone.name, alone.a, alone.b) == ("care.virtue", ("care.virtue",), ("loyalty.virtue",))
    assert MORAL.contrast("loyalty.vice").b == ("care.vice",)
    assert MORAL.contrast("moral").b == tuple(MORAL.categories)[:4]
    two = MORAL.contrast("care.virtue ~ care.vice")
    assert (two.name, two.a, two.b) == ("care.virtue~care.vice", ("care.virtue",), ("care.vice",))
    assert normal_contrast("Care_Vice~Agency") == "care.vice~agency"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("courage", "no such category. Seen: courage. It has care.virtue, care.vice"),
        ("care.virtue~courage", "no such category"),
        ("care.virtue~care.virtue", "nothing to be held against"),
        ("care.virtue~", "cannot name a category"),
        ("a~b~c", "cannot name a category"),
    ],
)
def test_contrasts_that_are_none(text, message):
    with pytest.raises(LexiconError, match=message):
        MORAL.contrast(text)


def test_a_category_alone_needs_others_of_its_polarity():
    with pytest.raises(LexiconError, match="nothing to be held against"):
        Lexicon("one", {"care.virtue": ("care",), "care.vice": ("harm",)}).contrast("care.virtue")


def test_words():
    assert MORAL.words() == ("care", "compassion", "harm", "loyal", "traitor", "ethics")
    assert MORAL.words("care.virtue") == ("care", "compassion", "loyal")
    assert Lexicon("w", {"a": ("accept*", "able"), "b": ("b",)}).words() == ("able", "b")


def test_families():
    lexicon = Lexicon("f", {"a": ("creat*", "x")}, {"liberty": "freedom", "creator": "maker"})
    assert lexicon.family("freedom") == lexicon.family("Freedoms")
    assert lexicon.family("civil rights") == lexicon.family("civil right") == "civil right"
    assert lexicon.family("liberty") == "freedom"  # what the file declares
    assert lexicon.family("creative") == lexicon.family("creation") == "creat*"
    assert lexicon.family("creator") == "maker"
    assert MORAL.family("creative") != MORAL.family("creation")


def test_the_digest_is_of_the_content():
    same = Lexicon("other", dict(reversed(MORAL.categories.items())), licence="MIT")
    assert same.digest == MORAL.digest
    for change in (
        {"categories": {**MORAL.categories, "moral": ("ethic",)}},
        {"categories": {**MORAL.categories, "morals": ("ethics",)}},
        {"families": {"care": "caring"}},
    ):
        other = Lexicon("moral", **{"categories": MORAL.categories, **change})
        assert other.digest != MORAL.digest


TWO = Lexicon("two", {"agency": ("freedom", "US"), "communion": ("care", "us", "all of us")})


def test_the_closest_variant_is_taken_once():
    responses = ["CARE", " Freedom", "Freedom", " freedom", "US", "All of  us ", "noise", " care"]
    found = TWO.select("agency~communion", responses)
    # freedom: with a space around rather than in other case; care: the same; "US" is on both
    # sides once case is set aside, and left out.
    assert [responses[i] for i in found.columns] == [" freedom", " care", "All of  us "]
    assert found.words == ("freedom", "care", "all of us")
    assert found.in_a.tolist() == [True, False, False]
    assert found.shared == ("US",)
    assert [(c.category, c.matched, c.total) for c in found.coverage] == [
        ("agency", 2, 2),
        ("communion", 3, 3),
    ]
    exact = TWO.select("agency~communion", [*responses, "freedom", "care"])
    assert [[*responses, "freedom", "care"][i] for i in exact.columns][:2] == ["freedom", "care"]
    bare = TWO.select("agency~communion", [" FREEDOM", "Freedom", "us", "all of us", "care"])
    assert bare.columns[0] == 1


def test_words_of_both_sides_are_left_out_and_counted():
    found = MORAL.select("care.virtue", MORAL.words())
    assert found.words == ("care", "loyal")
    assert found.shared == ("compassion",)
    assert {c.category: c.fraction for c in found.coverage} == {
        "care.virtue": 1,
        "loyalty.virtue": 1,
    }


def test_wildcards_stand_for_every_word_once():
    lexicon = Lexicon("w", {"a": ("creat*", "create"), "b": ("accept*", "law abid*", "creature")})
    responses = [
        " create", "Create", "creation", "creat", "creature", "accept-able", "accepting it",
        "law abiding", "recreate", "CREATION",
    ]  # fmt: skip
    found = lexicon.select("a~b", responses)
    assert dict(zip(found.words, (responses[i] for i in found.columns), strict=True)) == {
        "create": " create",
        "creation": "creation",
        "creat": "creat",
        "accept-able": "accept-able",
        "law abiding": "law abiding",
    }
    assert found.shared == ("creature",)
    assert set(found.families[found.in_a]) == {"creat*"}
    assert lexicon.expand(responses)["b"] == ("accept-able", "law abiding", "creature")


def test_too_little_coverage_names_the_words():
    lexicon = Lexicon("c", {"a": tuple(f"w{i}" for i in range(10)), "b": ("x", "y*")})
    kept = [f"w{i}" for i in range(8)] + ["x", "yes"]
    assert lexicon.select("a~b", kept).coverage[0].missing == ("w8", "w9")
    with pytest.raises(LexiconError, match=r"7 of the 10 entries of c's category a .*w7, w8, w9\."):
        lexicon.select("a~b", [*kept[:7], "x", "yes"])
    with pytest.raises(LexiconError, match="A wildcard finds words among scores of a vocabulary"):
        lexicon.select("a~b", [*kept[:8], "x"])


@given(st.lists(st.text(max_size=6), unique=True), st.permutations(TWO.words()))
def test_hostile_vocabularies_do_not_confuse_it(noise, words):
    """Whatever else was scored, exact words are found, in any order, each once."""
    responses = [*words, *(text for text in noise if text not in words)]
    found = TWO.select("agency~communion", responses[::-1])
    assert [responses[::-1][i] for i in found.columns] == ["freedom", "care", "all of us"]
    assert len(set(found.columns.tolist())) == len(found.columns)


def test_a_vocabulary_is_indexed_in_passing():
    responses = [f"token{i}" for i in range(50_000)] + list(TWO.words())
    found = TWO.select("agency~communion", responses)
    assert found.columns.min() >= 50_000
    assert found.families.dtype.kind == "U"
    assert isinstance(found.in_a, np.ndarray)


@pytest.mark.parametrize("name", STARTERS)
def test_starters(name):
    lexicon = starter(name)
    assert lexicon.starter
    assert lexicon.licence == "Apache-2.0"
    assert not lexicon.notes
    least = 100 if name == "big_two" else 30
    for category, words in lexicon.categories.items():
        found = lexicon.select(category, lexicon.words())
        assert len(set(found.families[found.in_a])) >= (
            least if not category.endswith("vice") else 20
        ), (category, len(words))
        assert not found.shared
    with pytest.raises(LexiconError, match="There are big_two, mfd2"):
        starter("big-three")
