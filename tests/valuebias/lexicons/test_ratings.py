"""Ratings by people: which column is which is known or asked for, and nothing is guessed."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from valuebias.errors import LexiconError, SpecError
from valuebias.lexicons import install
from valuebias.lexicons.in_force import lexicon_files
from valuebias.lexicons.ratings import Ratings, load_ratings


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def written(text: str | bytes, name: str = "norms.csv") -> str:
    Path(name).write_bytes(text.encode() if isinstance(text, str) else text)
    return name


def test_the_columns_word_and_rating_need_no_naming() -> None:
    found = load_ratings(written("\ufeffrating,word,n\n3.5,love,9\n1,duty,2\n"))
    assert found.label == "norms.csv"
    assert found.values == {"love": 3.5, "duty": 1.0}
    assert found.source == "norms.csv, column rating (higher is more)"
    assert found.notes == ()


def test_ranks_are_turned_so_that_higher_is_better() -> None:
    found = load_ratings(written("word,rank\nlove,1\nduty,2\n"))
    assert found("love") > found("duty")
    assert found.source == "norms.csv, column rank (1 is best)"
    named = load_ratings("people=norms.csv:word=word,rank=rank")
    assert (named.label, named.values) == ("people", found.values)
    assert named.fingerprint == found.fingerprint


def test_columns_are_named_by_the_user() -> None:
    written("Word,V.Mean.Sum,A.Mean.Sum\nlove,8.0,5.4\n", "Ratings.csv")
    found = load_ratings("valence=Ratings.csv:word=Word,rating=V.Mean.Sum")
    assert (found.label, found("love")) == ("valence", 8.0)
    assert load_ratings("Ratings.csv:rating=A.Mean.Sum, word=Word")("love") == 5.4


@pytest.mark.parametrize(
    ("header", "settings"),
    [
        ("name,elo_score", ""),
        ("word,valence", ""),
        ("word,rating,rank", ""),
        ("name,rating", ""),
        ("word;rating", ""),
        ("word,valence", ":word=word"),
        ("name,rating", ":rating=rating"),
    ],
)
def test_what_cannot_be_known_is_asked_for(header: str, settings: str) -> None:
    written(f"{header}\nlove,3,1\n")
    with pytest.raises(LexiconError, match="cannot be known") as raised:
        load_ratings(f"norms.csv{settings}")
    assert raised.value.seen == f"the columns {', '.join(header.split(','))}"
    assert "rank=COLUMN where 1 is best" in raised.value.remedy


@pytest.mark.parametrize(
    ("content", "settings", "said"),
    [
        ("word,rating\nlove,3\nlove,3\n", "", r"line 3: rated twice.*love \(line 2 too\)"),
        ("word,rating\nlove,high\n", "", "line 2: not a finite number.*high"),
        ("word,rating\nlove,1_0\n", "", "line 2: not a finite number"),
        ("word,rating\nlove,inf\n", "", "line 2: not a finite number"),
        ("word,rank\nlove,0\n", "", "line 2: not a rank from 1"),
        ("word,rating\nlove,3,4\n", "", "line 2: 3 cells where the header has 2"),
        ("word,rating\n", "", "no ratings in this file"),
        ("", "", "cannot be known.*the columns none"),
        ('word,rating\n"love,3\n', "", "cannot read the ratings"),
        ("word,elo_rank\nlove,3\n", ":word=word,rating=elo_rank", "ranks was named as one where"),
        ("word,rating\nlove,3\n", ":word=name,rating=rating", "0 columns are named name"),
        ("word,rating,rating\nlove,3,4\n", "", "2 columns are named rating"),
        (b"word,rating\nl\xf6ve,3\n", "", "line 2: not UTF-8"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_place(content: Any, settings: str, said: str) -> None:
    written(content)
    with pytest.raises(LexiconError, match=f"(?s){said}"):
        load_ratings(f"norms.csv{settings}")


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("", "ratings need a file"),
        ("people=", "ratings need a file"),
        ("absent.csv", "not found.*absent.csv.*eloeverything"),
        ("absent\0.csv", "not found"),
        ("~nobody-here/norms.csv", "not found"),
        ("norms.csv:word=", "not a column"),
        ("norms.csv:word=word,word=rating", "not a column"),
        ("norms.csv:word=word,rating=rating,rank=rating", "from one column"),
        ("big-two", "file of ratings not found"),
    ],
)
def test_a_spec_that_names_nothing_is_refused(spec: str, said: str) -> None:
    written("word,rating\nlove,3\n")
    with pytest.raises(SpecError, match=f"(?s){said}"):
        load_ratings(spec)


def test_rows_without_a_rating_are_left_out_and_counted() -> None:
    found = load_ratings(written("word,rating\nlove,3\nduty,NA\nhope,\n,2\n\n"))
    assert found.values == {"love": 3.0}
    assert found.notes == ("3 rows without a word or a rating left out",)


def test_a_word_is_found_as_lexicons_find_it() -> None:
    rows = "word,rating\nLove,3\nice  cream,2\nTurkey,1\nturkey,5\nPolish,1\nPOLISH,2\n"
    found = load_ratings(written(rows))
    assert found("love") == 3.0
    assert found("Ice cream") == 2.0
    assert (found("turkey"), found("Turkey")) == (5.0, 1.0)  # exactly this goes first
    assert math.isnan(found("polish"))  # which of the two?
    assert math.isnan(found("duty"))
    assert found.ambiguous(["polish", "love", "turkey", "duty"]) == ("polish",)
    lexicon = found.lexicon()
    assert lexicon.categories == {"rated": tuple(found.values)}


def test_the_fingerprint_is_of_the_ratings_alone() -> None:
    first = load_ratings(written("word,rating\nlove,3\nduty,1\n"))
    again = load_ratings(written("n,rating,word\n1,1.0,duty\n1,3,love\n", "other.csv"))
    changed = load_ratings(written("word,rating\nlove,3\nduty,2\n", "changed.csv"))
    assert first.fingerprint == again.fingerprint != changed.fingerprint


def test_installed_ratings_are_found_by_name(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with pytest.raises(SpecError, match="lexicon install eloeverything"):
        load_ratings("eloeverything", tmp_path)
    content = b"elo_rank,elo_score,name\n1,1600,Love\n2,1500,Duty\n"
    import hashlib
    from dataclasses import replace

    ours = replace(
        install.PUBLISHED["eloeverything"],
        sha256=hashlib.sha256(content).hexdigest(),
        size=len(content),
    )
    monkeypatch.setitem(install.PUBLISHED, "eloeverything", ours)
    folder = install.lexicon_folder(tmp_path)
    folder.mkdir()
    (folder / "eloeverything.csv").write_bytes(content)
    found = load_ratings("eloeverything", tmp_path)
    assert isinstance(found, Ratings)
    assert (found.label, found("love"), found("duty")) == ("eloeverything", 1600, 1500)
    assert load_ratings("people=eloeverything", tmp_path).label == "people"
    with pytest.raises(SpecError, match="columns of eloeverything are known"):
        load_ratings("eloeverything:word=name,rating=elo_score", tmp_path)
    with pytest.raises(SpecError, match="--human=eloeverything"):
        lexicon_files(["big_two=eloeverything"], tmp_path)
