"""A model in memory as a scorer: its scores are kept while it is unchanged, without a store."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from valuebias.candidates import VOCABULARY, Candidates, Injection, Vocabulary
from valuebias.errors import ModelError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.models.opaque import OpaqueModel, no_vocabulary
from valuebias.prompts import Prompt
from valuebias.scorers.protocol import Kind, injection_of, words
from valuebias.scores import FloatArray, Job, Scores

if TYPE_CHECKING:
    from valuebias.models.language import LanguageModel
    from valuebias.models.reward import RewardModel


class InMemory:
    """A reward model or language model; a scorer (`scorers.protocol.Scorer`).

    ``module`` is the torch module behind it. Its scores and fingerprint are those of the weights
    it was wrapped with, so it is refused once these have changed or it is in training mode. A write
    through ``.data`` is not seen. A function has no module: it is refused once it scores the fixed
    conversations differently.
    """

    parts = ()

    def __init__(
        self, model: RewardModel | LanguageModel | OpaqueModel, kind: Kind, module: Any = None
    ) -> None:
        self.model = model
        self._module = module
        self._weights = [] if module is None else _weights(module)
        self.kind = kind
        self._known: dict[tuple[str, str], FloatArray] = {}
        self._round_trip: float | None = None

    @property
    def name(self) -> str:
        return self.model.name

    @property
    def fingerprint(self) -> str:
        return self.model.fingerprint

    @property
    def injection(self) -> Injection:
        return injection_of(self.kind)

    @property
    def has_vocabulary(self) -> bool:
        return self.model.has_vocabulary

    def candidates(self, lexicon: Lexicon) -> Candidates:
        return words(lexicon, self)

    def score(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> Scores:
        asked = self._named(candidates)
        share = None if time_limit is None else time_limit / max(1, len(prompts))
        with self._unchanged():
            rows = [self._row(prompt, asked, share) for prompt in prompts]
        about = {**self.model.provenance, "model": self.name, "injection": asked.injection}
        if isinstance(candidates, Vocabulary):
            if self._round_trip is None:
                self._round_trip = float(self.model.round_trip(self.vocabulary()))
            about["round_trip"] = f"{self._round_trip:.4f}"
        scores = Scores(np.array(rows, np.float32), tuple(prompts), asked, about)
        scores.check_finite()
        return scores

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Does nothing: scores are computed when they are asked for."""

    def left_out(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> str | None:
        if isinstance(candidates, Vocabulary) and not self.has_vocabulary:
            return no_vocabulary(self.name)
        from valuebias.search import TooSlow

        try:
            self.score(prompts, candidates, time_limit=time_limit)
        except TooSlow as slow:
            return str(slow)
        return None

    def vocabulary(self) -> Candidates:
        return self._named(VOCABULARY)

    def token_counts(self, words: Sequence[str]) -> list[int] | None:
        return self.model.token_counts(words)

    @contextmanager
    def _unchanged(self) -> Iterator[None]:
        """Raise ModelError for weights that are not those of the fingerprint, or dropout."""
        if isinstance(self.model, OpaqueModel):
            with self.model.unchanged():
                yield
            return
        training = self._module.training
        if training or _weights(self._module) != self._weights:
            raise ModelError(
                "the model was changed after it was loaded here",
                seen=f"{self.name} in training mode" if training else f"{self.name}, other weights",
                remedy="Load it again: valuebias.load(model, tokenizer).",
            )
        yield

    def _named(self, wanted: Candidates | Vocabulary) -> Candidates:
        return wanted if isinstance(wanted, Candidates) else wanted.of(self._tokens)

    @cached_property
    def _tokens(self) -> Candidates:
        return self.model.vocabulary()

    def _row(self, prompt: Prompt, candidates: Candidates, time_limit: float | None) -> FloatArray:
        key = (prompt.key, candidates.digest)
        if key not in self._known:
            self._known[key] = self.model.score_prompt(prompt, candidates, time_limit=time_limit)
        return self._known[key]


def _weights(module: Any) -> list[tuple[int, int]]:
    """Where every parameter lies, and how often it was written to."""
    return [(p.data_ptr(), 0 if p.is_inference() else p._version) for p in module.parameters()]
