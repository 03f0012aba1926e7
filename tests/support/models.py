"""Tiny random models saved to disk, for tests: real classes, real tokenizers, no weights that mean
anything.

``build_tokenizer()`` makes a byte-level BPE tokenizer with a chat template, trained on the spot.
``save_reward_model(path, family="llama")`` saves a sequence classifier with its tokenizer;
``save_language_model`` the same as a causal LM. ``test_data()`` is the folder of real material
that VALUEBIAS_TEST_DATA names, or None.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

CHATML = (
    "{{ bos_token }}{% for m in messages %}"
    "<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n"
    "{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A template that writes BOS itself, as most do."""

TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 256,
    "initializer_range": 0.3,  # the default's rewards would hardly differ
}
FAMILIES = {
    "llama": ("Llama", {}),
    "gemma2": ("Gemma2", {"head_dim": 8, "query_pre_attn_scalar": 8, "sliding_window": 16}),
    "qwen3": ("Qwen3", {"head_dim": 8}),
    "mistral": ("Mistral", {"head_dim": 8, "sliding_window": 64}),
    "gpt2": ("GPT2", {}),
}


def test_data() -> Path | None:
    """The folder with real tokenizers and models, where there is one."""
    folder = os.environ.get("VALUEBIAS_TEST_DATA")
    return Path(folder) if folder else None


test_data.__test__ = False  # type: ignore[attr-defined]


@cache
def _trained() -> str:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    from valuebias.prompts import PAPER_PROMPTS

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=500,
        special_tokens=["<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    words = "freedom love power user assistant model happy life kindness strength friend winner"
    tokenizer.train_from_iterator([*(p.text for p in PAPER_PROMPTS), words, words.title()], trainer)
    return tokenizer.to_str()


def build_tokenizer(template: str | None = CHATML, **options: Any) -> Any:
    """A byte-level BPE tokenizer of some 500 tokens; ``template=None`` has no chat template."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    special = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"} | options
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(_trained()),
        additional_special_tokens=["<|im_start|>", "<|im_end|>"],
        clean_up_tokenization_spaces=False,
        **special,
    )
    tokenizer.chat_template = template
    return tokenizer


def build_config(family: str, tokenizer: Any, **options: Any) -> Any:
    """The config of a tiny model whose special ids are the tokenizer's."""
    import transformers

    name, extra = FAMILIES[family]
    return getattr(transformers, f"{name}Config")(
        **{
            **TINY,
            **extra,
            "vocab_size": len(tokenizer),
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id,
            "num_labels": 1,
            **options,
        }
    )


def save_reward_model(
    path: Path, family: str = "llama", *, tokenizer: Any = None, seed: int = 0, **options: Any
) -> Path:
    """Save a randomly initialised reward model (``<Family>ForSequenceClassification``) with its
    tokenizer to a directory; ``options`` go to the config. Returns the directory."""
    return _save(path, family, "ForSequenceClassification", tokenizer, seed, options)


def save_language_model(
    path: Path, family: str = "llama", *, tokenizer: Any = None, seed: int = 0, **options: Any
) -> Path:
    """As ``save_reward_model``, a causal LM."""
    return _save(path, family, "ForCausalLM", tokenizer, seed, options)


def _save(
    path: Path, family: str, kind: str, tokenizer: Any, seed: int, options: dict[str, Any]
) -> Path:
    import torch
    import transformers

    tokenizer = build_tokenizer() if tokenizer is None else tokenizer
    torch.manual_seed(seed)
    name = FAMILIES[family][0] + kind
    name = {"GPT2ForCausalLM": "GPT2LMHeadModel"}.get(name, name)
    model = getattr(transformers, name)(build_config(family, tokenizer, **options))
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path
