"""A checkpoint on disk: its config and its tensors' names and shapes, before any is loaded."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from valuebias.errors import ModelError, first_line
from valuebias.models.files import ModelFiles
from valuebias.models.quantised import check_quantised, gguf_quantisation, quantisation
from valuebias.models.weights import adapter_weights, check_one_model, weight_files


@dataclass(frozen=True)
class Placement:
    """Where and how a model is loaded. One that is ``spread`` lies on several devices; what is not
    a layer of it lies on ``device``."""

    dtype: torch.dtype
    device: torch.device
    trust_remote_code: bool = False
    spread: bool = False


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint that head families are chosen by and read their tensors from."""

    files: ModelFiles
    config: Mapping[str, Any]
    shapes: Mapping[str, tuple[int, ...]] = field(repr=False)
    adapter_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict, repr=False)
    """Every tensor's name and shape: the model's, and an adapter's without PEFT's prefix."""
    quantised: str = ""
    """What reports say of weights that are quantised."""

    @classmethod
    def open(cls, files: ModelFiles) -> Checkpoint:
        """Read config and tensor headers. Raises ModelError on a missing or unreadable file, on
        weights that are not safetensors or of no size, and on quantised weights whose library is
        not installed. A GGUF file has no names and shapes of transformers' tensors."""
        owner = files.name if files.adapter is None else f"the base of {files.name}"
        if files.gguf:
            kind = gguf_quantisation(files.model / files.gguf)
            return cls(files, _config_of_gguf(files), {}, quantised=kind)
        quantised = quantisation(files.config, owner)
        check_one_model(files.model)
        shapes = _headers(weight_files(files.model))
        adapter = {} if files.adapter is None else _headers(adapter_weights(files.adapter))
        check_quantised(quantised, shapes, owner)
        own = {_unprefixed(name): shape for name, shape in adapter.items()}
        return cls(files, files.config, shapes, own, quantised)

    @property
    def name(self) -> str:
        return self.files.name

    @property
    def architectures(self) -> tuple[str, ...]:
        """The model classes the config names, most often one."""
        return tuple(self.config.get("architectures") or ())

    @cached_property
    def num_labels(self) -> int:
        """Outputs the config declares; 1 where it declares none (transformers would say 2)."""
        if "num_labels" in self.config:
            return int(self.config["num_labels"])
        return len(self.config.get("id2label") or {"0": ""})

    def has(self, *names: str) -> bool:
        """True if the model holds all these tensors."""
        return all(name in self.shapes for name in names)

    def tensors(self, names: Iterable[str]) -> dict[str, torch.Tensor]:
        """These tensors, as stored, in float32 on the CPU; an adapter's rather than its base's."""
        wanted = set(names)
        by_name: dict[str, torch.Tensor] = {}
        adapter = [] if self.files.adapter is None else adapter_weights(self.files.adapter)
        for shard in [*weight_files(self.files.model), *adapter]:
            with safe_open(shard, framework="pt") as tensors:
                for stored in tensors.keys():  # noqa: SIM118 - not a mapping
                    if _unprefixed(stored) in wanted:
                        by_name[_unprefixed(stored)] = tensors.get_tensor(stored).float()
        if missing := sorted(wanted - set(by_name)):
            raise ModelError(
                f"the checkpoint {self.name} lacks weights its head needs",
                seen=", ".join(missing),
                remedy="Give a complete checkpoint.",
            )
        return by_name


def _config_of_gguf(files: ModelFiles) -> dict[str, Any]:
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(files.model, **files.options)
    except Exception as error:
        raise ModelError(
            f"transformers cannot read {files.gguf}",
            seen=first_line(error),
            remedy="Give the checkpoint that it was made from.",
        ) from None
    return dict(config.to_dict())


def _unprefixed(name: str) -> str:
    return name.removeprefix("base_model.model.")


def _headers(files: Iterable[Path]) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all tensors. Raises ModelError on one that holds nothing."""
    shapes: dict[str, tuple[int, ...]] = {}
    for path in files:
        header = _header(path)
        if empty := sorted(name for name, shape in header.items() if 0 in shape):
            raise ModelError(
                "the checkpoint holds tensors without a value, as DeepSpeed ZeRO-3 saves those "
                "that it has not gathered",
                seen=f"{path.name}: {empty[0]} of shape {header[empty[0]]}"
                + (f" and {len(empty) - 1} more" if empty[1:] else ""),
                remedy="Gather the weights when saving (stage3_gather_16bit_weights_on_model_save, "
                "or DeepSpeed's zero_to_fp32.py), and give that checkpoint.",
            )
        shapes |= header
    return shapes


def _header(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes in a safetensors file: 8 bytes of length, then that much JSON."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            if not 0 < length <= 100_000_000:  # the format's own limit
                raise ValueError("no header")
            header = json.loads(file.read(length))
        return {
            name: tuple(entry["shape"]) for name, entry in header.items() if name != "__metadata__"
        }
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise ModelError(
            "not a readable safetensors file",
            seen=f"{path}: {error}",
            remedy="Download or save the model again; the file may be cut off.",
        ) from None
