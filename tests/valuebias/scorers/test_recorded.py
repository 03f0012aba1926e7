"""Recorded scores: read back as written, whatever the vocabulary holds, and refused with a line."""

from __future__ import annotations

import csv
import os
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from valuebias.candidates import Candidates, Injection
from valuebias.errors import ScoresError
from valuebias.prompts import GREATEST, PAPER_PROMPTS, Prompt, resolve
from valuebias.scorers.recorded import RecordedScores
from valuebias.scorers.recorded_file import write_scores
from valuebias.scores import Scores

ODD = (
    "null",
    "NA",
    "nan",
    "None",
    "true",
    "",
    "1e5",
    " Freedom",
    "Freedom",
    "=1+1",
    '"',
    ",",
    "\n",
)
SUFFIXES = (".csv", ".parquet")
OWN = resolve("What, in one word, do you value,\nand why?")


def read(tmp_path: Path, content: str | bytes, name: str = "a.csv") -> RecordedScores:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return RecordedScores.from_file(path)


def scores(responses, token_ids=None, prompts=(GREATEST, OWN), values=None) -> Scores:
    if values is None:
        values = np.random.default_rng(3).normal(size=(len(prompts), len(responses)))
    injection: Injection = "text" if token_ids is None else "token"
    return Scores(
        np.asarray(values, np.float32), tuple(prompts), Candidates(responses, token_ids, injection)
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_words_that_look_like_nothing_stay_words(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    written = scores(ODD)
    write_scores(written, path)
    recorded = RecordedScores.from_file(path, name="mine")
    assert recorded.name == "mine"
    assert recorded.responses == ODD
    assert recorded.prompts == (GREATEST, OWN)
    np.testing.assert_array_equal(recorded.recorded.values, written.values)
    assert os.listdir(tmp_path) == [path.name]  # nothing temporary is left


hostile = st.text(st.characters(), max_size=5) | st.sampled_from(ODD)
float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(hostile, float32, float32), min_size=1, max_size=8), st.data())
def test_round_trip(rows, data):
    responses = tuple(r for r, _, _ in rows)
    escaped = [r.encode("utf-8", "backslashreplace").decode() for r in responses]
    tokens = None
    if len(set(escaped)) < len(escaped) or data.draw(st.booleans()):
        tokens = tuple(range(7, 7 + len(rows)))
    written = scores(responses, tokens, values=[[a for _, a, _ in rows], [b for _, _, b in rows]])
    for suffix in SUFFIXES:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"a{suffix}"
            write_scores(written, path)
            back = RecordedScores.from_file(path).recorded
        assert back.candidates.responses == tuple(escaped)
        assert back.candidates.token_ids == tokens
        assert back.candidates.injection == ("text" if tokens is None else "token")
        assert back.prompts == written.prompts
        # Bit by bit: -0.0 and numbers below the normal range too.
        assert back.values.tobytes() == written.values.tobytes()


def test_scoring_by_text_and_by_token(tmp_path):
    path = tmp_path / "a.csv"
    written = scores((" a", "b", "�", "�"), (3, 5, 8, 9))
    write_scores(written, path)
    recorded = RecordedScores.from_file(path)
    got = recorded.score((OWN, GREATEST), Candidates.words(["b", " a"]))
    np.testing.assert_array_equal(got.values, written.values[::-1][:, [1, 0]])
    by_id = recorded.score((OWN,), Candidates(("x", "y"), (9, 3), "token"))
    np.testing.assert_array_equal(by_id.values, written.values[1:, [3, 0]])
    assert got.provenance["fingerprint"] == recorded.fingerprint
    with pytest.raises(ScoresError, match=r"1 responses stand for several tokens of a\.csv"):
        recorded.score((OWN,), Candidates.words(["�"]))
    with pytest.raises(ScoresError, match=r"no score for 2 of 3 responses. Seen: c, d\."):
        recorded.score((OWN,), Candidates.words(["b", "c", "d"]))
    with pytest.raises(ScoresError, match="no score for 1 of 1 tokens"):
        recorded.score((OWN,), Candidates(("b",), (6,), "token"))
    with pytest.raises(ScoresError, match="no score for 53 of 54 prompts"):
        recorded.score(PAPER_PROMPTS, Candidates.words(["b"]))


def test_the_fingerprint_is_the_content(tmp_path):
    one = read(tmp_path, "response,best_ever_one\na,1\n")
    same = read(tmp_path, "response,best_ever_one\na,1\n", "b.csv")
    other = read(tmp_path, "response,best_ever_one\na,2\n", "c.csv")
    assert one.fingerprint == same.fingerprint != other.fingerprint
    assert (one.name, same.name) == ("a.csv", "b.csv")


def test_columns_are_found_by_name(tmp_path):
    text = PAPER_PROMPTS[30].text.replace('"', '""')
    recorded = read(
        tmp_path, f'\ufeff"{text}",response,best_ever_one\r\n-1,NA,2.5\r\n\r\n0,b, 3 \r\n'
    )
    assert recorded.prompts == (PAPER_PROMPTS[30], PAPER_PROMPTS[0])
    assert recorded.responses == ("NA", "b")
    assert recorded.recorded.values.tolist() == [[-1, 0], [2.5, 3]]


