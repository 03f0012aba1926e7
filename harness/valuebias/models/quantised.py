"""Quantised checkpoints: which library runs them, and what reports call them.

Their scores are those of the quantised model, which is another than the one it was made from.
Imports nothing heavy.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from valuebias.errors import ModelError

LIBRARIES: Mapping[str, tuple[str, str]] = {
    "bitsandbytes": ("bitsandbytes", "bitsandbytes"),
    "gptq": ("gptqmodel", "gptqmodel"),
    "awq": ("gptqmodel", "gptqmodel"),
    "compressed-tensors": ("compressed_tensors", "compressed-tensors"),
    "gguf": ("gguf", "gguf"),
}
"""Methods that transformers loads: the module it needs, and the package that has it."""


def quantisation(config: Mapping[str, Any], owner: str) -> str:
    """What a config's quantisation is called in reports, such as "bitsandbytes nf4"; "" for none.

    ``owner`` names the checkpoint in an error. Raises ModelError where the method is not known or
    its library is not installed.
    """
    stated = config.get("quantization_config")
    if stated is None:
        return ""
    method = str(stated.get("quant_method")) if isinstance(stated, dict) else str(stated)
    needs(method, owner)
    bits = stated.get("bits") or next(
        (n for n in (4, 8) if stated.get(f"load_in_{n}bit") or stated.get(f"_load_in_{n}bit")), None
    )
    kind = stated.get("bnb_4bit_quant_type") if bits == 4 else None
    return f"{method} {kind or stated.get('format') or (f'{bits}-bit' if bits else 'quantised')}"


def check_quantised(named: str, tensors: Iterable[str], owner: str) -> None:
    """Raise ModelError where a config says bitsandbytes and the weights are as they were before:
    the library would read them as something else."""
    held = (name for name in tensors if ".quant_state." in name or name.endswith(".SCB"))
    if named.startswith("bitsandbytes") and next(held, None) is None:
        raise ModelError(
            f"the config of {owner} says that it is quantised, and its weights are not",
            seen=named,
            remedy="Remove quantization_config from its config.json, or give the checkpoint that "
            "the quantised model was saved to.",
        )


def read_gguf(file: Path) -> Any:
    """A reader of a GGUF file. Raises ModelError where the file cannot be read."""
    needs("gguf", file.name)
    from gguf import GGUFReader

    try:
        return GGUFReader(file)
    except (OSError, ValueError, IndexError, KeyError) as error:
        raise ModelError(
            "not a readable GGUF file",
            seen=f"{file}: {error}",
            remedy="Download or make it again; the file may be cut off.",
        ) from None


def gguf_quantisation(file: Path) -> str:
    """What a GGUF file's quantisation is called: the type that most of its numbers have."""
    sizes: Counter[str] = Counter()
    for tensor in read_gguf(file).tensors:
        sizes[tensor.tensor_type.name] += int(tensor.n_elements)
    return " ".join(["GGUF", *(name for name, _ in sizes.most_common(1))])


def needs(method: str, owner: str) -> None:
    """Raise ModelError where a quantisation method cannot be run here."""
    module, package = LIBRARIES.get(method, ("", ""))
    if not module:
        raise ModelError(
            f"{owner} is a quantised checkpoint of a method that is not supported",
            seen=method,
            remedy=f"Give the checkpoint it was quantised from, or one of {', '.join(LIBRARIES)}.",
        )
    if find_spec(module) is None:
        raise ModelError(
            f"{owner} is a quantised checkpoint, and the library that runs it is not installed",
            seen=method,
            remedy=f"Install it (pip install {package}), or give the checkpoint it was quantised "
            "from.",
        )
