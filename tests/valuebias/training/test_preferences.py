"""Preferences in every form they come in; what is wrong with one is told with its line."""

from __future__ import annotations

import gzip
import json
import math
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from support.models import test_data as data_folder
from support.preferences import write_rows
from valuebias.errors import TrainingError
from valuebias.training import DataSource, Recipe
from valuebias.training.preferences import Preferences, read_preferences
from valuebias.training.row_forms import Preference

USER = ("user", "Why?")
SAID = [{"role": "user", "content": "Why?"}]


def read(path: Path, **options: Any) -> Preferences:
    source = DataSource(str(path), prompt=options.pop("prompt", "field"))
    return read_preferences(Recipe("demo:agency", source, **options))


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


FORMS: dict[str, dict[str, Any]] = {
    "texts": {"prompt": "Why?", "chosen": "Yes", "rejected": "No"},
    "messages": {"prompt": SAID, "chosen": [assistant("Yes")], "rejected": [assistant("No")]},
    "messages and a text prompt": {
        "prompt": "Why?",
        "chosen": [*SAID, assistant("Yes")],
        "rejected": [*SAID, assistant("No")],
    },
    "messages that begin alike": {
        "chosen": [*SAID, assistant("Yes")],
        "rejected": [*SAID, assistant("No")],
    },
    "transcripts": {
        "chosen": "\n\nHuman: Why?\n\nAssistant: Yes",
        "rejected": "\n\nHuman: Why?\n\nAssistant: No",
    },
    "a transcript as prompt": {
        "prompt": "\n\nHuman: Why?\n\nAssistant:",
        "chosen": "Yes",
        "rejected": "No",
    },
    "rated conversations": {
        "conv_A": [*SAID, assistant("No")],
        "conv_B": [*SAID, assistant("Yes")],
        "conv_A_rating": 1.0,
        "conv_B_rating": 3.0,
    },
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_pair(tmp_path: Path, form: str) -> None:
    (pair,) = read(write_rows(tmp_path / "p.jsonl", [FORMS[form]])).pairs
    assert pair == Preference(
        (USER,), (("assistant", "Yes"),), (("assistant", "No"),), "p.jsonl, line 1"
    )


def test_longer_conversations_and_doubled_speakers(tmp_path: Path) -> None:
    opening = "\n\nHuman: A?\n\nAssistant: B\n\nHuman: C?"
    row = {
        "chosen": f"{opening}\n\nAssistant: one\n\nAssistant: two",
        "rejected": f"{opening}\n\nAssistant: three",
    }
    (pair,) = read(write_rows(tmp_path / "p.jsonl", [row])).pairs
    assert pair.prompt == (("user", "A?"), ("assistant", "B"), ("user", "C?"))
    assert pair.chosen == (("assistant", "one\n\ntwo"),)
    assert pair.rejected == (("assistant", "three"),)


def test_the_shared_lines_of_plain_texts_are_a_prompt_only_if_the_recipe_says_so(
    tmp_path: Path,
) -> None:
    row = {"chosen": "Q: Why?\nThe reason", "rejected": "Q: Why?\nThe cause"}
    file = write_rows(tmp_path / "p.jsonl", [row])
    (pair,) = read(file, prompt="shared-prefix").pairs
    assert pair.prompt == (("user", "Q: Why?"),)
    assert pair.chosen == (("assistant", "The reason"),)
    with pytest.raises(TrainingError, match=r"p\.jsonl, line 1.*no `prompt`.*shared-prefix"):
        read(file)
    unlike = write_rows(tmp_path / "q.jsonl", [{"chosen": "Sure, a", "rejected": "Sure, b"}])
    with pytest.raises(TrainingError, match="no prompt, and its conversations share no opening"):
        read(unlike, prompt="shared-prefix")


def test_files_of_every_kind_hold_the_same(tmp_path: Path) -> None:
    content = [FORMS["texts"], {**FORMS["texts"], "chosen": "Perhaps"}]
    plain = write_rows(tmp_path / "p.jsonl", content)
    packed = tmp_path / "p.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    table = tmp_path / "p.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(content), table)
    said = [[replace(pair, where="") for pair in read(f).pairs] for f in (plain, packed, table)]
    assert said[0] == said[1] == said[2]
    assert read(packed).pairs[1].where == "p.jsonl.gz, line 2"
    assert read(table).pairs[1].where == "p.parquet, row 2"


def test_messages_in_parquet(tmp_path: Path) -> None:
    table = tmp_path / "p.parquet"
    row = FORMS["messages that begin alike"]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), table)
    assert read(table).pairs[0].chosen == (("assistant", "Yes"),)


def test_a_data_set_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def load_dataset(*args: object, **options: object) -> list[dict[str, Any]]:
        asked.append((args, options))
        return [FORMS["texts"]]

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    source = DataSource("org/name", split="test", config="all", revision="abc")
    found = read_preferences(Recipe("demo:agency", source))
    assert asked == [(("org/name", "all"), {"split": "test", "revision": "abc"})]
    assert found.pairs[0].where == "org/name [test], row 1"
    again = read_preferences(Recipe("demo:agency", source))
    assert found.sha256 == again.sha256
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(TrainingError, match=r"pytest-valuebias\[train\]"):
        read_preferences(Recipe("demo:agency", source))


def test_a_data_set_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dataset(*args: object, **options: object) -> None:
        raise ValueError("Unknown split 'test'.\nmore")

    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))
    with pytest.raises(TrainingError, match="org/name: ValueError: Unknown split 'test'"):
        read_preferences(Recipe("demo:agency", DataSource("org/name")))


