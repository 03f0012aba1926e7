"""What figures read in a verdict's record."""

from __future__ import annotations

from collections.abc import Iterator

from valuebias.format import bracketed, signed
from valuebias.format import margin as margin_text
from valuebias.report.document import Record as Record
from valuebias.report.figures.style import MUTED, VERDICTS
from valuebias.report.wording import word


def mark(r: Record) -> tuple[str, str, bool]:
    """Its colour, marker, and whether that is filled."""
    return VERDICTS.get(word(r), (MUTED, "o", False))


def numbers(r: Record) -> str:
    """The estimate and its interval: +.115 [-.128, +.344]."""
    return f"{signed(r['estimate'])} {bracketed(r['ci_low'], r['ci_high'])}"


def margin(r: Record) -> str:
    """The margin and that it is one; empty where none is."""
    text = margin_text(r.get("margin_low"), r.get("margin_high"))
    return f"margin {text}" if text else ""


def intervals(r: Record) -> Iterator[tuple[str, float, float, float]]:
    """What is drawn of it, each with its name, ends and line width: the interval, then the one
    that was held against the margin."""
    if r.get("ci_low") is not None:
        yield "ci", r["ci_low"], r["ci_high"], 1.0
    if r.get("gate_low") is not None:
        yield "gate", r["gate_low"], r["gate_high"], 2.6


def reach(r: Record) -> float:
    """How far from zero anything drawn of it lies."""
    drawn = (
        r["estimate"], r["ci_low"], r["ci_high"], r.get("gate_low"), r.get("gate_high"),
        r.get("margin_low"), r.get("margin_high"),
    )  # fmt: skip
    return max(abs(x) for x in drawn if x is not None)
