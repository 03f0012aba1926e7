"""Errors: whatever they are about, their message is short, visible and complete."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.errors import ScoresError, SpecError, ValueBiasError

HOSTILE = "\x1b[2J\u202e\ud800\u200b\r"


def test_nothing_reaches_a_terminal_raw():
    error = SpecError(f"bad {HOSTILE}.", seen=HOSTILE, remedy=f"Not {HOSTILE}!")
    assert str(error).isprintable()
    shown = r"\x1b[2J\u202e\ud800\u200b\r"
    assert str(error) == f"bad {shown}. Seen: {shown}. Not {shown}!"
    assert (error.what, error.seen, error.remedy) == (f"bad {HOSTILE}.", HOSTILE, f"Not {HOSTILE}!")


def test_a_long_value_shows_its_ends():
    value = "a" * 200 + "b" * 1000 + "c" * 200
    error = ScoresError("too long", seen=value, remedy="Shorten it.")
    assert str(error) == (
        f"too long. Seen: {'a' * 150} […] {'c' * 150} (1,400 characters). Shorten it."
    )
    assert error.seen is value
    assert str(ScoresError("x", seen="d" * 300, remedy="y")) == f"x. Seen: {'d' * 300}. y"


@given(st.text(), st.none() | st.text() | st.integers(), st.text())
def test_any_error_is_one_printable_line_and_survives_pickling(what, seen, remedy):
    error = ValueBiasError(what, seen=seen, remedy=remedy)
    assert str(error).isprintable()
    again = pickle.loads(pickle.dumps(error))
    assert (again.what, again.seen, again.remedy) == (what, seen, remedy)
    assert str(again) == str(error)


def test_no_value_is_no_value():
    assert str(ValueBiasError("what.", remedy="Do.")) == "what. Do."
    with pytest.raises(ValueBiasError, match=r"what\. Seen: 0\. Do\."):
        raise ValueBiasError("what", seen=0, remedy="Do.")
