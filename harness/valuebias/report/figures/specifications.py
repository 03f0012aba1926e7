"""A specification curve: one effect computed in every way, sorted, with the choices below.

Made without matplotlib, as a page has one for every PASS.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import cast

from valuebias.errors import visible
from valuebias.format import signed
from valuebias.report.beside import Specified
from valuebias.report.document import Record
from valuebias.report.figures.canvas import Figure
from valuebias.report.figures.records import margin, numbers
from valuebias.report.figures.shapes import reaching, tick
from valuebias.report.figures.style import FAIL, GRID, INK, MUTED, PASS, STAND_INS, UNSURE

_LEFT, _WIDE, _TOP, _HIGH, _ROW = 172.0, 720.0, 8.0, 130.0, 14.0
_ESTIMATE, _LOW, _HIGH_END = 5, 6, 7


def figure(r: Record) -> Figure:
    """The curve of a verdict that has one (``robustness``)."""
    found = r["robustness"]
    specs = sorted(found["specifications"], key=_estimate)
    low, high = r.get("margin_low"), r.get("margin_high")
    title = f"{r['title']}: {r['contrast']}, {r['valence']} prompts, computed in other ways"
    estimates = [_estimate(s) for s in specs]
    description = (
        f"{found['reason']}. The effect itself: {numbers(r)}, {margin(r)}. Estimates of "
        f"{len(specs)} specifications: {signed(estimates[0])} to {signed(estimates[-1])}."
    )
    caption = (
        f"Each column is one of {len(specs)} specifications, by estimate, with its "
        f"{1 - 2 * r['alpha']:.0%} interval; line: the effect itself; shaded: the margin. Below: "
        "what was chosen in each."
    )
    ends = (*_ends(specs), *(x for x in (low, high) if x is not None))
    limit = reaching(max(map(abs, ends))) * 1.04
    body, height = _body(specs, r["estimate"], low, high, limit)
    digest = hashlib.sha256(json.dumps([r["nodeid"], title]).encode()).hexdigest()[:12]
    name = f"fig-curve-{digest}"
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="{name}-title" '
        f'aria-describedby="{name}-told" '
        f'viewBox="0 0 {_WIDE:g} {height:g}" style="display:block;width:100%;'
        f'max-width:{_WIDE:g}px;height:auto;font-family:system-ui,sans-serif;font-size:10.5px">'
        f'<title id="{name}-title">{escape(visible(title))}</title>'
        f'<desc id="{name}-told">{escape(visible(description))}</desc>{body}</svg>'
    )
    return Figure(name, title, description, caption, svg, 560)


def _estimate(spec: Specified) -> float:
    return cast(float, spec[_ESTIMATE])


def _ends(specs: Sequence[Specified]) -> Iterator[float]:
    for spec in specs:
        yield from (cast(float, spec[_LOW]), cast(float, spec[_HIGH_END]))


def _body(
    specs: Sequence[Specified],
    estimate: float,
    low: float | None,
    high: float | None,
    limit: float,
) -> tuple[str, float]:
    step = (_WIDE - _LEFT - 8) / len(specs)
    xs = [_LEFT + (i + 0.5) * step for i in range(len(specs))]

    def y(value: float) -> float:
        return _TOP + (limit - min(max(value, -limit), limit)) / (2 * limit) * _HIGH

    top, bottom = y(limit if high is None else high), y(-limit if low is None else low)
    parts = [
        f'<rect x="{_LEFT:g}" y="{top:.1f}" width="{_WIDE - _LEFT:g}" height="{bottom - top:.1f}" '
        f'style="fill:{STAND_INS[GRID]};fill-opacity:.5"/>',
        _path(f"M{_LEFT:g} {y(0):.1f}H{_WIDE:g}", MUTED, 0.8),
        _path(f"M{_LEFT:g} {y(estimate):.1f}H{_WIDE:g}", INK, 0.8),
    ]
    for value in (-limit / 1.04, 0.0, limit / 1.04):
        parts.append(_text(_LEFT - 6, y(value), tick(value), "end"))
    wide = max(min(step * 0.6, 5), 0.8)
    groups: dict[str, list[tuple[float, Specified]]] = {PASS: [], UNSURE: [], FAIL: []}
    for x, spec in zip(xs, specs, strict=True):
        groups[_colour(spec, low, high)].append((x, spec))
    for colour, members in groups.items():
        if members:
            drawn = "".join(
                f"M{x:.1f} {y(cast(float, s[_LOW])):.1f}V{y(cast(float, s[_HIGH_END])):.1f}"
                for x, s in members
            )
            parts.append(_path(drawn, colour, wide / 2.5))
            dots = "".join(f"M{x:.1f} {y(_estimate(s)):.1f}h0" for x, s in members)
            parts.append(_path(dots, colour, wide, round_ends=True))
    at = _TOP + _HIGH + 14
    for name, having in _choices(specs):
        parts.append(_text(_LEFT - 6, at, name, "end"))
        marks = "".join(f"M{x:.1f} {at - 4:g}v8" for x, has in zip(xs, having, strict=True) if has)
        parts.append(_path(marks, INK, wide / 1.6))
        at += _ROW
    return "".join(parts), at


def _colour(spec: Specified, low: float | None, high: float | None) -> str:
    """Inside the margin, across an edge, or outside."""
    least, most = cast(float, spec[_LOW]), cast(float, spec[_HIGH_END])
    under, over = float("-inf") if low is None else low, float("inf") if high is None else high
    if most < under or least > over:
        return FAIL
    return PASS if under <= least and most <= over else UNSURE


def _choices(specs: Sequence[Specified]) -> Iterator[tuple[str, list[bool]]]:
    """Each choice that some specifications make and others do not, and which make it."""
    named: list[list[str]] = [
        [f"{s[0]} count alike" for s in specs],
        [f"{s[1]} are drawn" for s in specs],
        [str(s[2]) for s in specs],
        [" + ".join(cast("list[str]", s[3])) + " constant" if s[3] else "" for s in specs],
        [f"without {s[4]}" if s[4] else "" for s in specs],
    ]
    for column in named:
        values = [value for value in dict.fromkeys(sorted(column)) if value]
        for value in values if len(set(column)) > 1 else ():
            yield value, [each == value for each in column]


def _text(x: float, y: float, said: str, anchor: str) -> str:
    shown = visible(said)
    shown = shown if len(shown) <= 30 else f"{shown[:29]}…"
    return (
        f'<text x="{x:.1f}" y="{y + 3.5:.1f}" style="text-anchor:{anchor};'
        f'fill:{STAND_INS[MUTED]}">{escape(shown)}</text>'
    )


def _path(drawn: str, colour: str, wide: float, *, round_ends: bool = False) -> str:
    cap = ";stroke-linecap:round" if round_ends else ""
    return (
        f'<path d="{drawn}" style="stroke:{STAND_INS[colour]};stroke-width:{wide:.2g};'
        f'fill:none{cap}"/>'
    )
