"""Two vocabularies aligned by text: nothing lost, nothing counted twice."""

from __future__ import annotations

import base64
import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support import tokenizers_real
from support.models import test_data
from valuebias.candidates import Candidates
from valuebias.errors import ModelError, ScoresError
from valuebias.models.token_text import exact_texts
from valuebias.scorers.alignment import FATES, Alignment, align, mass

TEXTS = ["Love", " Love", "a", "b", "愛", "\udce6", " \udce6\udc84", "", "\ufffd", "▁", "<0x41>"]


def _vocabulary(*texts: str, first: int = 0) -> Candidates:
    return Candidates(texts, tuple(range(first, first + len(texts))), injection="token")


vocabularies = st.lists(st.sampled_from(TEXTS), min_size=1, max_size=20).map(
    lambda texts: _vocabulary(*texts, "Love", first=7)
)


def _is_text(text: str) -> bool:
    try:
        return bool(text.encode("utf-8"))
    except UnicodeEncodeError:
        return False


@given(vocabularies, vocabularies)
def test_every_token_meets_one_fate(p: Candidates, q: Candidates) -> None:
    found = align(p, q)
    for side, mine, other in ((found.p, p, q), (found.q, q, p)):
        assert mine.token_ids is not None
        assert sum(side.counts.values()) == len(mine)
        assert tuple(side.counts) == FATES
        seen: set[str] = set()
        for token, text in zip(mine.token_ids, mine.responses, strict=True):
            expected = "fragment" if not _is_text(text) else "only here"
            if expected == "only here" and text in other.responses:
                expected = "merged" if text in seen else "shared"
                seen.add(text)
            assert side.fate(token) == expected
        assert seen == set(found.texts)
        for index, text in enumerate(found.texts):
            assert {mine.responses[token - 7] for token in side.ids(index)} == {text}
            assert len(side.ids(index)) == mine.responses.count(text)
    assert list(found.texts) == sorted(found.texts)


@given(vocabularies, vocabularies)
def test_the_order_does_not_depend_on_which_comes_first(p: Candidates, q: Candidates) -> None:
    forth, back = align(p, q), align(q, p)
    assert forth.texts == back.texts
    assert [forth.p.ids(i) for i in range(len(forth))] == [back.q.ids(i) for i in range(len(forth))]


@given(vocabularies, vocabularies, st.integers(0, 2**32))
def test_probabilities_of_one_text_are_added(p: Candidates, q: Candidates, seed: int) -> None:
    found = align(p, q)
    probabilities = np.random.default_rng(seed).dirichlet(np.ones(len(p)), size=(2, 3))
    with np.errstate(divide="ignore"):
        merged = found.p.merged(np.log(probabilities))
    assert merged.shape == (2, 3, len(found))
    for index, text in enumerate(found.texts):
        columns = [i for i, response in enumerate(p.responses) if response == text]
        assert np.exp(merged[..., index]) == pytest.approx(probabilities[..., columns].sum(-1))
    shared = [i for i, text in enumerate(p.responses) if text in found.texts]
    assert mass(merged) == pytest.approx(probabilities[..., shared].sum(-1))


def test_a_byte_token_and_its_letter_are_one_text() -> None:
    found = align(_vocabulary("A", "x", "A"), _vocabulary("A", "y", first=50))
    assert found.texts == ("A",)
    assert (found.p.ids(0), found.q.ids(0)) == ((0, 2), (50,))
    assert [found.p.fate(i) for i in range(3)] == ["shared", "only here", "merged"]
    assert found.p.account == "3 tokens: 1 shared, 1 merged, 0 fragment, 1 only here"
    assert np.exp(found.p.merged(np.log([0.25, 0.5, 0.25]))) == pytest.approx([0.5])


def test_what_has_no_probability_stays_without() -> None:
    found = align(_vocabulary("a", "a", "b"), _vocabulary("b", "a"))
    assert found.p.merged([-np.inf, -np.inf, -1e-300]).tolist() == [-np.inf, -1e-300]
    assert found.p.merged(np.array([-np.inf, -2, -1], np.float32)).tolist() == [-2.0, -1.0]
    assert mass([[-np.inf, -np.inf]]).tolist() == [0.0]


def test_fragments_are_never_matched_even_where_their_bytes_are_the_same() -> None:
    """They stand for no text by themselves; what would follow decides it."""
    found = align(_vocabulary("a", "\udce6", ""), _vocabulary("a", "\udce6", ""))
    assert found.texts == ("a",)
    assert found.p.counts == {"shared": 1, "merged": 0, "fragment": 2, "only here": 0}


def test_vocabularies_without_a_common_text_are_refused() -> None:
    with pytest.raises(ModelError, match=r"no text in common\. Seen: 2 and 1 tokens"):
        align(_vocabulary("a", "\udce6"), _vocabulary("\udce6"))


