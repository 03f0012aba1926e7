"""Wraps a model that is already loaded, with its tokenizer, as the loaders do."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import torch

from valuebias.errors import ModelError
from valuebias.models import preflight as checks
from valuebias.models.conversation_format import conversations
from valuebias.models.files import TEMPLATE
from valuebias.models.heads.score import ScoreHead
from valuebias.models.heads.whole import WholeHead
from valuebias.models.language import LanguageModel
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings

_INCIDENTAL = ("_name_or_path", "transformers_version")


def wrap(
    model: Any, tokenizer: Any, *, name: str, settings: Settings
) -> RewardModel | LanguageModel:
    """A sequence classifier of one label as a reward model, a causal language model as one.

    The model is put into evaluation mode and is otherwise left as it is: on its device, in its
    dtype. Raises ModelError for a model of another kind, for several labels, and where preflight
    refuses it, as `models.loading` does.
    """
    if not isinstance(model, torch.nn.Module) or not hasattr(model, "config"):
        raise ModelError(
            "not a transformers model",
            seen=type(model).__name__,
            remedy="Give a loaded model and its tokenizer, or a spec such as 'org/name'.",
        )
    model.eval()
    parameter = next(model.parameters())
    origin = {
        "source": "memory",
        "dtype": str(parameter.dtype).removeprefix("torch."),
        "device": str(parameter.device),
    }
    common: dict[str, Any] = {
        "name": name,
        "fingerprint": fingerprint(model, tokenizer),
        "chunk_memory": settings.chunk_memory,
        "origin": origin,
    }
    find_head = getattr(model, "get_output_embeddings", None)
    if callable(find_head) and find_head() is not None:
        spoken = LanguageModel(model, tokenizer, **common, answer_cue=settings.answer_cue)
        checks.check_language(spoken, parameter.dtype)
        return spoken
    labels = getattr(model.config, "num_labels", 0)
    if labels != 1:
        raise ModelError(
            "neither a causal language model nor a sequence classifier of one label",
            seen=f"{type(model).__name__} with {labels} labels",
            remedy="Give an AutoModelForSequenceClassification with num_labels=1, or an "
            "AutoModelForCausalLM.",
        )
    linear = isinstance(getattr(model, "score", None), torch.nn.Linear)
    head = (ScoreHead if linear else WholeHead)(model, torch.ones(1))
    chat = conversations(tokenizer, getattr(model.config, TEMPLATE, None), settings, name)
    rewarding = RewardModel(head, tokenizer, chat, **common)
    checks.check(rewarding, parameter.dtype)
    return rewarding


def fingerprint(model: Any, tokenizer: Any) -> str:
    """SHA-256 over the class, its configuration, parameters and buffers, the tokenizer's words and
    template."""
    h = hashlib.sha256(f"memory {type(model).__name__}".encode())
    config = {k: v for k, v in model.config.to_dict().items() if k not in _INCIDENTAL}
    h.update(json.dumps(config, sort_keys=True, default=str).encode())
    for name, tensor in sorted(model.state_dict().items()):
        h.update(f"\x1e{name} {tuple(tensor.shape)} {tensor.dtype}\x1f".encode())
        flat = tensor.detach().cpu().contiguous().reshape(-1)
        h.update(flat.view(torch.uint8).numpy().tobytes())
    words = sorted(tokenizer.get_vocab().items())
    h.update(repr((words, getattr(tokenizer, "chat_template", None))).encode())
    return h.hexdigest()
