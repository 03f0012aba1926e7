"""Reading a text file as UTF-8 or not at all; writing a file completely or not at all."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

from valuebias.errors import ValueBiasError

_OTHER_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def decoded(data: bytes, where: str, error: type[ValueBiasError], *, line: int = 1) -> str:
    """A file's bytes as text, without a byte order mark; ``line`` is the number of its first line.

    Any other encoding is refused, never guessed: Windows-1252 read as UTF-8 would lose every
    accented word. Raises ``error`` naming ``where``, the line and the first bad byte.
    """
    for mark, name in _OTHER_MARKS if line == 1 else ():
        if data.startswith(mark):
            raise error(f"{where}: the file is in {name}", remedy="Save it as UTF-8.")
    data = data.removeprefix(codecs.BOM_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as bad:
        before = (data[: bad.start] + b"?").splitlines()
        after = data[bad.start : bad.start + 20].splitlines()[0]
        around = (before[-1][:-1][-20:] + after).decode("utf-8", "backslashreplace")
        raise error(
            f"{where}, line {line + len(before) - 1}: not UTF-8",
            seen=f"the byte 0x{data[bad.start]:02x} in {around}",
            remedy="Save the file as UTF-8 (in a spreadsheet: CSV UTF-8).",
        ) from None


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
