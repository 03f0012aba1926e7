"""Strings of models, lexicons and files as labels: short enough, distinct, and safe in an id."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence


def width(text: str, size: float = 10.5) -> float:
    """About how wide a text is in pixels; a little more than most fonts need."""
    return size * sum(_em(c) for c in text)


def _em(c: str) -> float:
    if unicodedata.combining(c):
        return 0.0
    if unicodedata.east_asian_width(c) in "WF":
        return 1.05
    if c in "ilj.,:;|'!()[] ftIr-~":
        return 0.4
    return 0.98 if c in "mwMW@%" else 0.75 if c.isupper() else 0.63


def shortened(text: str, room: float, size: float = 10.5) -> str:
    """The text, its middle left out where it is wider than ``room`` pixels: models' names often
    differ at their ends."""
    if width(text, size) <= room:
        return text
    head, tail = list(text[: len(text) // 2]), list(text[len(text) // 2 :])
    while head and width("".join((*head, "…", *tail)), size) > room:
        if len(head) >= len(tail):
            head.pop()
        else:
            tail.pop(0)
    return "".join((*head, "…", *tail))


def distinct(texts: Sequence[str], room: float, size: float = 10.5) -> list[str]:
    """Each text shortened, and those that then look alike numbered: "name (2)"."""
    labels = [shortened(text, room, size) for text in texts]
    if len(set(labels)) == len(labels):
        return labels
    seen: dict[str, int] = {}
    numbered = []
    for text, short in zip(texts, labels, strict=True):
        seen[short] = seen.get(short, 0) + 1
        mark = f" ({seen[short]})" if labels.count(short) > 1 else ""
        numbered.append(shortened(text, room - width(mark, size), size) + mark)
    return numbered


def slug(text: str) -> str:
    """The text as part of an id; different texts give different ids."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40]
    if plain and plain.replace("-", "_") == text:
        return plain
    digest = hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:8]
    return f"{plain}-{digest}" if plain else digest


def listed(texts: Iterable[str], most: int = 12) -> str:
    """ "a, b and 3 more" """
    items = list(texts)
    shown = ", ".join(items[:most])
    return shown if len(items) <= most else f"{shown} and {len(items) - most} more"


def sentence(text: str) -> str:
    """The text with a full stop, if it does not end in one."""
    return text if text.endswith((".", "?", "!")) else f"{text}."
