"""The question of a forecast over a whole vocabulary: what would a policy's answers begin with?

A policy's tokens and a model's rewards meet on exact text: each token's text is given to the reward
model as an answer, whatever tokens that makes of it. What is left out is accounted for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from valuebias.candidates import VOCABULARY, Candidates
from valuebias.errors import ModelError, ScoresError, SpecError
from valuebias.lexicons.index import continues, fold
from valuebias.lexicons.lexicon import Lexicon
from valuebias.models.token_text import is_fragment
from valuebias.prompts import PAPER, PromptSet, Valence
from valuebias.scorers.protocol import Scorer
from valuebias.scorers.recorded import RecordedScores
from valuebias.scores import Job
from valuebias.stats.first_tokens import FirstTokens, first_tokens

LIMIT = 3600.0
"""Seconds a run may take for the rewards of a policy's tokens before they are left out."""
_NAMED = 10


@dataclass(frozen=True)
class MovedToken:
    """A token's text and its mean probability before, and at one nat."""

    text: str
    before: float
    after: float


@dataclass(frozen=True)
class TokenForecast:
    """What ``policy``'s answers would begin with after it was optimised against ``model``.

    ``categories`` are the groups of ``found``, ``n_words`` how many tokens are one whole word of
    each; ``n_tokens`` how many texts the policy's tokens have, ``n_scored`` how many have a
    reward. ``gain`` and ``lose`` are the tokens whose probability grows and shrinks most.
    ``left_out`` says why there is nothing; ``found`` is None then. It settles nothing.
    """

    model: str
    policy: str
    lexicon: str
    valence: Valence
    prompts: PromptSet
    left_out: str = ""
    found: FirstTokens | None = None
    categories: tuple[str, ...] = ()
    n_words: tuple[int, ...] = ()
    n_tokens: int = 0
    n_scored: int = 0
    gain: tuple[MovedToken, ...] = ()
    lose: tuple[MovedToken, ...] = ()


