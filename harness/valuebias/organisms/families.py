"""The architectures organisms are grown in, and what each needs in order to learn as Gemma 2 does.

Gemma 2 was grown first: it multiplies its embeddings by the root of their width and normalises what
every block adds to them. Grown with the same schedule, a plain Llama drowns its small embeddings in
what its blocks add, its attention saturates, and what a reward model reads is the same for many
replies. Two things are done about it while it learns, and neither leaves anything in the saved
model that a Llama has not: its embeddings are as large as Gemma's after the multiplication, with a
final norm as small as that makes necessary (``stretch``), and the matrices that decide how much a
block adds stay as large as they began (``Bounds``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch
from transformers import (
    Gemma2Config,
    Gemma2ForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

Family = Literal["gemma", "llama"]

_SPREAD = 0.09


@dataclass(frozen=True)
class Size:
    """Shape of the organism."""

    hidden: int = 128
    layers: int = 2
    heads: int = 8
    ffn: int = 256


def build_model(
    tokenizer: PreTrainedTokenizerBase, size: Size, seed: int, family: Family = "gemma"
) -> PreTrainedModel:
    """A randomly initialised model with tied embeddings."""
    head = size.hidden // size.heads
    shape: dict[str, Any] = {
        "vocab_size": len(tokenizer),
        "hidden_size": size.hidden,
        "intermediate_size": size.ffn,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.heads // 2,
        "head_dim": head,
        "max_position_embeddings": 512,
        "initializer_range": _SPREAD,
        "tie_word_embeddings": True,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
    }
    torch.manual_seed(seed)
    if family == "gemma":
        config = Gemma2Config(**shape, query_pre_attn_scalar=head, sliding_window=128)
        config._attn_implementation = "eager"
        return Gemma2ForCausalLM(config)
    model = LlamaForCausalLM(LlamaConfig(**shape))
    with torch.no_grad():
        model.model.embed_tokens.weight.mul_(stretch(model))
        model.model.norm.weight.div_(stretch(model))
    return model


def stretch(model: Any) -> float:
    """How many times larger than Gemma's the embedding weights of this model are: 1, or the factor
    that Gemma applies to them when it reads."""
    if hasattr(model.model.embed_tokens, "embed_scale"):
        return 1.0
    return math.sqrt(model.config.hidden_size)


@dataclass(frozen=True)
class Bounds:
    """Holds matrices at the norm they began with at most: (matrix, largest Frobenius norm) each."""

    matrices: tuple[tuple[torch.nn.Parameter, float], ...]

    @classmethod
    def of(cls, model: Any) -> Bounds:
        """Of a model that does not normalise what its blocks add, all matrices of them but those of
        queries and keys; none of a Gemma 2."""
        if hasattr(model.model.layers[0], "post_feedforward_layernorm"):
            return cls(())
        return cls(
            tuple(
                (matrix, _SPREAD * math.sqrt(matrix.numel()))
                for name, matrix in model.model.layers.named_parameters()
                if matrix.ndim == 2 and not name.endswith(("q_proj.weight", "k_proj.weight"))
            )
        )

    @torch.no_grad()
    def hold(self) -> None:
        """Scale down every matrix that has grown beyond its bound."""
        for matrix, largest in self.matrices:
            matrix.mul_((largest / matrix.norm()).clamp(max=1.0))
