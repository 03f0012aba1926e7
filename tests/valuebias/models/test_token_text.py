"""The exact text of every token: against the published byte tables of real tokenizers, and against
small tokenizers of every kind."""

from __future__ import annotations

import base64
import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tokenizers import AddedToken, Tokenizer, decoders, normalizers, pre_tokenizers
from tokenizers import models as pieces
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from support import tokenizers_real
from support.models import build_tokenizer
from valuebias.errors import ModelError
from valuebias.models.token_text import exact_texts, is_fragment
from valuebias.organisms.tokenizer import build_tokenizer as organisms_tokenizer


@pytest.fixture(scope="module")
def llama3_texts(real_data: Path) -> list[str]:
    """Of every id of Llama 3, from its fast tokenizer."""
    return exact_texts(tokenizers_real.llama3(real_data), range(128_256))


def _llama3_bytes(folder: Path) -> list[bytes]:
    """The bytes of every id, from the file Llama 3 was published with."""
    lines = (folder / "tokenizers" / "llama3.tiktoken.model").read_bytes().splitlines()
    token_of = {int(rank): base64.b64decode(token) for token, rank in map(bytes.split, lines)}
    return [token_of[i] for i in range(len(token_of))]


def _fast(model: Any, decoder: Any = None, **options: Any) -> Any:
    tokenizer = Tokenizer(model)
    if decoder is not None:
        tokenizer.decoder = decoder
    for part, value in options.items():
        setattr(tokenizer, part, value)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, unk_token="[UNK]")


def _words(*words: str) -> Any:
    return pieces.WordLevel({w: i for i, w in enumerate(["[UNK]", *words])}, unk_token="[UNK]")


def test_every_token_of_llama3_is_its_published_bytes(
    real_data: Path, llama3_texts: list[str]
) -> None:
    published = _llama3_bytes(real_data)
    assert len(published) == 128_000
    read = [text.encode("utf-8", "surrogateescape") for text in llama3_texts[:128_000]]
    assert read == published
    assert sum(map(is_fragment, llama3_texts)) == 1_352
    assert llama3_texts[128_000] == "<|begin_of_text|>"
    assert llama3_texts[128_255] == "<|reserved_special_token_250|>"


def test_every_token_of_gpt2_is_what_its_decoder_reads(real_data: Path) -> None:
    tokenizer = tokenizers_real.gpt2(real_data)
    texts = exact_texts(tokenizer, range(50_257))
    reader = decoders.ByteLevel()
    for token, text in zip(tokenizer.convert_ids_to_tokens(range(50_256)), texts, strict=False):
        shown = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        assert shown == reader.decode([token])
    whole = [text for text in texts if not is_fragment(text)]
    assert len(whole) == len(set(whole)) == 50_257 - 344
    assert texts[31_373] == "hello"
    assert texts[995] == " world"
    assert texts[50_256] == "<|endoftext|>"


def test_every_token_of_llama2_is_what_it_adds_between_words(real_data: Path) -> None:
    """32,000 pieces: each byte twice over where it is ASCII that has a letter of its own."""
    tokenizer = tokenizers_real.llama2(real_data)
    texts = exact_texts(tokenizer, range(32_000))
    fence = tokenizer.convert_tokens_to_ids("▁x")
    for i in range(3 + 256, 32_000):
        assert tokenizer.decode([fence, i, fence]) == f"x{texts[i]} x"
    assert texts[:3] == ["<unk>", "<s>", "</s>"]
    read = [text.encode("utf-8", "surrogateescape") for text in texts[3:259]]
    assert read == [bytes([byte]) for byte in range(256)]
    euro = tokenizer.convert_tokens_to_ids(["<0xE2>", "<0x82>", "<0xAC>"])
    assert b"".join(read[i - 3] for i in euro).decode() == "€" == tokenizer.decode(euro)
    freedom = tokenizer.convert_tokens_to_ids("▁freedom")
    assert texts[freedom] == " freedom"
    assert tokenizer.decode([freedom]) == "freedom"  # what decode alone makes of it
    assert 32_000 - len(set(texts)) == 96  # byte tokens that are ASCII letters too