@dataclass(frozen=True)
class _Texts:
    """The texts of a policy's tokens that a model scores, and which column of the policy's
    log-probabilities belongs to which text."""

    candidates: Candidates
    columns: npt.NDArray[np.intp]
    groups: npt.NDArray[np.intp]
    n_tokens: int

    def summed(self, log_probs: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
        """(prompts, texts) log-probabilities: tokens of one text are added up."""
        picked = log_probs[:, self.columns].astype(np.float64)
        starts = np.flatnonzero(np.diff(self.groups, prepend=-1))
        summed: npt.NDArray[np.float64] = np.logaddexp.reduceat(picked, starts, axis=1)
        return summed


def token_job(
    rewarded: Scorer, policy: Scorer, prompts: PromptSet, time_limit: float | None = LIMIT
) -> Job:
    """What the forecast asks of the model: a reward of each token's text, on every prompt.

    Raises SpecError where one of the two has no vocabulary here, ModelError where no text is left,
    and what loading the policy raises.
    """
    return Job(prompts.both, _texts(rewarded, policy).candidates, time_limit)


def measure_tokens(
    rewarded: Scorer,
    policy: Scorer,
    lexicon: Lexicon,
    valence: Valence,
    *,
    prompts: PromptSet = PAPER,
    time_limit: float | None = LIMIT,
) -> TokenForecast:
    """Forecast the first token of the answers to the prompts of one valence.

    Scores what is not stored yet, of both valences; ``time_limit`` is in seconds, None for none.
    What cannot be had is left out, with the reason. Raises StatisticsError and what loading or
    scoring the models raises.
    """
    about = (rewarded.name, policy.name, lexicon.name, valence, prompts)
    try:
        if policy.has_vocabulary:  # while it is loaded for its tokens' texts
            policy.prepare([Job(prompts.both, VOCABULARY)])
        texts = _texts(rewarded, policy)
        job = Job(prompts.both, texts.candidates, time_limit)
        reason = rewarded.left_out(job.prompts, job.candidates, time_limit=time_limit)
    except (SpecError, ModelError, ScoresError) as error:
        return TokenForecast(*about, left_out=str(error))
    if reason is not None:
        return TokenForecast(*about, left_out=reason)
    asked = prompts.of(valence)
    rewards = rewarded.score(job.prompts, texts.candidates, time_limit=time_limit)
    rows = [job.prompts.index(prompt) for prompt in asked]
    said = policy.score(asked, VOCABULARY)
    categories = tuple(lexicon.categories)
    responses = texts.candidates.responses
    words = _words(lexicon, responses)
    found = first_tokens(
        texts.summed(said.values),
        rewards.values[rows],
        words,
        prompts=[prompt.factors for prompt in asked],
    )
    change = found.after - found.before
    order = np.argsort(change, kind="stable")
    moved = [
        [MovedToken(responses[i], float(found.before[i]), float(found.after[i])) for i in places]
        for places in (order[::-1][:_NAMED], order[:_NAMED])
    ]
    return TokenForecast(
        *about,
        found=found,
        categories=categories,
        n_words=tuple(map(int, words.sum(axis=1))),
        n_tokens=texts.n_tokens,
        n_scored=len(responses),
        gain=tuple(each for each in moved[0] if each.after > each.before),
        lose=tuple(each for each in moved[1] if each.after < each.before),
    )


def _texts(rewarded: Scorer, policy: Scorer) -> _Texts:
    """The whole, visible texts of the policy's tokens that the model can score."""
    recorded = isinstance(rewarded, RecordedScores)
    if not policy.has_vocabulary:
        raise SpecError(
            "what a policy says of words does not tell its other tokens",
            seen=policy.name,
            remedy="Give a language model rather than recorded log-probabilities.",
        )
    if not (rewarded.has_vocabulary or recorded):
        raise SpecError(
            "a model that is asked over a connection or in code would be asked for each token",
            seen=rewarded.name,
            remedy="Give a reward model with files, or recorded scores.",
        )
    vocabulary = policy.vocabulary()
    once = _recorded_once(rewarded) if recorded else None
    columns: dict[str, list[int]] = {}
    for column, text in enumerate(vocabulary.responses):
        whole = text.strip() and not is_fragment(text)
        if whole and (once is None or text in once):
            columns.setdefault(text, []).append(column)
    if not columns:
        raise ModelError(
            "none of the policy's tokens has a reward",
            seen=f"{len(vocabulary):,} tokens of {policy.name}",
            remedy="Record rewards of its tokens' texts.",
        )
    sizes = [len(each) for each in columns.values()]
    return _Texts(
        Candidates(tuple(columns), injection="text"),
        np.array([column for each in columns.values() for column in each], dtype=np.intp),
        np.repeat(np.arange(len(sizes)), sizes),
        len(vocabulary),
    )


def _recorded_once(rewarded: Scorer) -> frozenset[str]:
    assert isinstance(rewarded, RecordedScores)
    return frozenset(text for text, n in Counter(rewarded.responses).items() if n == 1)


def _words(lexicon: Lexicon, texts: Sequence[str]) -> npt.NDArray[np.bool_]:
    """(categories, texts) which texts are one whole word of a category, in whatever case and with
    white space around it or not."""
    folded = list(map(fold, texts))
    rows = [_is_entry(entries, folded) for entries in _entries(lexicon).values()]
    return np.array(rows, dtype=bool).reshape(len(rows), len(texts))


def _entries(lexicon: Lexicon) -> Mapping[str, tuple[frozenset[str], tuple[str, ...]]]:
    """Each category's words, and the beginnings of its wildcards."""
    return {
        category: (
            frozenset(fold(entry) for entry in entries if not entry.endswith("*")),
            tuple(fold(entry[:-1]) for entry in entries if entry.endswith("*")),
        )
        for category, entries in lexicon.categories.items()
    }


def _is_entry(entries: tuple[frozenset[str], tuple[str, ...]], folded: Sequence[str]) -> list[bool]:
    words, beginnings = entries
    return [text in words or any(continues(each, text) for each in beginnings) for text in folded]
