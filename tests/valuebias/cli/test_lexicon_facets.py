"""``valuebias lexicon facets``."""

from __future__ import annotations

import re

import numpy as np
import pytest

from valuebias.cli.main import main
from valuebias.lexicons.files import load_lexicon
from valuebias.models import embeddings

WORDS = """word,category
help,care
helpful,care
mother,care
father,care
love,care
kindness,care
power,strength
victory,strength
victor,strength
glory,strength
courage,strength
"""


@pytest.fixture
def words(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "words.csv"
    path.write_text(WORDS, encoding="utf-8")
    return path


def test_facets_by_a_language_models_embeddings(words, capsys):
    command = ["lexicon", "facets", "words.csv", "--out", "facets.csv"]
    command += ["--embeddings", "demo:agency", "--device", "cpu"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    lexicon = load_lexicon("words", words.parent / "facets.csv")
    assert dict(lexicon.categories) == dict(load_lexicon("words", words).categories)
    assert lexicon.family("help") == lexicon.family("helpful")
    facets = {word: lexicon.facet(word) for word in lexicon.words()}
    assert len({facets[word] for word in lexicon.categories["care"]}) == 1  # five families
    assert f"care, {facets['help']}: help, helpful, mother, father, love, kindness" in printed
    assert "2 facets of 11 words, to be read through by hand" in printed
    assert main(command) == 0
    assert capsys.readouterr().out == printed


def test_facets_by_the_packaged_model(words, monkeypatch, capsys):
    made = {}

    def vectors(texts):
        made["texts"] = texts
        return {text: np.array([len(text), 1.0, i]) for i, text in enumerate(texts)}

    monkeypatch.setattr(embeddings, "sentence_vectors", vectors)
    assert main(["lexicon", "facets", "words.csv", "--out", "facets.csv"]) == 0
    assert made["texts"] == load_lexicon("words", words).words()
    assert "written to facets.csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["words.csv", "--out", "facets.yaml"], 2, "facets are written as CSV"),
        (["words.csv", "--out", "no/facets.csv"], 2, "the facets cannot be written"),
        (["absent.csv", "--out", "facets.csv"], 1, "cannot read the lexicon"),
        (["words.csv", "--out", "f.csv", "--embeddings", "scores:words.csv"], 1, "recorded scores"),
        (["words.csv", "--out", "f.csv", "--embeddings", ""], 2, "empty model spec"),
        (["words.csv", "--out", "f.csv"], 1, r"pip install 'pytest-valuebias\[facets\]'"),
    ],
)
def test_mistakes(words, monkeypatch, capsys, arguments, status, message):
    monkeypatch.setattr(embeddings, "find_spec", lambda name: None)
    assert main(["lexicon", "facets", *arguments]) == status
    error = capsys.readouterr().err
    assert error.startswith("valuebias: error: ")
    assert re.search(message, error)
    assert [path.name for path in words.parent.iterdir()] == ["words.csv"]
