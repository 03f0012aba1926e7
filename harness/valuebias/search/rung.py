"""What the rungs of the ladder share: their interface, read positions, and inputs on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch

from valuebias.errors import SearchError
from valuebias.search.head import Head

IntArray = npt.NDArray[np.int64]


class Refused(SearchError):
    """A rung cannot score this model; ``what`` says why, for the report."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason, remedy="Search this model on a lower rung of the ladder.")

    def __reduce__(self) -> tuple[object, ...]:
        return Refused, (self.what,)


class Rung(Protocol):
    """One way to score the candidates of a prompt."""

    name: str

    def prepare(self, prefix: Sequence[int]) -> None:
        """Compute once what all candidates of this prefix share. Raises Refused."""

    def hidden(self, tails: IntArray, rows: int) -> torch.Tensor:
        """The hidden states of the tails' own tokens, shape (rows, length, hidden), of tails
        (n, length); rows from n on are padding. Raises Refused.
        """

    def rewards(self, tails: IntArray, rows: int) -> torch.Tensor:
        """float32 rewards of shape (n,), on the model's device, of tails (n, length).

        The pass always runs ``rows`` rows, the missing ones copies of the first, so that its
        shape, and with it every bit, does not depend on n. Higher is better. Raises Refused.
        """

    def tokens_per_row(self, prefix: int, tail: int) -> int:
        """Tokens that pass through the model for one candidate."""

    def bytes_per_row(self, prefix: int, tail: int) -> float:
        """An estimate of the extra memory one candidate takes, for planning."""


class Dimensions:
    """The sizes of a decoder that its memory depends on, read from its configuration."""

    def __init__(self, backbone: torch.nn.Module) -> None:
        config: Any = getattr(backbone, "config", None)
        if hasattr(config, "get_text_config"):
            config = config.get_text_config()

        def read(name: str, otherwise: int) -> int:
            value = getattr(config, name, None)
            return value if isinstance(value, int) else otherwise

        self.hidden = read("hidden_size", 1024)
        self.intermediate = read("intermediate_size", 4 * self.hidden)
        self.layers = read("num_hidden_layers", 1)
        self.heads = read("num_attention_heads", 1)
        self.kv_heads = read("num_key_value_heads", self.heads)
        self.head = read("head_dim", max(1, self.hidden // self.heads))
        self.pad = getattr(config, "pad_token_id", None)
        parameter = next(backbone.parameters(), None)
        self.dtype = torch.float32 if parameter is None else parameter.dtype
        self.bytes = self.dtype.itemsize

    def token_bytes(self, keys: int) -> float:
        """Peak bytes that one token of a decoder layer holds while it looks at ``keys`` keys.

        Activations in the model's precision, and attention weights twice in float32.
        """
        width = 8 * self.hidden + 3 * self.intermediate
        width += 2 * (self.heads + 2 * self.kv_heads) * self.head
        return self.bytes * width + 8.0 * self.heads * keys + 4.0 * self.hidden


def device_of(backbone: torch.nn.Module) -> torch.device:
    """Where the backbone wants its ids: the device of its first parameter (the embedding). Those
    that accelerate moves in when they are needed lie nowhere."""
    parameter = next((each for each in backbone.parameters() if not each.is_meta), None)
    return torch.device("cpu") if parameter is None else parameter.device


def to_device(ids: IntArray, device: torch.device) -> torch.Tensor:
    """The integers on the device, without waiting for what the device is doing."""
    tensor = torch.from_numpy(ids)
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)


def padded(ids: IntArray, rows: int) -> IntArray:
    """The array with its first row repeated until there are ``rows``."""
    return np.concatenate([ids, np.repeat(ids[:1], rows - len(ids), axis=0)])


def read_positions(head: Head, prefix: Sequence[int], tails: IntArray) -> dict[str, IntArray]:
    """For each read of the head, its position in each whole conversation: shape (len(tails),).

    Asked for every candidate, since only the head knows which tokens clash with a pad id or a token
    pattern; on an accelerator this happens while the device computes.
    """
    before = list(prefix)
    each = [head.reads(before + tail) for tail in tails.tolist()]
    length = len(before) + tails.shape[1]
    by_read: dict[str, IntArray] = {}
    for name in each[0]:
        positions = np.fromiter((read[name] for read in each), np.int64, len(each))
        if positions.min() < 0 or positions.max() >= length:
            raise SearchError(
                f"head {head.name!r} reads {name!r} outside a conversation of {length} tokens",
                seen=[int(positions.min()), int(positions.max())],
                remedy="Fix the head's reads().",
            )
        by_read[name] = positions
    return by_read


def rewards_at_reads(
    head: Head, prefix: Sequence[int], tails: IntArray, before: torch.Tensor, after: torch.Tensor
) -> torch.Tensor:
    """The head's rewards, shape (len(tails),), from the hidden states at its reads.

    ``before`` (prefix, hidden) are the prefix's hidden states, which causal candidates share;
    ``after`` (rows, tail, hidden) the tails' own, rows beyond the last tail being padding.
    """
    rows, shared = after.shape[0], before.shape[0]
    hidden: dict[str, torch.Tensor] = {}
    for name, position in read_positions(head, prefix, tails).items():
        low, high = int(position.min()), int(position.max())
        if low == high:
            hidden[name] = after[:, low - shared] if low >= shared else before[low].expand(rows, -1)
            continue
        where = to_device(padded(position, rows), after.device)
        at = after[torch.arange(rows, device=after.device), (where - shared).clamp_min(0)]
        if low < shared:
            inside = before.to(after.device)[where.clamp_max(shared - 1)]
            at = torch.where((where < shared)[:, None], inside, at)
        hidden[name] = at
    device = device_of(head.backbone)  # layers may lie on several
    return head.rewards({name: at.to(device) for name, at in hidden.items()})[: len(tails)]
