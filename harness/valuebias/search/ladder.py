"""The ladder: chooses the fastest rung that proves exact on a model, and notes why others fail."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from valuebias.errors import SearchError, ValueBiasError, visible
from valuebias.search.full import FullSequences
from valuebias.search.head import Head
from valuebias.search.plan import out_of_memory
from valuebias.search.prefix_cache import PrefixCache
from valuebias.search.rung import Refused, Rung
from valuebias.search.shared_prefix import SharedPrefix

_LADDER: dict[str, Callable[[Head], Rung]] = {
    SharedPrefix.name: SharedPrefix,
    PrefixCache.name: PrefixCache,
    FullSequences.name: FullSequences,
}
RUNGS = tuple(_LADDER)

Difference = Callable[[Rung], float]


class OnLadder:
    """The rung, notes and self-check of a search with its own ladder."""

    _ladder: Ladder

    @property
    def rung(self) -> str:
        return self._ladder.rung

    @property
    def notes(self) -> tuple[str, ...]:
        return self._ladder.notes

    @property
    def self_check(self) -> float:
        return self._ladder.self_check


class Ladder:
    """Tries the rungs of one model, best first, and stays on the first that agrees.

    ``measured`` names what a rung computes, for the notes. ``rung`` is the one in use (empty before
    the first), ``notes`` says why others were rejected, ``self_check`` is the largest difference
    from the model's own forward seen on the one in use.
    """

    def __init__(self, head: Head, rungs: Sequence[str], measured: str) -> None:
        unknown = [name for name in rungs if name not in _LADDER]
        if unknown or not rungs:
            raise SearchError(
                "unknown rung of the search ladder",
                seen=unknown or "none",
                remedy=f"Choose from {', '.join(RUNGS)}.",
            )
        self._head = head
        self._untried = list(rungs)
        self._measured = measured
        self._rung: Rung | None = None
        self.rung = ""
        self.notes: tuple[str, ...] = ()
        self.self_check = math.nan

    def ready(self, prefix: Sequence[int], difference: Difference | None, tolerance: float) -> Rung:
        """The best rung whose ``difference`` from the model's own forward is within ``tolerance``,
        prepared for the prefix; without a ``difference`` the one in use is taken as it is.

        Raises SearchError if no rung agrees.
        """
        while self._untried:
            if self._rung is None:
                self._rung = _LADDER[self._untried[0]](self._head)
                self.rung, self.self_check = self._rung.name, 0.0
            reason = self._refusal(self._rung, prefix, difference, tolerance)
            if reason is None:
                return self._rung
            self.notes += (f"{self._rung.name}: {reason}",)
            self._rung = None
            self._untried.pop(0)
        raise SearchError(
            "no way to search this model agrees with its own forward pass",
            seen="; ".join(self.notes),
            remedy=f"Check that its {self._measured} are finite, not constant and the same at any "
            "batch size; float32 (dtype=float32) rules out rounding.",
        )

    def _refusal(
        self, rung: Rung, prefix: Sequence[int], difference: Difference | None, tolerance: float
    ) -> str | None:
        """Why the rung cannot be used for this prefix, or None if it can."""
        try:
            rung.prepare(prefix)
            if difference is None:
                return None
            largest = difference(rung)
        except Refused as error:
            return visible(error.what)
        except ValueBiasError:
            raise
        except Exception as error:  # a model class may raise anything on unusual inputs
            if out_of_memory(error):
                raise
            first_line = str(error).strip().partition("\n")[0][:200]
            return visible(f"{type(error).__name__}: {first_line}")
        if not largest <= tolerance:
            return (
                f"{self._measured} differ from the model's own forward by {largest:.2g}, "
                f"where rounding explains {tolerance:.2g}"
            )
        self.self_check = max(self.self_check, largest)
        return None


def validate(backbone: Any, lowest: int, highest: int) -> None:
    """Raise SearchError for a model in training mode, or for ids outside its vocabulary."""
    if backbone.training:
        raise SearchError(
            "the model is in training mode, where dropout makes its numbers random",
            remedy="Call model.eval() first.",
        )
    try:
        size = getattr(backbone.get_input_embeddings(), "num_embeddings", None)
    except (AttributeError, NotImplementedError):  # not every model has one
        size = None
    if lowest < 0 or (size is not None and highest >= size):
        raise SearchError(
            "a token id lies outside the model's vocabulary"
            + ("" if size is None else f" of {size}"),
            seen=lowest if lowest < 0 else highest,
            remedy="Use the tokenizer that belongs to the model.",
        )