def test_ids_come_back_in_the_order_asked_for(real_data: Path) -> None:
    tokenizer = tokenizers_real.gpt2(real_data)
    assert exact_texts(tokenizer, [995, 31_373, 995]) == [" world", "hello", " world"]
    assert exact_texts(tokenizer, []) == []


def test_embedded_models_read_their_spaces_and_bytes() -> None:
    tokenizer = organisms_tokenizer()
    tokens = ["▁freedom", "Freedom", "<0x41>", "A", "<0xFF>", "▁", "\n", "<start_of_turn>"]
    expected = [" freedom", "Freedom", "A", "A", "\udcff", " ", "\n", "<start_of_turn>"]
    ids = tokenizer.convert_tokens_to_ids(tokens)
    assert isinstance(ids, list)
    assert exact_texts(tokenizer, ids) == expected


def test_a_byte_level_tokenizer_without_a_decoder_is_refused() -> None:
    """Its tokens would come out as they are stored, spaces as "Ġ"."""
    tokenizer = _fast(_words("Ġfree", "dom"), pre_tokenizer=pre_tokenizers.ByteLevel())
    with pytest.raises(ModelError, match="in an alphabet that it has no decoder for"):
        exact_texts(tokenizer, [1, 2])


def test_a_trained_byte_level_tokenizer_spells_what_it_encodes() -> None:
    tokenizer = build_tokenizer()
    text = "What, in one word, is love 愛 \n\t'Ġ'?"
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    spelled = "".join(exact_texts(tokenizer, ids))
    assert spelled.encode("utf-8", "surrogateescape").decode() == text


