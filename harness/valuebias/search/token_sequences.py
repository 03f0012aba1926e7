"""Responses made of token sequences: which to score, and how to combine their numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt

from valuebias.scores import FloatArray

IntArray = npt.NDArray[np.intp]
BoolArray = npt.NDArray[np.bool_]
OnChunk = Callable[[IntArray, FloatArray], None]
Sequences = Iterable[tuple[int, ...]]


class Parts:
    """Responses (n,) of one or more distinct token sequences each, whose log-probabilities they sum
    up; ``sequences`` (k,) are those of all responses, each once."""

    def __init__(self, of_each: Sequence[Sequences]) -> None:
        known: dict[tuple[int, ...], int] = {}
        each = [[known.setdefault(ids, len(known)) for ids in parts] for parts in of_each]
        self.sequences = list(known)
        self._members = np.fromiter((i for parts in each for i in parts), np.intp)
        counts = np.fromiter(map(len, each), np.intp, len(each))
        self._starts = np.cumsum(counts) - counts
        self._counts = counts

    def done(self, responses: BoolArray) -> BoolArray:
        """Which sequences (k,) are needed only by the marked responses (n,)."""
        done = np.ones(len(self.sequences), dtype=bool)
        done[self._members[np.repeat(~responses, self._counts)]] = False
        return done

    def summed(self, values: FloatArray) -> FloatArray:
        """The natural log of each response's summed probability (n,) from those of the sequences
        (k,); NaN if one of them is NaN."""
        each = values[self._members].astype(np.float64)
        with np.errstate(invalid="ignore"):  # NaN where not all is known yet
            return np.logaddexp.reduceat(each, self._starts).astype(np.float32)

    def handing_out(self, on_chunk: OnChunk, done: BoolArray | None) -> OnChunk:
        """``on_chunk`` for responses not ``done``, called with chunks of sequences: each response
        is handed out once, with its last sequence."""
        values = np.full(len(self.sequences), np.nan, dtype=np.float32)
        known = np.zeros(len(self.sequences), dtype=bool)
        open_ = np.ones(len(self._starts), dtype=bool) if done is None else ~done

        def chunk(indices: IntArray, new: FloatArray) -> None:
            values[indices], known[indices] = new, True
            complete = np.logical_and.reduceat(known[self._members], self._starts) & open_
            if complete.any():
                open_[complete] = False
                on_chunk(np.flatnonzero(complete), self.summed(values)[complete])

        return chunk


def prefix_free(sequences: Iterable[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """The distinct sequences, in order, without those that continue another one: a text that begins
    with the longer also begins with the shorter, and must count once."""
    distinct = dict.fromkeys(sequences)
    return [
        ids
        for ids in distinct
        if not any(ids[:length] in distinct for length in range(1, len(ids)))
    ]
