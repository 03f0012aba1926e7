"""The Searcher: scores every candidate of a prompt on the fastest rung that proves exact."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from valuebias.errors import SearchError, ValueBiasError, visible
from valuebias.models.head import Head
from valuebias.search.full import FullSequences
from valuebias.search.plan import (
    Block,
    Halving,
    blocks,
    buckets,
    keep_freed_memory,
    out_of_memory,
    rows_within,
)
from valuebias.search.prefix_cache import PrefixCache
from valuebias.search.rung import IntArray, Refused, Rung, device_of
from valuebias.search.self_check import Bucket, Probes, SelfCheck
from valuebias.search.shared_prefix import SharedPrefix

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]
OnChunk = Callable[[IntArray, FloatArray], None]

_LADDER: dict[str, Callable[[Head], Rung]] = {
    SharedPrefix.name: SharedPrefix,
    PrefixCache.name: PrefixCache,
    FullSequences.name: FullSequences,
}
RUNGS = tuple(_LADDER)


class TooSlow(SearchError):
    """A search that would outlast its time limit. ``estimate`` is in seconds, for the whole run."""

    def __init__(self, estimate: float, limit: float) -> None:
        self.estimate = estimate
        self._limit = limit
        super().__init__(
            f"scoring all candidates would take about {estimate:.0f} s",
            seen=f"a limit of {limit:.0f} s",
            remedy="Score fewer candidates, or allow more time.",
        )

    def __reduce__(self) -> tuple[object, ...]:
        return TooSlow, (self.estimate, self._limit)


class Searcher:
    """Scores candidates that share a prefix.

    ``head`` is the model; ``chunk_memory`` the bytes a pass may take beside the weights; ``rungs``
    the ways to try, best first. The rung is decided in the first run, by scoring a few candidates
    and comparing them with ``head.forward``, and kept; a later prompt of another length is checked
    again in brief, since position schemes and windows may change with it. A rung that refuses or
    differs is left for the next one, and ``notes`` says why.

    ``rung`` is the one in use (empty before the first run), ``self_check`` the largest difference
    from ``head.forward`` seen on it, in the units of the reward.
    """

    def __init__(self, head: Head, *, chunk_memory: int, rungs: Sequence[str] = RUNGS) -> None:
        unknown = [name for name in rungs if name not in _LADDER]
        if unknown or not rungs:
            raise SearchError(
                "no such rung of the search ladder",
                seen=unknown or "none",
                remedy=f"Choose from {', '.join(RUNGS)}.",
            )
        self._head = head
        self._chunk_memory = chunk_memory
        self._untried = list(rungs)
        self._rung: Rung | None = None
        self._check = SelfCheck(head)
        self._device = device_of(head.backbone)
        self._halving = Halving()
        if self._device.type == "cpu":
            keep_freed_memory()
        self.rung = ""
        self.notes: tuple[str, ...] = ()
        self.self_check = math.nan

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

        ``done`` marks candidates scored before: a block of which all are done is skipped and left
        NaN, any other is computed whole, so that a resumed search repeats every bit. ``on_chunk``
        is handed the indices and values of each block as it finishes. With ``time_limit`` seconds,
        raises TooSlow once the first blocks show that the run would take longer; what was handed
        out stays good. Raises SearchError for ids outside the vocabulary, for a candidate that does
        not fit in memory, and for a model that no rung scores as its own forward does.
        """
        began = time.monotonic()
        values = np.full(len(tails), np.nan, dtype=np.float32)
        if not len(tails):
            return values
        prefix, tails = _with_tokens_in_every_tail(prefix, tails)
        groups = buckets(tails)
        self._validate(prefix, groups)
        if done is not None and done.all():
            return values
        with torch.inference_mode():
            rung = self._ready(prefix, groups)
            todo = [
                block
                for block in self._blocks(rung, len(prefix), groups)
                if done is None or not done[block.indices].all()
            ]
            clock = _Clock(began, time_limit, sum(block.tokens for block in todo))
            for block, rewards in self._computed(rung, todo):
                values[block.indices] = rewards.float().cpu().numpy()
                if on_chunk is not None:
                    on_chunk(block.indices, values[block.indices])
                clock.finished(block.tokens)
        return values

    def _blocks(self, rung: Rung, prefix: int, groups: Sequence[Bucket]) -> Iterator[Block]:
        for indices, tails in groups:
            tail = int(tails.shape[1])
            memory = rung.bytes_per_row(prefix, tail)
            tokens = rung.tokens_per_row(prefix, tail)
            rows = rows_within(self._chunk_memory, memory, tokens, self._device)
            yield from blocks(indices, tails, *rows)

    def _computed(self, rung: Rung, todo: Sequence[Block]) -> Iterator[tuple[Block, torch.Tensor]]:
        """The rewards of each block, on its device. There, one block is launched ahead of the one
        handed out, so that the device never waits for Python."""
        ahead = 0 if self._device.type == "cpu" else 1
        launched: deque[tuple[Block, torch.Tensor]] = deque()
        for block in todo:
            launched.append((block, self._halving.rewards(rung.rewards, block.tails, block.rows)))
            if len(launched) > ahead:
                yield launched.popleft()
        yield from launched

    def _ready(self, prefix: Sequence[int], groups: Sequence[Bucket]) -> Rung:
        """The best rung that agrees with ``head.forward``, prepared for the prefix."""
        probes = self._check.probes(prefix, groups)
        while self._untried:
            if self._rung is None:
                self._rung = _LADDER[self._untried[0]](self._head)
                self.rung, self.self_check = self._rung.name, 0.0
            reason = self._refusal(self._rung, prefix, probes)
            if reason is None:
                self._check.passed(prefix, groups)
                return self._rung
            self.notes += (f"{self._rung.name}: {reason}",)
            self._rung = None
            self._untried.pop(0)
        raise SearchError(
            "no way to search this model agrees with its own forward pass",
            seen="; ".join(self.notes),
            remedy="See that its rewards are finite, not constant and the same at any batch size; "
            "float32 (dtype=float32) rules out rounding.",
        )

    def _refusal(self, rung: Rung, prefix: Sequence[int], probes: Probes | None) -> str | None:
        """Why the rung cannot be used for this prefix, or None if it can."""
        try:
            rung.prepare(prefix)
            if probes is None:
                return None
            difference = probes.difference(
                lambda tails, rows: self._halving.rewards(rung.rewards, tails, rows)
            )
        except Refused as error:
            return visible(error.what)
        except ValueBiasError:
            raise
        except Exception as error:  # whatever a model class does with inputs it was not made for
            if out_of_memory(error):
                raise
            first_line = str(error).strip().partition("\n")[0][:200]
            return visible(f"{type(error).__name__}: {first_line}")
        if not difference <= probes.tolerance:
            return (
                f"rewards differ from the model's own forward by {difference:.2g}, "
                f"where rounding explains {probes.tolerance:.2g}"
            )
        self.self_check = max(self.self_check, difference)
        return None

    def _validate(self, prefix: Sequence[int], groups: Sequence[Bucket]) -> None:
        backbone: Any = self._head.backbone
        if backbone.training:
            raise SearchError(
                "the model is in training mode, where dropout makes rewards random",
                remedy="Call model.eval() first.",
            )
        try:
            size = getattr(backbone.get_input_embeddings(), "num_embeddings", None)
        except (AttributeError, NotImplementedError):  # not every model says
            size = None
        lowest = min(min(prefix), *(int(tails.min()) for _, tails in groups))
        highest = max(max(prefix), *(int(tails.max()) for _, tails in groups))
        if lowest < 0 or (size is not None and highest >= size):
            raise SearchError(
                "a token id lies outside the model's vocabulary"
                + ("" if size is None else f" of {size}"),
                seen=lowest if lowest < 0 else highest,
                remedy="Use the tokenizer that belongs to the model.",
            )


