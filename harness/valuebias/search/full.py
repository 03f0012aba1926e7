"""The bottom rung: batched full sequences through the head's own forward."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from valuebias.search.head import Head
from valuebias.search.rung import Dimensions, IntArray, device_of, padded, to_device


class FullSequences:
    """Every candidate as a whole conversation. Slow, but correct for any model class."""

    name = "full"

    def __init__(self, head: Head) -> None:
        self._head = head
        self._sizes = Dimensions(head.backbone)
        self._prefix: list[int] = []

    def prepare(self, prefix: Sequence[int]) -> None:
        self._prefix = list(prefix)

    def hidden(self, tails: IntArray, rows: int) -> torch.Tensor:
        states: torch.Tensor = self._head.backbone(
            input_ids=self._whole(tails, rows), use_cache=False
        ).last_hidden_state
        return states[:, len(self._prefix) :]

    def rewards(self, tails: IntArray, rows: int) -> torch.Tensor:
        ids = self._whole(tails, rows)
        # Transformers refuses batches if no pad token is defined: then one row at a time.
        step = rows if self._sizes.pad is not None else 1
        parts = [self._head.forward(part, torch.ones_like(part)) for part in torch.split(ids, step)]
        return torch.cat(parts)[: len(tails)]

    def _whole(self, tails: IntArray, rows: int) -> torch.Tensor:
        before = np.tile(np.array(self._prefix, dtype=np.int64), (rows, 1))
        whole = np.concatenate([before, padded(tails, rows)], axis=1)
        return to_device(whole, device_of(self._head.backbone))

    def tokens_per_row(self, prefix: int, tail: int) -> int:
        return prefix + tail

    def bytes_per_row(self, prefix: int, tail: int) -> float:
        return (prefix + tail) * self._sizes.token_bytes(prefix + tail)
