"""Scores in memory as a scorer: a model with other weights, or part of what a policy said."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from valuebias.candidates import Candidates, Injection, Vocabulary
from valuebias.errors import ScoresError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.prompts import Prompt
from valuebias.scorers.protocol import Kind, Scorer, injection_of, words
from valuebias.scores import FloatArray, Job, Scores


@dataclass(frozen=True, eq=False)
class Table:
    """Scores (prompts, responses) of one model; a scorer (`scorers.protocol.Scorer`) of these
    responses alone. ``tokens`` are each response's number of tokens, where they are known."""

    name: str
    fingerprint: str
    kind: Kind
    prompts: tuple[Prompt, ...]
    responses: tuple[str, ...]
    values: FloatArray
    provenance: Mapping[str, str] = field(default_factory=dict)
    tokens: tuple[int, ...] | None = None

    parts: tuple[Scorer, ...] = ()
    has_vocabulary: bool = False

    @property
    def injection(self) -> Injection:
        return injection_of(self.kind)

    def candidates(self, lexicon: Lexicon) -> Candidates:
        return words(lexicon, self)

    def score(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> Scores:
        try:
            assert isinstance(candidates, Candidates)
            rows = [self._row[prompt.id] for prompt in prompts]
            columns = [self._column[response] for response in candidates.responses]
        except (AssertionError, KeyError) as error:
            raise ScoresError(
                f"{self.name} has no such scores", seen=error, remedy="Score these words too."
            ) from None
        values = np.ascontiguousarray(self.values[np.ix_(rows, columns)], np.float32)
        scores = Scores(values, tuple(prompts), candidates, self.provenance)
        scores.check_finite()
        return scores

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Does nothing: all scores are there."""

    def left_out(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> str | None:
        return None if isinstance(candidates, Candidates) else "only words were scored"

    def vocabulary(self) -> Candidates:
        return Candidates.words(self.responses, self.injection)

    def token_counts(self, words: Sequence[str]) -> list[int] | None:
        if self.tokens is None:
            return None
        return [self.tokens[self._column[word]] for word in words]

    @cached_property
    def _row(self) -> Mapping[str, int]:
        return {prompt.id: i for i, prompt in enumerate(self.prompts)}

    @cached_property
    def _column(self) -> Mapping[str, int]:
        return {response: i for i, response in enumerate(self.responses)}
