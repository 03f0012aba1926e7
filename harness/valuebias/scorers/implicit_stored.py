"""An implicit reward as a model of the bench: two language models' stored log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

from valuebias.candidates import Candidates
from valuebias.models.spec import ModelSpec
from valuebias.prompts import Prompt
from valuebias.scorers.implicit import ImplicitReward
from valuebias.scores import Scores
from valuebias.store.model_scores import VOCABULARY, Job, Vocabulary

if TYPE_CHECKING:
    from valuebias.scorers.bench import Bench


@dataclass(frozen=True)
class StoredModel:
    """A language model whose log-probabilities come from the store."""

    bench: Bench
    spec: ModelSpec

    @property
    def name(self) -> str:
        return self.spec.label

    @property
    def fingerprint(self) -> str:
        return self.bench.fingerprint(self.spec, role="llm")

    def score(self, prompts: Sequence[Prompt], candidates: Candidates) -> Scores:
        return self.bench.scores(self.spec, prompts, candidates, role="llm")

    def vocabulary(self) -> Candidates:
        return self.bench.vocabulary(self.spec, role="llm")


@dataclass(frozen=True)
class ImplicitModel:
    """What ``dpo:POLICY,REFERENCE``, or a pair of ``--llm``, scores.

    A DPO model's response counts with the end of its turn, as it did in training.
    """

    bench: Bench
    spec: ModelSpec
    _known: dict[tuple[Prompt, ...], Scores] = field(default_factory=dict)

    @cached_property
    def reward(self) -> ImplicitReward:
        source, target = (StoredModel(self.bench, part) for part in self.spec.parts)
        return ImplicitReward(source, target, self.spec.target)

    def scores(self, prompts: Sequence[Prompt], candidates: Candidates | Vocabulary) -> Scores:
        """Scores of shape (prompts, candidates); of the vocabularies, the texts both have."""
        if isinstance(candidates, Vocabulary):
            return self._vocabularies(tuple(prompts))
        return self._named(self.reward.score(prompts, self._put_in(candidates)))

    def _vocabularies(self, prompts: tuple[Prompt, ...]) -> Scores:
        # Every report of the pair shows the same table of tokens.
        if prompts not in self._known:
            self._known.clear()
            self._known[prompts] = self._named(self.reward.score_vocabulary(prompts))
        return self._known[prompts]

    def vocabulary(self) -> Candidates:
        """The texts that are a token of both."""
        return self.reward.vocabulary()

    def left_out(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        time_limit: float | None,
    ) -> str | None:
        """Why the scores are left out: why one of the two models' are."""
        if isinstance(candidates, Candidates):
            candidates = self._put_in(candidates)
        elif any(part.scheme == "scores" for part in self.spec.parts):
            return "recorded log-probabilities are of words, and no whole vocabulary"
        reasons = (
            self.bench.left_out(part, prompts, candidates, role="llm", time_limit=time_limit)
            for part in self.spec.parts
        )
        return next((reason for reason in reasons if reason is not None), None)

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Score what the jobs ask of either model, loading each at most once."""
        asked = [
            replace(job, candidates=self._put_in(job.candidates))
            if isinstance(job.candidates, Candidates)
            else replace(job, candidates=VOCABULARY)
            for job in jobs
        ]
        for part in self.spec.parts:
            self.bench.prepare(part, asked, role="llm")

    def _put_in(self, candidates: Candidates) -> Candidates:
        if self.spec.scheme == "dpo" and candidates.injection == "text":
            return replace(candidates, injection="turn")
        return candidates

    def _named(self, scores: Scores) -> Scores:
        about = {**scores.provenance, "model": self.spec.label}
        return replace(scores, provenance=about)
