"""Recorded scores: a table of scores as a scorer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from valuebias.candidates import VOCABULARY, Candidates, Injection, Vocabulary
from valuebias.errors import ScoresError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.models.spec import LoadAs, ModelSpec
from valuebias.prompts import PAPER, Prompt, PromptSet
from valuebias.scorers.protocol import Kind, Opener
from valuebias.scorers.schemes import file_spec
from valuebias.scores import Job, Scores


def parse(target: str, spec: str, text: str) -> ModelSpec:
    """Read ``scores:FILE``."""
    return file_spec(
        "scores",
        target,
        spec,
        text,
        "file of recorded scores not found",
        "Give scores:FILE, a CSV or Parquet file.",
    )


def open_scorer(spec: ModelSpec, opener: Opener) -> RecordedScores:
    path = Path(spec.target)
    return RecordedScores.from_file(path, spec.label, load_as=spec.load_as, prompts=opener.prompts)


@dataclass(frozen=True)
class RecordedScores:
    """A table of scores, for the prompts and responses it holds; a scorer
    (`scorers.protocol.Scorer`). ``load_as`` says whose they are: a language model's are natural
    logarithms of probabilities."""

    name: str
    fingerprint: str
    recorded: Scores
    load_as: LoadAs = "rm"

    parts = ()
    has_vocabulary = False

    @classmethod
    def from_file(
        cls,
        path: Path,
        name: str | None = None,
        *,
        load_as: LoadAs = "rm",
        prompts: PromptSet = PAPER,
    ) -> RecordedScores:
        """Read CSV or Parquet, with columns named by ids or texts of ``prompts``. Raises
        ScoresError naming file and line (of Parquet: row)."""
        from valuebias.scorers.recorded_file import read_scores

        label = name or path.name
        recorded = read_scores(path, label, prompts)
        return cls(label, recorded.provenance["fingerprint"], recorded, load_as)

    @property
    def kind(self) -> Kind:
        return "reward" if self.load_as == "rm" else "language"

    @property
    def injection(self) -> Injection:
        return self.recorded.candidates.injection

    def candidates(self, lexicon: Lexicon) -> Vocabulary:
        return VOCABULARY

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        """The prompts that were scored."""
        return self.recorded.prompts

    @property
    def responses(self) -> tuple[str, ...]:
        """The responses that were scored, in the table's order."""
        return self.recorded.candidates.responses

    def score(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> Scores:
        """The recorded numbers, (prompts, candidates); of VOCABULARY, all that was recorded.

        Prompts are found by text and frame. Candidates are found by token id where both sides have
        ids, else by their exact text. Raises ScoresError, with counts, if any were not recorded,
        and if a language model's scores are not log-probabilities.
        """
        if isinstance(candidates, Vocabulary):
            candidates = self.recorded.candidates
        rows = {prompt.key: i for i, prompt in enumerate(self.prompts)}
        absent = [p.id for p in prompts if p.key not in rows]
        if absent:
            raise self._lacks(
                "prompts",
                absent,
                len(prompts),
                "Record these too (valuebias search --prompts), "
                "or name the prompt set that was recorded (--valuebias-prompts)",
            )
        own = self.recorded.candidates.token_ids
        if own is not None and candidates.token_ids is not None:
            by_id = self._by_id
            lost = [
                candidates.responses[i]
                for i, token in enumerate(candidates.token_ids)
                if token not in by_id
            ]
            if lost:
                raise self._lacks("tokens", lost, len(candidates))
            columns = [by_id[token] for token in candidates.token_ids]
        else:
            lost = [r for r in candidates.responses if r not in self._by_text]
            if lost:
                raise self._lacks("responses", lost, len(candidates))
            twice = [r for r in candidates.responses if len(self._by_text[r]) > 1]
            if twice:
                raise ScoresError(
                    f"{len(twice)} responses stand for several tokens of {self.name}",
                    seen=twice[0],
                    remedy="Ask by token id.",
                )
            columns = [self._by_text[r][0] for r in candidates.responses]
        values = self.recorded.values[np.ix_([rows[p.key] for p in prompts], columns)]
        scores = Scores(values, tuple(prompts), candidates, self.recorded.provenance)
        if self.load_as == "llm":
            scores.check_log_probabilities()
        return scores

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Does nothing: all scores are recorded."""

    def left_out(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> str | None:
        recorded = {prompt.key for prompt in self.prompts}
        absent = [prompt.id for prompt in prompts if prompt.key not in recorded]
        return f"{self.name} has no score for {', '.join(absent)}" if absent else None

    def vocabulary(self) -> Candidates:
        """All that was recorded."""
        return self.recorded.candidates

    def token_counts(self, words: Sequence[str]) -> None:
        return None

    @cached_property
    def _by_id(self) -> dict[int, int]:
        return {token: i for i, token in enumerate(self.recorded.candidates.token_ids or ())}

    @cached_property
    def _by_text(self) -> dict[str, list[int]]:
        columns: dict[str, list[int]] = {}
        for i, response in enumerate(self.responses):
            columns.setdefault(response, []).append(i)
        return columns

    def _lacks(
        self,
        kind: str,
        absent: Sequence[str],
        asked: int,
        remedy: str = "Record these too, or ask for fewer",
    ) -> ScoresError:
        return ScoresError(
            f"{self.name} has no score for {len(absent)} of {asked} {kind}",
            seen=", ".join(absent[:5]) + (", …" if len(absent) > 5 else ""),
            remedy=f"{remedy}: the file has "
            f"{len(self.responses)} responses on {len(self.prompts)} prompts.",
        )