@pytest.mark.parametrize(
    ("tokenizer", "expected"),
    [
        (
            _fast(
                pieces.WordPiece(
                    {w: i for i, w in enumerate(["[UNK]", "free", "##dom", "love", ".", "é"])},
                    unk_token="[UNK]",
                ),
                decoders.WordPiece(),
            ),
            [" free", "dom", " love", ".", " é"],
        ),
        (_fast(_words("free", "love", ".")), [" free", " love", " ."]),
        (
            _fast(_words("▁free", "dom", "▁", "▁."), decoders.Metaspace()),
            [" free", "dom", " ", " ."],
        ),
        (
            _fast(
                _words("_free", "dom", "_"),
                decoders.Sequence(
                    [decoders.Replace("_", " "), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
                ),
                normalizer=normalizers.Replace(" ", "_"),
            ),
            [" free", "dom", " "],
        ),
        (_fast(_words("free</w>", "dom", "love</w>"), decoders.BPEDecoder()), ["free ", "dom"]),
    ],
    ids=["WordPiece", "words", "Metaspace", "replaced", "end-of-word"],
)
def test_tokenizers_of_other_kinds(tokenizer: Any, expected: Sequence[str]) -> None:
    assert exact_texts(tokenizer, range(1, 1 + len(expected))) == list(expected)


def test_runs_of_spaces_that_are_added_tokens_are_spaces() -> None:
    """As Gemma has them: in its own vocabulary, and listed among the added tokens as well."""
    words = ["▁free", "dom", "▁▁", "▁love"]
    tokenizer = _fast(_words(*words), decoders.Sequence([decoders.Replace("▁", " ")]))
    tokenizer.add_tokens([AddedToken("▁▁", normalized=False), AddedToken("▁new", special=False)])
    assert exact_texts(tokenizer, range(1, 6)) == [" free", "dom", "  ", " love", "▁new"]


def test_bytes_without_a_fast_tokenizer() -> None:
    tokenizer = ByT5Tokenizer()
    assert exact_texts(tokenizer, range(3, 131)) == [chr(byte) for byte in range(128)]
    with pytest.raises(ModelError, match=r"the text of a token cannot be determined .* id 131"):
        exact_texts(tokenizer, range(3, 259))


def test_an_id_without_a_token_is_refused() -> None:
    with pytest.raises(ModelError, match=r"no token with this id\. Seen: 9"):
        exact_texts(_fast(_words("free", "love")), [1, 9])


def test_a_decoder_that_loses_text_is_refused() -> None:
    """CTC's drops what is said twice in a row."""
    tokenizer = _fast(_words("free", "love", "|"), decoders.CTC(pad_token="[UNK]"))
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        exact_texts(tokenizer, [1, 2, 3])


def _decoding(change: Callable[[str, int], str]) -> Any:
    """A tokenizer whose class makes something else of what its decoder decodes from n ids."""

    class Odd(PreTrainedTokenizerFast):
        def decode(self, token_ids: list[int], **options: Any) -> str:  # type: ignore[override]
            return change(str(super().decode(token_ids, **options)), len(token_ids))

    backend = Tokenizer(_words("▁free", "dom", "▁the", "▁."))
    backend.decoder = decoders.Metaspace()
    return Odd(tokenizer_object=backend, unk_token="[UNK]")


def test_what_the_tokenizer_says_goes_before_its_decoders_rules() -> None:
    shouting = _decoding(lambda text, n: text.upper())
    assert exact_texts(shouting, range(1, 5)) == [" FREE", "DOM", " THE", " ."]


def test_a_tokenizer_that_says_otherwise_of_many_tokens_than_of_few_is_refused() -> None:
    forgetful = _decoding(lambda text, n: text if n < 4 else text[:5])
    with pytest.raises(ModelError, match="together to a different text than one by one"):
        exact_texts(forgetful, range(1, 5))


@pytest.fixture(scope="module")
def published_intersection() -> list[str]:
    """The texts that Llama 3 and Gemma 2 share, as the authors' code decoded them."""
    folder = os.environ.get("VALUEBIAS_PUBLISHED_DATA")
    if folder is None:
        pytest.skip("VALUEBIAS_PUBLISHED_DATA is not set")
    path = Path(folder, "data", "corpora", "token_intersection.csv")
    with path.open(newline="", encoding="utf-8") as file:
        return [row["token_decoded"] for row in csv.DictReader(file)]


def _cleaned_up(text: str) -> str:
    """What transformers' clean_up_tokenization_spaces makes of a decoded text."""
    for before in (".", "?", "!", ",", "n't", "'m", "'s", "'ve", "'re"):
        text = text.replace(f" {before}", before)
        if before == ",":
            text = text.replace(" ' ", "'")
    return text


def test_the_published_intersection_is_found_among_llama3s_texts(
    llama3_texts: list[str], published_intersection: list[str]
) -> None:
    """Of the 85,524 published entries, all that Llama 3 can produce.

    85,518 are the exact text of a token. One more is: the file has an empty entry between those of
    U+FFFD and of byte 1, where byte 0, which a CSV file cannot hold, was. The other five are no
    text of Llama 3's: it has " !$", " !***", " ..........", ' ?>">' and " ?????", whose space the
    clean-up took off. With the clean-up, every entry is found.

    The clean-up changes 117 of Llama 3's texts, none of which is in the file as it is; 57 entries
    stand for two tokens each then, " !!!" and "!!!" say, of which the published numbers keep one.
    """
    texts = {text for text in llama3_texts[:128_000] if not is_fragment(text)}
    entries = set(published_intersection)
    assert len(published_intersection) == len(entries) == 85_524
    nul = published_intersection.index("")
    assert published_intersection[nul - 1 : nul + 2] == ["\ufffd", "", "\x01"]
    entries = entries - {""} | {"\x00"}

    exact, cleaned = entries & texts, {_cleaned_up(text) for text in texts}
    assert len(exact) == 85_519
    assert entries - exact == {"!$", "!***", "..........", '?>">', "?????"}
    assert {f" {entry}" for entry in entries - exact} <= texts
    assert entries <= cleaned

    changed = {text for text in texts if _cleaned_up(text) != text}
    assert len(changed) == 117
    assert not changed & entries
    of_two = {_cleaned_up(text) for text in changed} & entries & texts
    assert len(of_two) == 57
    assert "!!!" in of_two
