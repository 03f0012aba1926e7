"""GRM: a value head beside the language head of a causal LM.

Facts from rewardbench/models/grm.py and the config.json of Ray2333/GRM-llama3-8B-sftreg: the
checkpoint is a causal LM with ``v_head.summary``, either one Linear or (vhead_layer_type "mlp")
vhead_num_layers times Linear, ReLU and then a Linear, all with bias; dropout does nothing here. The
reward is read at the last position of the attention mask, whatever its id. trl's value heads have
the linear form, and LLaMA-Factory's, which it saves as ``value_head.safetensors`` beside a model or
an adapter. This reading was checked against a plain re-reading of that code on small random
checkpoints; never against the real weights. The GRM exports as sequence classifiers
(GRM-…-rewardmodel-ft) are plain ``score`` models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional
from transformers import AutoModelForCausalLM

from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.heads.adapter import merged
from valuebias.models.heads.backbone import (
    check_complete,
    from_pretrained,
    gather_forward,
    load_backbone,
)

_SUMMARY = re.compile(r"v_head\.summary\.(?:(\d+)\.)?weight")


class ValueFamily:
    """GRM's convention; see the module."""

    name = "grm"

    def claims(self, checkpoint: Checkpoint) -> bool:
        return any(map(_SUMMARY.fullmatch, (*checkpoint.shapes, *checkpoint.adapter_shapes)))

    def load(self, checkpoint: Checkpoint, placement: Placement) -> ValueHead:
        return ValueHead(checkpoint, placement)


class ValueHead:
    """Head of GRM; see the module."""

    name = "grm"

    def __init__(self, checkpoint: Checkpoint, placement: Placement) -> None:
        held = (*checkpoint.shapes, *checkpoint.adapter_shapes)
        own = {key for key in held if key.startswith("v_head.")}
        stems = sorted(
            (key.removesuffix(".weight") for key in own if _SUMMARY.fullmatch(key)),
            key=lambda stem: int(stem.rsplit(".", 1)[-1]) if stem[-1].isdigit() else 0,
        )
        # a bias is part of the convention, so a checkpoint without one is incomplete
        stored = checkpoint.tensors(
            f"{stem}.{part}" for stem in stems for part in ("weight", "bias")
        )
        if checkpoint.files.adapter is None:
            self._backbone = load_backbone(checkpoint, placement, own)
        else:
            model, info = from_pretrained(AutoModelForCausalLM, checkpoint.files.model, placement)
            check_complete(checkpoint, info, own)
            model = merged(model, checkpoint, placement)
            self._backbone = getattr(model, model.base_model_prefix)
        self._layers = [
            (
                stored[f"{stem}.weight"].to(placement.device),
                stored[f"{stem}.bias"].to(placement.device),
            )
            for stem in stems
        ]

    @property
    def backbone(self) -> torch.nn.Module:
        return self._backbone

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        return {"last": len(ids) - 1}

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        value = hidden["last"].float()
        for i, (weight, bias) in enumerate(self._layers):
            value = functional.linear(functional.relu(value) if i else value, weight, bias)
        return value[:, 0]

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return gather_forward(self._backbone, self.reads, self.rewards, input_ids, attention_mask)
