"""Writing a file completely or not at all, and the reason why it cannot be written."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file by these bytes; if that fails, the old file remains.

    Links and permissions are kept. A path that is not a regular file (a pipe, a device such as
    /dev/stdout) is written to directly. Raises OSError.
    """
    path = path.expanduser()
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            stream.write(data)
        return
    path = path.resolve()
    begun = path.with_name(f"{path.name}.partial")
    try:
        begun.write_bytes(data)
        if path.exists():
            begun.chmod(path.stat().st_mode)
        begun.replace(path)
    finally:
        begun.unlink(missing_ok=True)


def why_unwritable(path: Path) -> str | None:
    """Why a file cannot be written there; None if it can."""
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return "its folder does not exist"
    if path.exists() and not os.access(path, os.W_OK):
        return "permission denied"
    if not os.access(path.parent, os.W_OK):
        return "permission denied for its folder"
    return None
