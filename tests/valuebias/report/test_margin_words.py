"""Where margins are from: one wording, and nothing called declared that nobody declared."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.report.document import Record
from valuebias.report.margin_words import ONE_OF_TEN, origin, origins, their_margins

BASES = ("declared", "panel", "convention", "our board")


def held(basis: str, **more: Any) -> Record:
    return cast(Record, {"margin_basis": basis, "margin_source": "s", "model": "m", **more})


@pytest.mark.parametrize(
    ("basis", "words"),
    [
        ("declared", "declared by you"),
        ("our board", "declared by you"),
        ("panel", "predicted from ten public reward models"),
        ("convention", "set by convention"),
    ],
)
def test_each_basis_in_words(basis: str, words: str) -> None:
    assert origin(basis) == words
    assert their_margins([held(basis)]) == f"the margin {words}"
    assert their_margins([held(basis), held(basis)]) == f"the margins {words}"
    assert origins([held(basis)]) == [f"margin ({words}): s"]


def test_margins_of_several_kinds_are_counted() -> None:
    rows = [held("panel"), held("convention"), held("panel"), cast(Record, {"model": "m"})]
    assert their_margins(rows) == (
        "their margins (2 predicted from ten public reward models; 1 set by convention; "
        "1 declared by you)"
    )


@given(st.lists(st.sampled_from(BASES), min_size=1))
def test_declared_is_said_of_what_was_declared_alone(bases: list[str]) -> None:
    said = their_margins([held(basis) for basis in bases])
    assert ("declared by you" in said) == bool({"declared", "our board"} & set(bases))
    assert ("ten public" in said) == ("panel" in bases)
    assert ("convention" in said) == ("convention" in bases)


def test_one_of_the_ten_is_told_so() -> None:
    member = held("panel", panel_member=True)
    assert their_margins([member]) == (
        "the margin predicted from ten public reward models, this one among them"
    )
    assert origins([member, held("convention")])[-1] == ONE_OF_TEN
    other = held("panel", panel_member=False, model="other")
    assert "among them" not in their_margins([member, other])
    assert ONE_OF_TEN not in origins([other])


def test_many_sources_are_told_in_general_words() -> None:
    rows = [held("panel", margin_source=f"s{i}") for i in range(3)]
    assert origins(rows[:2], most=2) == ["margin (predicted from ten public reward models): s0; s1"]
    (line,) = origins(rows, most=2)
    assert line.endswith("of a new model's effect, or of the difference between two on one base")
    assert len(origins(rows)) == 3
    own = [held("declared", margin_source=f"s{i}") for i in range(3)]
    assert origins(own, most=2) == ["margin (declared by you): 3 sources"]
