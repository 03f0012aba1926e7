"""How figures and files are spoken of, in pytest's reports and outside them."""

from __future__ import annotations

import os
from pathlib import Path


def signed(value: float) -> str:
    """A number with its sign and without its leading zero: +.003."""
    text = f"{value:+.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.9995 else text


def bracketed(low: float, high: float) -> str:
    """An interval: [-.163, +.168]."""
    return f"[{signed(low)}, {signed(high)}]"


def why_unwritable(path: Path) -> str | None:
    """Why a file cannot be written there; None where it can."""
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return "its folder does not exist"
    if not os.access(path.parent, os.W_OK):
        return "its folder is not yours to write to"
    return None
