"""Near-right pairs: prompts inside texts, messages that a table wrote as text."""

from __future__ import annotations

import json
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.preferences import write_rows
from valuebias.errors import TrainingError
from valuebias.training import DataSource, Recipe
from valuebias.training.preferences import Preferences, read_preferences
from valuebias.training.row_forms import preference

SAID = [{"role": "user", "content": "Why?"}]
GOOD = {"prompt": "Why?", "chosen": "Yes", "rejected": "No"}
YES, NO = ({"role": "assistant", "content": text} for text in ("Yes", "No"))
TALKS = {"chosen": [*SAID, YES], "rejected": [*SAID, NO]}
RATED = {
    "conv_A": [*SAID, NO],
    "conv_B": json.dumps([*SAID, YES]),
    "conv_A_rating": 1.0,
    "conv_B_rating": 3.0,
}


def read(path: Path, **options: Any) -> Preferences:
    return read_preferences(Recipe("demo:agency", DataSource(str(path)), **options))


def each(form: Any) -> dict[str, Any]:
    """Both conversations in another form."""
    return {name: form(talk) for name, talk in TALKS.items()}


FORMS: dict[str, dict[str, Any]] = {
    "messages as JSON": each(json.dumps),
    "messages and their prompt as JSON": {
        "prompt": json.dumps(SAID),
        "chosen": json.dumps([YES], indent=1),
        "rejected": json.dumps([NO]),
    },
    "one message as JSON": {
        "prompt": "Why?",
        "chosen": json.dumps(YES),
        "rejected": json.dumps(NO),
    },
    "messages as JSON twice": each(lambda talk: json.dumps(json.dumps(talk))),
    "messages in an object as JSON": each(lambda talk: json.dumps({"messages": talk})),
    "rated conversations as JSON": {**RATED, "conv_A": json.dumps([*SAID, NO])},
    "messages whose prompt has other white space": {"prompt": " Why?\n", **TALKS},
}
EMBEDDED: dict[str, dict[str, Any]] = {
    "a space": {"prompt": "Why?", "chosen": "Why? Yes", "rejected": "Why? No"},
    "lines": {"prompt": "Why?\n", "chosen": "Why?\n\nYes", "rejected": "\nWhy?\n\nNo"},
    "nothing between": {"prompt": "Why?", "chosen": "Why?Yes", "rejected": "Why?No"},
    "a prompt as messages": {"prompt": SAID, "chosen": "Why? Yes", "rejected": "Why? No"},
    "transcripts and a prompt": {
        "prompt": "Why?",
        "chosen": "Human: Why?\n\nAssistant: Yes",
        "rejected": "Human: Why?\n\nAssistant: No",
    },
    "transcripts and theirs": {
        "prompt": "\n\nHuman: Why?\n\nAssistant:",
        "chosen": "\n\nHuman: Why?\n\nAssistant: Yes",
        "rejected": "\n\nHuman: Why?\n\nAssistant: No",
    },
}


@pytest.mark.parametrize("form", FORMS | EMBEDDED)
def test_every_form_gives_the_same_pair(tmp_path: Path, form: str) -> None:
    found = read(write_rows(tmp_path / "p.jsonl", [(FORMS | EMBEDDED)[form]]))
    (pair,) = found.pairs
    assert [(role, text.strip()) for role, text in pair.prompt] == [("user", "Why?")]
    assert pair.chosen == (("assistant", "Yes"),)
    assert pair.rejected == (("assistant", "No"),)
    assert found.stripped == (form in EMBEDDED)


@pytest.mark.parametrize(
    ("prompt", "chosen", "rejected", "expected"),
    [
        ("A  b\nc", "A b c d", "A\tb c  e", "d"),
        ("A haiku about rain", "A haiku about rain falls", "A haiku about rain", ""),
        ("\u4f60\u597d", "\u4f60\u597d\u6211", "\u4f60\u597d\u4ed6", "\u6211"),
        ("Why?", "Why? Yes", "No", "Why? Yes"),  # one of them repeats the question
        ("Hello", "Hello! How are you?", "Hello, you", "Hello! How are you?"),  # both greet
        ("A", "Apples", "Avocados", "Apples"),
        ("Why?", "why? Yes", "Why? No", "why? Yes"),
        ("Why not?", "Why", "Why not", "Why"),
    ],
)
def test_a_prompt_is_taken_off_where_both_texts_begin_with_it(
    tmp_path: Path, prompt: str, chosen: str, rejected: str, expected: str
) -> None:
    row = {"prompt": prompt, "chosen": chosen, "rejected": rejected}
    found = read(write_rows(tmp_path / "p.jsonl", [GOOD, row]), invalid="leave-out")
    if expected:
        assert found.pairs[1].chosen == (("assistant", expected),)
        assert found.stripped == (expected != chosen)
    else:
        assert found.invalid == ("p.jsonl, line 2: the response in `rejected` is empty",)