def test_what_no_unicode_can_hold_is_escaped(tmp_path):
    recorded = read(tmp_path, b"response,best_ever_one\n\xed\xa0\x80a,1\n")
    assert recorded.responses == (r"\xed\xa0\x80a",)
    for kind, data, text in (
        (pa.binary(), b"\xffb", r"\xffb"),
        (pa.string(), b"\xed\xb0\x80", r"\xed\xb0\x80"),
    ):
        table = {"response": pa.array([data], pa.binary()).view(kind), "best_ever_one": [1.0]}
        pq.write_table(pa.table(table), tmp_path / "a.parquet")
        assert RecordedScores.from_file(tmp_path / "a.parquet").responses == (text,)


def test_text_in_another_encoding_is_refused(tmp_path):
    """Windows-1252, whose accented words would drop out."""
    for start in ("", "\ufeff"):
        data = f"{start}response,best_ever_one\nlove,1\n".encode() + b"\xe4ction,2\n"
        with pytest.raises(
            ScoresError, match=r"line 3: not UTF-8\. Seen: the byte 0xe4 in \\xe4ct"
        ):
            read(tmp_path, data)
    words = pa.array([b"love", b"\xe4ction"], pa.binary()).view(pa.string())
    pq.write_table(pa.table({"response": words, "best_ever_one": [1.0, 2]}), tmp_path / "a.parquet")
    with pytest.raises(ScoresError, match=r"a\.parquet, row 2: not UTF-8\. Seen: \\xe4ction"):
        RecordedScores.from_file(tmp_path / "a.parquet")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv is empty"),
        ("\ufeff \r\n\n", r"a\.csv is empty"),
        ("\n", r"a\.csv is empty"),
        ("response;best_ever_one\na;1\n", "header: the columns are separated by semicolons.*comma"),
        ("response\tbest_ever_one\na\t1\n", "header: the columns are separated by tabs.*commas"),
        ("word\tscore\na\t1\n", "header: the columns are separated by tabs"),
        (
            f'"response";"{GREATEST.text}"\n"a";1,5\n'.replace('"response"', "response"),
            "header: the columns are separated by semicolons",
        ),
        ("word;response x,best_ever_one\na,1\n", "header: no column `response`"),
        ("word,best_ever_one\na,1\n", "header: no column `response`"),
        ("response\na\n", "header: no prompt"),
        ("response,best_ever_one\n", "header: no rows after"),
        ("response,best_ever_on\na,1\n", "neither response, token_id, .* Seen: best_ever_on"),
        (",response,best_ever_one\n1,a,1\n", "a column's name is neither"),
        ("response,best_ever_one,best_ever_one\na,1,2\n", "two columns have the same name"),
        (
            f'response,best_ever_one,"{PAPER_PROMPTS[0].text}"\na,1,2\n',
            "header: a prompt has two columns. Seen: best_ever_one",
        ),
        ("response,best_ever_one\na,1\nb,x\n", "line 3: the score for best_ever_one is not a num"),
        ("response,best_ever_one\na,\n", "line 2: the score for best_ever_one is not a number"),
        ("response,best_ever_one\na,NA\n", "line 2: .* Seen: NA"),
        ("response,best_ever_one\na,1_0\n", "line 2: .* Seen: 1_0"),
        ("response,best_ever_one\na,1\nb,nan\n", r"line 3: .* is not finite\. Seen: nan\."),
        ("response,best_ever_one\na,1\nb,-inf\n", r"line 3: .* is not finite\. Seen: -inf\."),
        ("response,best_ever_one\na,Infinity\n", r"line 2: .* is not finite\. Seen: Infinity\."),
        ("response,best_ever_one\na,1e39\n", r"line 2: .* beyond the .* float32\. Seen: 1e39\."),
        (
            'response,best_ever_one,bad_ever_one\n\n"a\n",1,2\n\nb,1, -1.0E+999\n',
            r"line 6: the score for bad_ever_one is beyond .* Seen: -1\.0E\+999\.",
        ),
        ("response,best_ever_one\na,1\n\nb,2\na,3\n", "line 5: the response was already .* line 2"),
        ('response,best_ever_one\n"a\nb",1\nc\n', "line 4: 1 cells where the header has 2"),
        ('response,best_ever_one\n"a,1\n', "line 2: not a row of CSV"),
        ("token_id,response,best_ever_one\n1,a,1\n1,b,2\n", "line 3: the token id was already"),
        (
            "token_id,response,best_ever_one\n1.0,a,1\n",
            "line 2: a token id must be an integer >= 0",
        ),
        (
            f"token_id,response,best_ever_one\n{'9' * 5000},a,1\n",
            "line 2: a token id must be an integer",
        ),
        ("token_id,response,best_ever_one\n-1,a,1\n", "line 2: a token id must be an integer >= 0"),
    ],
)
def test_csv_mistakes(tmp_path, text, message):
    with pytest.raises(ScoresError, match=message) as error:
        read(tmp_path, text)
    assert str(tmp_path / "a.csv") in str(error.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (
            {"response": ["a", None], "best_ever_one": [1.0, 2]},
            "row 2: empty cell in column response",
        ),
        (
            {"response": ["a", "b"], "best_ever_one": [1.0, None]},
            "row 2: empty cell in column best_",
        ),
        ({"response": ["a", "b"], "best_ever_one": ["1", "2"]}, "does not hold numbers"),
        ({"response": ["a", "b"], "best_ever_one": [1, float("nan")]}, "row 2: .* not finite"),
        ({"response": ["a"], "best_ever_one": [1e39]}, r"row 1: .* float32\. Seen: 1e\+39"),
        (
            {"response": pa.array([], pa.string()), "best_ever_one": pa.array([], pa.float32())},
            "no row",
        ),
        ({"response": ["a", "a"], "best_ever_one": [1.0, 2]}, "row 2: .* already given in row 1"),
        ({"response": [1.5, 2], "best_ever_one": [1.0, 2]}, "the responses are not text"),
        ({"response": ["a", "b"], "token_id": ["1", "2"], "best_ever_one": [1.0, 2]}, "integers"),
        (
            {"response": ["a"], "token_id": [-1], "best_ever_one": [1.0]},
            "row 1: a token id must be",
        ),
        ({"response": ["a"], "__index_level_0__": [1], "best_ever_one": [1.0]}, "name is neither"),
    ],
)
def test_parquet_mistakes(tmp_path, columns, message):
    pq.write_table(pa.table(columns), tmp_path / "a.parquet")
    with pytest.raises(ScoresError, match=message):
        RecordedScores.from_file(tmp_path / "a.parquet")


