"""Candidates: the responses that a scorer scores."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from valuebias.errors import SpecError

Injection = Literal["token", "text", "spellings", "turn"]
"""How a response is given to the model. ``token``: the id itself after the prompt. ``text``: as
written, in the model's chat template, as in the paper. Language models have two more:
``spellings`` is the word in any of its spellings (case, leading space), their probabilities
summed; ``turn`` is the text followed by the end of the turn."""


@dataclass(frozen=True)
class Vocabulary:
    """Every token of the model's own vocabulary that is text, as candidates.

    Under ``text`` injection, tokens that decode to the same text are one candidate, with the first
    of their ids.
    """

    injection: Injection = "token"

    def of(self, tokens: Candidates) -> Candidates:
        """A model's tokens, given by id, as the candidates of this injection."""
        if self.injection == "token":
            return tokens
        first: dict[str, int] = {}
        for token, text in zip(tokens.token_ids or (), tokens.responses, strict=True):
            first.setdefault(text, token)
        return Candidates(tuple(first), tuple(first.values()), self.injection)


VOCABULARY = Vocabulary()


@dataclass(frozen=True)
class Candidates:
    """An ordered set of distinct responses.

    ``responses`` are the texts, each once under ``text`` injection. Under ``token`` injection
    ``token_ids`` names the vocabulary id each response stands for (one id a response, distinct),
    and two ids may decode to the same text.

    ``injection`` says how a response is put into the chat.
    """

    responses: tuple[str, ...]
    token_ids: tuple[int, ...] | None = None
    injection: Injection = "text"

    def __post_init__(self) -> None:
        if not self.responses:
            raise SpecError("no candidates to score", remedy="Give at least one word or token.")
        keys: Sequence[object] = self.responses
        if self.injection == "token":
            if self.token_ids is None or len(self.token_ids) != len(self.responses):
                raise SpecError(
                    "token injection needs one token id for each response",
                    seen=None if self.token_ids is None else len(self.token_ids),
                    remedy=f"Give {len(self.responses)} token ids, or use text injection.",
                )
            keys = self.token_ids
        if len(set(keys)) != len(keys):
            twice = Counter(keys).most_common(1)[0][0]
            raise SpecError("duplicate candidate", seen=twice, remedy="Give each candidate once.")

    @classmethod
    def words(cls, words: Sequence[str], injection: Injection = "text") -> Candidates:
        """Words as candidates, each once, in the order first seen."""
        return cls(tuple(dict.fromkeys(words)), injection=injection)

    def __len__(self) -> int:
        return len(self.responses)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the candidates' content; part of the address scores are stored under."""
        h = hashlib.sha256(self.injection.encode())
        for i, response in enumerate(self.responses):
            token = "" if self.token_ids is None else str(self.token_ids[i])
            h.update(f"\x1e{token}\x1f".encode())
            h.update(response.encode("utf-8", "surrogatepass"))
        return h.hexdigest()
