"""Entries that LIWC's own dictionaries of 2007 hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from valuebias.lexicons.files import load_lexicon


@pytest.mark.parametrize("between", ["\t", "  "])
def test_entries_of_liwc_2007_that_depend_on_their_neighbours(tmp_path: Path, between: str) -> None:
    """A response has none: what counts is what they are elsewhere, behind the slash."""
    entries = (
        ("kind", "<of>2/1"),
        ("like", "(02 134)2/01", "(02 134)2", "02"),
        ("sort", "<of>2"),
        ("mean", "(2)1/464", "253"),  # cut from a dictionary that had these categories
        ("harm", "2"),
    )
    path = tmp_path / "a.dic"
    path.write_text("%\n1\tcare\n2\tharm\n%\n" + "".join(f"{between.join(e)}\n" for e in entries))
    lexicon = load_lexicon("mine", path)
    assert lexicon.categories == {"care": ("kind", "like"), "harm": ("like", "harm")}
    assert lexicon.notes == (
        "line 5: 'kind' (<of>2/1) was read as without neighbours: in care",
        "line 6: 'like' ((02 134)2/01 (02 134)2 02) was read as without neighbours: in care, harm",
        "line 7: 'sort' (<of>2) was read as without neighbours: in no category",
        "line 8: 'mean' ((2)1/464 253) was read as without neighbours: in no category",
    )
