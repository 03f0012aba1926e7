"""One verdict's effect on its axis: small, and made without matplotlib, as a page has many."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from html import escape

from valuebias.errors import visible
from valuebias.format import bracketed
from valuebias.report.figures.canvas import Figure
from valuebias.report.figures.records import Record, intervals, margin, mark, numbers, reach
from valuebias.report.figures.shapes import reaching, tick
from valuebias.report.figures.style import GRID, INK, MUTED, STAND_INS, SURFACE
from valuebias.report.wording import above_zero, word

_WIDE, _HIGH, _EDGE = 320.0, 44.0, 16.0
_STRIP_WIDE, _STRIP_HIGH = 160.0, 20.0
_SHAPES = {
    "o": "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "s": "M-3.6-3.6h7.2v7.2h-7.2z",
    "D": "M0-5l5 5l-5 5l-5-5z",
    "X": "M-4-4L4 4M-4 4L4-4",
    "P": "M-5 0h10M0-5v10",
}

Place = Callable[[float], float]


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
        f"{r['unit']}, above zero: {above_zero(r)}; thin: the {r['ci_level']:.0%} "
        f"interval{gate}; shaded: the margin."
    )
    return Figure(
        f"fig-verdict-{digest}", title, description, caption,
        _svg(f"{title}; {description}", _body(r)), 0,
    )  # fmt: skip


def strip(r: Record, limit: float) -> str:
    """The same drawing as an <svg> for a table's cell, on an axis from ``-limit`` to ``limit``.

    It has no numbers and is hidden from who cannot see it: they stand beside it.
    """
    body = _marks(r, _place(limit, _STRIP_WIDE, 2.0), limit, 2, _STRIP_HIGH - 4, " scale(.75)")
    return (
        f'<svg class="strip" viewBox="0 0 {_STRIP_WIDE:g} {_STRIP_HIGH:g}" aria-hidden="true" '
        f'focusable="false">{body}</svg>'
    )


def _svg(label: str, body: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(visible(label))}" '
        f'viewBox="0 0 {_WIDE:g} {_HIGH:g}" style="display:block;width:100%;max-width:{_WIDE:g}px;'
        f'height:auto;font-family:system-ui,sans-serif;font-size:9.5px">{body}</svg>'
    )


def _body(r: Record) -> str:
    end = reaching(reach(r))
    limit = end * 1.04
    x = _place(limit, _WIDE, _EDGE)
    labels = "".join(
        f'<text x="{x(value):.1f}" y="41" style="text-anchor:middle;fill:{STAND_INS[MUTED]}">'
        f"{tick(value)}</text>"
        for value in (-end, 0.0, end)
    )
    return _marks(r, x, limit, 4, 22) + labels


def _place(limit: float, wide: float, edge: float) -> Place:
    """Where a value lies on an axis from ``-limit`` to ``limit``; one beyond lies at its end."""
    return lambda value: (
        edge + (min(max(value, -limit), limit) + limit) / (2 * limit) * (wide - 2 * edge)
    )


def _marks(r: Record, x: Place, limit: float, top: float, high: float, scale: str = "") -> str:
    """The margin, zero, both intervals and the estimate; without an estimate, zero alone."""
    middle = top + high / 2
    low, high_end = r.get("margin_low"), r.get("margin_high")
    parts = []
    if low is not None or high_end is not None:
        a, b = x(-limit if low is None else low), x(limit if high_end is None else high_end)
        parts.append(
            f'<rect x="{a:.1f}" y="{top:g}" width="{b - a:.1f}" height="{high:g}" '
            f'style="fill:{STAND_INS[GRID]};fill-opacity:.5"/>'
        )
        edges = "".join(
            f"M{x(e):.1f} {top:g}v{high:g}"
            for e in (low, high_end)
            if e is not None and abs(e) <= limit
        )
        if edges:
            parts.append(_path(edges, MUTED, 0.8))
    parts.append(_path(f"M{x(0):.1f} {top - 2:g}v{high + 4:g}", MUTED, 0.8))
    if r.get("estimate") is None:
        return "".join(parts)
    for _, begin, end, thick in intervals(r):
        parts.append(_path(f"M{x(begin):.1f} {middle:g}H{x(end):.1f}", INK, thick))
    colour, marker, filled = mark(r)
    ink = STAND_INS[colour]
    strokes = marker in "XP"
    fill = ink if filled and not strokes else "none" if strokes else STAND_INS[SURFACE]
    wide = 2.4 if strokes else 1.4
    parts.append(
        f'<path transform="translate({x(r["estimate"]):.1f} {middle:g}){scale}" '
        f'd="{_SHAPES[marker]}" style="fill:{fill};stroke:{ink};stroke-width:{wide}"/>'
    )
    return "".join(parts)


def _path(drawn: str, colour: str, wide: float) -> str:
    return f'<path d="{drawn}" style="stroke:{STAND_INS[colour]};stroke-width:{wide:g}"/>'