GOOD = FORMS["texts"]
MALFORMED: dict[str, tuple[object, str]] = {
    "no pair": ([1, 2], "not a pair of responses"),
    "no chosen": ({"rejected": "No", "prompt": "Why?"}, "has no `chosen`"),
    "no rejected": ({"chosen": "No", "rejected": None, "prompt": "Why?"}, "has no `rejected`"),
    "two forms": ({**GOOD, "rejected": [assistant("No")]}, "a text, the other is not"),
    "a number": ({**GOOD, "chosen": 3, "rejected": 4}, "neither a text nor messages"),
    "no role": ({**GOOD, "chosen": [{"content": "x"}], "rejected": []}, "message of `chosen`"),
    "an image": (
        {"chosen": [{"role": "user", "content": [{"type": "image"}]}], "rejected": SAID},
        "message of `chosen`",
    ),
    "no response": (
        {"chosen": [*SAID, assistant("Yes"), *SAID], "rejected": [*SAID, assistant("No")]},
        "does not end in a response",
    ),
    "one transcript": ({"chosen": "Human: Why?", "rejected": "No"}, "no `prompt`"),
    "no shared turn": (
        {"chosen": "Human: A\n\nAssistant: B", "rejected": "Human: C\n\nAssistant: B"},
        "share no opening",
    ),
    "margin": ({**GOOD, "margin": "big"}, "must be a finite number"),
    "half a character": ({**GOOD, "chosen": "a\ud800"}, "half a character"),
    "no rating": ({"conv_A": SAID, "conv_B": SAID}, "lacks `conv_B` or a rating"),
    "a rating that is no number": (
        {**FORMS["rated conversations"], "conv_A_rating": math.nan},
        "ratings nan and 3.0",
    ),
}
NOTHING: dict[str, tuple[object, str]] = {
    "empty": ({**GOOD, "chosen": " \n"}, "response in `chosen` is empty"),
    "empty messages": ({"chosen": [*SAID], "rejected": [*SAID, assistant("No")]}, "is empty"),
    "empty turn": (
        {"chosen": "Human: A\n\nAssistant:", "rejected": "Human: A\n\nAssistant: B"},
        "response in `chosen` is empty",
    ),
    "identical": ({**GOOD, "chosen": "No "}, "two responses are identical"),
    "identical transcripts": (
        {"chosen": "Human: A\n\nAssistant: B", "rejected": "Human: A\n\nAssistant: B"},
        "two responses are identical",
    ),
    "tie": ({**FORMS["rated conversations"], "conv_A_rating": 3}, "rated alike"),
}


@pytest.mark.parametrize("case", MALFORMED | NOTHING)
def test_a_bad_pair_is_named_with_its_line(tmp_path: Path, case: str) -> None:
    row, said = (MALFORMED | NOTHING)[case]
    file = write_rows(tmp_path / "p.jsonl", [GOOD, row])
    with pytest.raises(TrainingError, match=rf"p\.jsonl, line 2: .*{said}"):
        read(file)


@pytest.mark.parametrize("case", MALFORMED | NOTHING)
def test_only_pairs_that_prefer_nothing_may_be_left_out(tmp_path: Path, case: str) -> None:
    row, said = (MALFORMED | NOTHING)[case]
    file = write_rows(tmp_path / "p.jsonl", [GOOD, row])
    if case in MALFORMED:
        with pytest.raises(TrainingError, match=said):
            read(file, invalid="leave-out")
    else:
        found = read(file, invalid="leave-out")
        assert len(found.pairs) == 1
        (line,) = found.invalid
        assert line.startswith("p.jsonl, line 2: ")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b'{"prompt": "a"\n', "line 1: not JSON"),
        (b"\n\xff\xfe\n", r"p\.jsonl, line 2: not UTF-8\. Seen: the byte 0xff in .* UTF-8"),
        ('{"prompt": "a"}'.encode("utf-16"), r"p\.jsonl: the file is in UTF-16"),
        (b"", "no preferences"),
        (b"[" * 100_000, "line 1: not JSON"),
    ],
)
def test_a_file_that_holds_no_pairs(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "p.jsonl"
    file.write_bytes(content)
    with pytest.raises(TrainingError, match=said):
        read(file)


@pytest.mark.parametrize("name", ["p.jsonl.gz", "p.parquet"])
def test_a_file_that_is_something_else(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(json.dumps(GOOD).encode())
    with pytest.raises(TrainingError, match=r"p\.(jsonl\.gz|parquet)"):
        read(tmp_path / name)


def test_a_truncated_gzip(tmp_path: Path) -> None:
    packed = gzip.compress("\n".join(json.dumps(GOOD) for _ in range(2000)).encode())
    (tmp_path / "p.jsonl.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(TrainingError, match="cannot be read"):
        read(tmp_path / "p.jsonl.gz")


def test_margins_of_the_data(tmp_path: Path) -> None:
    file = write_rows(tmp_path / "p.jsonl", [{**GOOD, "margin": 0.5}])
    assert read(file, margin="data").pairs[0].margin == 0.5
    bare = write_rows(tmp_path / "q.jsonl", [GOOD])
    with pytest.raises(TrainingError, match="line 1: the pair has no `margin`"):
        read(bare, margin="data")


def test_real_pairs() -> None:
    folder = data_folder()
    if folder is None:
        pytest.skip("VALUEBIAS_TEST_DATA is not set")
    found = read(folder / "preferences" / "harmless-base_test.jsonl.gz", invalid="leave-out")
    assert (len(found.pairs), len(found.invalid)) == (2308, 4)
    assert found.invalid[0].startswith("harmless-base_test.jsonl.gz, line 87: ")
    assert all(pair.prompt[-1][0] == "user" for pair in found.pairs)
    assert all(len(pair.chosen) == len(pair.rejected) == 1 for pair in found.pairs)
