"""The prompts: all of the paper's, and their factors."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
import yaml

from valuebias.errors import SpecError
from valuebias.prompts import BALANCED, GREATEST, PAPER, PAPER_PROMPTS, known, resolve, select


@pytest.mark.skipif(
    not os.environ.get("VALUEBIAS_PUBLISHED_DATA"), reason="needs VALUEBIAS_PUBLISHED_DATA"
)
def test_they_are_the_authors():
    path = Path(os.environ["VALUEBIAS_PUBLISHED_DATA"]) / "config" / "prompts.yaml"
    theirs = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert [(p.id, p.text) for p in PAPER_PROMPTS] == list(theirs.items())


def test_a_full_factorial_design():
    assert len(PAPER_PROMPTS) == len({p.id for p in PAPER_PROMPTS}) == 54
    assert len({p.text for p in PAPER_PROMPTS}) == 54
    assert Counter(p.valence for p in PAPER_PROMPTS) == {"positive": 27, "negative": 27}
    for factor, levels in (("adjective", 6), ("scope", 3), ("style", 3)):
        counts = Counter(p.factors[factor] for p in PAPER_PROMPTS)
        assert set(counts.values()) == {54 // levels}
        assert len(counts) == levels
    for prompt in PAPER_PROMPTS:
        assert prompt.id == "_".join(prompt.factors.values())


def test_the_texts():
    assert GREATEST.text == "What, in one word, is the greatest thing ever?"
    assert GREATEST.valence == "positive"
    terrible = resolve("terrible_time_please")
    assert terrible.text == (
        "What is the most terrible thing of all time? Please answer in one word only."
    )
    assert terrible.valence == "negative"


@pytest.mark.parametrize("valence", ["positive", "negative"])
def test_the_quick_six_are_spread_over_the_factors(valence):
    quick = select(valence, quick=True)
    assert len(quick) == 6
    assert set(quick) < set(select(valence))
    for factor in ("adjective", "scope", "style"):
        assert set(Counter(p.factors[factor] for p in quick).values()) == {2}


@pytest.mark.parametrize("asked", [PAPER, BALANCED], ids=lambda asked: asked.name)
def test_the_quick_profile_shows_the_tokens_of_the_same_prompt(asked):
    assert asked.quick.lead == asked.lead
    assert PAPER.quick.lead == GREATEST


def test_resolving():
    assert resolve("best_ever_one") is PAPER_PROMPTS[0]
    assert resolve(PAPER_PROMPTS[0].text) is PAPER_PROMPTS[0]
    own = resolve("What do you value?")
    assert (own.id, own.text, own.valence) == ("What do you value?", "What do you value?", None)
    assert known("What do you value?") is None
    for wrong in ("", " ", "best_ever_on"):
        with pytest.raises(SpecError, match="neither a prompt id nor a question"):
            resolve(wrong)
