"""The exact text each token of a tokenizer stands for in the middle of a text.

``decode([id])`` does not give it: Llama 2's drops the space a word begins with, a fragment of a
character comes back as U+FFFD, and some clean up the space before a full stop. The text is read off
the token by the decoder's own rules instead, and all of them together are held against one decode.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any

from valuebias.errors import ModelError

Reader = Callable[[str], str]

_SPACE = "▁"  # U+2581, SentencePiece's space
_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_REMEDY = (
    "Give the model with the fast tokenizer (tokenizer.json) it was published with, of a kind that "
    "keeps the text: byte-level or SentencePiece BPE, Unigram, WordPiece."
)


def exact_texts(tokenizer: Any, ids: Sequence[int]) -> list[str]:
    """The text of each id as it stands between other tokens, leading space and all.

    Bytes that are not whole characters come back as lone surrogates, as from
    ``bytes.decode("utf-8", "surrogateescape")``. An added token is its literal content, unless the
    tokenizer's own vocabulary has it as well (Gemma's runs of spaces). A WordPiece token that does
    not continue a word has the space that the decoder puts before it.

    Takes time linear in the number of ids. Raises ModelError where an id has no token, or where
    the text of a token cannot be determined.
    """
    ids = [int(i) for i in ids]
    tokens = _tokens(tokenizer, ids)
    literal = _literal(tokenizer)
    reader = _reader(tokenizer)
    own = [i for i in dict.fromkeys(ids) if i not in literal]
    token_of = dict(zip(ids, tokens, strict=True))
    texts = {i: reader(token_of[i]) for i in own} if reader else {}
    if reader is None or not _agrees(tokenizer, texts):
        texts = _by_difference(tokenizer, {i: token_of[i] for i in own})
        if not _agrees(tokenizer, texts):
            raise ModelError(
                "the tokenizer decodes its tokens together to a different text than one by one",
                seen=type(tokenizer).__name__,
                remedy=_REMEDY,
            )
    texts |= literal
    return [texts[i] for i in ids]


def _tokens(tokenizer: Any, ids: list[int]) -> list[str]:
    tokens: list[str | None] = tokenizer.convert_ids_to_tokens(ids)
    for i, token in zip(ids, tokens, strict=True):
        if token is None:
            raise ModelError(
                "the tokenizer has no token with this id",
                seen=i,
                remedy="Ask for ids of the tokenizer's vocabulary only; the model's embeddings may "
                "be padded beyond it.",
            )
    return [str(token) for token in tokens]


def _literal(tokenizer: Any) -> dict[int, str]:
    """Added tokens whose text is their name."""
    added = {i: str(token.content) for i, token in tokenizer.added_tokens_decoder.items()}
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None or not any(_SPACE in text for text in added.values()):
        return added
    own = backend.get_vocab(with_added_tokens=False)
    return {i: text for i, text in added.items() if _SPACE not in text or text not in own}


def _reader(tokenizer: Any) -> Reader | None:
    """How the fast tokenizer's decoder reads one token in the middle of a text; None where its
    rules are not all supported, or if it has none."""
    from tokenizers import Tokenizer, models

    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return None
    # The parts alone: written out with a vocabulary of 256,000 they would take seconds.
    bare = Tokenizer(models.BPE())
    if backend.decoder is not None:
        bare.decoder = backend.decoder
    if backend.pre_tokenizer is not None:
        bare.pre_tokenizer = backend.pre_tokenizer
    described = json.loads(bare.to_str())
    steps = _flat(described["decoder"], "decoders")
    made = {step["type"] for step in _flat(described["pre_tokenizer"], "pretokenizers")}
    if not steps and made & {"ByteLevel", "Metaspace"}:
        raise ModelError(
            "the tokenizer writes its tokens in an alphabet that it has no decoder for",
            seen=", ".join(sorted(made)),
            remedy=_REMEDY,
        )
    rules: list[Reader] = []
    joined = False
    for step in steps:
        if joined and step["type"] in ("Strip", "Fuse"):
            continue  # of the whole text: nothing happens in its middle
        rule = None if joined else _rule(step)
        if rule is None:
            return None
        rules.append(rule)
        joined = step["type"] in ("ByteLevel", "Fuse")
    return _one_after_another(rules) if rules else None


def _flat(step: Any, inner: str) -> list[dict[str, Any]]:
    if step is None:
        return []
    if step["type"] == "Sequence":
        return [each for part in step[inner] for each in _flat(part, inner)]
    return [step]


def _rule(step: dict[str, Any]) -> Reader | None:
    kind = step["type"]
    if kind == "ByteLevel":
        return _from_byte_alphabet
    if kind == "ByteFallback":
        return _from_byte_token
    if kind == "Fuse":
        return str
    if kind == "Metaspace":
        return _replacing(step["replacement"], " ")
    if kind == "Replace" and "String" in step["pattern"]:
        return _replacing(step["pattern"]["String"], step["content"])
    if kind == "BPEDecoder":
        return _replacing(step["suffix"], " ")
    return None


def _one_after_another(rules: list[Reader]) -> Reader:
    def read(token: str) -> str:
        for rule in rules:
            token = rule(token)
        return token

    return read


def _replacing(old: str, new: str) -> Reader:
    return lambda token: token.replace(old, new)


def _byte_alphabet() -> dict[str, int]:
    """The letter byte-level BPE writes each byte as: itself, or one from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    letters = {chr(byte): byte for byte in printable}
    return letters | {chr(0x100 + n): byte for n, byte in enumerate(others)}