class _Clock:
    """Foretells from the first blocks how long a run takes, and stops one that takes too long."""

    def __init__(self, began: float, limit: float | None, tokens: int) -> None:
        self._began = began
        self._limit = limit
        self._left = tokens
        self._blocks = 0
        self._last = time.monotonic()

    def finished(self, tokens: int) -> None:
        """Note a finished block. Raises TooSlow."""
        now = time.monotonic()
        self._left -= tokens
        self._blocks += 1
        rate = (now - self._last) / tokens
        self._last = now
        estimate = now - self._began + rate * self._left
        # The first block pays for warming up, so on its own it must miss the limit by far.
        margin = {1: 2.0, 2: 1.0}.get(self._blocks, math.inf)
        if self._limit is not None and self._left and estimate > margin * self._limit:
            raise TooSlow(estimate, self._limit)


def _with_tokens_in_every_tail(
    prefix: Sequence[int], tails: Sequence[Sequence[int]]
) -> tuple[Sequence[int], Sequence[Sequence[int]]]:
    """The same conversations, split so that no tail is empty and the prefix is not."""
    if not len(prefix):
        raise SearchError(
            "the candidates share no token before them",
            remedy="Put them into a conversation that begins with at least one token.",
        )
    if all(len(tail) for tail in tails):
        return prefix, tails
    if len(prefix) == 1:
        raise SearchError(
            "a conversation of one token leaves nothing to score",
            remedy="Give candidates of at least one token.",
        )
    return prefix[:-1], [[prefix[-1], *tail] for tail in tails]
