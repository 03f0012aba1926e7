"""Nemotron: a causal LM whose logit of token 0, at the last position, is the reward.

Facts from the model cards of nvidia/Llama-3.1-Nemotron-70B-Reward-HF and
Llama-3.3-Nemotron-70B-Reward (``generate(max_new_tokens=1, output_scores=True)``, then
``scores[0][0][0]``) and from the authors' reply in the former's discussion 7: the reward head was
copied to the output embedding of the first token. Nothing in such a checkpoint tells it from a
language model, so only these ids are taken for reward models, and any model whose config.json says
``"valuebias_head": "first-logit"``. Checked on small random models against their own forward; never
against the real weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.heads.backbone import check_complete, from_pretrained, refuse_adapter

NAMES = frozenset(
    {
        "Llama-3.1-Nemotron-70B-Reward-HF",
        "Llama-3.3-Nemotron-70B-Reward",
        "Llama-3.3-Nemotron-70B-Reward-Multilingual",
    }
)
"""Last components of hub ids, or names of directories, that follow the convention."""


class FirstLogitFamily:
    """Nemotron's convention; see the module."""

    name = "first-logit"

    def claims(self, checkpoint: Checkpoint) -> bool:
        return checkpoint.name.rsplit("/", 1)[-1] in NAMES and not checkpoint.has("score.weight")

    def load(self, checkpoint: Checkpoint, placement: Placement) -> FirstLogitHead:
        refuse_adapter(checkpoint)
        model, info = from_pretrained(AutoModelForCausalLM, checkpoint.files.model, placement)
        check_complete(checkpoint, info, frozenset())
        return FirstLogitHead(model)


class FirstLogitHead:
    """Head of Nemotron; see the module."""

    name = "first-logit"

    def __init__(self, model: Any) -> None:
        self.model = model
        output = model.get_output_embeddings()
        self._row = output.weight[0].float()
        self._bias = 0.0 if getattr(output, "bias", None) is None else output.bias[0].float()
        self._cap = getattr(model.config, "final_logit_softcapping", None)

    @property
    def backbone(self) -> torch.nn.Module:
        return getattr(self.model, self.model.base_model_prefix)  # type: ignore[no-any-return]

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        return {"last": len(ids) - 1}

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        logit: torch.Tensor = hidden["last"].float() @ self._row + self._bias
        return logit if self._cap is None else torch.tanh(logit / self._cap) * self._cap

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Through the language model's own forward."""
        logits: torch.Tensor = self.model(
            input_ids=input_ids, attention_mask=attention_mask, use_cache=False
        ).logits
        last = attention_mask.sum(-1) - 1
        return logits[torch.arange(len(logits), device=logits.device), last, 0].float()
