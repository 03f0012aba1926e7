"""Word frequencies: read from a file, or from the package that holds them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from valuebias.errors import LexiconError
from valuebias.lexicons.frequencies import installed, load_frequencies


def test_a_file_orders_words_and_an_unknown_one_is_rarest(tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_text("word,count\nFreedom,100\nlove,1000\nzeal,0\n", encoding="utf-8")
    found = load_frequencies(path)
    love, freedom, zeal, unknown = found.of(["Love", "freedom", "zeal", "quokka"])
    assert love > freedom > zeal == unknown
    assert found.source == "counts.csv"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("freedom,1\nlove\n", "line 2: not a word and its frequency"),
        ("freedom,1\nlove,-1\n", "line 2"),
        ("freedom,1\nlove,nan\n", "line 2"),
        ("freedom,1\nFreedom,2\n", "line 2: duplicate word"),
        ("word,count\n", "no frequencies in this file"),
        ("\xff", "cannot read the frequencies"),
    ],
)
def test_a_file_that_cannot_be_used(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "counts.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(LexiconError, match=said):
        load_frequencies(path)


def test_those_installed_are_the_languages_own() -> None:
    pytest.importorskip("wordfreq")
    found = installed()
    assert found is not None
    the, freedom, perspicacity, nonsense = found.of(["the", "freedom", "perspicacity", "qzxv"])
    assert the > freedom > perspicacity > nonsense == 0


def test_without_the_package_there_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wordfreq", None)
    assert installed() is None
