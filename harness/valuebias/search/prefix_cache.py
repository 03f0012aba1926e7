"""The middle rung: the model's own key-value cache of the prefix, copied for every candidate."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from valuebias.search.head import Head
from valuebias.search.rung import (
    Dimensions,
    IntArray,
    Refused,
    device_of,
    padded,
    rewards_at_reads,
    to_device,
)


class PrefixCache:
    """Runs the prefix once, then only the tails, each over its own copy of the prefix's cache.

    Works for every layer that the model class itself can continue from its cache, also recurrent
    ones. Memory grows with candidates x prefix.
    """

    name = "prefix-cache"

    def __init__(self, head: Head) -> None:
        self._head = head
        self._sizes = Dimensions(head.backbone)
        self._prefix: list[int] = []
        self._cache: Any = None
        self._before = torch.empty(0)

    def prepare(self, prefix: Sequence[int]) -> None:
        backbone = self._head.backbone
        self._prefix = list(prefix)
        out = backbone(
            input_ids=to_device(np.array([self._prefix]), device_of(backbone)), use_cache=True
        )
        self._cache = getattr(out, "past_key_values", None)
        if not hasattr(self._cache, "reorder_cache"):
            raise Refused("the model returns no cache that can be copied")
        self._before = out.last_hidden_state[0]

    def hidden(self, tails: IntArray, rows: int) -> torch.Tensor:
        backbone = self._head.backbone
        device = device_of(backbone)
        # Recurrent states are updated in place, so every pass needs a copy of its own.
        cache = copy.deepcopy(self._cache)
        cache.reorder_cache(torch.zeros(rows, dtype=torch.long, device=device))
        states: torch.Tensor = backbone(
            input_ids=to_device(padded(tails, rows), device), past_key_values=cache, use_cache=True
        ).last_hidden_state
        return states

    def rewards(self, tails: IntArray, rows: int) -> torch.Tensor:
        hidden = self.hidden(tails, rows)
        return rewards_at_reads(self._head, self._prefix, tails, self._before, hidden)

    def tokens_per_row(self, prefix: int, tail: int) -> int:
        return tail

    def bytes_per_row(self, prefix: int, tail: int) -> float:
        sizes = self._sizes
        # Appending to a cache copies it a layer at a time: at most twice the keys and values.
        kept = 2 * sizes.layers * sizes.kv_heads * sizes.head * (prefix + tail) * sizes.bytes
        return 2.0 * kept + tail * sizes.token_bytes(prefix + tail)
