"""URM: five attributes as normal distributions, their means combined by learned weights.

Facts from the model card of LxzGordon/URM-LLaMa-3.1-8B (the reward is ``logits[0][0]`` of its own
class) and from SGLang, which carries that class as LlamaForSequenceClassificationWithNormal_Weights
(sglang/srt/models/llama_classification.py): score.weight (2·attributes, hidden) gives a mean and an
uncertainty for each attribute in turn; ``weights.fc`` is Linear, SELU, Linear, SELU, Linear on the
same hidden state, without a softmax; the reward is the sum of mean times weight. The adapter was
checked against a plain re-reading of that code on small random checkpoints; never against the real
weights. The published code computes the weights in float16, this one in float32. The position read
is transformers' (last non-pad); the remote code's own rule could not be read.

URM-LLaMa-3-8B has no ``weights.fc`` and combines by fixed numbers: state them as valuebias_weights
(see the score family), with 0 for each uncertainty.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch.nn import functional

from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.heads.backbone import gather_forward, last_non_pad, load_backbone, pad_of

_LAYERS = ("weights.fc.0", "weights.fc.2", "weights.fc.4")
_OWN = ("score.weight", *(f"{layer}.{part}" for layer in _LAYERS for part in ("weight", "bias")))


class NormalFamily:
    """URM's convention; see the module."""

    name = "urm"

    def claims(self, checkpoint: Checkpoint) -> bool:
        return checkpoint.has("score.weight", "weights.fc.0.weight")

    def load(self, checkpoint: Checkpoint, placement: Placement) -> NormalHead:
        return NormalHead(checkpoint, placement)


class NormalHead:
    """Head of URM; see the module."""

    name = "urm"

    def __init__(self, checkpoint: Checkpoint, placement: Placement) -> None:
        stored = checkpoint.tensors(_OWN)
        self._backbone = load_backbone(checkpoint, placement, _OWN)
        self._tensors = {key: tensor.to(placement.device) for key, tensor in stored.items()}
        self._pad = pad_of(self._backbone.config)

    @property
    def backbone(self) -> torch.nn.Module:
        return self._backbone

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        return {"last": last_non_pad(ids, self._pad)}

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        state = hidden["last"].float()
        means = functional.linear(state, self._tensors["score.weight"])[:, 0::2]
        weights = state
        for layer in _LAYERS:
            if layer != _LAYERS[0]:
                weights = functional.selu(weights)
            weights = functional.linear(
                weights, self._tensors[f"{layer}.weight"], self._tensors[f"{layer}.bias"]
            )
        return (means * weights).sum(-1)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return gather_forward(self._backbone, self.reads, self.rewards, input_ids, attention_mask)
