"""Real tokenizers from the folder VALUEBIAS_TEST_DATA names, with their published templates."""

from __future__ import annotations

from pathlib import Path
from typing import Any

LLAMA2_TEMPLATE = (
    "{% for m in messages %}{% if m['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + m['content'].strip() + ' [/INST]' }}"
    "{% else %}{{ ' '  + m['content'].strip() + ' ' + eos_token }}{% endif %}{% endfor %}"
)
LLAMA3_TEMPLATE = (
    "{% for m in messages %}{% set content = '<|start_header_id|>' + m['role'] + "
    "'<|end_header_id|>\n\n' + m['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.first %}{% set content = bos_token + content %}{% endif %}{{ content }}"
    "{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
_LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def llama2(folder: Path) -> Any:
    """Llama 2's SentencePiece tokenizer."""
    from transformers import PreTrainedTokenizerFast

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizers" / "llama2.tokenizer.json"),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = LLAMA2_TEMPLATE
    return tokenizer


def gpt2(folder: Path) -> Any:
    """GPT-2's byte-level BPE, which has no template and adds no BOS; pad = eos, as is usual."""
    from transformers import PreTrainedTokenizerFast

    end = "<|endoftext|>"
    return PreTrainedTokenizerFast(
        tokenizer_file=str(folder / "tokenizers" / "gpt2.tokenizer.json"),
        bos_token=end,
        eos_token=end,
        pad_token=end,
        clean_up_tokenization_spaces=False,
    )


def llama3(folder: Path) -> Any:
    """Llama 3's tokenizer, from its tiktoken file and the 256 special tokens that follow."""
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter

    special = ["<|begin_of_text|>", "<|end_of_text|>"]
    special += [f"<|reserved_special_token_{i}|>" for i in range(4)]
    special += ["<|start_header_id|>", "<|end_header_id|>", "<|reserved_special_token_4|>"]
    special += ["<|eot_id|>", *(f"<|reserved_special_token_{i}|>" for i in range(5, 251))]
    converter = TikTokenConverter(
        vocab_file=str(folder / "tokenizers" / "llama3.tiktoken.model"),
        pattern=_LLAMA3_SPLIT,
        extra_special_tokens=special,
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=converter.converted(),
        bos_token="<|begin_of_text|>",
        eos_token="<|eot_id|>",
        pad_token="<|eot_id|>",
        clean_up_tokenization_spaces=False,
    )
    tokenizer.chat_template = LLAMA3_TEMPLATE
    return tokenizer
