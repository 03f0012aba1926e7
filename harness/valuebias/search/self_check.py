"""The numeric self-check: a few candidates against the model class's own forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from valuebias.search.full import FullSequences
from valuebias.search.head import Head
from valuebias.search.plan import buckets
from valuebias.search.rung import Dimensions, IntArray, device_of

PROBES = 8
EXACT = 1e-4  # of the rewards' spread, in float32
SMALL = 1e-3  # the most that measured rounding may add to it
# In lower precision two correct batch sizes already differ, so the allowance follows their scatter,
# within these shares of the spread: a wrong position or a missing key costs far more.
ROUGH, ROUGHEST = 0.2, 0.5

Bucket = tuple[IntArray, IntArray]
Run = Callable[[IntArray, int], torch.Tensor]


@dataclass(frozen=True)
class Probes:
    """Candidates of one prefix with their rewards one by one through ``head.forward``."""

    tails: tuple[tuple[int, ...], ...]
    reference: torch.Tensor
    tolerance: float

    def difference(self, run: Run) -> float:
        """The largest |difference| of ``run``'s rewards from the reference; inf if not finite."""
        worst = 0.0
        for indices, tails in buckets(self.tails):
            got = run(tails, len(tails)).float().cpu()
            gap = float((got - self.reference[torch.from_numpy(indices)]).abs().max())
            worst = max(worst, gap) if np.isfinite(gap) else np.inf
        return worst


class SelfCheck:
    """Chooses probes and says how far from their reference a rung may be.

    The first prefix is probed in full: candidates spread over the tail lengths, and one equal to
    the pad id, which moves the read position. A later prefix is probed in brief where its length
    or its longest tail is new, since position schemes and windows change with the length alone.
    """

    def __init__(self, head: Head) -> None:
        self._head = head
        self._naive = FullSequences(head)
        self._sizes = Dimensions(head.backbone)
        self._device = device_of(head.backbone)
        self._tolerance: float | None = None
        self._passed: set[tuple[int, int, int]] = set()

    def probes(self, prefix: Sequence[int], groups: Sequence[Bucket]) -> Probes | None:
        """What to check before scoring these candidates; None if similar ones have passed."""
        if _shape(prefix, groups) in self._passed:
            return None
        self._naive.prepare(prefix)
        if self._tolerance is not None:
            tails = [_row(groups[0][1], 0), _row(groups[-1][1], -1)]
            return Probes(tuple(tails), self._one_by_one(tails), self._tolerance)
        tails = _spread_over(groups, prefix)
        pad = self._sizes.pad
        padded = [(int(pad), *tails[0][1:])] if isinstance(pad, int) else []
        reference = self._one_by_one([*tails, *padded])
        ordinary = reference[: len(tails)]
        self._tolerance = self._allowance(tails, ordinary)
        return Probes((*tails, *padded), reference, self._tolerance)

    def passed(self, prefix: Sequence[int], groups: Sequence[Bucket]) -> None:
        """Remember that candidates like these agreed."""
        self._passed.add(_shape(prefix, groups))

    def _one_by_one(self, tails: Sequence[Sequence[int]]) -> torch.Tensor:
        parts = [self._naive.rewards(np.array([tail], dtype=np.int64), 1) for tail in tails]
        return torch.cat(parts).float().cpu()

    def _allowance(self, tails: Sequence[tuple[int, ...]], reference: torch.Tensor) -> float:
        spread = float(reference.std())
        rounding = 4 * torch.finfo(torch.float32).eps * float(reference.abs().max())
        inside = 4 * torch.finfo(torch.float32).eps * float(getattr(self._head, "magnitude", 0.0))
        if not self._low_precision() and max(rounding, inside) < EXACT * spread / 4:
            return EXACT * spread
        batched = Probes(tuple(tails), reference, 0.0).difference(self._naive.rewards)
        if not self._low_precision():
            # Rewards that hardly differ: rounding inside the model dominates, and its size depends
            # on the processor.
            return max(EXACT * spread, rounding, min(max(2 * batched, inside), SMALL * spread))
        return min(max(ROUGH * spread, 4 * batched), ROUGHEST * spread)

    def _low_precision(self) -> bool:
        short = torch.finfo(self._sizes.dtype).bits < 32
        return short or (self._device.type == "cuda" and torch.backends.cuda.matmul.allow_tf32)


def _shape(prefix: Sequence[int], groups: Sequence[Bucket]) -> tuple[int, int, int]:
    return len(prefix), groups[0][1].shape[1], groups[-1][1].shape[1]


def _row(tails: IntArray, row: int) -> tuple[int, ...]:
    return tuple(tails[row].tolist())


def _spread_over(groups: Sequence[Bucket], prefix: Sequence[int]) -> list[tuple[int, ...]]:
    """PROBES distinct tails, evenly over the candidates in order of length, shortest and longest
    among them; where there are fewer, tails that begin with tokens of the prefix fill up."""
    ends = np.cumsum([len(indices) for indices, _ in groups])
    chosen: dict[tuple[int, ...], None] = {}
    for place in np.linspace(0, ends[-1] - 1, PROBES).round().astype(int):
        group = int(np.searchsorted(ends, place, side="right"))
        chosen[_row(groups[group][1], int(place - ends[group]))] = None
    first = next(iter(chosen))
    for token in prefix:
        if len(chosen) >= PROBES:
            break
        chosen[(token, *first[1:])] = None
    return list(chosen)
