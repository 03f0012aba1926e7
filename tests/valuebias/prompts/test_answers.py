"""The shipped frames of whole answers: what is balanced, and that they take every word."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

import pytest

from valuebias.lexicons.in_force import lexicon_in_force
from valuebias.lexicons.whole_answers import uncountable
from valuebias.prompts import ANSWERS, GREATEST, PAPER, VALENCES, Prompt, Valence, known
from valuebias.prompts.answers import DESIGNS, LEVELS

FACTORS = ("place", "register", "manner")


@pytest.mark.parametrize("valence", VALENCES)
def test_every_level_stands_once_in_every_situation(valence: Valence) -> None:
    mine = [(p.factors["situation"], DESIGNS[p.id]) for p in ANSWERS.of(valence)]
    assert len(mine) == 15
    for factor, levels in zip(FACTORS, LEVELS, strict=True):
        counts = Counter((situation, getattr(design, factor)) for situation, design in mine)
        assert set(counts.values()) == {1}, factor
        assert {level for _, level in counts} == set(levels)
    for one, other in combinations(FACTORS, 2):
        pairs = Counter((getattr(design, one), getattr(design, other)) for _, design in mine)
        assert len(pairs) == 9
        assert set(pairs.values()) <= {1, 2}


@pytest.mark.parametrize("prompt", ANSWERS.prompts, ids=lambda prompt: prompt.id)
def test_a_frame_takes_an_uncountable_noun(prompt: Prompt) -> None:
    assert len(re.findall(r"\{word\}|\{Word\}", prompt.answer)) == 1
    before, after = re.split(r"\{word\}|\{Word\}", prompt.answer)
    begins = before == "" or before.endswith((". ", "! ", "? "))
    assert ("{Word}" in prompt.answer) is begins
    place = {"": "first"}.get(before, "last" if len(after) == 1 else "middle")
    assert DESIGNS[prompt.id].place == place
    # No article, number or plural demonstrative before it, and no bare plural verb after it.
    assert not re.search(r"\b(an?|one|many|few|these|those|several)\s$", before)
    assert not re.match(r"\s(are|were|have|do)\b", after)
    assert re.search(r"[.!?]$", prompt.answer)
    assert 1 <= len(re.findall(r"[.!?](?:\s|$)", prompt.answer)) <= 3
    assert prompt.text.endswith("?")


def test_the_set_is_the_frames_with_their_situations() -> None:
    assert [p.id for p in ANSWERS.prompts] == list(DESIGNS)
    assert len({p.key for p in ANSWERS.prompts}) == len(ANSWERS.prompts) == 30
    assert {len(p.factors) for p in ANSWERS.prompts} == {1}
    assert ANSWERS.control is not None
    assert not set(ANSWERS.control.virtue) & set(ANSWERS.control.vice)
    assert known("work_worst_first") == ANSWERS.find("work_worst_first")
    assert len(ANSWERS.quick.both) == 12


def test_a_response_stands_in_its_frame() -> None:
    first = Prompt("a", "Why?", "positive", answer="{Word} is why.")
    last = Prompt("b", "Why?", "positive", answer="Because of {word}.")
    assert first.framed("love") == "Love is why."
    assert last.framed("love") == "Because of love."
    assert first.framed("éclat") == "Éclat is why."
    assert GREATEST.framed("{word}") == "{word}"
    assert len({first.key, last.key, "Why?"}) == 3
    assert GREATEST.key == GREATEST.text
    # What was asked before there were frames keeps its digest.
    assert PAPER.digest.startswith("69a2dfd945e00ac8")


def test_the_printed_set_has_every_word_of_its_lexicons() -> None:
    words = {
        word
        for name in ("big_two", "mfd2")
        for word in lexicon_in_force(f"{name}_answers", {}).words()
    }
    assert words <= uncountable()
    assert all(word == word.lower() and word.isalpha() for word in words)
    answers = {prompt.framed(word) for prompt in ANSWERS.prompts for word in words}
    assert len(answers) == len(ANSWERS.prompts) * len(words)
