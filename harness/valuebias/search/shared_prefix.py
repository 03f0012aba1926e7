"""The top rung: attention in which all candidates use one copy of the prefix.

The queries of all candidates meet the prefix's keys in one matrix product a head (the
decomposition of Hydragen, arXiv 2402.05099), the few tokens of a tail meet each other by
elementwise products, and one softmax joins both. Only the tails' tokens pass through the model, and
the prefix is kept once, whatever the number of candidates.

The function enters models through transformers' attention registry, so it runs in any architecture
that uses the registry and refuses in one that does not: it counts its calls and accepts no mask and
no unknown argument. The self-check of the Searcher detects a family that passes these guards
wrongly.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from transformers import PretrainedConfig
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

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

IMPLEMENTATION = "valuebias_shared_prefix"

# Arguments that models pass to every implementation and that change no number here.
_HARMLESS = frozenset(
    {
        "cache_position",
        "deterministic",
        "kernel_options",
        "output_attentions",
        "output_hidden_states",
        "output_router_logits",
        "position_ids",
        "return_dict",
        "target_dtype",
        "use_cache",
    }
)


class _Layer(NamedTuple):
    """The prefix as one attention call sees it: keys (heads, dim, P), values (heads, P, dim)."""

    keys: torch.Tensor
    values: torch.Tensor


@dataclass
class _Pass:
    """The state of one pass: attention calls are matched by their order, since a layer may make
    several and its index does not tell them apart."""

    mode: Literal["capture", "attend"]
    layers: list[_Layer] = field(default_factory=list)
    used: int = 0


# A context variable: every thread and every nested search has its own, and a forward pass that
# calls our implementation outside a search has none and refuses.
_current: ContextVar[_Pass | None] = ContextVar("valuebias_shared_prefix", default=None)


def shared_prefix_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    softcap: float | None = None,
    sliding_window: int | None = None,
    s_aux: torch.Tensor | None = None,
    is_causal: bool | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """An attention implementation of transformers: query (n, heads, s, dim), key and value
    (n, kv heads, s, dim) of the new tokens alone, to an output (n, s, heads, dim).

    Raises Refused for everything that it may compute differently from the model.
    """
    state = _current.get()
    if state is None:
        raise Refused("shared-prefix attention was called outside a search")
    unknown = sorted(k for k, v in others.items() if v is not None and k not in _HARMLESS)
    if unknown:
        raise Refused(f"the model passes unknown attention arguments: {', '.join(unknown)}")
    if attention_mask is not None:
        raise Refused("the model builds an attention mask of its own")
    if not (getattr(module, "is_causal", True) if is_causal is None else is_causal):
        raise Refused("the attention is bidirectional")
    if dropout:
        raise Refused("attention dropout is on")
    if key.shape[2] != query.shape[2]:
        raise Refused("keys and queries differ in number: cross-attention, or a cache of its own")
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    if state.mode == "capture":
        return _capture(state, query, key, value, scaling, softcap, sliding_window, s_aux), None
    if state.used >= len(state.layers):
        raise Refused("a tail makes more attention calls than the prefix did")
    layer = state.layers[state.used]
    state.used += 1
    return _attend(layer, query, key, value, scaling, softcap, sliding_window, s_aux), None


def _capture(
    state: _Pass,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float,
    softcap: float | None,
    window: int | None,
    sinks: torch.Tensor | None,
) -> torch.Tensor:
    """Plain causal attention of the prefix, batch of one; keeps its keys and values."""
    heads, length = query.shape[1], query.shape[2]
    groups = heads // key.shape[1]
    keys = key[0].repeat_interleave(groups, 0)
    values = value[0].repeat_interleave(groups, 0)
    weights = torch.matmul(query[0], keys.transpose(1, 2)).float().mul_(scaling)
    _cap(weights, softcap)
    at = torch.arange(length, device=weights.device)
    distance = at[:, None] - at
    hidden = distance < 0
    if window:
        hidden |= distance >= window
    weights.masked_fill_(hidden, float("-inf"))
    if sinks is not None:
        sink = sinks.float().reshape(heads, 1, 1).expand(heads, length, 1)
        weights = torch.cat([weights, sink], -1)
    shares = weights.softmax(-1)[..., :length].to(value.dtype)
    state.layers.append(_Layer(keys.transpose(1, 2).contiguous(), values.contiguous()))
    return torch.matmul(shares, values).transpose(0, 1)[None].contiguous()


def _attend(
    layer: _Layer,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float,
    softcap: float | None,
    window: int | None,
    sinks: torch.Tensor | None,
) -> torch.Tensor:
    """The tails over the shared prefix and over themselves, joined in one softmax."""
    n, heads, s, dim = query.shape
    kv_heads, out_dim = key.shape[1], value.shape[-1]
    groups, prefix = heads // kv_heads, layer.keys.shape[2]
    total = prefix + s

    q = query.transpose(1, 2)
    weights = torch.empty(
        (heads, n * s, total + (sinks is not None)), dtype=torch.float32, device=query.device
    )
    _scaled_product(
        q.reshape(n * s, heads, dim).transpose(0, 1), layer.keys, scaling, weights[:, :, :prefix]
    )
    by_row = weights.view(heads, n, s, -1)
    grouped = q.reshape(n, s, kv_heads, groups, dim)
    k, v = key.transpose(1, 2), value.transpose(1, 2)
    for j in range(s):  # tail token j as a key, for tail tokens j and later as queries
        product = grouped[:, j:] * k[:, j, None, :, None, :]
        dots = product.sum(-1, dtype=torch.float32).reshape(n, s - j, heads)
        torch.mul(dots.permute(2, 0, 1), scaling, out=by_row[:, :, j:, prefix + j])
    _cap(weights[:, :, :total], softcap)
    for j in range(1, s):
        by_row[:, :, :j, prefix + j] = float("-inf")
    if window and total > window:
        at = torch.arange(total, device=weights.device)
        far = at[prefix:, None] - at >= window
        by_row[..., :total].masked_fill_(far, float("-inf"))
    if sinks is not None:
        weights[:, :, -1] = sinks.float().reshape(heads, 1)
    shares = weights.softmax(-1).to(value.dtype)

    out = torch.empty((n * s, heads, out_dim), dtype=value.dtype, device=query.device)
    torch.bmm(shares[:, :, :prefix], layer.values, out=out.transpose(0, 1))
    mixed = out.view(n, s, kv_heads, groups, out_dim)
    shares_by_row = shares.view(heads, n, s, -1)
    for j in range(s):
        share = shares_by_row[:, :, j:, prefix + j].permute(1, 2, 0)
        mixed[:, j:].addcmul_(
            share.reshape(n, s - j, kv_heads, groups, 1), v[:, j, None, :, None, :]
        )
    return out.view(n, s, heads, out_dim)


def _scaled_product(a: torch.Tensor, b: torch.Tensor, scaling: float, out: torch.Tensor) -> None:
    """``out = scaling * a @ b`` by batch, in one pass where the types are the same."""
    if a.dtype == out.dtype:
        torch.baddbmm(out, a, b, beta=0, alpha=scaling, out=out)
    else:
        torch.mul(torch.bmm(a, b), scaling, out=out)


def _cap(weights: torch.Tensor, softcap: float | None) -> None:
    if softcap:
        weights.div_(softcap).tanh_().mul_(softcap)


# Registered as an attention function but not as a mask function, on purpose: transformers then
# builds no mask; a mask that arrives nevertheless is the model's own, and is refused.
ALL_ATTENTION_FUNCTIONS.register(IMPLEMENTATION, shared_prefix_attention)


def _configs(backbone: torch.nn.Module) -> list[PretrainedConfig]:
    """Every configuration that selects the attention of the backbone's modules, outer first."""
    configs: dict[int, PretrainedConfig] = {}

    def add(config: Any) -> None:
        if isinstance(config, PretrainedConfig) and id(config) not in configs:
            configs[id(config)] = config
            for name in config.sub_configs:
                add(getattr(config, name, None))

    for module in backbone.modules():
        add(getattr(module, "config", None))
    return list(configs.values())