def test_words_are_no_vocabulary() -> None:
    with pytest.raises(ModelError, match=r"no token ids\. Seen: text"):
        align(_vocabulary("love"), Candidates.words(["love"]))


def test_log_probabilities_of_another_vocabulary_are_refused() -> None:
    found = align(_vocabulary("a", "b"), _vocabulary("a"))
    for wrong in (np.zeros(3), np.zeros((2, 1)), 0.0):
        with pytest.raises(ScoresError, match="do not match the vocabulary"):
            found.p.merged(wrong)


@pytest.fixture(scope="module")
def folder() -> Path:
    found = test_data()
    if found is None:
        pytest.skip("VALUEBIAS_TEST_DATA is not set")
    return found


@pytest.fixture(scope="module")
def llamas(folder: Path) -> Alignment:
    """Llama 3's and Llama 2's tokens, without the special ones."""
    sides = [
        (tokenizers_real.llama3(folder), range(128_000)),
        (tokenizers_real.llama2(folder), range(3, 32_000)),
    ]
    p, q = (
        Candidates(tuple(exact_texts(tokenizer, ids)), tuple(ids), injection="token")
        for tokenizer, ids in sides
    )
    return align(p, q)


def _llama3_bytes(folder: Path) -> dict[int, bytes]:
    lines = (folder / "tokenizers" / "llama3.tiktoken.model").read_bytes().splitlines()
    return {int(rank): base64.b64decode(token) for token, rank in map(bytes.split, lines)}


def _llama2_bytes(folder: Path) -> dict[int, bytes]:
    """From its file: 3 special tokens, 256 bytes in order, and pieces with U+2581 for a space."""
    described = json.loads((folder / "tokenizers" / "llama2.tokenizer.json").read_text("utf-8"))
    found = {i: piece for piece, i in described["model"]["vocab"].items()}
    read = {i: piece.replace("▁", " ").encode() for i, piece in found.items() if i >= 259}
    return read | {3 + byte: bytes([byte]) for byte in range(256)}


def test_two_real_vocabularies_are_explained_token_by_token(
    folder: Path, llamas: Alignment
) -> None:
    """Llama 3 and Llama 2 share 26,471 texts.

    Of Llama 3's 128,000 tokens 1,352 are bytes that are no whole character and 100,177 are longer
    or other texts than Llama 2 has. Of Llama 2's 31,997, the 128 bytes from 0x80 on are no
    character; 96 pieces (ASCII that can be printed, the carriage return) are its byte tokens'
    texts as well; 5,302 are its own.
    """
    three, two = _llama3_bytes(folder), _llama2_bytes(folder)
    for side, mine, other in ((llamas.p, three, two), (llamas.q, two, three)):
        assert len(side.token_ids) == len(mine)
        counted = Counter(mine.values())
        others = set(other.values())
        seen: set[bytes] = set()
        for token in sorted(mine):
            data = mine[token]
            if not _is_utf8(data):
                expected = "fragment"
            elif data not in others:
                expected = "only here"
            else:
                expected = "merged" if data in seen else "shared"
                seen.add(data)
            assert side.fate(token) == expected, token
        assert {text.encode() for text in llamas.texts} == seen
        assert [len(side.ids(i)) for i in range(len(llamas))] == [
            counted[text.encode()] for text in llamas.texts
        ]
    counts = {"shared": 26_471, "merged": 0, "fragment": 1_352, "only here": 100_177}
    assert llamas.p.counts == counts
    counts = {"shared": 26_471, "merged": 96, "fragment": 128, "only here": 5_302}
    assert llamas.q.counts == counts
    double = {text for i, text in enumerate(llamas.texts) if len(llamas.q.ids(i)) == 2}
    assert double == {chr(code) for code in range(0x20, 0x7F)} | {"\r"}
    # Llama 2 has these with the space before them alone, so that an answer's first token of the
    # one model is no token of the other's.
    words = {"freedom", " freedom", "Love", " Love", "love", " love"}
    assert words - set(llamas.texts) == {"Love", "love", "freedom"}


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_gpt2_shares_most_of_its_texts_with_llama3(folder: Path) -> None:
    """Llama 3's list holds most of GPT-2's, which it was built on the rules of: 42,908 of the
    49,912 whole texts; the 344 fragments are left out."""
    table = _llama3_bytes(folder)
    llama3 = _vocabulary(*(table[i].decode("utf-8", "surrogateescape") for i in range(len(table))))
    tokenizer = tokenizers_real.gpt2(folder)
    gpt2 = _vocabulary(*exact_texts(tokenizer, range(50_256)))
    found = align(gpt2, llama3)
    counts = {"shared": 42_908, "merged": 0, "fragment": 344, "only here": 7_004}
    assert found.p.counts == counts
    for i, text in enumerate(found.texts):
        ((mine,), (other,)) = found.p.ids(i), found.q.ids(i)
        assert table[other] == text.encode() == gpt2.responses[mine].encode()
