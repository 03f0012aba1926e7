"""A baseline as a scorer: a release's recorded ranks instead of scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from valuebias.candidates import Candidates, Injection, Vocabulary
from valuebias.errors import ScoresError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.models.spec import ModelSpec
from valuebias.prompts import Prompt
from valuebias.scorers.baseline_file import anchor_of, read_baseline
from valuebias.scorers.baseline_record import Baseline
from valuebias.scorers.protocol import Kind, Opener
from valuebias.scorers.schemes import file_spec
from valuebias.scores import Job, Scores


def parse(target: str, spec: str, text: str) -> ModelSpec:
    """Read ``baseline:FILE``."""
    return file_spec(
        "baseline",
        target,
        spec,
        text,
        "the baseline file does not exist",
        "Make it with the release to compare with: pytest --rm=MODEL --valuebias-baseline FILE "
        "--valuebias-update-baseline.",
    )


def open_scorer(spec: ModelSpec, opener: Opener) -> BaselineScorer:
    """The last release of a file, or, with the scheme ``anchor``, the one that the file began with.
    Raises ScoresError as `read_baseline`, and for the anchor of a file without one."""
    recorded = read_baseline(Path(spec.target), opener.prompts)
    if spec.scheme == "baseline":
        return BaselineScorer(spec.label, recorded)
    anchor = anchor_of(recorded)
    if anchor is None:
        recorded.refuse(
            "it has no anchor: it is of an earlier format",
            "version 1",
            "Record the next release into it, which makes this one the anchor: pytest --rm=MODEL "
            "--valuebias-baseline FILE --valuebias-update-baseline.",
        )
    return BaselineScorer(spec.label, anchor, is_anchor=True)


class BaselineScorer:
    """The recorded ranks of a release's words; a scorer (`scorers.protocol.Scorer`) of the
    candidates that ``candidates`` gives and of no others: ranks are not scores. ``is_anchor`` is
    True for the release that a file began with, False for its last one."""

    kind: Kind = "reward"
    injection: Injection = "text"
    parts = ()
    has_vocabulary = False

    def __init__(self, name: str, baseline: Baseline, *, is_anchor: bool = False) -> None:
        self.name = name
        self.baseline = baseline
        self.is_anchor = is_anchor

    @property
    def fingerprint(self) -> str:
        return self.baseline.fingerprint

    def candidates(self, lexicon: Lexicon) -> Candidates:
        """The recorded words of exactly this lexicon. Raises ScoresError if the record does not
        have it, or if the recorded effects do not follow from the ranks."""
        return Candidates.words(self.baseline.ranking(lexicon).words)

    def score(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> Scores:
        """Ranks (prompts, words), higher is preferred. Raises ScoresError for candidates that are
        not those of a recorded lexicon, and for a prompt that was not recorded."""
        words = () if isinstance(candidates, Vocabulary) else candidates.responses
        held = (r for r in self.baseline.lexicons.values() if r.words == words)
        ranking = next(held, None)
        if ranking is None or isinstance(candidates, Vocabulary):
            raise self._no_scores()
        rows = {prompt.key: i for i, prompt in enumerate(self.baseline.prompts.prompts)}
        absent = [prompt.id for prompt in prompts if prompt.key not in rows]
        if absent:
            self.baseline.refuse(
                "no ranks for this prompt",
                absent[0],
                f"Give one of {self.baseline.prompts.title}.",
            )
        values = ranking.ranks[[rows[prompt.key] for prompt in prompts]].astype(np.float32)
        provenance = {
            **self.baseline.about,
            "model": self.name,
            "baseline": self.baseline.source,
        }
        return Scores(values, tuple(prompts), candidates, provenance)

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Does nothing: all scores are recorded."""

    def left_out(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> str | None:
        if isinstance(candidates, Candidates):
            return None
        return f"the baseline {self.name} has only the ranks of its lexicons' words"

    def vocabulary(self) -> Candidates:
        raise self._no_scores()

    def token_counts(self, words: Sequence[str]) -> None:
        return None

    def _no_scores(self) -> ScoresError:
        return ScoresError(
            "a baseline has ranks, not scores",
            seen=self.name,
            remedy="Compare a model with it: bias(..., against=baseline).",
        )
