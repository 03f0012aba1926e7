"""The balanced prompt set: its design, its English, and what the quick profile takes of it."""

from __future__ import annotations

import re
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.errors import SpecError
from valuebias.prompts import (
    BALANCED,
    GREATEST,
    PAPER,
    PAPER_PROMPTS,
    SHIPPED,
    VALENCES,
    Prompt,
    PromptSet,
    Valence,
    resolve,
    resolve_all,
)

FORM = re.compile(
    r"(?:What, in (?:one|a single) word, is (?P<a>the .+)\?"
    r"|What is (?P<b>the .+)\? Please answer in one word only\.)"
)
THING = re.compile(
    r"the (?:(?P<superlative>best|worst|\w+est)|most (?P<adjective>\w+)) thing "
    r"(?:ever|in the world|of all time)"
)


def test_it_is_as_large_as_the_papers_and_has_three_times_the_adjectives():
    for valence in VALENCES:
        asked = BALANCED.of(valence)
        assert len(asked) == len(PAPER.of(valence)) == 27
        assert Counter(Counter(p.factors["adjective"] for p in asked).values()) == {3: 9}
    assert len({p.id for p in BALANCED.prompts}) == len({p.text for p in BALANCED.prompts}) == 54
    assert all(p.id == "_".join(p.factors.values()) for p in BALANCED.prompts)


@pytest.mark.parametrize("valence", VALENCES)
def test_every_two_factors_are_orthogonal(valence: Valence):
    asked = BALANCED.of(valence)
    for one, two in combinations(("adjective", "scope", "style"), 2):
        cells = Counter((p.factors[one], p.factors[two]) for p in asked)
        levels = [len({p.factors[f] for p in asked}) for f in (one, two)]
        assert len(cells) == levels[0] * levels[1]
        assert set(cells.values()) == {27 // len(cells)}
    # So that no combination of one factor's levels can be taken for another's.
    columns = [
        [p.factors[f] == level for p in asked]
        for f in asked[0].factors
        for level in sorted({p.factors[f] for p in asked})[1:]
    ]
    design = np.array([[1] * 27, *columns], float)
    assert np.linalg.matrix_rank(design) == len(design) == 1 + 8 + 2 + 2


def test_every_question_is_of_the_papers_form_with_a_superlative():
    for prompt in (*BALANCED.prompts, *PAPER_PROMPTS):
        question = FORM.fullmatch(prompt.text)
        assert question, prompt.text
        thing = THING.fullmatch(question["a"] or question["b"])
        assert thing, prompt.text
        # English takes -est or an irregular form for a short adjective, most for a longer one.
        assert (thing["superlative"] or thing["adjective"]).startswith(prompt.factors["adjective"])
        if prompt in BALANCED.prompts and thing["adjective"]:
            vowels = re.findall("[aeiouy]+", thing["adjective"].removesuffix("e"))
            assert len(vowels) > 1, thing["adjective"]


def test_no_adjective_is_in_both_valences():
    levels = [{p.factors["adjective"] for p in BALANCED.of(v)} for v in VALENCES]
    assert not levels[0] & levels[1]


def test_a_text_of_both_shipped_sets_has_one_id():
    """So that a column named by an id means one question, whatever set is in force."""
    by_id = {p.id: p.text for p in PAPER_PROMPTS}
    shared = [p for p in BALANCED.prompts if p.id in by_id]
    assert all(p.text == by_id[p.id] for p in shared)
    texts = {p.text: p.id for p in PAPER_PROMPTS}
    assert all(texts.get(p.text, p.id) == p.id for p in BALANCED.prompts)
    assert len(shared) == 12  # greatest, best, worst and terrible


@pytest.mark.parametrize("valence", VALENCES)
def test_quick_takes_six_spread_over_the_factors(valence: Valence):
    quick = BALANCED.quick.of(valence)
    assert len(quick) == 6
    assert set(quick) < set(BALANCED.of(valence))
    for factor, times in (("adjective", 1), ("scope", 2), ("style", 2)):
        assert set(Counter(p.factors[factor] for p in quick).values()) == {times}
    assert len({(p.factors["scope"], p.factors["style"]) for p in quick}) == 6
    assert BALANCED.quick.quick == BALANCED.quick


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("cdef")), min_size=6, max_size=30))
def test_quick_takes_the_levels_as_evenly_as_they_come(levels: list[tuple[str, str]]):
    prompts = tuple(
        Prompt(f"{v}{i}", f"{v} {i}?", v, {"one": one, "two": two})
        for v in VALENCES
        for i, (one, two) in enumerate(levels)
    )
    quick = PromptSet("own", prompts).quick
    for valence in VALENCES:
        assert len(quick.of(valence)) == 6
        # A level of the smaller factor is never left out while the other has been taken twice more.
        counts = Counter(p.factors["one"] for p in quick.of(valence))
        there = Counter(one for one, _ in levels)
        for level, n in there.items():
            assert counts[level] >= min(n, 1)


def test_the_leading_prompt():
    assert PAPER.lead is GREATEST
    assert BALANCED.lead.text == GREATEST.text
    own = PromptSet("own", (Prompt("w", "Worst?", "negative"), Prompt("b", "Best?", "positive")))
    assert own.lead.id == "b"
    assert PromptSet("own", own.prompts[:1]).lead.id == "w"


def test_ids_are_found_in_the_set_in_force_first_and_then_in_the_shipped_ones():
    own = PromptSet("own", (Prompt("mine", "What matters most?", "positive"),))
    assert resolve("mine", own) is own.prompts[0]
    assert resolve("What matters most?", own) is own.prompts[0]
    assert resolve("finest_world_one", own) is BALANCED.find("finest_world_one")
    with pytest.raises(SpecError, match=r"prompt set own \(1 prompts\), such as mine"):
        resolve("nine", own)
    with pytest.raises(SpecError, match="neither a prompt id nor a question"):
        resolve("mine")
    assert resolve_all("balanced") == BALANCED.prompts
    assert resolve_all(own) == own.prompts
    assert resolve_all(["mine", GREATEST], own) == (own.prompts[0], GREATEST)
    assert set(SHIPPED) == {"paper", "balanced"}
