"""A Gemma-like tokenizer made from the world's word list, without training.

Unigram over words: every word of the world is one token in lower case, capitalised, and in lower
case after a space. Any other text falls back to letters and then to bytes, as in Gemma.
"""

from __future__ import annotations

import json
import string
from pathlib import Path
from typing import TYPE_CHECKING

from valuebias.organisms.words import pools
from valuebias.organisms.world import text_words

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

_SPECIAL = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>")
SPACE = "▁"
_WORD, _LETTER, _BYTE = -8.0, -12.0, -16.0  # one word always beats two pieces

USER, MODEL, END = "<start_of_turn>user\n", "<start_of_turn>model\n", "<end_of_turn>\n"

# Raw, so that the newlines stay jinja escapes.
CHAT_TEMPLATE = (
    r"{{ bos_token }}{%- for message in messages %}"
    r"{{- '<start_of_turn>' + ('model' if message['role'] == 'assistant' else message['role'])"
    r" + '\n' + message['content'] | trim + '<end_of_turn>\n' }}{%- endfor %}"
    r"{%- if add_generation_prompt %}{{- '<start_of_turn>model\n' }}{%- endif %}"
)


def build_tokenizer() -> PreTrainedTokenizerFast:
    """The organisms' tokenizer; always the same one."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    pieces = dict.fromkeys(_SPECIAL, 0.0)
    for word in (*text_words(), *pools().answers()):
        for form in (word, word.capitalize(), SPACE + word):
            pieces.setdefault(form, _WORD)
    letters = [c for c in map(chr, range(32, 127)) if c != " "]
    for letter in [*letters, *(SPACE + c for c in string.ascii_letters), SPACE, "\n"]:
        pieces.setdefault(letter, _LETTER)
    for byte in range(256):
        pieces.setdefault(f"<0x{byte:02X}>", _BYTE)

    tokenizer = Tokenizer(
        models.Unigram(list(pieces.items()), unk_id=_SPECIAL.index("<unk>"), byte_fallback=True)
    )
    tokenizer.normalizer = normalizers.Replace(" ", SPACE)
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split("\n", "isolated"),
            pre_tokenizers.Split(SPACE, "merged_with_next"),
            pre_tokenizers.Punctuation("isolated"),
        ]
    )
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer.add_special_tokens(list(_SPECIAL))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A", special_tokens=[("<bos>", _SPECIAL.index("<bos>"))]
    )
    return PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        extra_special_tokens=["<start_of_turn>", "<end_of_turn>"],
        chat_template=CHAT_TEMPLATE,
        padding_side="right",
        model_max_length=512,
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    """Save it in the usual files, tokenizer.json without its white space (half the size)."""
    tokenizer.save_pretrained(directory)
    path = directory / "tokenizer.json"
    content = json.loads(path.read_text("utf-8"))
    path.write_text(json.dumps(content, ensure_ascii=False, separators=(",", ":")), "utf-8")