class SharedPrefix:
    """Runs the prefix once and then only the tails, over one copy of the prefix's keys and values.

    Extra memory is that of the tails' own tokens; it does not grow with candidates x prefix. The
    model's attention implementation is switched for the length of a pass and put back.
    """

    name = "shared-prefix"

    def __init__(self, head: Head) -> None:
        self._head = head
        self._sizes = Dimensions(head.backbone)
        self._configs = _configs(head.backbone)
        self._prefix: list[int] = []
        self._layers: list[_Layer] = []
        self._before = torch.empty(0)

    def prepare(self, prefix: Sequence[int]) -> None:
        backbone = self._head.backbone
        if not self._configs:
            raise Refused("the backbone has no transformers configuration")
        self._prefix, state = list(prefix), _Pass("capture")
        with self._attention(state):
            out = backbone(
                input_ids=to_device(np.array([self._prefix]), device_of(backbone)), use_cache=False
            )
        calls, layers = len(state.layers), self._sizes.layers
        if not calls or calls % layers:
            raise Refused(f"{calls} attention calls through the registry for {layers} layers")
        self._layers, self._before = state.layers, out.last_hidden_state[0]

    def hidden(self, tails: IntArray, rows: int) -> torch.Tensor:
        backbone = self._head.backbone
        device = device_of(backbone)
        start, length = len(self._prefix), len(tails[0])
        at = torch.arange(start, start + length, device=device)[None]
        state = _Pass("attend", self._layers)
        with self._attention(state):
            states: torch.Tensor = backbone(
                input_ids=to_device(padded(tails, rows), device), position_ids=at, use_cache=False
            ).last_hidden_state
        if state.used != len(self._layers):
            raise Refused(
                f"{state.used} attention calls for a tail and {len(self._layers)} for the prefix"
            )
        return states

    def rewards(self, tails: IntArray, rows: int) -> torch.Tensor:
        hidden = self.hidden(tails, rows)
        return rewards_at_reads(self._head, self._prefix, tails, self._before, hidden)

    def tokens_per_row(self, prefix: int, tail: int) -> int:
        return tail

    def bytes_per_row(self, prefix: int, tail: int) -> float:
        return tail * self._sizes.token_bytes(prefix + tail)

    @contextmanager
    def _attention(self, state: _Pass) -> Iterator[None]:
        """The model with our attention, and its own again afterwards, whatever happens."""
        own = [config._attn_implementation for config in self._configs]
        token = _current.set(state)
        try:
            for config in self._configs:
                config._attn_implementation = IMPLEMENTATION
            yield
        finally:
            _current.reset(token)
            for config, implementation in zip(self._configs, own, strict=True):
                config._attn_implementation = implementation
