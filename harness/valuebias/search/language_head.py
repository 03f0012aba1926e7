"""From the hidden states of a causal language model to logits in float32."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from transformers.modeling_outputs import BaseModelOutputWithPast

from valuebias.errors import visible

# How far our own logits may lie from the model's, as a share of their standard deviation.
_EXACT = 1e-4
_PROBE = 8  # tokens
_SLICE = 8192  # rows of a language head made wide at a time


class LanguageHead:
    """A causal language model taken apart: its decoder, and the way from there to logits.

    ``logits`` runs the language head in float32 whatever the model's precision, with the caps and
    factors of the families that have them (Gemma, Cohere, Granite). Made by ``language_head``,
    which checks it against the model's own forward. In the search it takes the place of a reward
    model's head, but it has no rewards.
    """

    name = "log-probability"

    def __init__(self, model: Any) -> None:
        self.model = model
        weight = model.get_output_embeddings().weight
        self.vocabulary = int(weight.shape[0])
        self._wide = _multiplies_wide(weight)
        config = model.config.get_text_config()
        self._cap = getattr(config, "final_logit_softcapping", None)
        self._factor = float(getattr(config, "logit_scale", None) or 1.0)
        self._factor /= float(getattr(config, "logits_scaling", None) or 1.0)
        takes = inspect.signature(model.forward).parameters
        self._keeps = "logits_to_keep" in takes

    @property
    def backbone(self) -> torch.nn.Module:
        return getattr(self.model, self.model.base_model_prefix)  # type: ignore[no-any-return]

    def bytes_per_token(self) -> int:
        """The memory that ``backbone`` itself needs for a token's logits."""
        return 0

    def logits(self, hidden: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        """float32 logits (n, vocabulary) of hidden states (n, hidden), or of these token ids alone
        (n, rows); the caller may overwrite them."""
        linear = self.model.get_output_embeddings()
        weight, bias = linear.weight, getattr(linear, "bias", None)
        if rows is not None:
            weight, bias = weight[rows].float(), None if bias is None else bias[rows]
        hidden = hidden.to(weight.device)
        if weight.dtype == torch.float32:
            logits = F.linear(hidden.float(), weight)
        elif self._wide:  # products of short floats are exact in the float32 they are added up in
            logits = torch.mm(hidden.to(weight.dtype), weight.T, out_dtype=torch.float32)
        else:
            logits = torch.empty(len(hidden), len(weight), device=weight.device)
            wide = hidden.float()
            for start in range(0, len(weight), _SLICE):
                part = weight[start : start + _SLICE].float()
                logits[:, start : start + _SLICE] = torch.mm(wide, part.T)
        if bias is not None:
            logits += bias
        if self._factor != 1.0:
            logits *= self._factor
        if self._cap:
            logits.div_(self._cap).tanh_().mul_(self._cap)
        return logits

    def own(self, ids: torch.Tensor, last: int, mask: torch.Tensor | None = None) -> torch.Tensor:
        """float32 logits (n, last, vocabulary) at the last positions of ids (n, length), by the
        model class's own forward and in its own precision."""
        options: dict[str, Any] = {"logits_to_keep": last} if self._keeps else {}
        if mask is not None:
            options["attention_mask"] = mask.to(self.model.device)
        ids = ids.to(self.model.device)
        logits: torch.Tensor = self.model(input_ids=ids, use_cache=False, **options).logits
        return logits[:, -last:].float()

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        raise NotImplementedError("a language model has no reward")

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        raise NotImplementedError("a language model has no reward")

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError("a language model has no reward")


def _multiplies_wide(weight: torch.Tensor) -> bool:
    """Whether short floats can be multiplied into float32 on the weight's device: on CUDA, from
    torch 2.8 on."""
    square = torch.zeros(16, 16, dtype=weight.dtype, device=weight.device)
    try:
        torch.mm(square, square, out_dtype=torch.float32)
    except (NotImplementedError, RuntimeError, TypeError):
        return False
    return True


class OwnLogits(LanguageHead):
    """The model's own logits instead of hidden states, for a model whose language head is not
    supported. In low precision they are as coarse as the model makes them."""

    def __init__(self, model: Any) -> None:
        super().__init__(model)
        self._whole = _Whole(model)

    @property
    def backbone(self) -> torch.nn.Module:
        return self._whole

    def bytes_per_token(self) -> int:
        return 8 * self.vocabulary

    def logits(self, hidden: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
        return (hidden if rows is None else hidden[:, rows]).float().clone()


class _Whole(torch.nn.Module):
    """A model with its language head, with a decoder's interface."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.config = model.config
        self.training = model.training

    def get_input_embeddings(self) -> Any:
        return self.model.get_input_embeddings()

    def forward(self, **inputs: Any) -> BaseModelOutputWithPast:
        out = self.model(**inputs)
        return BaseModelOutputWithPast(
            last_hidden_state=out.logits, past_key_values=getattr(out, "past_key_values", None)
        )


def language_head(model: Any) -> tuple[LanguageHead, str]:
    """The head to take logits from: our own in float32 if it agrees with the model's forward on a
    few tokens, else the model's own; and the reason, if it is the latter."""
    head = LanguageHead(model)
    ids = torch.arange(1, 1 + _PROBE)[None].clamp(max=head.vocabulary - 1)
    with torch.inference_mode():
        own = head.own(ids, _PROBE)[0]
        try:
            hidden = head.backbone(
                input_ids=ids.to(model.device), use_cache=False
            ).last_hidden_state[0]
            difference = float((head.logits(hidden) - own).abs().max())
        except Exception as error:  # a model class may raise anything here
            reason = f"{type(error).__name__}: {str(error).strip().partition(chr(10))[0][:200]}"
            return OwnLogits(model), visible(f"float32 logits: {reason}")
    dtype = model.get_output_embeddings().weight.dtype
    largest = float(own.abs().max())
    allowed = 4 * torch.finfo(dtype).eps * largest + _EXACT * float(own.std())
    if difference > allowed:
        return OwnLogits(model), (
            f"float32 logits: they differ from the model's own by {difference:.2g}, "
            f"where rounding explains {allowed:.2g}"
        )
    return head, ""  # values that are not finite are refused where they are scored
