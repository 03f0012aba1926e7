"""The Searcher: scores every candidate of a prompt on the fastest rung that proves exact."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from valuebias.errors import SearchError
from valuebias.search.clock import Clock
from valuebias.search.head import Head
from valuebias.search.ladder import RUNGS, Ladder, OnLadder, validate
from valuebias.search.plan import (
    Block,
    Halving,
    blocks,
    buckets,
    keep_freed_memory,
    one_ahead,
    rows_within,
)
from valuebias.search.rung import IntArray, Rung, device_of, read_positions, to_device
from valuebias.search.self_check import Bucket, SelfCheck

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
OnChunk = Callable[[IntArray, FloatArray], None]


class Searcher(OnLadder):
    """Scores candidates that share a prefix.

    ``head`` is the model; ``chunk_memory`` the bytes a pass may take beside the weights; ``rungs``
    the ways to try, best first. The rung is decided in the first run, by scoring a few candidates
    and comparing them with ``head.forward``, and kept; a later prompt of another length is checked
    again in brief, since position schemes and windows may change with it. If a rung refuses or
    differs, the next one is tried, and ``notes`` says why.

    ``rung`` is the one in use (empty before the first run), ``self_check`` the largest difference
    from ``head.forward`` seen on it, in the units of the reward.
    """

    def __init__(self, head: Head, *, chunk_memory: int, rungs: Sequence[str] = RUNGS) -> None:
        self._head = head
        self._chunk_memory = chunk_memory
        self._ladder = Ladder(head, rungs, "rewards")
        self._check = SelfCheck(head)
        self._device = device_of(head.backbone)
        self._halving = Halving()
        if self._device.type == "cpu":
            keep_freed_memory()

    def run(
        self,
        prefix: Sequence[int],
        tails: Sequence[Sequence[int]],
        *,
        done: BoolArray | None = None,
        on_chunk: OnChunk | None = None,
        time_limit: float | None = None,
    ) -> FloatArray:
        """Rewards of the conversations ``prefix + tail``: float32 of shape (len(tails),), higher is
        better.

        ``done`` marks candidates scored before: a block in which all are done is skipped and left
        NaN, any other is computed whole, so that a resumed search repeats every bit. ``on_chunk``
        gets the indices and values of each block as it finishes. With ``time_limit`` seconds,
        raises TooSlow once the first blocks show that the run would take longer; what was handed
        out remains valid. Raises SearchError for ids outside the vocabulary, for a candidate that
        does not fit in memory, and for a model that no rung scores as its own forward does.
        """
        began = time.monotonic()
        values = np.full(len(tails), np.nan, dtype=np.float32)
        if not len(tails):
            return values
        prefix, tails = _with_tokens_in_every_tail(prefix, tails)
        groups = buckets(tails)
        lowest = min(min(prefix), *(int(tails.min()) for _, tails in groups))
        highest = max(max(prefix), *(int(tails.max()) for _, tails in groups))
        validate(self._head.backbone, lowest, highest)
        if done is not None and done.all():
            return values
        with torch.inference_mode():
            rung = self._ready(prefix, groups)
            todo = [
                block
                for block in self._blocks(rung, len(prefix), groups)
                if done is None or not done[block.indices].all()
            ]
            clock = Clock(began, time_limit, sum(block.tokens for block in todo))
            for block, rewards in one_ahead(
                self._device,
                todo,
                lambda block: self._halving.rewards(rung.rewards, block.tails, block.rows),
            ):
                values[block.indices] = rewards.float().cpu().numpy()
                if on_chunk is not None:
                    on_chunk(block.indices, values[block.indices])
                clock.finished(block.tokens)
        return values

    def states(self, prefix: Sequence[int], tails: Sequence[Sequence[int]]) -> FloatArray:
        """The hidden states that the head reads: float32 of shape (len(tails), hidden), by the rung
        that scores these conversations.

        Raises SearchError as `run` does, and for a head that reads several positions of a
        conversation, or one before its candidate.
        """
        prefix, tails = _with_tokens_in_every_tail(prefix, tails)
        groups = buckets(tails)
        found: list[tuple[IntArray, torch.Tensor]] = []
        with torch.inference_mode():
            rung = self._ready(prefix, groups)
            for block in self._blocks(rung, len(prefix), groups):
                reads = read_positions(self._head, prefix, block.tails)
                at = [positions - len(prefix) for positions in reads.values()]
                if len(at) != 1 or at[0].min() < 0:
                    raise SearchError(
                        "the head does not read one position of each candidate",
                        seen=", ".join(reads),
                        remedy="Give a reward model with a linear head on the last token.",
                    )
                hidden = self._halving.rewards(rung.hidden, block.tails, block.rows)
                where = to_device(at[0], hidden.device)
                rows = torch.arange(len(where), device=hidden.device)
                found.append((block.indices, hidden[rows, where].float().cpu()))
        states = np.empty((len(tails), found[0][1].shape[1]), dtype=np.float32)
        for indices, values in found:
            states[indices] = values.numpy()
        return states

    def _blocks(self, rung: Rung, prefix: int, groups: Sequence[Bucket]) -> Iterator[Block]:
        for indices, tails in groups:
            tail = int(tails.shape[1])
            memory = rung.bytes_per_row(prefix, tail)
            tokens = rung.tokens_per_row(prefix, tail)
            rows = rows_within(self._chunk_memory, memory, tokens, self._device)
            yield from blocks(indices, tails, *rows)

    def _ready(self, prefix: Sequence[int], groups: Sequence[Bucket]) -> Rung:
        """The best rung that agrees with ``head.forward``, prepared for the prefix."""
        probes = self._check.probes(prefix, groups)
        if probes is None:
            return self._ladder.ready(prefix, None, 0.0)
        rung = self._ladder.ready(
            prefix,
            lambda rung: probes.difference(
                lambda tails, rows: self._halving.rewards(rung.rewards, tails, rows)
            ),
            probes.tolerance,
        )
        self._check.passed(prefix, groups)
        return rung


def _with_tokens_in_every_tail(
    prefix: Sequence[int], tails: Sequence[Sequence[int]]
) -> tuple[Sequence[int], Sequence[Sequence[int]]]:
    """The same conversations, split so that no tail is empty and the prefix is not."""
    if not len(prefix):
        raise SearchError(
            "no token before the candidates",
            remedy="Give a conversation that begins with at least one token.",
        )
    if all(len(tail) for tail in tails):
        return prefix, tails
    if len(prefix) == 1:
        raise SearchError(
            "a conversation of one token leaves nothing to score",
            remedy="Give candidates of at least one token.",
        )
    return prefix[:-1], [[prefix[-1], *tail] for tail in tails]
