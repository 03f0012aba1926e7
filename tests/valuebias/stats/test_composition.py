"""The composition of the best and worst words: by hand, by breaking ties in every way, by model."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.candidates import Candidates
from valuebias.errors import LexiconError, ScoresError, StatisticsError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.prompts import PAPER_PROMPTS
from valuebias.scores import Scores
from valuebias.stats import composition, composition_over, shared_words
from valuebias.stats.composition import Share

VALUES = Lexicon("values", {"agency": ("freedom", "skill*"), "communion": ("Love", "care", "bond")})
VALUES_SMALL = Lexicon("small", {"agency": ("freedom",), "communion": ("love",)})
WORDS = ("love", "freedom", "care", "skills", "the", "of", "bond", "stone")


def made(responses, *rows, tokens=False):
    responses = tuple(responses)
    candidates = Candidates(
        responses, tuple(range(len(responses))) if tokens else None, "token" if tokens else "text"
    )
    return Scores(np.array(rows, np.float32), PAPER_PROMPTS[: len(rows)], candidates)


def test_counts_and_mean_places_by_hand():
    found = composition(made(WORDS, [9, 8, 7, 6, 5, 4, 3, 2]), VALUES, k=4)
    assert found.best == {"agency": Share(2, 3.0), "communion": Share(2, 2.0)}
    assert found.worst == {"agency": Share(0, None), "communion": Share(1, 2.0)}
    assert (found.pooled_best, found.pooled_worst) == (found.best, found.worst)
    assert found.best_words == ("love", "freedom", "care", "skills")
    assert found.worst_words == ("stone", "bond", "of", "the")
    assert found.matched == {"agency": 2, "communion": 3}
    assert (found.n_words, found.n_models) == (8, 1)


def test_spellings_are_one_word_where_the_most_extreme_stands():
    responses = ("Love", " love", "LOVE ", "freedom", "Freedom", "care", "skill", "x", "y", "bond")
    found = composition(made(responses, [9, 8, -9, 7, 6, 5, 4, 3, 2, 1]), VALUES, k=3)
    # Three spellings of love and two of freedom take one place each.
    assert found.n_words == 7
    assert found.best_words == ("love", "freedom", "care")
    assert found.best == {"agency": Share(1, 2.0), "communion": Share(2, 2.0)}
    assert found.worst_words == ("love", "bond", "y")
    assert found.worst == {"agency": Share(0, None), "communion": Share(2, 1.5)}


def test_tokens_of_one_text_are_one_word_and_blank_ones_stay_apart():
    responses = ("love", "love", "\n", " ", "freedom", "the")
    found = composition(made(responses, [1, 6, 5, 4, 3, 2], tokens=True), VALUES_SMALL, k=3)
    assert found.best_words == ("love", "\n", " ")
    assert found.best["communion"] == Share(1, 1.0)


def test_a_word_of_several_categories_counts_in_each():
    both = Lexicon("both", {"one": ("love", "care"), "two": ("LOVE",)})
    found = composition(made(WORDS, [9, 1, 8, 2, 3, 4, 5, 6]), both, k=2)
    assert found.best == {"one": Share(2, 1.5), "two": Share(1, 1.0)}


def test_ties_at_the_last_place_are_shared():
    # First love; then freedom, care, the and of share places 2 to 5, of which k = 3 has two.
    found = composition(made(WORDS, [9, 5, 5, 1, 5, 5, 0, 2]), VALUES, k=3)
    assert found.best["agency"] == Share(0.5, 2.5)
    close = pytest.approx((1 + 0.5 * 2.5) / 1.5)
    assert found.best["communion"] == Share(1.5, close)  # type: ignore[arg-type]
    assert found.best_words == ("love", "care", "freedom", "of", "the")


def test_prompts_are_averaged_before_or_after():
    scores = made(WORDS, [9, 8, 1, 2, 3, 4, 5, 6], [1, 8, 9, 2, 3, 4, 5, 6])
    found = composition(scores, VALUES, k=1)
    # Freedom is second on both prompts and so first on average, but never first.
    assert found.best == {"agency": Share(1, 1.0), "communion": Share(0, None)}
    assert found.pooled_best == {"agency": Share(0, None), "communion": Share(1, 1.0)}
    # love is first once in two prompts, and care is; pooled places are weighed by their counts
    two = composition(scores, VALUES, k=2)
    assert two.pooled_best == {"agency": Share(1, 2.0), "communion": Share(1, 1.0)}


@st.composite
def small(draw):
    values = draw(
        st.lists(st.integers(0, 4), min_size=7, max_size=7).filter(lambda v: len(set(v)) > 1)
    )
    return np.array(values, np.float32), draw(st.integers(1, 7))


@given(small())
def test_sharing_is_what_breaking_ties_at_random_gives(case):
    values, k = case
    words = WORDS[:7]
    found = composition(made(words, values), VALUES, k=k)
    categories = {"agency": {"freedom", "skills"}, "communion": {"love", "care", "bond"}}
    groups = [
        [w for w, v in zip(words, values, strict=True) if v == level]
        for level in sorted(set(values.tolist()), reverse=True)
    ]
    orders = [
        list(itertools.chain(*parts))
        for parts in itertools.product(*(list(itertools.permutations(g)) for g in groups))
    ]
    for category, members in categories.items():
        places = [i + 1 for order in orders for i, w in enumerate(order[:k]) if w in members]
        share = found.best[category]
        assert share.count == pytest.approx(len(places) / len(orders))
        assert (share.rank is None) == (not places)
        if places:
            assert share.rank == pytest.approx(np.mean(places))


@given(small(), st.permutations(range(7)))
def test_neither_the_order_of_words_nor_the_scale_counts(case, order):
    values, k = case
    found = composition(made(WORDS[:7], values), VALUES, k=k)
    other = composition(made([WORDS[i] for i in order], np.exp(values[list(order)])), VALUES, k=k)
    for end in ("best", "worst", "pooled_best", "pooled_worst"):
        for category, share in getattr(found, end).items():
            assert getattr(other, end)[category].count == pytest.approx(share.count)
            assert getattr(other, end)[category].rank == pytest.approx(share.rank)
    assert (other.best_words, other.worst_words) == (found.best_words, found.worst_words)
    assert other.words_digest == found.words_digest


@given(st.lists(st.permutations(range(9)), min_size=1, max_size=3), st.integers(1, 8))
def test_reversed_scores_exchange_the_ends(rows, k):
    responses = (*WORDS, " LOVE")
    found = composition(made(responses, *rows), VALUES, k=k)
    other = composition(made(responses, *(-np.array(row) for row in rows)), VALUES, k=k)
    assert (other.best, other.worst) == (found.worst, found.best)
    assert (other.pooled_best, other.pooled_worst) == (found.pooled_worst, found.pooled_best)
    assert other.best_words == found.worst_words


def test_models_count_once_each():
    def of(row):
        return composition(made(WORDS, row), VALUES, k=3)

    # agency in the best three: freedom at place 1; freedom and skills at 2 and 3; none.
    models = [
        of([1, 9, 2, 3, 7, 8, 4, 5]),
        of([9, 8, 1, 7, 2, 3, 4, 5]),
        of([9, 1, 8, 2, 7, 3, 4, 5]),
    ]
    found = composition_over(models)
    assert [m.best["agency"] for m in models] == [Share(1, 1.0), Share(2, 2.5), Share(0, None)]
    assert found.best["agency"] == Share(1.0, 1.75)
    assert found.n_models == 3
    assert found.best_words == ()
    assert composition_over(models[:1]).best == models[0].best


def test_models_that_cannot_be_averaged():
    one = composition(made(WORDS, range(8)), VALUES, k=3)
    other_words = composition(made((*WORDS, "new"), range(9)), VALUES, k=3)
    other_lexicon = composition(made(WORDS, range(8)), VALUES_SMALL, k=3)
    other_prompts = composition(made(WORDS, range(8), range(8)), VALUES, k=3)
    for other, message in (
        (other_words, "words.*shared_words"),
        (other_lexicon, "lexicon"),
        (other_prompts, "prompts"),
        (replace(one, k=4), "their k"),
    ):
        with pytest.raises(StatisticsError, match=message):
            composition_over([one, other])
    with pytest.raises(StatisticsError, match="no model"):
        composition_over([])
    with pytest.raises(StatisticsError, match="is not a model"):
        composition_over([composition_over([one, one]), one])


def test_different_vocabularies_over_their_shared_words():
    first = made(
        ("Love", "love", "freedom", "only", "care", "skill"), [6, 5, 4, 9, 3, 2], tokens=True
    )
    second = made((" LOVE", "care", "freedom", "skill", "other"), [1, 2, 3, 4, 5])
    a, b = shared_words([first, second])
    assert a.candidates.responses == ("Love", "love", "freedom", "care", "skill")
    assert a.candidates.token_ids == (0, 1, 2, 4, 5)
    assert a.values.tolist() == [[6, 5, 4, 3, 2]]
    assert b.candidates.responses == (" LOVE", "care", "freedom", "skill")
    found = composition_over([composition(s, VALUES, k=2) for s in (a, b)])
    assert found.best["communion"] == Share(0.5, 1.0)
    for nothing in ([], [first, made(("x", "y"), [1, 2])]):
        with pytest.raises(StatisticsError, match="no word in common"):
            shared_words(nothing)


@pytest.mark.parametrize("k", [0, -1, 9, 2.0, True, "3"])
def test_k_is_a_number_of_words(k):
    with pytest.raises(StatisticsError, match="from 1 to the number of words, 8"):
        composition(made(WORDS, range(8)), VALUES, k=k)


def test_bad_input_is_refused():
    scores = made(WORDS, range(8), range(8))
    with pytest.raises(StatisticsError, match="tied"):
        composition(made(WORDS, range(8), [2] * 8), VALUES, k=3)
    with pytest.raises(ScoresError, match="not finite"):
        composition(made(WORDS, [*range(7), np.nan]), VALUES, k=3)
    with pytest.raises(StatisticsError, match="given once"):
        composition(replace(scores, prompts=PAPER_PROMPTS[:1] * 2), VALUES, k=3)
    with pytest.raises(StatisticsError, match="both valences"):
        composition(replace(scores, prompts=(PAPER_PROMPTS[0], PAPER_PROMPTS[-1])), VALUES, k=3)
    with pytest.raises(LexiconError, match=r"agency is among.*Seen: will\."):
        composition(scores, Lexicon("x", {"agency": ("will",), "communion": ("love",)}), k=3)
