"""Text that is not UTF-8 is refused by every command that reads it, with file, line and byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from valuebias.cli.main import main

SCORES = "response,greatest_ever_one\nlove,1\nr\xe9sum\xe9,2\nlike,3\nkind,4\n"
ASKS = ["--prompt", "greatest_ever_one", "--out", "out.csv"]
SEARCH = ["search", "--rm", "scores:scores.csv", *ASKS, "--candidates"]
INPUTS = {
    "bad.csv": (SCORES, ["search", "--rm", "scores:bad.csv", *ASKS, "--candidates", "words.txt"]),
    "words.txt": ("love\nr\xe9sum\xe9\n", [*SEARCH, "words.txt"]),
    "lexicon.csv": ("word,category\nlove,a\nr\xe9sum\xe9,b\n", [*SEARCH, "lexicon.csv"]),
    "lexicon.yaml": ("categories:\n  a: [r\xe9sum\xe9]\n", [*SEARCH, "lexicon.yaml"]),
    "lexicon.dic": ("%\n1\ta\n%\nr\xe9sum\xe9\t1\n", [*SEARCH, "lexicon.dic"]),
    "prompts.yaml": ("name: r\xe9sum\xe9\n", [*SEARCH, "words.txt", "--prompts", "prompts.yaml"]),
    "recipe.yaml": ("data: r\xe9sum\xe9.jsonl\n", ["train", "recipe.yaml"]),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "words.txt").write_text("love\n")
    (tmp_path / "scores.csv").write_text(SCORES, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("name", INPUTS)
def test_another_encoding_is_refused(
    folder: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    text, command = INPUTS[name]
    line = text[: text.index("\xe9")].count("\n") + 1
    (folder / name).write_text(text, encoding="cp1252")
    assert main(command) != 0
    said = capsys.readouterr().err
    assert f"{name}, line {line}: not UTF-8. Seen: the byte 0xe9 in" in said
    assert "Save the file as UTF-8" in said
    for encoding in ("utf-16", "utf-32"):
        (folder / name).write_text(text, encoding=encoding)
        assert main(command) != 0
        assert f"{name}: the file is in {encoding.upper()}" in capsys.readouterr().err
    assert not (folder / "out.csv").exists()


def test_the_same_in_utf_8_and_liwcs_own_entries_are_read(folder: Path) -> None:
    dictionary = "%\n1\ta\n2\tb\n%\nr\xe9sum\xe9\t1\nlike\t(02 134)1/2\nkind\t<of>1/2\n"
    (folder / "lexicon.dic").write_text(dictionary, encoding="utf-8")
    assert main([*SEARCH, "lexicon.dic"]) == 0
    rows = (folder / "out.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert sorted(rows) == ['"kind",4', '"like",3', '"r\xe9sum\xe9",2']
