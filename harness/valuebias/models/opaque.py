"""A model of which only the scores are seen: behind a function, or behind a server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn, Protocol

import numpy as np
import numpy.typing as npt

from valuebias.candidates import Candidates
from valuebias.errors import ModelError, ScoresError
from valuebias.models.canary import CONVERSATIONS, FloatArray, Pair, Sighting, sight
from valuebias.models.whole_answers import whole_answers
from valuebias.prompts import Prompt
from valuebias.store.database import Store, address

IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]
OnChunk = Callable[[IntArray, FloatArray], None]


class Source(Protocol):
    """Where the scores come from."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What is known of the model, for the provenance."""

    @property
    def identity(self) -> Mapping[str, str]:
        """What tells it from another model before it is asked: a declared name, a server's id."""

    def scores(self, pairs: Sequence[Pair]) -> Iterator[tuple[IntArray, FloatArray]]:
        """Scores of (question, answer) pairs, in parts as they come: positions and float32 values.

        Every position comes once. Raises ModelError for a model that cannot be asked.
        """


class OpaqueModel:
    """A reward model behind a `Source`; it stands where a loaded model does.

    It is known by the scores of 32 fixed conversations (`models.canary`): those within the
    measured repeatability of ones in ``store`` are the same model's, others are a new one's.
    Without a store the fingerprint is that of this time. Raises ModelError where preflight refuses
    it.
    """

    has_vocabulary = False

    def __init__(self, source: Source, *, name: str, store: Store | None) -> None:
        self.name = name
        self._source = source
        self._store = store
        self._sighting = sight(self._ask)
        self._generation = 0
        self._key = f"canaries {address(**source.identity)}"
        if store is not None:
            self._recognise(store)
        self.fingerprint = address(
            **source.identity,
            canaries=self._sighting.values.astype("<f4").tobytes().hex(),
            generation=str(self._generation),
        )

    @property
    def provenance(self) -> Mapping[str, str]:
        """What a reader needs to know the scores by."""
        return {
            **self._source.facts,
            "model": self.name,
            "fingerprint": self.fingerprint,
            "repeatability": self._sighting.told,
        }

    def score_prompt(
        self,
        prompt: Prompt,
        candidates: Candidates,
        *,
        done: BoolArray | None = None,
        on_chunk: OnChunk | None = None,
        time_limit: float | None = None,
    ) -> FloatArray:
        """Rewards of all candidates on one prompt, float32 of shape (n,); NaN where ``done``.

        ``on_chunk`` gets the indices and values of each part that has come. Raises ModelError where
        the model cannot be asked, ScoresError for token ids, which it does not take, and TooSlow
        with ``time_limit`` seconds.
        """
        if candidates.injection != "text":
            self._refuse_tokens()
        answers = whole_answers(prompt, candidates)
        n = len(candidates)
        wanted = np.arange(n) if done is None else np.flatnonzero(~done)
        pairs = [(prompt.text, answers[i]) for i in wanted]
        values = np.full(n, np.nan, dtype=np.float32)
        began, scored = time.monotonic(), 0
        for positions, part in self._source.scores(pairs):
            values[wanted[positions]] = part
            if on_chunk is not None:
                on_chunk(wanted[positions], part)
            scored += len(part)
            estimate = (time.monotonic() - began) / scored * len(pairs)
            if time_limit is not None and scored < len(pairs) and estimate > 2 * time_limit:
                from valuebias.search import TooSlow  # it needs torch

                raise TooSlow(estimate, time_limit)
        return values

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """While scores are made inside. Raises ModelError if this is another model than it was
        when it was opened; one that changed inside will not find again what was stored."""
        self._check_unchanged()
        yield
        try:
            self._check_unchanged()
        except _ChangedError:
            if self._store is not None:
                self._forget(self._store)
            raise

    def _check_unchanged(self) -> None:
        now = Sighting(self._ask(range(len(CONVERSATIONS))), 0.0)
        if not now.same_as(self._sighting):
            raise _ChangedError(
                f"{self.name} scores the fixed conversations differently than when it was opened: "
                "it is another model now",
                seen=f"a difference of {now.difference(self._sighting):.2g}; its repeatability is "
                f"{self._sighting.told}",
                remedy="Ask again once its weights stay the same; load a model in memory again "
                "after each change: valuebias.load(...).",
            )

    def vocabulary(self) -> Candidates:
        """Raises ScoresError: there are no token ids."""
        self._refuse_tokens()

    def round_trip(self, candidates: Candidates) -> float:
        """Raises ScoresError: there are no token ids."""
        self._refuse_tokens()

    def token_counts(self, words: Sequence[str]) -> None:
        """None: it has no tokenizer here."""
        return

    def _refuse_tokens(self) -> NoReturn:
        raise ScoresError(no_vocabulary(self.name), remedy=ASK_FOR_WORDS)

    def _ask(self, numbers: Sequence[int]) -> FloatArray:
        pairs = [CONVERSATIONS[i] for i in numbers]
        values = np.full(len(pairs), np.nan, dtype=np.float32)
        for positions, part in self._source.scores(pairs):
            values[positions] = part
        return values

    # The models that were seen before

    def _recognise(self, store: Store) -> None:
        """Take the scores seen first for those of this model, if they are within repeatability."""
        known = self._known(store)
        near = [each for each in known if _sighting(each).same_as(self._sighting)]
        if near:
            found = min(near, key=lambda each: _sighting(each).difference(self._sighting))
            self._sighting, self._generation = _sighting(found), int(found["generation"])
            return
        store.put_meta(self._key, {"known": [*known, self._entry()]})

    def _forget(self, store: Store) -> None:
        """Give the model of these scores another address from now on."""
        others = [e for e in self._known(store) if e["values"] != self._entry()["values"]]
        later = {**self._entry(), "generation": self._generation + 1}
        store.put_meta(self._key, {"known": [*others, later]})

    def _known(self, store: Store) -> list[dict[str, Any]]:
        return list((store.get_meta(self._key) or {"known": []})["known"])

    def _entry(self) -> dict[str, Any]:
        return {
            "values": [float(value) for value in self._sighting.values],
            "repeatability": self._sighting.repeatability,
            "generation": self._generation,
        }


class _ChangedError(ModelError):
    """The model is not the one that was opened."""


ASK_FOR_WORDS = "Ask for words; entries of a lexicon that end in * need a vocabulary."


def no_vocabulary(name: str) -> str:
    """Why there is no table of best and worst tokens, as a line for a report."""
    return f"{name} is asked by text: it has no vocabulary of tokens here"


def _sighting(entry: Mapping[str, Any]) -> Sighting:
    return Sighting(np.array(entry["values"], np.float32), float(entry["repeatability"]))
