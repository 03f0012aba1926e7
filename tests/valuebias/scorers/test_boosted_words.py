"""What benchmarks/boosted_words.py counts, and which words it boosts."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from valuebias.organisms.tokenizer import build_tokenizer
from valuebias.organisms.words import pools
from valuebias.prompts import PAPER_PROMPTS


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(
        str(Path(__file__).parents[3] / "benchmarks" / "boosted_words.py"), run_name="script"
    )


def test_a_word_is_recovered_by_any_of_its_tokens_and_counts_once(script):
    rewards = np.array([[9.0, 8.0, 0.0, 7.0, 1.0], [0.0, 1.0, 9.0, 8.0, 7.0]])
    words = [[0, 1], [2, 3]]
    assert script["recovered"](rewards, words, top=2) == (1 + 1) / 2
    assert script["recovered"](rewards, words, top=3) == (2 + 1) / 2
    assert script["recovered"](-rewards, words, top=2) == (1 + 1) / 2
    assert script["recovered"](rewards, [[4]], top=2) == 0


def test_words_of_the_planted_categories_and_unknown_ones_are_replaced(script):
    known = build_tokenizer().get_vocab()
    words, replaced = script["chosen_words"](known)
    assert replaced == [("leadership", "order")]
    assert len(set(words)) == 10
    assert not {*words} & {*pools().agency, *pools().communion}
    assert all(word.capitalize() in known for word in words)
    fewer = {text: i for text, i in known.items() if text != "Duty"}
    assert script["chosen_words"](fewer)[1] == [("leadership", "order"), ("duty", "rule")]


def test_no_prompt_of_the_paper_is_among_the_further_questions(script):
    further = script["FURTHER"]
    assert len(set(further)) == 18
    assert not {*further} & {prompt.text for prompt in PAPER_PROMPTS}
