"""Cuts candidates into blocks, by tail length and memory budget, always in the same way."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from valuebias.errors import SearchError
from valuebias.search.rung import IntArray

_Work = TypeVar("_Work")

# Tokens a pass needs before matrix products run at full rate, and from where more gains nothing
# (measured; a GPU needs thousands). Between the two, blocks grow: few candidates then waste little
# padding and many still run at full rate.
FIRST_TOKENS = 256
MOST_TOKENS = {"cpu": 1024}
MOST_TOKENS_ON_A_DEVICE = 16384


@dataclass(frozen=True)
class Block:
    """One unit of work, which is finished, handed out and resumed as a whole.

    ``indices`` (n,) into the candidates, their ``tails`` (n, length), and the ``rows`` >= n that a
    pass over the block is padded to.
    """

    indices: IntArray
    tails: IntArray
    rows: int

    @property
    def tokens(self) -> int:
        return self.rows * int(self.tails.shape[1])


def buckets(tails: Sequence[Sequence[int]]) -> list[tuple[IntArray, IntArray]]:
    """The candidates by tail length, shortest first, in their own order: (indices, tails) each."""
    lengths = np.fromiter(map(len, tails), np.int64, len(tails))
    cut = []
    for length in np.unique(lengths):
        indices = np.flatnonzero(lengths == length)
        ids = np.array([tails[i] for i in indices.tolist()], dtype=np.int64)
        cut.append((indices, ids))
    return cut


def rows_within(
    budget: int, bytes_per_row: float, tokens_per_row: int, device: torch.device
) -> tuple[int, int]:
    """The rows of the first and of the largest block: as many as make the search faster and as the
    budget in bytes allows.

    Raises SearchError if one row needs more than the budget.
    """
    fit = int(budget // bytes_per_row)
    if fit < 1:
        raise SearchError(
            f"one candidate needs about {bytes_per_row / 2**20:.1f} MiB, more than the chunk "
            "memory",
            seen=f"{budget / 2**20:.1f} MiB",
            remedy="Allow more chunk memory.",
        )
    most = MOST_TOKENS.get(device.type, MOST_TOKENS_ON_A_DEVICE)
    largest = _whole_tiles(min(fit, max(1, most // tokens_per_row)))
    return min(largest, _whole_tiles(max(1, FIRST_TOKENS // tokens_per_row))), largest


def keep_freed_memory() -> None:
    """Have the C library keep freed blocks of up to 31 MiB for reuse.

    Each layer frees and allocates the same few megabytes; handed back to the system every time,
    they cost a fifth of a search in page faults. glibc raises its threshold to the size of a block
    it sees freed; elsewhere this does nothing.
    """
    torch.empty(31 << 20, dtype=torch.uint8)


def _whole_tiles(rows: int) -> int:
    return rows - rows % 16 if rows >= 16 else rows  # matrix kernels work in tiles


def blocks(indices: IntArray, tails: IntArray, first: int, largest: int) -> Iterator[Block]:
    """A bucket cut into blocks that grow with its length, from ``first`` to ``largest`` rows.

    Where a cut falls, and in which row of a block a candidate runs, depends only on the candidate's
    place in its bucket: never on how many follow it, nor on which were scored before. A block is at
    most half as long as all before it, or ``first``, and so is the padding of the last.
    """
    rows, start = first, 0
    while start < len(indices):
        stop = start + rows
        yield Block(indices[start:stop], tails[start:stop], rows)
        start = stop
        if start >= 4 * rows:
            rows = min(2 * rows, largest)


def one_ahead(
    device: torch.device, todo: Sequence[_Work], compute: Callable[[_Work], torch.Tensor]
) -> Iterator[tuple[_Work, torch.Tensor]]:
    """Each piece of work with its result, on its device. On an accelerator, one piece is launched
    ahead of the one handed out, so that the device never waits for Python."""
    ahead = 0 if device.type == "cpu" else 1
    launched: deque[tuple[_Work, torch.Tensor]] = deque()
    for work in todo:
        launched.append((work, compute(work)))
        if len(launched) > ahead:
            yield launched.popleft()
    yield from launched


def out_of_memory(error: BaseException) -> bool:
    """Whether the error says that the device, or the CPU's allocator, has no memory left."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "DefaultCPUAllocator" in text or "can't allocate memory" in text
    )


class Halving:
    """Runs blocks; if memory is short, in halves, quarters and so on, keeping what is finished."""

    def __init__(self) -> None:
        self._tokens: int | None = None  # the most a pass has been found to bear

    def rewards(
        self, run: Callable[[IntArray, int], torch.Tensor], tails: IntArray, rows: int
    ) -> torch.Tensor:
        """``run(tails, rows)`` over the block: shape (n,) for tails (n, length).

        Raises SearchError if a single candidate does not fit.
        """
        return self.over(
            lambda start, step: run(tails[start : start + step], step), rows, *tails.shape
        )

    def over(
        self, run: Callable[[int, int], torch.Tensor], rows: int, count: int, length: int
    ) -> torch.Tensor:
        """``run(start, step)`` over ``count`` rows of ``length`` tokens, ``rows`` at a time or as
        many as fit; its parts joined.

        Raises SearchError if a single row does not fit.
        """
        step = rows if self._tokens is None else min(rows, max(1, self._tokens // length))
        parts: list[torch.Tensor] = []
        start = 0
        while start < count:
            try:
                parts.append(run(start, step))
                start += step
                continue
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
            # Outside the handler, so that the failed pass's tensors are free before the next try.
            if step == 1:
                raise SearchError(
                    f"not enough memory for one candidate of {length} tokens",
                    remedy="Use a larger device, a smaller dtype, or free memory on this one.",
                )
            step = (step + 1) // 2
            self._tokens = step * length
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return torch.cat(parts)
