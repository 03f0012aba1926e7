"""`valuebias answers`: every frame, and the words that stand in it."""

from __future__ import annotations

import re

import pytest

from valuebias.cli.main import main
from valuebias.lexicons.in_force import lexicon_in_force
from valuebias.prompts import ANSWERS


def test_every_frame_is_shown_with_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["answers", "--word", "love"]) == 0
    out = capsys.readouterr().out
    assert max(map(len, out.splitlines())) <= 80
    told = " ".join(out.split())
    for prompt in ANSWERS.prompts:
        assert f"{prompt.text} {prompt.framed('love')}" in told
    for name in ("big_two_answers", "mfd2_answers"):
        for category, words in lexicon_in_force(name, {}).categories.items():
            assert f"{name}, {category}: {len(words)} words {', '.join(words)}" in told


def test_a_word_may_be_anything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["answers", "--suite", "big_two", "--word", "\x1b[31mred"]) == 0
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert len(re.findall("red", out)) >= 30
    assert "mfd2_answers" not in out
