"""Writes a repaired model: a folder that any loader reads, whole or not at all.

A whole model's files are copied and its head's weights replaced, every other tensor byte for byte.
An adapter is merged into its base and saved as a whole model: its folder names a base that need not
be there on another machine.
"""

from __future__ import annotations

import fnmatch
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from valuebias.errors import ModelError
from valuebias.models.files import (
    CERTIFICATE,
    CONFIG,
    CONFIG_FILES,
    STATED,
    TOKENIZER_FILES,
    WEIGHT_FILES,
    ModelFiles,
    read_json,
)
from valuebias.models.heads.backbone import quiet
from valuebias.models.repaired import KEY, RepairedOn, repairs_of
from valuebias.models.weights import weight_files
from valuebias.repair.linear import Floats, LinearReward

HEAD = "score.weight"
_OWN = (*CONFIG_FILES, *TOKENIZER_FILES, *WEIGHT_FILES, "generation_config.json", "LICENSE*")


def check_out(out: Path) -> None:
    """Raise ModelError where a model cannot be written to this folder."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ModelError(
            "the folder to write the repaired model to is not empty",
            seen=out,
            remedy="Give --out a new folder.",
        )


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside ``out`` that becomes it when the block ends well, and is removed when it does
    not."""
    out.parent.mkdir(parents=True, exist_ok=True)
    folder = out.with_name(f".{out.name}.partial-{os.getpid()}")
    folder.mkdir()
    try:
        yield folder
        for path in (*folder.rglob("*"), folder):
            _sync(path)
        if out.exists():
            out.rmdir()  # empty: else this raises
        folder.rename(out)
        _sync(out.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def write_model(
    folder: Path, files: ModelFiles, linear: LinearReward, weights: Floats, on: RepairedOn
) -> None:
    """Write the model of these files with ``weights`` (d,) as its head into a folder, and into its
    config.json what it was repaired on."""
    if files.adapter is None:
        _copy(files.model, folder, _OWN)
        _replace_head(folder, weights)
    else:
        _save_merged(folder, linear.model.head.model, weights)  # type: ignore[attr-defined]
        _copy(files.tokenizer, folder, TOKENIZER_FILES)
        if files.stated:
            write_json(folder / STATED, files.stated)
    config = read_json(folder / CONFIG)
    config[KEY] = [one.entry() for one in dict.fromkeys((*repairs_of(files), on))]
    write_json(folder / CONFIG, config)
    for shard in weight_files(folder):  # safetensors are written for their owner alone
        shard.chmod((folder / CONFIG).stat().st_mode)


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _copy(source: Path, folder: Path, patterns: tuple[str, ...]) -> None:
    """Copy the files that a loader reads: nothing pickled, and no other set of weights."""
    for path in sorted(source.rglob("*")):
        name = path.relative_to(source).as_posix()
        wanted = any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
        if path.is_file() and wanted and name != CERTIFICATE:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, folder / name)


def _replace_head(folder: Path, weights: Floats) -> None:
    for shard in weight_files(folder):
        with safe_open(shard, framework="pt") as stored:
            names = list(stored.keys())
            if HEAD not in names:
                continue
            tensors = {name: stored.get_tensor(name) for name in names}
            metadata = stored.metadata()
        tensors[HEAD] = _head(weights)
        save_file(tensors, shard, metadata=metadata)
        return
    raise ModelError(
        f"the checkpoint holds no tensor {HEAD}",
        seen=folder,
        remedy="Save the model once with save_pretrained, and repair that.",
    )


def _save_merged(folder: Path, model: Any, weights: Floats) -> None:
    before = model.score.weight.detach().clone()
    try:
        with torch.no_grad(), quiet():
            model.score.weight.copy_(_head(weights))
            model.save_pretrained(folder)
    finally:
        with torch.no_grad():
            model.score.weight.copy_(before)


def _head(weights: Floats) -> torch.Tensor:
    """In float32: rounded to half precision, an edit would not be the one that was judged."""
    return torch.from_numpy(np.ascontiguousarray(weights[None], np.float32))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
