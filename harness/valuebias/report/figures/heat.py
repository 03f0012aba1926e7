"""Maps of prompt by model, one for each category, where categories are many."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from valuebias.report.figures.canvas import Canvas, Figure
from valuebias.report.figures.labels import distinct, shortened
from valuebias.report.figures.ranked import Floats, Ranked, categories, described, parts, valences
from valuebias.report.figures.shapes import Box, boxes
from valuebias.report.figures.style import INK, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_MODELS = 24
_LEVELS = 9
_CELL, _NAME, _LINE = 5.0, 190.0, 11.0


def figure(models: Sequence[Ranked], lexicon: str, figure: str, number: str) -> Figure:
    """More ink is more preferred: one ramp, that greyscale keeps."""
    names = categories(models)
    columns, marks, wide = _columns(models)
    across = 2
    down = -(-len(names) // across)
    head, gap = 44.0, 36.0
    high = _LINE * len(models)
    canvas = Canvas(_NAME + across * (wide + 16) + 4, head + down * (high + gap) + 4)
    low = min(float(m.shares.min()) for m in models)
    top = max(float(m.shares.max()) for m in models)
    bounds = np.linspace(low, top, _LEVELS + 1)
    _key(canvas, bounds)
    kinds = ["" if m.kind == "reward model" else f" ({m.kind})" for m in models]
    labels = distinct([m.name + k for m, k in zip(models, kinds, strict=True)], _NAME - 12, 9.5)
    for c, name in enumerate(names):
        left = _NAME + (c % across) * (wide + 16)
        y = head + (c // across) * (high + gap) + 16
        axes = canvas.axes(left, y, wide, high)
        axes.set(xlim=(0, wide), ylim=(len(models), 0))
        axes.set_axis_off()
        canvas.write(left, y - 8, shortened(name, wide - 20), bold=True)
        values = np.full((len(models), len(columns)), np.nan)
        for i, model in enumerate(models):
            if name not in model.categories:
                continue
            at = {p: row for row, p in enumerate(model.prompts)}
            for j, prompt in enumerate(columns):
                if prompt in at:
                    values[i, j] = model.shares[at[prompt], model.column(name)]
        _cells(axes, values, list(columns.values()), bounds)
        if c % across == 0:
            for i, label in enumerate(labels):
                canvas.write(left - 6, y + (i + 0.5) * _LINE, label, anchor="right", size=9.5)
        if c // across == down - 1 or c + across >= len(names):
            for x, text in marks:
                canvas.write(left + x, y + high + 9, text, anchor="center", size=9, color=MUTED)
    title = f"Every prompt and model on {lexicon}{number}"
    description = described(models, names)
    return Figure(figure, title, description, _CAPTION, canvas.svg(figure, title, description), 640)


def _columns(
    models: Sequence[Ranked],
) -> tuple[dict[str, float], list[tuple[float, str]], float]:
    """Where each prompt's column begins, the middle of each adjective, and the whole width."""
    places: dict[str, float] = {}
    marks: list[tuple[float, str]] = []
    x = 0.0
    for valence in valences(models):
        prompts = dict.fromkeys(m.prompts[i] for m in models for i in m.asked(valence))
        for adjective in dict.fromkeys(parts(p)[0] for p in prompts):
            members = [p for p in prompts if parts(p)[0] == adjective]
            marks.append((x + len(members) * _CELL / 2, adjective))
            for prompt in members:
                places[prompt] = x
                x += _CELL
            x += 3
        x += 8
    return places, marks, x - 11


def _cells(axes: Axes, values: Floats, lefts: Sequence[float], bounds: Floats) -> None:
    """The cells of each level as boxes, those beside one another as one."""
    level = np.clip(np.searchsorted(bounds, values, side="right") - 1, 0, _LEVELS - 1)
    level[~np.isfinite(values)] = -1
    by_level: dict[int, list[Box]] = {}
    for i, row in enumerate(level.tolist()):
        first = 0
        for j in range(1, len(row) + 1):
            if j < len(row) and row[j] == row[first] and lefts[j] - lefts[j - 1] <= _CELL:
                continue
            box = (lefts[first], lefts[j - 1] + _CELL, i + 0.04, i + 0.96)
            by_level.setdefault(row[first], []).append(box)
            first = j
    for k in range(_LEVELS):
        boxes(axes, by_level.get(k, ()), color=SERIES[0], alpha=_ink(k), gid=f"part:level-{k}")


def _ink(level: int) -> float:
    return 0.08 + 0.92 * (1 - level / (_LEVELS - 1))


def _key(canvas: Canvas, bounds: Floats) -> None:
    axes = canvas.whole
    x = _NAME
    canvas.write(x, 9, "more preferred", size=9.5, color=MUTED)
    x += 80
    for k in range(_LEVELS):
        axes.fill_between([x, x + 26], 3, 15, facecolor=SERIES[0], alpha=_ink(k), lw=0)
        canvas.write(x, 23, f"{bounds[k]:.0%}", anchor="center", size=9, color=INK)
        x += 27
    canvas.write(x, 23, f"{bounds[-1]:.0%}", anchor="center", size=9, color=INK)
    canvas.write(x + 6, 9, "less preferred", size=9.5, color=MUTED)


_CAPTION = (
    "A map for each category, a row for each model, a column for each prompt: the median rank of "
    "the category's words as a share of the lexicon's words, the darker (or, on a dark page, the "
    "stronger) the more preferred. Prompts stand by adjective, scope and style. The spread over "
    "prompts does not measure uncertainty."
)
