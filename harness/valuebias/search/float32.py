"""A model that was loaded in half precision, computed in float32 for a few conversations."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import torch

Kept = list[tuple[torch.Tensor, torch.Tensor]]
"""Tensors of a module that were widened, each with what it held."""


@contextlib.contextmanager
def in_float32(module: torch.nn.Module) -> Iterator[None]:
    """Compute in float32, with the weights and constants as they were loaded; afterwards all is
    as before.

    The layers (what its lists of modules hold) are widened one at a time, while they run, so that
    the memory of one layer is what it takes; whatever is not in a layer stays widened. Nothing else
    may compute with the module meanwhile.
    """
    layers = [
        layer
        for part in module.modules()
        if isinstance(part, torch.nn.ModuleList)
        for layer in part
    ]
    inside = {id(tensor) for layer in layers for tensor in _tensors(layer)}
    rest = _widened(tensor for tensor in _tensors(module) if id(tensor) not in inside)
    hooks: list[Any] = []
    try:
        for layer in layers:
            hooks += _while_it_runs(layer)
        yield
    finally:
        for hook in hooks:
            hook.remove()
        _restore(rest)


def _while_it_runs(layer: torch.nn.Module) -> list[Any]:
    kept: Kept = []

    def before(layer: torch.nn.Module, *_: object) -> None:
        kept.extend(_widened(_tensors(layer)))

    def after(*_: object) -> None:
        _restore(kept)
        kept.clear()

    return [
        layer.register_forward_pre_hook(before),
        layer.register_forward_hook(after, always_call=True),
    ]


def _tensors(module: torch.nn.Module) -> Iterator[torch.Tensor]:
    yield from module.parameters()
    yield from module.buffers()


def _widened(tensors: Iterable[torch.Tensor]) -> Kept:
    """Those of half precision, made float32."""
    kept = [(t, t.data) for t in tensors if t.dtype in (torch.bfloat16, torch.float16)]
    with torch.inference_mode(False):
        for tensor, data in kept:
            tensor.data = data.float()
    return kept


def _restore(kept: Kept) -> None:
    with torch.inference_mode(False):
        for tensor, data in kept:
            tensor.data = data
