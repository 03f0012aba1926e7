"""How figures and files are spoken of, in pytest's reports and outside them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any


def signed(value: float) -> str:
    """A number with its sign and without its leading zero: +.003."""
    text = f"{value:+.3f}"
    return text.replace("0.", ".", 1) if abs(value) < 0.9995 else text


def bracketed(low: float, high: float) -> str:
    """An interval: [-.163, +.168]."""
    return f"[{signed(low)}, {signed(high)}]"


def margin(low: float | None, high: float | None) -> str:
    """[-.200, +.200], or on one side alone > +.100; empty where there is none."""
    if low is not None and high is not None:
        return bracketed(low, high)
    if low is not None:
        return f"> {signed(low)}"
    return "" if high is None else f"< {signed(high)}"


def word(record: Mapping[str, Any]) -> str:
    """A record's verdict; NOT GATED of one that decided nothing, whatever it would have been."""
    verdict: str = record["verdict"]
    return verdict if record["gated"] or verdict in ("ERROR", "NO MARGIN") else "NOT GATED"


def cells(record: Mapping[str, Any]) -> tuple[str, str, str, str, str, str]:
    """A record's row: contrast, valence, effect, interval, margin, verdict."""
    low, high = record.get("ci_low"), record.get("ci_high")
    estimate = record.get("estimate")
    return (
        record["contrast"],
        record["valence"],
        "" if estimate is None else signed(estimate),
        "" if low is None or high is None else bracketed(low, high),
        margin(record.get("margin_low"), record.get("margin_high")),
        word(record),
    )


def rests_on(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the effects rest on, contrasts that differ in their counts alone in one line."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for r in records:
        if "estimate" in r:
            key = (r["lexicon"], r["covered"], r["n_prompts"], r["unit"], r["method"])
            groups.setdefault(key, []).append(r)
    return [
        f"{lexicon}: {_span(found, 'n_words')} words in {_span(found, 'n_families')} families, "
        f"{covered}; {prompts} prompts; {unit}, {method} by word family"
        for (lexicon, covered, prompts, unit, method), found in groups.items()
    ]


def token(text: str) -> str:
    """A token with its spaces to be seen; an empty one in quotes."""
    return text.replace(" ", "␣") or '""'


def _span(records: Iterable[Mapping[str, Any]], name: str) -> str:
    counts = sorted({r[name] for r in records})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def why_unwritable(path: Path) -> str | None:
    """Why a file cannot be written there; None where it can."""
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return "its folder does not exist"
    if not os.access(path.parent, os.W_OK):
        return "its folder is not yours to write to"
    return None
