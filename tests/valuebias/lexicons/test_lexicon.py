"""Lexicons: contrasts, families, digests, and finding words among scored responses."""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.errors import LexiconError, ScoresError
from valuebias.lexicons.lexicon import Lexicon, normal_category, normal_contrast

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

COMPOSED, APART = (unicodedata.normalize(form, "für") for form in ("NFC", "NFD"))


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
    with pytest.raises(LexiconError, match="invalid category name"):
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
        ("courage", "no such category. Seen: courage. Give one of care.virtue, care.vice"),
        ("care.virtue~courage", "no such category"),
        ("care.virtue~care.virtue", "no category to compare with"),
        ("care.virtue~", "invalid category name"),
        ("a~b~c", "invalid category name"),
    ],
)
def test_contrasts_that_are_none(text, message):
    with pytest.raises(LexiconError, match=message):
        MORAL.contrast(text)


def test_a_category_alone_needs_others_of_its_polarity():
    with pytest.raises(LexiconError, match="no category to compare with"):
        Lexicon("one", {"care.virtue": ("care",), "care.vice": ("harm",)}).contrast("care.virtue")


def test_words():
    assert MORAL.words() == ("care", "compassion", "harm", "loyal", "traitor", "ethics")
    assert MORAL.words("care.virtue") == ("care", "compassion", "loyal")
    assert Lexicon("w", {"a": ("accept*", "able"), "b": ("b",)}).words() == ("able", "b")


def test_families():
    lexicon = Lexicon("f", {"a": ("creat*", "x")}, {"liberty": "freedom", "creator": "maker"})
    assert lexicon.family("freedom") == lexicon.family("Freedoms") == lexicon.family("free")
    assert lexicon.family("civil rights") == lexicon.family("civil right") == "civil right"
    assert lexicon.family("liberty") == "freedom"  # what the file declares
    assert lexicon.family("creative") == lexicon.family("creation") == "creat*"
    assert lexicon.family("creator") == "maker"
    assert MORAL.family("creative") == "creat"


def test_a_word_that_names_a_declared_family_belongs_to_it():
    lexicon = Lexicon("f", {"a": ("Liebe", "Lieben")}, {"Lieben": "Liebe"})
    assert lexicon.family("Lieben") == lexicon.family("Liebe") == lexicon.family("liebe")


def test_relatives_of_two_declared_families_are_in_neither():
    lexicon = Lexicon("f", {"a": ("loyal", "loyalty")}, {"loyal": "loyal", "loyalty": "loyalty"})
    assert lexicon.family("loyalist") == "loyal"  # its root, which is the first one's name
    other = Lexicon("f", {"a": ("x", "y")}, {"x": "loyalty", "y": "loyalist"})
    assert other.family("loyalties") == "loyal"
    assert len({other.family(word) for word in ("x", "y", "loyalties")}) == 3


def test_a_facet_holds_for_the_whole_family():
    lexicon = Lexicon(
        "f",
        {"a": ("creat*", "Freedom", "win"), "b": ("freedoms", "love")},
        {"love": "care"},
        facets={"creat*": "making", "Freedom": "being free", "love": "warmth"},
    )
    words = ["creative", "creation", "Freedom", "freedoms", "win", "love", "care"]
    assert [lexicon.facet(word) for word in words] == [
        "making", "making", "being free", "being free", "", "warmth", "warmth",
    ]  # fmt: skip
    found = lexicon.select("a~b", words)
    assert dict(zip(found.words, found.facets.tolist(), strict=True)) == {
        w: lexicon.facet(w) for w in ("creation", "creative", "Freedom", "win", "freedoms", "love")
    }
    everything = lexicon.select_all(words)
    assert everything.facets.tolist() == [lexicon.facet(w) for w in everything.words]
    assert MORAL.select_all(MORAL.words()).facets.tolist() == [""] * 6


def test_a_family_in_two_facets_is_refused():
    lexicon = Lexicon("f", {"a": ("win", "wins")}, facets={"win": "x", "wins": "y"})
    assert lexicon.split_family() == ("win", "wins")
    with pytest.raises(LexiconError, match="two words of one family have two facets"):
        lexicon.facet("win")


@pytest.mark.parametrize(("entry", "response"), [(COMPOSED, APART), (APART, COMPOSED)])
def test_letters_are_the_same_however_they_were_typed(entry, response):
    assert entry != response
    lexicon = Lexicon("f", {"a": (entry,), "b": ("Macht",)})
    for spelled in (response, f" {response}", response.upper()):
        found = lexicon.select("a~b", ["Macht", spelled])
        assert found.columns.tolist() == [1, 0]
        assert found.words == (entry, "Macht")
    assert lexicon.family(entry) == lexicon.family(response)
    wildcard = Lexicon("f", {"a": (f"{entry}*",), "b": ("Macht",)})
    assert wildcard.expand([f"{response}s", "Furs"])["a"] == (f"{response}s",)


def test_two_spellings_of_one_letter_are_one_word():
    lexicon = Lexicon("f", {"a": (COMPOSED, APART), "b": ("Macht",)})
    assert len(lexicon.select("a~b", ["Macht", COMPOSED, APART]).words) == 2


def test_marks_of_a_script_end_no_word():
    lexicon = Lexicon("f", {"a": ("प्यार*",), "b": ("x",)})
    assert lexicon.expand(["प्यारी", "प्यार है"])["a"] == ("प्यारी",)


def test_the_digest_is_of_the_content():
    same = Lexicon("other", dict(reversed([*MORAL.categories.items()])), licence="MIT")
    assert same.digest == MORAL.digest
    changes: tuple[dict[str, Any], ...] = (
        {"categories": {**MORAL.categories, "moral": ("ethic",)}},
        {"categories": {**MORAL.categories, "morals": ("ethics",)}},
        {"families": {"care": "caring"}},
        {"facets": {"care": "caring"}},
    )
    for change in changes:
        other = Lexicon("moral", **{"categories": MORAL.categories, **change})
        assert other.digest != MORAL.digest
    assert len({Lexicon("moral", MORAL.categories, **c).digest for c in changes[2:]}) == 2


