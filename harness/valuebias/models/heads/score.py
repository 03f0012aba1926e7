"""Plain ``score`` heads: whatever AutoModelForSequenceClassification loads."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch.nn import functional
from transformers import AutoModelForSequenceClassification

from valuebias.errors import ModelError
from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.heads.adapter import merged
from valuebias.models.heads.backbone import check_complete, from_pretrained, last_non_pad, pad_of
from valuebias.models.heads.whole import WholeHead

_OUTPUTS = ("score", "classifier", "classifier.out_proj")
"""The last layers of classifiers; a row of their weights is a label."""


class ScoreFamily:
    """A linear head named ``score`` on the last non-pad position.

    Skywork-Reward, the GRM exports as sequence classifiers, and anything trl's RewardTrainer saves.
    Classifiers with another head (encoders, say) are run whole: see WholeHead.
    Several labels are combined only by weights that config.json states:
    ``"valuebias_weights": [0, 1]`` takes the second. PEFT adapters are merged into their base.
    """

    name = "score"

    def claims(self, checkpoint: Checkpoint) -> bool:
        return True

    def load(self, checkpoint: Checkpoint, placement: Placement) -> ScoreHead | WholeHead:
        own = checkpoint.shapes if checkpoint.files.adapter is None else checkpoint.adapter_shapes
        # the config need not declare how many labels there are, nor an adapter's base
        names = [f"{layer}.weight" for layer in _OUTPUTS]
        of_head = (own.get(name) or checkpoint.shapes.get(name) for name in names)
        labels = next((shape[0] for shape in of_head if shape), checkpoint.num_labels)
        weights = _label_weights(checkpoint, labels)
        model, info = from_pretrained(
            AutoModelForSequenceClassification, checkpoint.files.model, placement, num_labels=labels
        )
        if checkpoint.files.adapter is None:
            check_complete(checkpoint, info, frozenset())
        else:
            still_missing = set(info["missing_keys"]) - set(own)
            check_complete(checkpoint, {**info, "missing_keys": still_missing}, frozenset())
            model = merged(model, checkpoint, placement)
        stated = checkpoint.files.stated
        if "pad_token_id" in stated:
            model.config.get_text_config().pad_token_id = stated["pad_token_id"]
        linear = isinstance(getattr(model, "score", None), torch.nn.Linear)
        _compute_output_in_float32(model, checkpoint, own, placement.device)
        return (ScoreHead if linear else WholeHead)(model, weights)


def _compute_output_in_float32(
    model: Any, checkpoint: Checkpoint, own: Iterable[str], device: torch.device
) -> None:
    """Replace the layer that the labels come out of. Its numbers are those stored, not as rounded
    on loading; an adapter may also have changed its base's head."""
    for layer in _OUTPUTS:
        try:
            linear = model.get_submodule(layer)
        except AttributeError:
            continue
        if isinstance(linear, torch.nn.Linear):
            names = {f"{layer}.weight", f"{layer}.bias"}
            stored = checkpoint.tensors(names & set(own))
            by_part = {name.removeprefix(f"{layer}."): tensor for name, tensor in stored.items()}
            model.set_submodule(layer, FloatLinear(linear, by_part, device))


def _label_weights(checkpoint: Checkpoint, labels: int) -> torch.Tensor:
    declared = checkpoint.config.get("valuebias_weights")
    if declared is None and labels == 1:
        return torch.ones(1)
    if declared is None:
        names = checkpoint.config.get("id2label") or {}
        raise ModelError(
            f"{checkpoint.name} gives {labels} labels, and nothing states which one is the reward",
            seen=", ".join(str(name) for name in names.values()) or f"num_labels={labels}",
            remedy='State a weight for each in its config.json, as in "valuebias_weights": '
            f"{[0] * (labels - 1) + [1]} for the last.",
        )
    try:
        weights = torch.tensor([float(value) for value in declared])
    except (TypeError, ValueError):
        weights = torch.empty(0)
    if len(weights) != labels or not weights.isfinite().all() or not weights.any():
        raise ModelError(
            "the config's valuebias_weights do not fit the model's labels",
            seen=declared,
            remedy=f"Give {labels} finite numbers, not all zero.",
        )
    return weights


class FloatLinear(torch.nn.Linear):
    """A linear layer computed in float32, whatever its input.

    In bfloat16 a vocabulary's rewards fall on some thousand values, and nearly all are ties.
    """

    def __init__(
        self, linear: torch.nn.Linear, stored: Mapping[str, torch.Tensor], device: torch.device
    ) -> None:
        bias = linear.bias is not None
        super().__init__(linear.in_features, linear.out_features, bias, device, torch.float32)
        with torch.no_grad():
            self.weight.copy_(stored.get("weight", linear.weight))
            if bias:
                self.bias.copy_(stored.get("bias", linear.bias))
        self.requires_grad_(False)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return functional.linear(
            hidden.to(self.weight), self.weight, self.bias if self.bias is not None else None
        )


class ScoreHead:
    """Head of a sequence classifier; see ScoreFamily."""

    name = "score"

    def __init__(self, model: Any, weights: torch.Tensor) -> None:
        self.model = model
        self._weights = weights.to(model.score.weight.device)
        self._pad = pad_of(model.config)

    @property
    def backbone(self) -> torch.nn.Module:
        return getattr(self.model, self.model.base_model_prefix)  # type: ignore[no-any-return]

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        return {"last": last_non_pad(ids, self._pad)}

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self._combined(self.model.score(hidden["last"]))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Through the model class's own forward, which finds the last position by the pad id."""
        if self._pad is None:  # the class takes no batch then
            rows = [
                ids[mask.bool()][None] for ids, mask in zip(input_ids, attention_mask, strict=True)
            ]
            logits = torch.cat([self.model(input_ids=row, use_cache=False).logits for row in rows])
        else:
            padded = torch.where(attention_mask.bool(), input_ids, self._pad)
            logits = self.model(
                input_ids=padded, attention_mask=attention_mask, use_cache=False
            ).logits
        return self._combined(logits)

    def _combined(self, logits: torch.Tensor) -> torch.Tensor:
        """One number from each row's labels."""
        return logits.float() @ self._weights
