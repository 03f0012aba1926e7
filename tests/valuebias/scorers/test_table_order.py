"""A table of scores is recognised by the order of its words, however it was written down."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from valuebias.candidates import Candidates
from valuebias.prompts import PAPER_PROMPTS
from valuebias.scorers.table_order import order_digest
from valuebias.scores import FloatArray, Scores

WORDS = ("love", "power", "care", "null", "")


def table(values: FloatArray, words: tuple[str, ...] = WORDS, first: int = 0) -> Scores:
    prompts = PAPER_PROMPTS[first : first + len(values)]
    return Scores(values.astype(np.float32), prompts, Candidates.words(words))


def drawn(seed: int) -> FloatArray:
    return np.random.default_rng(seed).integers(0, 9, (3, 5)).astype(np.float32)


@given(st.integers(0, 999), st.permutations(range(5)), st.permutations(range(3)))
def test_rows_columns_and_scale_do_not_matter(seed: int, words: list[int], rows: list[int]) -> None:
    values = drawn(seed)
    before = table(values)
    prompts = tuple(before.prompts[i] for i in rows)
    candidates = Candidates.words(tuple(WORDS[i] for i in words))
    after = Scores(values[np.ix_(rows, words)] * 2 + 1, prompts, candidates)
    assert order_digest(after) == order_digest(before)


@given(st.integers(0, 999), st.integers(0, 2), st.integers(0, 4))
def test_any_change_of_the_order_matters(seed: int, row: int, word: int) -> None:
    values = drawn(seed)
    changed = values.copy()
    changed[row, word] = 10 if values[row, word] < values[row].max() else -1
    assert order_digest(table(changed)) != order_digest(table(values))


def test_words_and_prompts_matter() -> None:
    values = drawn(1)
    digests = [
        order_digest(table(values)),
        order_digest(table(values, (*WORDS[:4], "other"))),
        order_digest(table(values, first=1)),
        order_digest(table(values[:, :4], WORDS[:4])),
        order_digest(table(values[:2])),
    ]
    assert len(set(digests)) == 5