TWO = Lexicon(
    "two",
    {
        "agency": ("freedom", "US", "skill", "power", "goal"),
        "communion": ("care", "us", "all of us", "trust", "kin"),
    },
)
REST = ["skill", "power", "goal", "trust", "kin"]


def test_the_closest_variant_is_taken_once():
    responses = ["CARE", " Freedom", "Freedom", " freedom", "US", "All of  us ", "noise", " care"]
    responses += REST
    found = TWO.select("agency~communion", responses)
    # freedom: with a space around rather than in other case; care: the same; "US" is on both
    # sides once case is set aside, and left out.
    taken = [responses[i] for i in found.columns]
    assert taken == [" freedom", *REST[:3], " care", "All of  us ", *REST[3:]]
    assert found.words == ("freedom", *REST[:3], "care", "all of us", *REST[3:])
    assert found.in_a.tolist() == [True] * 4 + [False] * 4
    assert found.shared == ("US",)
    assert [(c.category, c.matched, c.total) for c in found.coverage] == [
        ("agency", 5, 5),
        ("communion", 5, 5),
    ]
    more = [*responses, "freedom", "care"]
    exact = TWO.select("agency~communion", more)
    assert [more[i] for i in exact.columns if more[i] not in taken] == ["freedom", "care"]
    bare = TWO.select("agency~communion", [" FREEDOM", "Freedom", "us", "all of us", "care", *REST])
    assert bare.columns[0] == 1


def overlapping(shared: int, a: int, b: int) -> Lexicon:
    """Categories of ``a`` and ``b`` words, of which some are the same."""
    both = tuple(f"both{i}" for i in range(shared))
    return Lexicon(
        "lap",
        {
            "a": both + tuple(f"a{i}" for i in range(a - shared)),
            "b": both + tuple(f"b{i}" for i in range(b - shared)),
        },
    )


def test_words_of_both_sides_are_left_out_and_counted():
    lexicon = overlapping(2, 10, 20)
    found = lexicon.select("a~b", lexicon.words())
    assert len(found.words) == 8 + 18
    assert found.shared == ("both0", "both1")
    assert {c.category: c.fraction for c in found.coverage} == {"a": 1, "b": 1}


@pytest.mark.parametrize("contrast", ["a~b", "b~a", "a"])
def test_sides_that_are_mostly_the_same_words_are_refused(contrast):
    lexicon = overlapping(130, 900, 157)
    message = "only 27 of the 157 scored words of lap's b are left without the 130 that are on both"
    with pytest.raises(LexiconError, match=rf"{message} sides of {contrast} .*both7, …"):
        lexicon.select(contrast, lexicon.words())
    # What counts are the words that were scored: 2 of 10, then 2 of 9.
    lexicon = overlapping(2, 10, 50)
    assert lexicon.select(contrast, lexicon.words())
    with pytest.raises(LexiconError, match="only 7 of the 9 scored words of lap's a are left"):
        lexicon.select(contrast, [word for word in lexicon.words() if word != "a0"])


def test_a_word_with_several_scores_is_refused():
    words = list(TWO.words())
    for twice in ("care", "kin"):
        with pytest.raises(
            ScoresError, match=rf"1 of the words of two's .* Seen: {twice}\. Record"
        ):
            TWO.select("agency~communion", [*words, "noise", twice])
    variants = [" care" if word == "care" else word for word in words]
    with pytest.raises(ScoresError, match=r"Seen:  care\. Record each word once"):
        TWO.select("agency~communion", [*variants, " care"])
    # Repeated texts that no entry takes do not matter: noise, a farther variant, a shared word.
    assert TWO.select("agency~communion", [*words, "�", "�", " care", " care", "us", "us"])
    wild = Lexicon("wild", {"a": ("creat*",), "b": ("b",)})
    with pytest.raises(ScoresError, match="Seen: creator"):
        wild.select("a~b", ["create", "creator", "creator", "b"])


def test_wildcards_stand_for_every_word_once():
    lexicon = Lexicon("w", {"a": ("creat*", "create"), "b": ("accept*", "law abid*", "creature")})
    responses = [
        " create", "Create", "creation", "creat", "creature", "accept-able", "accepting it",
        "law abiding", "recreate", "CREATION", "creator", "accept", "accepts",
    ]  # fmt: skip
    found = lexicon.select("a~b", responses)
    assert dict(zip(found.words, (responses[i] for i in found.columns), strict=True)) == {
        "create": " create",
        "creation": "creation",
        "creat": "creat",
        "creator": "creator",
        "accept": "accept",
        "accept-able": "accept-able",
        "accepts": "accepts",
        "law abiding": "law abiding",
    }
    assert found.shared == ("creature",)
    assert set(found.families[found.in_a]) == {"creat*"}
    expanded = ("accept", "accept-able", "accepts", "law abiding", "creature")
    assert lexicon.expand(responses)["b"] == expanded


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
    taken = [responses[::-1][i] for i in found.columns]
    assert taken == ["freedom", *REST[:3], "care", "all of us", *REST[3:]]
    assert len(set(found.columns.tolist())) == len(found.columns)


def test_a_vocabulary_is_indexed_in_passing():
    responses = [f"token{i}" for i in range(50_000)] + list(TWO.words())
    found = TWO.select("agency~communion", responses)
    assert found.columns.min() >= 50_000
    assert found.families.dtype.kind == "U"
    assert isinstance(found.in_a, np.ndarray)