white = st.text(" \n\t", min_size=1, max_size=3)


@given(
    st.lists(st.text("ab?\xe9", min_size=1, max_size=3), min_size=1, max_size=5),
    st.lists(white, min_size=2, max_size=2),
    st.text("ab? \n", max_size=6),
)
def test_what_follows_the_prompt_stays_whatever_the_white_space(
    words: list[str], spaces: list[str], said: str
) -> None:
    prompt = " ".join(words)
    sides = {
        name: f"{space.join(words)}{space}{end}{said}"
        for name, space, end in zip(("chosen", "rejected"), spaces, "xy", strict=True)
    }
    pair = preference({"prompt": prompt, **sides}, "line 1", DataSource("p.jsonl"))
    assert (pair.prompt, pair.stripped) == ((("user", prompt),), True)
    assert pair.chosen == (("assistant", f"x{said}"),)
    assert pair.rejected == (("assistant", f"y{said}"),)


REPR = repr([*SAID, YES])
WRITTEN: dict[str, str] = {  # by Python or numpy, or cut off
    "a list": REPR,
    "a list with double quotes": repr([*SAID, {"role": "assistant", "content": "It's"}]),
    "a tuple": repr((*SAID, YES)),
    "one message": repr(YES),
    "content first": repr([{"content": "Why?", "role": "user"}]),
    "an array's text": str(np.array([*SAID, YES], object)),
    "an array": repr(np.array([*SAID, YES], object)),
    "ordered": repr([OrderedDict(YES)]),
    "objects": "[ChatMessage(role='assistant', content='Yes')]",
    "a library's": "[HumanMessage(content='Why?'), AIMessage(content='Yes')]",
    "speakers": repr([{"from": "gpt", "value": "Yes"}]),
    "cut off": json.dumps([*SAID, {"role": "assistant", "content": "Yes" * 20}])[:-10],
    "as JSON": json.dumps(REPR),
}
NOT_JSON = "is a text that holds messages, but not as JSON"
MALFORMED: dict[str, tuple[dict[str, Any], str]] = {
    **{
        name: ({**GOOD, "chosen": text, "rejected": f"{text} "}, f"`chosen` {NOT_JSON}")
        for name, text in WRITTEN.items()
    },
    "a prompt": ({**GOOD, "prompt": repr(SAID)}, f"`prompt` {NOT_JSON}"),
    "the other side": ({**GOOD, "rejected": REPR}, f"`rejected` {NOT_JSON}"),
    "a rated pair": ({**RATED, "conv_B": REPR}, f"`chosen` {NOT_JSON}"),
    "JSON on one side": ({**GOOD, "chosen": json.dumps([*SAID, YES])}, "the other is not"),
    "JSON of another form": (
        {**GOOD, "chosen": json.dumps([{"from": "gpt", "value": "Yes"}])},
        "a message of `chosen` cannot be used|the other is not",
    ),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_messages_in_any_other_writing_are_refused(tmp_path: Path, case: str) -> None:
    row, said = MALFORMED[case]
    file = write_rows(tmp_path / "p.jsonl", [GOOD, row])
    with pytest.raises(TrainingError, match=rf"p\.jsonl, line 2: .*({said})"):
        read(file, invalid="leave-out")


ANSWERS = (
    "[1, 2]",
    '["user", "admin"]',
    '{"role": "user", "rights": []}',
    '[{"content": "a book", "value": 3}]',
    "print(role='user')",
    '(content: see below) She said: "role": "user"',
    "[",
    '"Yes"',
)


def test_an_answer_that_is_code_stays_a_text(tmp_path: Path) -> None:
    content = [{"prompt": "Why?", "chosen": text, "rejected": "No"} for text in ANSWERS]
    found = read(write_rows(tmp_path / "p.jsonl", content))
    assert [pair.chosen[0][1] for pair in found.pairs] == [*ANSWERS]


def test_parquet_with_other_bytes_or_messages_as_text(tmp_path: Path) -> None:
    table = tmp_path / "p.parquet"
    texts = [FORMS["messages as JSON"], {"chosen": REPR, "rejected": REPR}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(texts), table)
    with pytest.raises(TrainingError, match=r"p\.parquet, row 2: `chosen`.* not as JSON"):
        read(table)
    good = {name: [text] * 3 for name, text in GOOD.items()}
    legacy = pyarrow.array([b"Yes", b"Yes", b"caf\xe9"]).view(pyarrow.string())
    pyarrow.parquet.write_table(pyarrow.table({**good, "chosen": legacy}), table)
    with pytest.raises(TrainingError, match=r"p\.parquet, row 3: a string is not UTF-8"):
        read(table)
