"""The best and worst tokens of a vocabulary: the table beside every effect."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

from valuebias.candidates import VOCABULARY
from valuebias.errors import ModelError, ScoresError
from valuebias.prompts import GREATEST, Prompt
from valuebias.scorers.implicit import SharedMassWarning
from valuebias.scorers.protocol import Scorer
from valuebias.scores import Scores

VOCABULARY_LIMIT = 300.0
"""Seconds a search of the whole vocabulary may take before it is left out of the table."""

_MASSES = ("source_shared_mass", "target_shared_mass")
_TOKENS = 10


@dataclass(frozen=True)
class TopTokens:
    """The best and worst candidates of one prompt, with their scores, best (or worst) first.

    ``left_out`` says why there are none; ``kind`` says what was ranked, ``n`` how many;
    ``round_trip`` is the share of tokens that are the same token again when written as text,
    ``mass`` how much of two models' probability is on the texts that are a token of both,
    ``warning`` a warning about it.
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


NOT_SEARCHED = TopTokens(GREATEST, "", 0, left_out="the vocabulary was not searched")


def table(scorer: Scorer, prompt: Prompt = GREATEST) -> TopTokens:
    """The table of tokens beside an effect of words, for one prompt. If two models share no
    tokens, or the texts of tokens cannot be determined, it is left out: the effect of words does
    not need them."""
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", SharedMassWarning)
            top = top_tokens(scorer, prompt, _TOKENS)
        for other in caught:
            if not issubclass(other.category, SharedMassWarning):
                warnings.warn_explicit(other.message, other.category, other.filename, other.lineno)
        told = dict.fromkeys(str(w.message) for w in caught if w.category is SharedMassWarning)
        return replace(top, warning="; ".join(told))
    except (ModelError, ScoresError) as error:
        if not scorer.parts:
            raise
        return TopTokens(prompt, _kind(scorer), 0, left_out=str(error))


def _kind(scorer: Scorer) -> str:
    if scorer.parts:
        return "tokens of both vocabularies"
    return "tokens of its vocabulary" if scorer.has_vocabulary else "recorded responses"


def top_tokens(scorer: Scorer, prompt: Prompt, k: int) -> TopTokens:
    """The k best and worst of a model's vocabulary, or of what was recorded, for one prompt."""
    kind = _kind(scorer)
    reason = scorer.left_out((prompt,), VOCABULARY, time_limit=VOCABULARY_LIMIT)
    if reason is not None:
        return TopTokens(prompt, kind, 0, left_out=reason)
    scores = scorer.score((prompt,), VOCABULARY, time_limit=VOCABULARY_LIMIT)
    return _top(prompt, kind, scores, k)


def _top(prompt: Prompt, kind: str, scores: Scores, k: int) -> TopTokens:
    responses = scores.candidates.responses
    best, worst = (tuple((responses[i], value) for i, value in rows) for rows in scores.ends(0, k))
    note = scores.ends_note(k)
    about = scores.provenance
    share = about.get("round_trip")
    return TopTokens(
        prompt,
        f"{kind}, {note}" if note else kind,
        len(responses),
        best,
        worst,
        round_trip=f"{float(share):.0%}" if share else "",
        mass=" and ".join(about[key] for key in _MASSES if key in about),
    )