def test_parquet_columns_of_one_name(tmp_path):
    columns = [pa.array(["a"]), pa.array([1.0]), pa.array([2.0])]
    table = pa.Table.from_arrays(columns, names=["response", "best_ever_one", "best_ever_one"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ScoresError, match=r"two columns have the same name\. Seen: best_ever_one"):
        RecordedScores.from_file(tmp_path / "a.parquet")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_other_encodings_are_named(tmp_path, encoding):
    text = ("\ufeff" if encoding == "utf-16-be" else "") + "response,best_ever_one\na,1\n"
    with pytest.raises(ScoresError, match=r"the file is in UTF-16\. Save it as UTF-8"):
        read(tmp_path, text.encode(encoding))


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(ScoresError, match="is not a Parquet file"):
        read(tmp_path, "response,best_ever_one\na,1\n", "a.parquet")
    with pytest.raises(ScoresError, match=r"neither CSV nor Parquet. Seen: \.txt"):
        read(tmp_path, "x", "a.txt")
    with pytest.raises(ScoresError, match="cannot read the scores"):
        RecordedScores.from_file(tmp_path / "absent.csv")


def test_what_cannot_be_read_back_is_not_written(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("kept")
    with pytest.raises(ScoresError, match="not finite"):
        write_scores(scores(("a",), values=[[1], [np.nan]]), path)
    with pytest.raises(ScoresError, match="the same once written"):
        write_scores(scores(("\udcff", r"\udcff")), path)
    with pytest.raises(ScoresError, match="a column's name is neither"):
        write_scores(scores(("a",), prompts=[Prompt("mine", "value?")], values=[[1]]), path)
    with pytest.raises(ScoresError, match="neither CSV nor Parquet"):
        write_scores(scores(("a",)), tmp_path / "a.json")
    assert path.read_text() == "kept"
    assert os.listdir(tmp_path) == ["a.csv"]


def test_others_read_what_is_written(tmp_path):
    """The standard library, and Arrow, see the same table."""
    written = scores(ODD, tuple(range(len(ODD))))
    write_scores(written, tmp_path / "a.csv")
    with (tmp_path / "a.csv").open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    assert list(rows[0]) == ["token_id", "response", "greatest_ever_one", OWN.text]
    assert [r["response"] for r in rows] == list(ODD)
    write_scores(written, tmp_path / "a.parquet")
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column_names == list(rows[0])
    assert table.schema.field("greatest_ever_one").type == pa.float32()
    assert table["response"].to_pylist() == list(ODD)


@pytest.mark.skipif(
    not os.environ.get("VALUEBIAS_PUBLISHED_DATA"), reason="needs VALUEBIAS_PUBLISHED_DATA"
)
def test_every_published_file():
    folder = Path(os.environ["VALUEBIAS_PUBLISHED_DATA"]) / "data" / "reward_model_scores"
    for name, rows in (("dict_big2_nouns", 265), ("dict_MFD_20", 2040)):
        files = sorted((folder / name).glob("*.csv"))
        assert len(files) == 10
        for path in files:
            recorded = RecordedScores.from_file(path)
            assert len(recorded.responses) == rows
            assert recorded.prompts == PAPER_PROMPTS
