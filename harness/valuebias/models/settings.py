"""How models are loaded and run: what the command line says, as one value."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Device, precision and permissions.

    ``auto`` means a GPU in bfloat16 if there is one, else a CPU in float32. ``chunk_memory`` is in
    bytes. ``trust_remote_code`` lists the model ids whose own code may run; no other's ever does.
    """

    device: str = "auto"
    dtype: str = "auto"
    chunk_memory: int = 1 << 30
    offline: bool = False
    trust_remote_code: tuple[str, ...] = ()
