"""An implicit reward from the store: two language models' stored log-probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from valuebias.candidates import VOCABULARY, Candidates, Injection, Vocabulary
from valuebias.errors import SpecError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.models.spec import ModelSpec, implicit
from valuebias.prompts import Prompt
from valuebias.scorers.implicit import ImplicitReward
from valuebias.scorers.protocol import Kind, Opener, Scorer, injection_of, words
from valuebias.scorers.schemes import parse_bare
from valuebias.scores import Job, Scores


def parse(target: str, spec: str, text: str) -> ModelSpec:
    """Read ``dpo:POLICY,REFERENCE``: a policy's log-probabilities minus those of the model it was
    trained from, both by spec."""
    models = [part.strip() for part in target.split(",")]
    if len(models) != 2 or not all(models):
        raise SpecError(
            "a DPO model needs two language models",
            seen=spec,
            remedy="Give dpo:POLICY,REFERENCE; if a path contains a comma, use a link to it.",
        )
    policy, reference = (replace(parse_bare(part, text), load_as="llm") for part in models)
    if not (policy.has_files and reference.has_files):
        raise SpecError(
            "a DPO model's policy and reference must be language models",
            seen=spec,
            remedy="Give dpo:POLICY,REFERENCE, each org/name, a directory, or demo:agency.",
        )
    if policy == reference:
        raise SpecError(
            "a DPO model's policy and reference are the same model",
            seen=spec,
            remedy="Give the model that was trained, and the one it was trained from.",
        )
    label = f"dpo:{policy.label},{reference.label}"
    return ModelSpec(label, "dpo", "LLR", None, text, (reference, policy))


def open_scorer(spec: ModelSpec, opener: Opener) -> StoredImplicit:
    source, target = map(opener.scorer, spec.parts)
    return StoredImplicit(spec, (source, target))


@dataclass(frozen=True)
class StoredImplicit:
    """What ``dpo:POLICY,REFERENCE``, or a pair of ``--llm``, scores; a scorer
    (`scorers.protocol.Scorer`). ``parts`` are the source and the target.

    A DPO model is a reward model: its response counts with the end of its turn, as it did in
    training.
    """

    spec: ModelSpec
    parts: tuple[Scorer, Scorer]
    _known: dict[tuple[Prompt, ...], Scores] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        return self.spec.label

    @property
    def fingerprint(self) -> str:
        return self.reward.fingerprint

    @property
    def kind(self) -> Kind:
        return "reward" if self.spec.scheme == "dpo" else "implicit"

    @property
    def injection(self) -> Injection:
        return injection_of(self.kind)

    @property
    def has_vocabulary(self) -> bool:
        return all(part.has_vocabulary for part in self.parts)

    @cached_property
    def reward(self) -> ImplicitReward:
        return ImplicitReward(*self.parts, self.spec.target)

    def by(self, measure: str) -> StoredImplicit:
        """The same two models by another measure. Raises SpecError for an unknown one."""
        source, target = self.spec.parts
        return StoredImplicit(implicit(source, target, measure), self.parts)

    def candidates(self, lexicon: Lexicon) -> Candidates:
        return words(lexicon, self)

    def score(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> Scores:
        """Of the vocabularies, the texts that are a token of both."""
        if isinstance(candidates, Vocabulary):
            return self._vocabularies(tuple(prompts))
        return self._labelled(self.reward.score(prompts, self._put_in(candidates)))

    def _vocabularies(self, prompts: tuple[Prompt, ...]) -> Scores:
        # Every report of the pair shows the same table of tokens.
        if prompts not in self._known:
            self._known.clear()
            self._known[prompts] = self._labelled(self.reward.score_vocabulary(prompts))
        return self._known[prompts]

    def vocabulary(self) -> Candidates:
        """The texts that are a token of both."""
        return self.reward.vocabulary()

    def left_out(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> str | None:
        """Why one of the two models' scores are left out."""
        if isinstance(candidates, Candidates):
            candidates = self._put_in(candidates)
        elif not self.has_vocabulary:
            return "recorded log-probabilities are of words, not of a whole vocabulary"
        reasons = (part.left_out(prompts, candidates, time_limit=time_limit) for part in self.parts)
        return next((reason for reason in reasons if reason is not None), None)

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Score what the jobs need from either model, loading each at most once."""
        asked = [
            replace(job, candidates=self._put_in(job.candidates))
            if isinstance(job.candidates, Candidates)
            else replace(job, candidates=VOCABULARY)
            for job in jobs
        ]
        for part in self.parts:
            part.prepare(asked)

    def token_counts(self, words: Sequence[str]) -> None:
        return None

    def _put_in(self, candidates: Candidates) -> Candidates:
        if self.kind == "reward" and candidates.injection == "text":
            return replace(candidates, injection="turn")
        return candidates

    def _labelled(self, scores: Scores) -> Scores:
        return replace(scores, provenance={**scores.provenance, "model": self.name})
