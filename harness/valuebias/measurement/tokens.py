"""The best and worst of a vocabulary: the table beside every effect."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from valuebias.errors import ModelError, ScoresError
from valuebias.models.spec import ModelSpec
from valuebias.prompts import GREATEST, Prompt
from valuebias.scorers.bench import VOCABULARY, Bench, Role
from valuebias.scorers.implicit import SharedMassWarning
from valuebias.scores import Scores

VOCABULARY_LIMIT = 300.0
"""Seconds a search of the whole vocabulary may take before it is left out of the table."""

_MASSES = ("source_shared_mass", "target_shared_mass")
_TOKENS = 10


@dataclass(frozen=True)
class TopTokens:
    """The best and worst candidates of one prompt, with their scores, best (or worst) first.

    ``left_out`` says why there are none; ``kind`` what was ranked, ``n`` how many; ``round_trip``
    which share of the tokens is the same token again when written as text, ``mass`` how much of two
    models' probability is on the texts that are a token of both, ``warning`` what is wrong with it.
    """

    prompt: Prompt
    kind: str
    n: int
    best: tuple[tuple[str, float], ...] = ()
    worst: tuple[tuple[str, float], ...] = ()
    left_out: str | None = None
    round_trip: str = ""
    mass: str = ""
    warning: str = ""


def table(bench: Bench, spec: ModelSpec, role: Role = "rm") -> TopTokens:
    """The table of tokens beside an effect of words, which needs no token that two models share,
    and no tokenizer whose tokens' texts can be told."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SharedMassWarning)
            top = top_tokens(bench, spec, GREATEST, _TOKENS, role=role)
        for other in caught:
            if not issubclass(other.category, SharedMassWarning):
                warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
        told = dict.fromkeys(str(w.message) for w in caught if w.category is SharedMassWarning)
        return replace(top, warning="; ".join(told))
    except (ModelError, ScoresError) as error:
        if not spec.parts:
            raise
        return TopTokens(GREATEST, _kind(spec), 0, left_out=str(error))


def _kind(spec: ModelSpec) -> str:
    if spec.parts:
        return "tokens of both vocabularies"
    return "recorded responses" if spec.scheme == "scores" else "tokens of its vocabulary"


def top_tokens(
    bench: Bench, spec: ModelSpec, prompt: Prompt, k: int, *, role: Role = "rm"
) -> TopTokens:
    """The k best and worst of a model's vocabulary, or of what was recorded, for one prompt."""
    kind = _kind(spec)
    reason = bench.left_out(spec, (prompt,), VOCABULARY, role=role, time_limit=VOCABULARY_LIMIT)
    if reason is not None:
        return TopTokens(prompt, kind, 0, left_out=reason)
    try:
        scores = bench.scores(spec, (prompt,), VOCABULARY, role=role, time_limit=VOCABULARY_LIMIT)
    except ScoresError:
        if spec.scheme != "scores":
            raise
        return TopTokens(prompt, kind, 0, left_out="the file does not hold this prompt")
    return _top(prompt, kind, scores, k)


def _top(prompt: Prompt, kind: str, scores: Scores, k: int) -> TopTokens:
    values, responses = scores.values[0], scores.candidates.responses
    order = np.argsort(-values, kind="stable")

    def rows(indices: npt.NDArray[np.intp]) -> tuple[tuple[str, float], ...]:
        return tuple((responses[i], float(values[i])) for i in indices)

    about = scores.provenance
    share = about.get("round_trip")
    return TopTokens(
        prompt,
        kind,
        len(values),
        rows(order[:k]),
        rows(order[::-1][:k]),
        round_trip=f"{float(share):.0%}" if share else "",
        mass=" and ".join(about[key] for key in _MASSES if key in about),
    )