_ALPHABET = _byte_alphabet()


def _from_byte_alphabet(token: str) -> str:
    try:
        data = bytes([_ALPHABET[letter] for letter in token])
    except KeyError:
        return token  # not in the alphabet: the decoder takes it as text
    return data.decode("utf-8", "surrogateescape")


def _from_byte_token(token: str) -> str:
    byte = _BYTE.fullmatch(token)
    return bytes.fromhex(byte[1]).decode("utf-8", "surrogateescape") if byte else token


def is_fragment(text: str) -> bool:
    """Whether a text contains bytes that are not a whole character."""
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _decoded(tokenizer: Any, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(list(ids), clean_up_tokenization_spaces=False))


def _agrees(tokenizer: Any, texts: dict[int, str]) -> bool:
    """Whether the tokens of whole characters, decoded in one go, give their texts in a row."""
    whole = {i: text for i, text in texts.items() if not is_fragment(text)}
    # What a decoder does at the two ends of a text (drop a space) does not affect the middle.
    return not whole or _decoded(tokenizer, list(whole)).strip() == "".join(whole.values()).strip()


def _by_difference(tokenizer: Any, tokens: dict[int, str]) -> dict[int, str]:
    """Each token's text by what it adds between two known words, the same for both of them."""
    if not tokens:
        return {}
    anchors = _anchors(tokenizer)
    texts = {}
    for i, token in tokens.items():
        byte = _from_byte_token(token)
        if byte != token:
            texts[i] = byte
            continue
        readings = {_between(_decoded(tokenizer, [a, i, a]), ends) for a, ends in anchors.items()}
        text = readings.pop() if len(readings) == 1 else None
        if not text or ("\ufffd" in text and "\ufffd" not in token):
            raise ModelError(
                "the text of a token cannot be determined from what the tokenizer decodes",
                seen=f"id {i}, {token}",
                remedy=_REMEDY,
            )
        texts[i] = text
    return texts


def _anchors(tokenizer: Any) -> dict[int, tuple[str, str]]:
    """Two plain words, with the text each is at a text's beginning and at its end."""
    anchors: dict[int, tuple[str, str]] = {}
    for i in sorted(tokenizer.get_vocab().values()):
        alone = _decoded(tokenizer, [i])
        word = alone.strip()
        if word.isascii() and word.isalpha():
            twice = _decoded(tokenizer, [i, i])
            end = twice.removeprefix(alone)
            if len(end) < len(twice) and end.strip() == word:
                anchors[i] = (alone, end)
                if len(anchors) == 2:
                    return anchors
    raise ModelError(
        "the tokenizer has no two words that it decodes alike on their own and after each other",
        seen=type(tokenizer).__name__,
        remedy=_REMEDY,
    )


def _between(text: str, ends: tuple[str, str]) -> str | None:
    first, last = ends
    long_enough = len(text) >= len(first) + len(last)
    if not long_enough or not text.startswith(first) or not text.endswith(last):
        return None
    return text[len(first) : len(text) - len(last)]
