"""What figures read in a verdict's record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from valuebias.report import wording
from valuebias.report.figures.style import MUTED, VERDICTS
from valuebias.report.wording import bracketed, signed, word

Record = Mapping[str, Any]


def mark(r: Record) -> tuple[str, str, bool]:
    """Its colour, marker, and whether that is filled."""
    return VERDICTS.get(word(r), (MUTED, "o", False))


def numbers(r: Record) -> str:
    """The estimate and its interval: +.115 [-.128, +.344]."""
    return f"{signed(r['estimate'])} {bracketed(r['ci_low'], r['ci_high'])}"


def margin(r: Record) -> str:
    """The margin and that it is one; empty where none is."""
    found = wording.margin(r.get("margin_low"), r.get("margin_high"))
    return f"margin {found}" if found else ""


def reach(r: Record) -> float:
    """How far from zero anything drawn of it lies."""
    names = ("estimate", "ci_low", "ci_high", "gate_low", "gate_high", "margin_low", "margin_high")
    return max(abs(float(r[name])) for name in names if r.get(name) is not None)
