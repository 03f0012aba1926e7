"""Device and precision of a run, decided without importing torch where that is possible."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from valuebias.errors import SpecError
from valuebias.models.settings import Settings

MAP = "map"
"""All GPUs, and then the CPU's memory: a model's layers are spread over them by accelerate."""

DTYPES = ("float32", "bfloat16", "float16")


def resolve(settings: Settings) -> tuple[str, str]:
    """(device, dtype), ``auto`` decided: a GPU in bfloat16 if there is one, else a CPU in float32.

    Raises SpecError on a precision or a kind of device that does not exist.
    """
    device = settings.device
    if device == "auto":
        device = "cuda" if _has_gpu() else "cpu"
    if device.split(":")[0] not in {"cpu", "cuda", "mps", MAP}:
        raise SpecError(
            "unknown device",
            seen=settings.device,
            remedy="Use auto, cpu, cuda, cuda:1, mps or map.",
        )
    dtype = settings.dtype
    if dtype == "auto":
        on_cpu = device == "cpu" or (device == MAP and not _has_gpu())
        dtype = "float32" if on_cpu else "bfloat16"
    if dtype not in DTYPES:
        raise SpecError(
            "unknown precision",
            seen=settings.dtype,
            remedy=f"Use auto, {', '.join(DTYPES)}.",
        )
    return device, dtype


def _has_gpu() -> bool:
    """Whether torch sees a GPU. A CPU-only build answers from its version file: importing torch
    takes seconds, and a run whose scores are all stored needs no torch."""
    if "torch" not in sys.modules:
        spec = importlib.util.find_spec("torch")
        if spec is not None and spec.origin is not None:
            version = Path(spec.origin).with_name("version.py")
            if version.is_file() and _is_cpu_build(version.read_text(encoding="utf-8")):
                return False
    import torch

    return torch.cuda.is_available()


def _is_cpu_build(version: str) -> bool:
    """``version`` is torch/version.py, which on such a build says ``cuda: … = None``."""
    values = {
        line.split(":")[0].split("=")[0].strip(): line.rsplit("=", 1)[-1].strip()
        for line in version.splitlines()
        if "=" in line
    }
    return values.get("cuda") == "None" and values.get("hip", "None") == "None"
