"""How much of a contrast has no score."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.lexicons.lexicon import Lexicon
from valuebias.lexicons.missing import unseen

LETTERS = "bcdfghjklmnpqrtvwxzy"
A = tuple(f"alpha{c}x" for c in LETTERS)
B = tuple(f"omega{c}x" for c in LETTERS)


def lexicon(**changes: object) -> Lexicon:
    categories = {"one": A, "two": B}
    return Lexicon("own", **{"categories": categories, **changes})  # type: ignore[arg-type]


def share(lex: Lexicon, *gone: str, contrast: str = "one~two") -> float:
    return unseen(lex, lex.select(contrast, [w for w in lex.words() if w not in gone]))


def test_from_95_percent_on_nothing_is_asked():
    lex = lexicon()
    assert share(lex) == 0
    assert share(lex, B[3]) == 0  # 19 of 20


def test_below_the_pairs_of_missing_words_are_counted():
    lex = lexicon()
    a = len(lex.categories["one"])
    assert share(lex, *B[:2]) == pytest.approx(0.1)
    assert share(lex, *B[:4], A[0]) == pytest.approx(1 - (a - 1) / a * 16 / 20)


def test_of_words_and_families_the_larger_share_counts():
    families = dict.fromkeys(B[:10], "omega")  # 11 families, of which one has ten words
    lex = lexicon(families=families)
    assert share(lex, *B[:4]) == pytest.approx(4 / 20)
    assert share(lex, *B[16:]) == pytest.approx(4 / 11)


def test_a_word_missing_on_both_sides_is_of_neither():
    lex = lexicon(categories={"one": (*A, "both"), "two": (*B, "both")})
    assert share(lex, "both", *B[:2]) == share(lexicon(), *B[:2])


def test_one_category_against_the_others_of_its_polarity():
    words = {f: tuple(f"{f}{c}q" for c in "bcdfghjklm") for f in ("care", "duty", "fair")}
    lex = lexicon(categories={f"{f}.virtue": w for f, w in words.items()})
    gone = (*words["duty"][:2], words["fair"][0])
    assert share(lex, *gone, contrast="care.virtue") == pytest.approx(3 / 20)


def test_all_words_of_a_lexicon_are_pairs_with_one_another():
    lex = lexicon()
    kept = [w for w in lex.words() if w not in B[:2]]
    n = len(lex.words())
    assert unseen(lex, lex.select_all(kept)) == pytest.approx(1 - ((n - 2) / n) ** 2)


@given(st.data())
def test_no_scores_of_the_missing_words_lead_out_of_the_worst_case(data):
    """Brute force: the effect of all words lies within what was seen and the two ends."""
    lex = lexicon()
    a, b = (len(lex.categories[c]) for c in ("one", "two"))
    values = np.array(data.draw(st.lists(st.integers(-3, 3), min_size=a + b, max_size=a + b)))
    gone = data.draw(st.sets(st.sampled_from(range(a, a + b)), min_size=2, max_size=4))
    words = lex.words()

    def effect(which: list[int]) -> float:
        pairs = itertools.product([i for i in which if i < a], [i for i in which if i >= a])
        return float(np.mean([np.sign(values[i] - values[j]) for i, j in pairs]))

    c = share(lex, *(words[i] for i in gone))
    seen = effect([i for i in range(a + b) if i not in gone])
    whole = effect(list(range(a + b)))
    assert (1 - c) * seen - c - 1e-12 <= whole <= (1 - c) * seen + c + 1e-12
