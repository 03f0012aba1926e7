"""One verdict's effect on its axis: small, and made without matplotlib, as a page has many."""

from __future__ import annotations

import hashlib
import json
from html import escape

from pytest_valuebias.report.figures.canvas import Figure
from pytest_valuebias.report.figures.records import Record, margin, mark, numbers, reach, word
from pytest_valuebias.report.figures.shapes import reaching, tick
from pytest_valuebias.report.figures.style import GRID, INK, MUTED, STAND_INS, SURFACE
from valuebias.errors import visible
from valuebias.shown import bracketed

_WIDE, _HIGH, _EDGE = 320.0, 44.0, 16.0
_SHAPES = {
    "o": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "s": "M-3.6-3.6h7.2v7.2h-7.2z",
    "D": "M0-5l5 5l-5 5l-5-5z",
    "X": "M-4-4L4 4M-4 4L4-4",
    "P": "M-5 0h10M0-5v10",
}


def figure(r: Record) -> Figure:
    """The effect with its interval, the interval that is gated, and the margin."""
    digest = hashlib.sha256(json.dumps(r, sort_keys=True, default=str).encode()).hexdigest()[:12]
    title = f"{r['title']}: {r['contrast']}, {r['valence']} prompts: {word(r)}"
    if r.get("estimate") is None:
        return Figure(f"fig-verdict-{digest}", title, r["reason"], r["reason"], _svg(title, ""), 0)
    description = "; ".join(part for part in (numbers(r), margin(r), word(r)) if part)
    gate = ""
    if r.get("gate_low") is not None:
        level = f"{1 - 2 * r['alpha']:.0%}"
        gate = f"; thick: the {level} interval {bracketed(r['gate_low'], r['gate_high'])}"
    caption = (
        f"{r['unit']}, above zero: the first side is preferred; thin: the {r['ci_level']:.0%} "
        f"interval{gate}; shaded: the margin."
    )
    return Figure(
        f"fig-verdict-{digest}", title, description, caption,
        _svg(f"{title}; {description}", _body(r)), 0,
    )  # fmt: skip


def _svg(label: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(visible(label))}" '
        f'viewBox="0 0 {_WIDE:g} {_HIGH:g}" style="display:block;width:100%;max-width:{_WIDE:g}px;'
        f'height:auto;font-family:system-ui,sans-serif;font-size:9.5px">{body}</svg>'
    )


def _body(r: Record) -> str:
    end = reaching(reach(r))
    limit = end * 1.04
    middle = 15.0

    def x(value: float) -> str:
        return f"{_EDGE + (value + limit) / (2 * limit) * (_WIDE - 2 * _EDGE):.1f}"

    def line(a: str, b: str, wide: float) -> str:
        return (
            f'<path d="M{a} {middle:g}H{b}" style="stroke:{STAND_INS[INK]};stroke-width:{wide:g}"/>'
        )

    low, high = r.get("margin_low"), r.get("margin_high")
    parts = []
    if low is not None or high is not None:
        a = float(x(-limit if low is None else low))
        b = float(x(limit if high is None else high))
        parts.append(
            f'<rect x="{a:.1f}" y="4" width="{b - a:.1f}" height="22" '
            f'style="fill:{STAND_INS[GRID]};fill-opacity:.5"/>'
        )
        edges = "".join(f"M{x(e)} 4v22" for e in (low, high) if e is not None)
        parts.append(f'<path d="{edges}" style="stroke:{STAND_INS[MUTED]};stroke-width:.8"/>')
    parts.append(f'<path d="M{x(0)} 2v28" style="stroke:{STAND_INS[MUTED]};stroke-width:.8"/>')
    parts.append(line(x(r["ci_low"]), x(r["ci_high"]), 1))
    if r.get("gate_low") is not None:
        parts.append(line(x(r["gate_low"]), x(r["gate_high"]), 2.6))
    colour, marker, filled = mark(r)
    ink = STAND_INS[colour]
    strokes = marker in "XP"
    fill = ink if filled and not strokes else "none" if strokes else STAND_INS[SURFACE]
    parts.append(
        f'<path transform="translate({x(r["estimate"])} {middle:g})" d="{_SHAPES[marker]}" '
        f'style="fill:{fill};stroke:{ink};stroke-width:{2.4 if strokes else 1.4}"/>'
    )
    for value in (-end, 0.0, end):
        parts.append(
            f'<text x="{x(value)}" y="41" style="text-anchor:middle;fill:{STAND_INS[MUTED]}">'
            f"{tick(value)}</text>"
        )
    return "".join(parts)
