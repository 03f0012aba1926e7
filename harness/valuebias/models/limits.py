"""Checks that a model can take an input."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from valuebias.errors import ModelError


def embeddings(model: Any) -> int:
    """How many token ids the model has an embedding for."""
    return int(model.get_input_embeddings().num_embeddings)


def check(model: Any, ids: Sequence[int], where: str) -> None:
    """Raise ModelError on a conversation longer than the model's positions, or on a token it has no
    embedding for; ``where`` names the prompt."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    if limit is not None and len(ids) > limit:
        raise ModelError(
            "a conversation is longer than the model can read",
            seen=f"{len(ids)} tokens on {where}, of {limit}",
            remedy="Shorten the prompt or the responses.",
        )
    if max(ids, default=0) >= embeddings(model):
        raise ModelError(
            "the tokenizer produces a token that the model has no embedding for",
            seen=f"id {max(ids)}, of {embeddings(model)}",
            remedy="Use the tokenizer that belongs to the model.",
        )
