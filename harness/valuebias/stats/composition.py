"""Which values the best and worst words of a vocabulary stand for (paper, section 2).

Candidates that differ only in case and white space (" Love", "love") are one word, and k counts
words. At each end a word has the place of its most extreme spelling, so that reversing all scores
exchanges the two ends.

Ties at the k-th place are shared: k places among more words count in part, as if ties were broken
at random and the results averaged. So the figures do not depend on the order of a vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from valuebias.errors import LexiconError, StatisticsError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.scores import Scores

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.intp]


@dataclass(frozen=True)
class Share:
    """A category's part of k places: how many of them its words hold, in [0, k], and the mean place
    of those that do (1 is the best, or at the other end the worst); None where there are none."""

    count: float
    rank: float | None


@dataclass(frozen=True)
class Composition:
    """How many of the k best and k worst words belong to each category.

    ``best`` and ``worst`` (category -> Share) rank the words once, by their midranks averaged over
    prompts; ``pooled_best`` and ``pooled_worst`` take each prompt's own k and average the counts,
    the mean rank being over all those places. Of one prompt they are the same. A word of several
    categories counts in each, so counts need not add up to k. ``matched`` is how many words of each
    category there were to choose from; a count is to be read beside ``matched / n_words``.

    ``best_words`` and ``worst_words`` (in folded case) are those in the k places by the averaged
    ranks, most extreme first, all that share the last place included; of an average over models
    there are none.
    """

    lexicon: str
    lexicon_digest: str
    k: int
    n_words: int
    words_digest: str
    prompts: tuple[str, ...]
    n_models: int
    matched: Mapping[str, int]
    best: Mapping[str, Share]
    worst: Mapping[str, Share]
    pooled_best: Mapping[str, Share]
    pooled_worst: Mapping[str, Share]
    best_words: tuple[str, ...] = ()
    worst_words: tuple[str, ...] = ()


def composition(scores: Scores, lexicon: Lexicon, k: int = 10) -> Composition:
    """The composition by category of a scorer's k best and k worst words.

    Words are matched to entries as `Lexicon.expand` does. Models with different vocabularies are
    compared over the words that both have: see `shared_words`.

    Raises StatisticsError for a k that is not from 1 to the number of words, prompts given twice or
    of both valences, and a prompt on which all words are tied; ScoresError for scores that are not
    finite; LexiconError where a category has no word among the candidates, since its count would be
    zero whatever the model prefers.
    """
    scores.check_finite()
    _check_prompts(scores)
    words, word_of = _words(scores.candidates.responses)
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= len(words):
        raise StatisticsError(
            f"k must be an integer from 1 to the number of words, {len(words)}",
            seen=repr(k),
            remedy="Give for example k=10.",
        )
    members = _members(words, lexicon)
    ends = []
    for sign in (1, -1):
        values = np.full((len(scores.prompts), len(words)), -np.inf)
        for row, given in zip(values, sign * scores.values.astype(np.float64), strict=True):
            np.maximum.at(row, word_of, given)
            if np.ptp(row) == 0:
                raise StatisticsError(
                    "all words are tied on a prompt",
                    seen=f"{row[0] * sign:g}",
                    remedy="Compute the head in float32.",
                )
        ranks = stats.rankdata(-values, axis=1)
        averaged = _places(ranks.mean(axis=0), k)
        pooled = [_places(row, k) for row in ranks]
        shares = _shares([averaged], members), _shares(pooled, members)
        ends.append((*shares, _named(averaged, words)))
    (best, pooled_best, best_words), (worst, pooled_worst, worst_words) = ends
    return Composition(
        lexicon=lexicon.name,
        lexicon_digest=lexicon.digest,
        k=k,
        n_words=len(words),
        words_digest=_digest(words),
        prompts=tuple(prompt.text for prompt in scores.prompts),
        n_models=1,
        matched={category: len(columns) for category, columns in members.items()},
        best=best,
        worst=worst,
        pooled_best=pooled_best,
        pooled_worst=pooled_worst,
        best_words=best_words,
        worst_words=worst_words,
    )


def composition_over(models: Sequence[Composition]) -> Composition:
    """The average over models, for example of one base; each model counts once.

    The mean rank of a category is over the models that have it among their k, as in the paper.
    Raises StatisticsError for no model, and for models that differ in words, prompts, lexicon or k.
    """
    if not models:
        raise StatisticsError(
            "no model to average over", remedy="Give the composition of each model."
        )
    first = models[0]
    for what, remedy in (
        ("k", "Use one k for all."),
        ("lexicon_digest", "Use one lexicon for all."),
        ("prompts", "Use the same prompts, in the same order, for all."),
        ("words_digest", "Restrict the scores to the words that all have (shared_words)."),
    ):
        seen = {getattr(model, what) for model in models}
        if len(seen) > 1:
            raise StatisticsError(
                f"the compositions differ in their {what.removesuffix('_digest')}",
                seen=" and ".join(sorted(str(value) for value in seen)),
                remedy=remedy,
            )
    if any(model.n_models > 1 for model in models):
        raise StatisticsError(
            "an average over models is not a model",
            seen=max(model.n_models for model in models),
            remedy="Give the composition of each model.",
        )

    def average(of_models: Sequence[Mapping[str, Share]]) -> dict[str, Share]:
        averages = {}
        for category in first.matched:
            shares = [of_model[category] for of_model in of_models]
            ranks = [share.rank for share in shares if share.rank is not None]
            averages[category] = Share(
                float(np.mean([share.count for share in shares])),
                float(np.mean(ranks)) if ranks else None,
            )
        return averages

    return Composition(
        lexicon=first.lexicon,
        lexicon_digest=first.lexicon_digest,
        k=first.k,
        n_words=first.n_words,
        words_digest=first.words_digest,
        prompts=first.prompts,
        n_models=len(models),
        matched=first.matched,
        best=average([model.best for model in models]),
        worst=average([model.worst for model in models]),
        pooled_best=average([model.pooled_best for model in models]),
        pooled_worst=average([model.pooled_worst for model in models]),
    )


def shared_words(scores: Sequence[Scores]) -> tuple[Scores, ...]:
    """The same scores, restricted to candidates whose word all scorers have.

    Models of different vocabularies are compared in this way, as in the paper. Raises
    StatisticsError if no word is left.
    """
    keys = [[_word(text) for text in s.candidates.responses] for s in scores]
    common = frozenset.intersection(*map(frozenset, keys)) if keys else frozenset()
    if not common:
        raise StatisticsError(
            "the scorers have no word in common",
            seen=" and ".join(str(len(set(words))) for words in keys) or "no scorer",
            remedy="Score the same words with all of them.",
        )
    kept = []
    for given, words in zip(scores, keys, strict=True):
        columns = [i for i, word in enumerate(words) if word in common]
        ids = given.candidates.token_ids
        candidates = replace(
            given.candidates,
            responses=tuple(given.candidates.responses[i] for i in columns),
            token_ids=None if ids is None else tuple(ids[i] for i in columns),
        )
        kept.append(replace(given, values=given.values[:, columns], candidates=candidates))
    return tuple(kept)


def _word(response: str) -> str:
    """What the spellings of a word share, folded as lexicons do; white space stays as it is."""
    return " ".join(response.split()).casefold() or response


def _words(responses: Sequence[str]) -> tuple[tuple[str, ...], Ints]:
    """The words, each once, and the index of each response's word."""
    index: dict[str, int] = {}
    word_of = [index.setdefault(_word(response), len(index)) for response in responses]
    return tuple(index), np.array(word_of, dtype=np.intp)


