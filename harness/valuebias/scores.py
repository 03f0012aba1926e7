"""Scores: prompts x candidates, with their provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from valuebias.candidates import Candidates, Vocabulary
from valuebias.errors import ScoresError
from valuebias.prompts import Prompt

if TYPE_CHECKING:
    import pandas as pd  # type: ignore[import-untyped]

FloatArray = npt.NDArray[np.float32]

LISTED = 10
"""The most candidates that a list of the best, or of the worst, shows by scores in float32."""


@dataclass(frozen=True)
class Scores:
    """One scorer's scores of every candidate on every prompt.

    ``values`` is float32 of shape (prompts, candidates); higher is preferred, in the scorer's own
    units (reward, or natural-log probability). ``provenance`` says how they were made: model,
    fingerprint, dtype, template, injection, rung and the like. ``again`` has, for each prompt, what
    candidates at both ends score in float32, by index, where ``values`` are of half precision; it
    is empty where they are not.
    """

    values: FloatArray
    prompts: tuple[Prompt, ...]
    candidates: Candidates
    provenance: Mapping[str, str] = field(default_factory=dict)
    again: tuple[Mapping[int, float], ...] = ()

    def __post_init__(self) -> None:
        expected = (len(self.prompts), len(self.candidates))
        if self.values.shape != expected or self.values.dtype != np.float32:
            raise ScoresError(
                "scores do not match their prompts and candidates",
                seen=f"{self.values.dtype} {self.values.shape}",
                remedy=f"Give a float32 array of shape {expected}.",
            )

    def ends(self, prompt: int, k: int) -> tuple[list[tuple[int, float]], list[tuple[int, float]]]:
        """(index, score) of the k best and the k worst candidates on the prompt of this index, best
        (or worst) first.

        They are in the order of their scores in float32 where there are any, and k is at most
        LISTED; of equal scores the one that comes first is the better.
        """
        values = self.values[prompt]
        indices = np.arange(len(values))
        again = self.again[prompt] if self.again and k <= LISTED else {}
        if again:
            indices = np.array(sorted(again))
            values = np.array([again[i] for i in indices.tolist()], np.float32)
        order = np.argsort(-values, kind="stable")

        def rows(places: npt.NDArray[np.intp]) -> list[tuple[int, float]]:
            return [(int(indices[i]), float(values[i])) for i in places]

        return rows(order[:k]), rows(order[::-1][:k])

    def ends_note(self, k: int) -> str:
        """In which precision those of ``ends`` were scored; empty where it is that of all."""
        return self.provenance.get("ends", "") if k <= LISTED else ""

    def to_frame(self) -> pd.DataFrame:
        """One row per prompt and candidate: prompt (its id), valence, response, token_id (None if a
        candidate has none), score. Needs pandas, which is installed with statsmodels."""
        import pandas as pd

        n = len(self.candidates)
        ids = self.candidates.token_ids or (None,) * n
        return pd.DataFrame(
            {
                "prompt": [p.id for p in self.prompts for _ in range(n)],
                "valence": [p.valence for p in self.prompts for _ in range(n)],
                "response": list(self.candidates.responses) * len(self.prompts),
                "token_id": list(ids) * len(self.prompts),
                "score": self.values.reshape(-1),
            }
        )

    def check_finite(self) -> None:
        """Raise ScoresError, naming the first prompt and response, if a score is not finite."""
        bad = np.argwhere(~np.isfinite(self.values))
        if len(bad):
            prompt, candidate = bad[0]
            raise ScoresError(
                f"{len(bad)} of {self.values.size} scores are not finite; the first is for "
                f"{self.candidates.responses[candidate]!r} on {self.prompts[prompt].id}",
                seen=self.values[prompt, candidate],
                remedy="Score in float32 (dtype=float32) and look at the model's weights.",
            )

    def check_log_probabilities(self) -> None:
        """Raise ScoresError, naming the first prompt and response, if a score is above zero."""
        above = np.argwhere(self.values > 1e-5)
        if len(above):
            prompt, candidate = above[0]
            raise ScoresError(
                f"{len(above)} of {self.values.size} scores are not log-probabilities; the first "
                f"is for {self.candidates.responses[candidate]!r} on {self.prompts[prompt].id}",
                seen=self.values[prompt, candidate],
                remedy="Give natural logarithms of probabilities to --llm, and rewards to --rm.",
            )


@dataclass(frozen=True)
class Job:
    """Prompts x candidates to score with one model. ``time_limit`` is in seconds, for the whole
    job: a job that would take longer is left out."""

    prompts: tuple[Prompt, ...]
    candidates: Candidates | Vocabulary
    time_limit: float | None = None
