"""Classifiers that only their own forward can run: encoders, and heads of more than one layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from valuebias.search.rung import device_of


class WholeHead:
    """A sequence classifier whose head is not a linear ``score`` on a causal decoder (BERT,
    DeBERTa, ModernBERT): every token sees the response, so conversations are scored whole.

    Only the bottom rung of the search applies; of the head only the last layer runs in float32.
    """

    name = "classifier"
    rungs = ("full",)

    def __init__(self, model: Any, weights: torch.Tensor) -> None:
        self.model = model
        self._weights = weights.to(device_of(model))
        self.second_after: int | None = None
        """The separator after which a pair's second text begins, where token types tell."""

    @property
    def backbone(self) -> torch.nn.Module:
        return getattr(self.model, self.model.base_model_prefix)  # type: ignore[no-any-return]

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        """The last position; what the class really reads (the first, a mean) sees it anyway."""
        return {"last": len(ids) - 1}

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        raise NotImplementedError("a whole classifier has no head apart from its forward")

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        types = {}
        if self.second_after is not None and getattr(self.model.config, "type_vocab_size", 0) > 1:
            separators = (input_ids == self.second_after).long()
            types["token_type_ids"] = (separators.cumsum(-1) - separators).clamp(max=1)
        logits = self.model(input_ids=input_ids, attention_mask=attention_mask, **types).logits
        return logits.float() @ self._weights  # type: ignore[no-any-return]
