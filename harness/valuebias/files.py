"""Writes a file whole or not at all."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, data: bytes) -> None:
    """Replace a file by these bytes; if that fails, what was there before is there still.

    A link stays a link and permissions stay as they are. What is no regular file (a pipe, a device
    such as /dev/stdout) is written into. Raises OSError.
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
