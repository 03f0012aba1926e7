"""The words of a lexicon that stand in whole answers."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from valuebias.errors import LexiconError
from valuebias.lexicons.files import starter
from valuebias.lexicons.in_force import lexicon_in_force
from valuebias.lexicons.lexicon import Lexicon
from valuebias.lexicons.whole_answers import LEAST, for_whole_answers, uncountable
from valuebias_suites import ANSWERS


def longer(lexicon: Lexicon, contrast: str) -> float:
    """Rank-biserial correlation of the sides with the words' length."""
    asked = lexicon.contrast(contrast)
    sides = [
        [len(word) for category in side for word in lexicon.categories[category]]
        for side in (asked.a, asked.b)
    ]
    return float(np.mean([np.sign(a - b) for a, b in product(*sides)]))


@pytest.mark.parametrize("name", ["big_two", "mfd2"])
def test_a_starter_keeps_its_uncountable_nouns(name: str) -> None:
    whole, kept = starter(name), lexicon_in_force(f"{name}_answers", {})
    assert kept.name == f"{name}_answers"
    assert kept.starter
    for category, words in kept.categories.items():
        assert set(words) == set(whole.categories[category]) & uncountable()
        assert len({kept.family(word) for word in words}) >= LEAST
    word = kept.words()[0]
    assert (kept.family(word), kept.facet(word)) == (whole.family(word), whole.facet(word))
    assert kept.digest != whole.digest


def test_the_sides_are_alike_in_length() -> None:
    found = {
        contrast: longer(lexicon_in_force(name, {}), contrast)
        for name, contrasts in ANSWERS.items()
        for contrast in contrasts
    }
    assert abs(found["agency~communion"]) < 0.05
    # Two foundations' virtues are not: words of care are short, words of loyalty long.
    others = {contrast for contrast, each in found.items() if abs(each) > 0.13}
    assert others == {"care.virtue", "loyalty.virtue"}
    assert -0.2 < found["care.virtue"] < 0 < found["loyalty.virtue"] < 0.25


def test_a_lexicon_of_ones_own_keeps_what_is_listed(tmp_path: Path) -> None:
    own = starter("big_two").categories
    rows = [f"{word.capitalize()},{side}" for side in own for word in own[side]]
    path = tmp_path / "ours.csv"
    path.write_text("\n".join(["word,category", *rows, "medal maker,agency"]) + "\n")
    kept = lexicon_in_force("big_two_answers", {"big_two": path})
    assert len(kept.words()) == len(lexicon_in_force("big_two_answers", {}).words())
    assert "Freedom" in kept.categories["agency"]


def test_too_few_words_are_an_error() -> None:
    few = Lexicon("few", {"agency": ("freedom", "medal"), "communion": ("love",)})
    with pytest.raises(LexiconError, match="few has too few words") as error:
        for_whole_answers(few)
    assert "1 of agency, 1 of communion" in str(error.value)
