"""ArmoRM and QRM: objectives read at the end, combined by a gate read at the end of the prompt.

Facts taken from the published modelling code (modeling_custom.py of RLHFlow/ArmoRM-Llama3-8B-v0.1,
of nicolinho/QRM-Llama3.1-8B, -v2 and QRM-Gemma-2-27B, and rewardbench/models/qrm.py), the tensor
names from their safetensors indexes. The adapters were checked against plain re-readings of that
code on small random checkpoints with these names and shapes; never against the real weights.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from valuebias.errors import ModelError
from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.heads.backbone import (
    before_first_pad,
    gather_forward,
    load_backbone,
    pad_of,
)

PATTERNS: Mapping[str, tuple[int, ...]] = {
    "llama": (128009, 128006, 78191, 128007, 271),
    "gemma2": (107, 108, 106, 2516, 108),
}
"""Ids that end the user's turn and begin the assistant's: in Llama 3 <|eot_id|><|start_header_id|>
assistant<|end_header_id|> and two newlines, in Gemma 2 <end_of_turn>, newline, <start_of_turn>,
model, newline. The gate reads the first of them, at their last occurrence. A config may state its
own as gating_token_pattern."""

_GATE = re.compile(r"gating\.layers\.(\d+)\.(weight|bias|running_mean|running_var)")
_NORM_EPS = 1e-5  # torch.nn.BatchNorm1d's default, which the published code leaves


class ArmoFamily:
    """ArmoRM: ``regression_layer`` (objectives, hidden), ``reward_transform_matrix`` and a gate of
    linear layers with ReLU between them. reward = sum(gate * (objectives @ matrix))."""

    name = "armorm"

    def claims(self, checkpoint: Checkpoint) -> bool:
        return "num_quantiles" not in checkpoint.config and _is_gated(checkpoint)

    def load(self, checkpoint: Checkpoint, placement: Placement) -> GatedHead:
        return GatedHead(self.name, checkpoint, placement, quantiles=1, temperature=10.0)


class QuantileFamily:
    """QRM: as ArmoRM, but ``regression_layer`` gives quantiles of each objective, of which the mean
    counts, and the gate is linear layers without bias, ReLU and batch normalisation (and dropout,
    which does nothing here). reward_transform_matrix is in the older checkpoints only."""

    name = "qrm"

    def claims(self, checkpoint: Checkpoint) -> bool:
        return "num_quantiles" in checkpoint.config and _is_gated(checkpoint)

    def load(self, checkpoint: Checkpoint, placement: Placement) -> GatedHead:
        quantiles = int(checkpoint.config["num_quantiles"])
        default = 1.0 if checkpoint.config.get("model_type") == "gemma2" else 10.0
        return GatedHead(self.name, checkpoint, placement, quantiles, default)


def _is_gated(checkpoint: Checkpoint) -> bool:
    return checkpoint.has("regression_layer.weight", "gating.logit_scale")


@dataclass(frozen=True)
class _Layer:
    """One parametrised layer of a gate."""

    weight: torch.Tensor
    bias: torch.Tensor | None
    running: tuple[torch.Tensor, torch.Tensor] | None  # mean and variance, of a batch norm


class GatedHead:
    """Head of ArmoRM and QRM; see their families."""

    def __init__(
        self,
        name: str,
        checkpoint: Checkpoint,
        placement: Placement,
        quantiles: int,
        temperature: float,
    ) -> None:
        self.name = name
        own = {
            key
            for key in checkpoint.shapes
            if key.startswith("gating.") or key in {"regression_layer.weight", _MATRIX}
        }
        stored = checkpoint.tensors(own)
        self._backbone = load_backbone(checkpoint, placement, own)
        tensors = {key: tensor.to(placement.device) for key, tensor in stored.items()}
        self._regression = tensors["regression_layer.weight"]
        self._matrix = tensors.get(_MATRIX)
        self._scale = tensors["gating.logit_scale"].reshape(-1)[0]
        self._gate = _gate_layers(tensors)
        self._quantiles = quantiles
        self._temperature = float(checkpoint.config.get("gating_temperature", temperature))
        self._pad = pad_of(self._backbone.config)
        self._pattern = _pattern(checkpoint)
        self._check_shapes(checkpoint)

    def _check_shapes(self, checkpoint: Checkpoint) -> None:
        objectives = self._gate[-1].weight.shape[0]
        if self._regression.shape[0] != objectives * self._quantiles:
            raise ModelError(
                f"the {self.name} head of {checkpoint.name} has inconsistent shapes",
                seen=f"regression_layer {tuple(self._regression.shape)}, {objectives} gate "
                f"outputs, {self._quantiles} quantiles",
                remedy="Give an unaltered checkpoint.",
            )

    @property
    def backbone(self) -> torch.nn.Module:
        return self._backbone

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        size = len(self._pattern)
        for start in range(len(ids) - size, -1, -1):
            if tuple(ids[start : start + size]) == self._pattern:
                return {"last": before_first_pad(ids, self._pad), "gate": start}
        raise ModelError(
            f"the conversation lacks the tokens that the {self.name} gate reads at",
            seen=f"{list(ids[-12:])} at its end, {list(self._pattern)} expected",
            remedy="Use the tokenizer and chat template the model was published with.",
        )

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        quantiles = functional.linear(hidden["last"].float(), self._regression)
        objectives = quantiles.reshape(len(quantiles), -1, self._quantiles).mean(-1)
        if self._matrix is not None:
            objectives = objectives @ self._matrix
        return (self._weights(hidden["gate"].float()) * objectives).sum(-1)

    def _weights(self, hidden: torch.Tensor) -> torch.Tensor:
        """The gate's weight for each objective, (n, objectives)."""
        for i, layer in enumerate(self._gate):
            if layer.running is None:
                hidden = functional.linear(hidden, layer.weight, layer.bias)
                if i < len(self._gate) - 1:
                    hidden = functional.relu(hidden)
            else:
                mean, variance = layer.running
                hidden = functional.batch_norm(
                    hidden, mean, variance, layer.weight, layer.bias, eps=_NORM_EPS
                )
        return functional.softmax(hidden / self._temperature, dim=-1) * self._scale

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return gather_forward(self._backbone, self.reads, self.rewards, input_ids, attention_mask)


_MATRIX = "reward_transform_matrix"


def _gate_layers(tensors: Mapping[str, torch.Tensor]) -> list[_Layer]:
    """The gate's layers in the order of their index in the published ModuleList, whose gaps are the
    layers without parameters (ReLU, dropout)."""
    parts: dict[int, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        if match := _GATE.fullmatch(key):
            parts.setdefault(int(match[1]), {})[match[2]] = tensor
    return [
        _Layer(
            layer["weight"],
            layer.get("bias"),
            (layer["running_mean"], layer["running_var"]) if "running_mean" in layer else None,
        )
        for _, layer in sorted(parts.items())
    ]


def _pattern(checkpoint: Checkpoint) -> tuple[int, ...]:
    stated: Any = checkpoint.config.get("gating_token_pattern")
    if stated is not None:
        return tuple(int(token) for token in stated)
    kind = str(checkpoint.config.get("model_type"))
    if kind not in PATTERNS:
        raise ModelError(
            "the position that the gate of this model reads is unknown",
            seen=f"model_type {kind}",
            remedy='State the ids in its config.json, as in "gating_token_pattern": [1, 2, 3].',
        )
    return PATTERNS[kind]
