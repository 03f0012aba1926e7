"""Which files hold a model's weights: what the fingerprint, the checkpoint and transformers read.

Imports nothing heavy: a fingerprint needs no torch.
"""

from __future__ import annotations

from pathlib import Path

from valuebias.errors import ModelError
from valuebias.models.files import (
    ADAPTER,
    ADAPTER_WEIGHTS,
    INDEX,
    SINGLE,
    VALUE_HEAD,
    read_json,
)


def weight_files(directory: Path) -> list[Path]:
    """The safetensors of a whole model's directory: one file, or the shards its index names; and
    a value head beside them.

    Where both are there, transformers reads the one file and others the shards. An index whose
    shards are gone is left over from an earlier save; one that is complete is a second model.
    Raises ModelError then, on missing files and on pickled ones.
    """
    single, index = directory / SINGLE, directory / INDEX
    shards = _shards(index) if index.is_file() else []
    missing = [shard.name for shard in shards if not shard.is_file()]
    if single.is_file():
        if shards and not missing and shards != [single]:
            raise ModelError(
                "the model's directory holds two sets of weights",
                seen=f"{directory}: {SINGLE}, and {INDEX} with {len(shards)} complete shards",
                remedy="Remove the one that is out of date: programs differ in which they read.",
            )
        return [single, *_value_head(directory)]
    if shards and not missing:
        return [*shards, *_value_head(directory)]
    pickled = sorted(directory.glob("*.bin"))
    if pickled:
        raise ModelError(
            "the model's weights are pickled, and loading a pickle can run code",
            seen=pickled[0].name,
            remedy="Save it once as safetensors (load it where you trust it, then "
            "save_pretrained), or give a revision that holds safetensors.",
        )
    raise ModelError(
        "the model's directory lacks safetensors weights",
        seen=f"{directory}: {', '.join(missing[:3]) or SINGLE}",
        remedy="Give the directory that save_pretrained wrote, complete.",
    )


def adapter_weights(adapter: Path) -> list[Path]:
    """The safetensors of a PEFT adapter's directory. Raises ModelError if there are none, and where
    a whole model lies in it too."""
    weights = adapter / ADAPTER_WEIGHTS
    if not weights.is_file():
        raise ModelError(
            "the adapter's directory lacks adapter_model.safetensors",
            seen=adapter,
            remedy="Save the adapter as safetensors, as save_pretrained does.",
        )
    return [weights, *_value_head(adapter)]


def check_one_model(directory: Path) -> None:
    """Raise ModelError where a whole model and an adapter lie in one directory: transformers puts
    the adapter onto the model, which may hold it already."""
    if (directory / ADAPTER).is_file() and (directory / ADAPTER_WEIGHTS).is_file():
        raise ModelError(
            "the directory holds a whole model and an adapter, and some programs would put the "
            "one onto the other",
            seen=f"{directory}: {ADAPTER_WEIGHTS}",
            remedy="Move the adapter to a directory of its own, or remove it if it is merged.",
        )


def _shards(index: Path) -> list[Path]:
    named = read_json(index).get("weight_map")
    names = sorted({str(name) for name in named.values()}) if isinstance(named, dict) else []
    for name in names:
        if Path(name).name != name:
            raise ModelError(
                f"{index.name} names a file outside its directory",
                seen=name,
                remedy="Save the model again.",
            )
    return [index.parent / name for name in names]


def _value_head(directory: Path) -> list[Path]:
    head = directory / VALUE_HEAD
    return [head] if head.is_file() else []
