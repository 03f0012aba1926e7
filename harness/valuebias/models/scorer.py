"""The common part of scorers made from a loaded model and its tokenizer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from valuebias.candidates import Candidates
from valuebias.models.chat import Chat
from valuebias.prompts import GREATEST, Prompt
from valuebias.scores import FloatArray, Scores
from valuebias.search.token_sequences import BoolArray, OnChunk


class ModelScorer(ABC):
    """A scorer with a tokenizer, and how conversations are written with it. ``origin`` is what is
    known about the model from loading, ``embeddings`` how many token ids it has a row for."""

    has_vocabulary = True

    def __init__(
        self,
        tokenizer: Any,
        chat: Chat,
        *,
        embeddings: int,
        name: str,
        fingerprint: str,
        origin: Mapping[str, str],
    ) -> None:
        self.name = name
        self.fingerprint = fingerprint
        self.tokenizer = tokenizer
        self.chat = chat
        self.threads: int | None = None
        """Of the processor, that its work can use; None for as many as torch has."""
        self._embeddings = embeddings
        self._origin = dict(origin)

    @property
    @abstractmethod
    def template_name(self) -> str:
        """How prompts are put to the model."""

    @property
    def provenance(self) -> Mapping[str, str]:
        """What a reader needs to know the scores by."""
        return self._origin | {
            "model": self.name,
            "fingerprint": self.fingerprint,
            "template": self.template_name,
            "template_sha256": self.chat.template_sha256,
            "bos": self.chat.bos,
        }

    def note(self, key: str, fact: str) -> None:
        """Add a fact to the provenance, or replace one."""
        self._origin[key] = fact

    def vocabulary(self) -> Candidates:
        """Every id of the tokenizer that stands for text, for ``token`` injection.

        How many ids were left out, and why, is in ``provenance`` from then on, under "left_out".
        """
        vocabulary = self.chat.vocabulary(self._embeddings)
        self._origin["left_out"] = vocabulary.left_out
        return Candidates(vocabulary.texts, vocabulary.ids, injection="token")

    def token_counts(self, words: Sequence[str]) -> list[int]:
        """The number of tokens of each word as an answer to ``prompts.GREATEST``."""
        return [len(ids) for ids in self.chat.continuations(GREATEST.text, words)]

    def score(self, prompts: Sequence[Prompt], candidates: Candidates) -> Scores:
        """Scores of shape (prompts, candidates)."""
        values = np.stack([self.score_prompt(prompt, candidates) for prompt in prompts])
        provenance = {**self.provenance, "injection": candidates.injection}
        return Scores(values, tuple(prompts), candidates, provenance)

    @abstractmethod
    def score_prompt(
        self,
        prompt: Prompt,
        candidates: Candidates,
        *,
        done: BoolArray | None = None,
        on_chunk: OnChunk | None = None,
        time_limit: float | None = None,
    ) -> FloatArray:
        """Scores of all candidates on one prompt, float32 of shape (n,)."""
