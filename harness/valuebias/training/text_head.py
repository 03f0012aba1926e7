"""The base's language head beside a reward head, on the hidden states they share."""

from __future__ import annotations

from typing import Any

import torch
from transformers.modeling_outputs import BaseModelOutputWithPast

from valuebias.errors import ModelError


class TextHead:
    """Log-probabilities of text from a reward model's hidden states.

    It is the base's causal model with its decoder taken out: what lies between hidden states and
    logits (scaling, soft caps) is the model's own code. The head is frozen; gradients pass through
    it into the hidden states.
    """

    def __init__(self, causal: Any, classifier: Any) -> None:
        prefix = causal.base_model_prefix
        if not isinstance(getattr(causal, prefix, None), torch.nn.Module):
            raise ModelError(
                "the base's language head cannot be used apart from its decoder",
                seen=type(causal).__name__,
                remedy="Train without `regularizer: text`.",
            )
        if causal.config.get_text_config().tie_word_embeddings:
            # frozen: one copy is enough
            causal.get_output_embeddings().weight = classifier.get_input_embeddings().weight
        self._given = _Given()
        setattr(causal, prefix, self._given)
        self._causal = causal.requires_grad_(False).eval()
        self._hidden: torch.Tensor | None = None

    def watch(self, score: torch.nn.Module) -> None:
        """Keep the inputs of this module, the reward head, from now on."""
        score.register_forward_pre_hook(self._keep)

    def to(self, device: torch.device) -> None:
        self._causal.to(device)

    def log_probability(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, response: torch.Tensor
    ) -> torch.Tensor:
        """Sum of log p over the tokens from ``response`` (n,) to the end, of the first n rows of
        the batch the reward model was last run on; shape (n,)."""
        assert self._hidden is not None
        hidden, self._hidden = self._hidden[: len(response)], None
        ids, mask = input_ids[: len(response)], attention_mask[: len(response)].bool()
        place = torch.arange(ids.shape[1], device=ids.device)
        predicted = (place[None, :] >= response[:, None]) & mask
        predicted[:, 0] = False
        row, column = predicted.nonzero(as_tuple=True)
        logits = self.logits(hidden[row, column - 1])
        chosen = logits.float().log_softmax(-1).gather(1, ids[row, column][:, None])[:, 0]
        return torch.zeros(len(response), device=ids.device).index_add(0, row, chosen)

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """The language head's logits (n, vocabulary) of hidden states (n, width)."""
        self._given.hidden = hidden[None]
        try:
            dummy = torch.zeros((1, len(hidden)), dtype=torch.long, device=hidden.device)
            logits: torch.Tensor = self._causal(input_ids=dummy, use_cache=False).logits
        finally:
            self._given.hidden = None
        return logits[0]

    def _keep(self, module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self._hidden = inputs[0]


class _Given(torch.nn.Module):
    """Replaces a decoder, and returns the hidden states it is given."""

    hidden: torch.Tensor | None = None

    def forward(self, *args: Any, **options: Any) -> BaseModelOutputWithPast:
        return BaseModelOutputWithPast(last_hidden_state=self.hidden)