def _members(words: Sequence[str], lexicon: Lexicon) -> dict[str, Ints]:
    """Category -> indices of its words."""
    index = {word: i for i, word in enumerate(words)}
    by_category = lexicon.expand(words)
    without = [category for category, matched in by_category.items() if not matched]
    if without:
        raise LexiconError(
            f"no word of {lexicon.name}'s {', '.join(without)} is among the {len(words)} words "
            "that were scored",
            seen=", ".join(lexicon.categories[without[0]][:8]),
            remedy="Use a lexicon whose categories all have words in the vocabulary.",
        )
    return {
        category: np.array([index[word] for word in matched], dtype=np.intp)
        for category, matched in by_category.items()
    }


@dataclass(frozen=True)
class _Places:
    """The words (indices) that hold the k places: how much of one each holds, and which."""

    words: Ints
    weight: Floats
    place: Floats


def _places(ranks: Floats, k: int) -> _Places:
    """``ranks`` (words,): the lowest come first. Words that share the last places share them
    evenly, and stand in the middle of those of them that are among the k."""
    last = np.partition(ranks, k - 1)[k - 1]
    above, tied = np.flatnonzero(ranks < last), np.flatnonzero(ranks == last)
    left = k - len(above)
    return _Places(
        np.concatenate([above, tied]),
        np.concatenate([np.ones(len(above)), np.full(len(tied), left / len(tied))]),
        np.concatenate(
            [stats.rankdata(ranks[above]), np.full(len(tied), (len(above) + 1 + k) / 2)]
        ),
    )


def _named(places: _Places, words: Sequence[str]) -> tuple[str, ...]:
    """The words in the order of their places; those that share one by name."""
    held = zip(places.place, (words[i] for i in places.words), strict=True)
    return tuple(word for _, word in sorted(held))


def _shares(prompts: Sequence[_Places], members: Mapping[str, Ints]) -> dict[str, Share]:
    shares = {}
    for category, columns in members.items():
        count = total = 0.0
        for places in prompts:
            weight = places.weight[np.isin(places.words, columns)]
            count += float(weight.sum())
            total += float(weight @ places.place[np.isin(places.words, columns)])
        shares[category] = Share(count / len(prompts), total / count if count else None)
    return shares


def _digest(words: Sequence[str]) -> str:
    text = "\x1e".join(sorted(words))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _check_prompts(scores: Scores) -> None:
    texts = [prompt.text for prompt in scores.prompts]
    if not texts or len(set(texts)) < len(texts):
        raise StatisticsError(
            "each prompt must be given once",
            seen=f"{len(texts)} prompts, {len(set(texts))} different",
            remedy="Give one prompt or more, each once.",
        )
    if {"positive", "negative"} <= {prompt.valence for prompt in scores.prompts}:
        raise StatisticsError(
            "prompts that ask for the best and prompts that ask for the worst cannot be averaged",
            seen=f"{len(texts)} prompts of both valences",
            remedy="Give the prompts of one valence.",
        )
