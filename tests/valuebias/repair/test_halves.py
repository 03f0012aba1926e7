"""What a repair is fitted on and what it is judged on have nothing in common."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.prompts import SHIPPED, VALENCES
from valuebias.repair.halves import Half, folds, halves

BIG_TWO = starter("big_two")
WORDS = BIG_TWO.words()


def disjoint(first: Half, second: Half) -> None:
    of = [set(half.lexicon.words()) for half in (first, second)]
    assert not of[0] & of[1]
    for key in (BIG_TWO.facet, BIG_TWO.family):
        named = [{key(word) for word in words} - {""} for words in of]
        assert not named[0] & named[1]
    asked = [{prompt.id for prompt in half.prompts.both} for half in (first, second)]
    assert not asked[0] & asked[1]


def test_the_halves_of_the_starter_lexicon() -> None:
    for prompts in SHIPPED.values():
        fit_on, judge_on = halves(BIG_TWO, prompts, WORDS)
        disjoint(fit_on, judge_on)
        assert {*fit_on.lexicon.words(), *judge_on.lexicon.words()} == set(WORDS)
        for half in (fit_on, judge_on):
            for words in half.lexicon.categories.values():
                assert len({BIG_TWO.family(word) for word in words}) > 60
            for valence in VALENCES:
                kept = half.prompts.of(valence)
                assert len(kept) >= 12
                everything = {p.factors["adjective"] for p in prompts.of(valence)}
                assert {p.factors["adjective"] for p in kept} == everything
        assert fit_on.lexicon.digest != BIG_TWO.digest


def test_what_a_fold_leaves_out_was_not_fitted_on() -> None:
    half = halves(BIG_TWO, SHIPPED["balanced"], WORDS)[0]
    pieces = list(folds(half, WORDS, 4))
    assert len(pieces) == 4
    for inside, outside in pieces:
        disjoint(inside, outside)
    left_out = [w for _, outside in pieces for w in outside.lexicon.words()]
    assert sorted(left_out) == sorted(half.lexicon.words())


@given(st.lists(st.sampled_from(WORDS), min_size=1, unique=True))
def test_words_keep_their_families_and_facets_in_any_lexicon(words: list[str]) -> None:
    of = {"a": tuple(words[::2]), "b": tuple(words[1::2])}
    lexicon = Lexicon("some", of, families=BIG_TWO.families, facets=BIG_TWO.facets)
    for half in halves(lexicon, SHIPPED["paper"], words):
        for word in half.lexicon.words():
            assert half.lexicon.family(word) == lexicon.family(word)
            assert half.lexicon.facet(word) == lexicon.facet(word)


def test_a_wildcard_stands_for_the_words_that_were_scored() -> None:
    lexicon = Lexicon("wild", {"a": ("free*", "skill"), "b": ("love", "kin")})
    parts = halves(lexicon, SHIPPED["paper"], ("freedom", "freely", "skill", "love", "kin"))
    kept = [word for part in parts for word in part.lexicon.words()]
    assert sorted(kept) == ["freedom", "freely", "kin", "love", "skill"]
    same = [{"freedom", "freely"} <= set(part.lexicon.words()) for part in parts]
    assert sorted(same) == [False, True]  # one family
