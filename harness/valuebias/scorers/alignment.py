"""Two tokenizers' vocabularies, aligned on the exact text a token stands for.

Token ids mean nothing to another model, and decoded strings can mislead: a fragment of a character
decodes to U+FFFD in both vocabularies, and clean-up makes one string of " !" and "!". Here a token
is matched by its exact text (valuebias.models.token_text) or not at all, and every token left
without a match is accounted for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from valuebias.candidates import Candidates
from valuebias.errors import ModelError, ScoresError
from valuebias.models.token_text import is_fragment

Fate = Literal["shared", "merged", "fragment", "only here"]
"""What happens to a token. ``shared``: its text is a token of both vocabularies. ``merged``: the
same, but an earlier token of this vocabulary has the same text and receives its probability.
``fragment``: its bytes are not whole characters, or it is empty. ``only here``: the other
vocabulary has no token with its text."""

FATES: tuple[Fate, ...] = ("shared", "merged", "fragment", "only here")

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Side:
    """One vocabulary's part. ``token_ids`` are all its tokens, ``fates`` the fate of each;
    ``places`` and ``groups`` (m,) say which columns of its log-probabilities belong to which of
    the shared texts, in the order of the texts; m counts shared and merged tokens."""

    token_ids: tuple[int, ...]
    fates: tuple[Fate, ...]
    places: npt.NDArray[np.intp]
    groups: npt.NDArray[np.intp]

    @cached_property
    def counts(self) -> Mapping[Fate, int]:
        """The number of tokens of each fate; the sum is the vocabulary's size."""
        counts = Counter(self.fates)
        return {fate: counts[fate] for fate in FATES}

    @property
    def account(self) -> str:
        """The counts in words, for a report."""
        counts = ", ".join(f"{n:,} {fate}" for fate, n in self.counts.items())
        return f"{len(self.fates):,} tokens: {counts}"

    def fate(self, token_id: int) -> Fate:
        """The fate of one token. Raises KeyError if the vocabulary does not have the id."""
        return self._fate_of[token_id]

    def ids(self, text: int) -> tuple[int, ...]:
        """The ids of the shared text of this index, in the vocabulary's order."""
        first, last = np.searchsorted(self.groups, [text, text + 1])
        return tuple(self.token_ids[place] for place in self.places[first:last])

    def merged(self, log_p: npt.ArrayLike) -> FloatArray:
        """Log-probabilities of the shared texts, float64 of shape (..., shared).

        ``log_p`` has shape (..., tokens), in the vocabulary's order. If several tokens have the
        same text, their probabilities are added (log-sum-exp). Raises ScoresError for another
        shape.
        """
        log_p = np.asarray(log_p)
        if log_p.ndim == 0 or log_p.shape[-1] != len(self.fates):
            raise ScoresError(
                "log-probabilities do not match the vocabulary",
                seen=log_p.shape,
                remedy=f"Give one for each of its {len(self.fates)} tokens.",
            )
        picked = log_p[..., self.places].astype(np.float64)
        starts = np.flatnonzero(np.diff(self.groups, prepend=-1))
        summed: FloatArray = np.logaddexp.reduceat(picked, starts, axis=-1)
        return summed

    @cached_property
    def _fate_of(self) -> dict[int, Fate]:
        return dict(zip(self.token_ids, self.fates, strict=True))


@dataclass(frozen=True)
class Alignment:
    """The texts that are a token of both vocabularies, sorted by code point, so that the order does
    not depend on which vocabulary comes first."""

    texts: tuple[str, ...]
    p: Side
    q: Side

    def __len__(self) -> int:
        return len(self.texts)


def align(p: Candidates, q: Candidates) -> Alignment:
    """Align two whole vocabularies (token injection, responses the exact texts).

    Raises ModelError if they share no text.
    """
    first, second = _by_text(p), _by_text(q)
    texts = tuple(sorted(first.keys() & second.keys()))
    if not texts:
        raise ModelError(
            "the two models' vocabularies have no text in common",
            seen=f"{len(p):,} and {len(q):,} tokens",
            remedy="Compare models whose tokenizers read the same script.",
        )
    return Alignment(texts, _side(p, first, texts), _side(q, second, texts))


def mass(log_shared: npt.ArrayLike) -> FloatArray:
    """Total probability (...) of the shared texts, from their log-probabilities (..., shared)."""
    total: FloatArray = np.exp(np.asarray(log_shared, np.float64)).sum(-1)
    return total


def _is_whole(text: str) -> bool:
    """Whether a token's text is whole characters, at least one."""
    return bool(text) and not is_fragment(text)


def _by_text(vocabulary: Candidates) -> dict[str, list[int]]:
    """Each text's places in the vocabulary; fragments left out."""
    places: dict[str, list[int]] = {}
    for place, text in enumerate(vocabulary.responses):
        if _is_whole(text):
            places.setdefault(text, []).append(place)
    return places


def _side(vocabulary: Candidates, by_text: dict[str, list[int]], texts: tuple[str, ...]) -> Side:
    if vocabulary.token_ids is None:
        raise ModelError(
            "a vocabulary to align has no token ids",
            seen=vocabulary.injection,
            remedy="Give the candidates of a language model's vocabulary().",
        )
    fates: list[Fate] = [
        "only here" if _is_whole(text) else "fragment" for text in vocabulary.responses
    ]
    places: list[int] = []
    groups: list[int] = []
    for group, text in enumerate(texts):
        for nth, place in enumerate(by_text[text]):
            fates[place] = "merged" if nth else "shared"
            places.append(place)
            groups.append(group)
    return Side(vocabulary.token_ids, tuple(fates), _indices(places), _indices(groups))


def _indices(values: list[int]) -> npt.NDArray[Any]:
    return np.array(values, dtype=np.intp)
