"""How models are loaded and run: what the command line says, as one value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

PLAIN, PAIR = "plain", "pair"
FORMATS = (PLAIN, PAIR)
"""Formats of a conversation without a chat template: "User: ..." and "Assistant: ..." in two
paragraphs, and the question and the answer as the tokenizer's pair of texts."""


@dataclass(frozen=True)
class Settings:
    """Device, precision and permissions.

    ``auto`` means a GPU in bfloat16 if there is one, else a CPU in float32. ``chunk_memory`` is in
    bytes. ``trust_remote_code`` lists the model ids whose own code may run; no other code does.
    ``threads`` are the processor's, 0 for as many as a model's work can use. ``template`` is the
    format of a reward model that states none: one of FORMATS, or the path of a Jinja chat template.
    ``answer_cue`` is put after the prompt of a language model without a chat template, such as
    "\\nAnswer:"; a response follows it after a space.
    """

    device: str = "auto"
    dtype: str = "auto"
    chunk_memory: int = 1 << 30
    offline: bool = False
    trust_remote_code: tuple[str, ...] = ()
    threads: int = 0
    template: str = ""
    answer_cue: str = ""


def parse_size(text: str) -> int:
    """Bytes in a text such as 512M, 2G, 2GiB or a plain number; units are powers of 1024.

    Raises ValueError that states the accepted form.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(?:i?B)?", text.strip(), re.IGNORECASE)
    unit = 0 if match is None else " KMGT".index(match[2].upper() or " ")
    value = 0.0 if match is None else float(match[1]) * 1024**unit
    if not 1 <= value < 1 << 63:  # no machine can address more
        raise ValueError("must be a size such as 512M or 2G")
    return int(value)


def parse_threads(text: str) -> int:
    """A number of threads; 0 for auto. Raises ValueError that states the accepted form."""
    if text == "auto":
        return 0
    if not (text.isdecimal() and text.isascii() and 1 <= int(text) <= 4096):
        raise ValueError("must be auto or an integer >= 1")
    return int(text)


def parse_cue(text: str) -> str:
    """An answer cue as it is put after a prompt: ``\\n`` and ``\\t`` may be written out, and one
    that begins with no white space follows a space. Spaces at its end are left out: an answer
    follows after one anyway."""
    cue = text.rstrip(" ").replace("\\n", "\n").replace("\\t", "\t")
    return cue if not cue or cue[0].isspace() else f" {cue}"


def parse_device(text: str) -> str:
    """The device's name as given: auto, cpu, mps, cuda, cuda:N for the GPU number N, or map for all
    GPUs and then the CPU's memory.

    Raises ValueError that states the accepted forms.
    """
    if not re.fullmatch(r"auto|cpu|mps|map|cuda(:(0|[1-9][0-9]?))?", text):
        raise ValueError("must be auto, cpu, mps, map, cuda or cuda:N (such as cuda:1)")
    return text


def parse_template(text: str) -> str:
    """A declared format: plain, pair, or the path of a Jinja chat template.

    Raises ValueError that states the accepted forms.
    """
    if text in FORMATS or Path(text).expanduser().is_file():
        return text if text in FORMATS else str(Path(text).expanduser().absolute())
    raise ValueError(f"must be {' or '.join(FORMATS)}, or the file of a Jinja chat template")
