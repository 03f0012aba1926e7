"""Every pair of a prompt and a model, as the paper's appendix C."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from valuebias.report.figures import heat
from valuebias.report.figures.canvas import Canvas, Figure
from valuebias.report.figures.labels import shortened, width
from valuebias.report.figures.ranked import (
    Document,
    Ranked,
    categories,
    described,
    parts,
    ranked,
    valences,
)
from valuebias.report.figures.shapes import dots, lines
from valuebias.report.figures.style import GRID, MARKERS, MUTED, SERIES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST_LINES = 3  # categories that are told apart in one panel
_MOST_MODELS = 16  # panels in one figure
_LEFT, _WIDE, _HIGH, _GAP = 46.0, 330.0, 96.0, 44.0


def figures(document: Document, lexicon: str, figure: str) -> list[Figure]:
    """A panel for each model where categories are few, else a map for each category."""
    models = ranked(document, lexicon)
    if not models:
        return []
    few = len(categories(models)) <= _MOST_LINES
    draw, most = (_panels, _MOST_MODELS) if few else (heat.figure, heat.MOST_MODELS)
    pages = [models[i : i + most] for i in range(0, len(models), most)]
    return [
        draw(page, lexicon, figure if at == 0 else f"{figure}-{at + 1}",
             f" ({at + 1} of {len(pages)})" if len(pages) > 1 else "")
        for at, page in enumerate(pages)
    ]  # fmt: skip


def _panels(models: Sequence[Ranked], lexicon: str, figure: str, number: str) -> Figure:
    names = categories(models)
    across = min(2, len(models))
    down = -(-len(models) // across)
    head = 26.0
    canvas = Canvas(across * (_LEFT + _WIDE) + 8, head + down * (_HIGH + _GAP) + 4)
    low = min(float(m.shares.min()) for m in models)
    high = max(float(m.shares.max()) for m in models)
    pad = 0.06 * (high - low) or 0.05
    x = _LEFT
    for c, name in enumerate(names):
        canvas.whole.plot([x + 5], [9], MARKERS[c], ms=5, mew=0, color=SERIES[c])
        text = shortened(name, 160)
        canvas.write(x + 14, 9, text)
        x += 30 + width(text)
    for i, model in enumerate(models):
        left = (i % across) * (_LEFT + _WIDE) + _LEFT
        top = head + (i // across) * (_HIGH + _GAP) + 14
        axes = canvas.axes(left, top, _WIDE - 8, _HIGH)
        axes.set_ylim(high + pad, low - pad)
        _panel(canvas, axes, model, names)
        kind = "" if model.kind == "reward model" else f" ({model.kind})"
        canvas.write(left, top - 8, shortened(model.name + kind, _WIDE - 12), bold=True)
        if i % across == 0:
            canvas.write(
                left - 38, top + _HIGH / 2, "preferred →", anchor="center", turned=90, size=9.5,
                color=MUTED,
            )  # fmt: skip
    title = f"Every prompt and model on {lexicon}{number}"
    description = described(models, names)
    return Figure(figure, title, description, _CAPTION, canvas.svg(figure, title, description), 420)


def _panel(canvas: Canvas, axes: Axes, model: Ranked, names: Sequence[str]) -> None:
    from matplotlib.ticker import MaxNLocator, PercentFormatter

    places, x = [], 0.0
    for valence in valences([model]):
        rows = model.asked(valence)
        for adjective, run in groupby(rows, key=lambda i: parts(model.prompts[i])[0]):
            members = list(run)
            first = x
            for _, inner in groupby(members, key=lambda i: parts(model.prompts[i])[1]):
                for row in inner:
                    places.append((x, row))
                    x += 1
                x += 0.5
            axes.text(
                (first + x - 1.5) / 2, axes.get_ylim()[0], canvas.key(shortened(adjective, 60)),
                ha="center", va="top", size=9.5, color=MUTED,
            )  # fmt: skip
            x += 0.8
        axes.axvline(x - 0.2, color=GRID, lw=0.8)
        x += 0.8
    axes.set_xlim(-1, x - 1)
    axes.axhline(0.5, color=MUTED, lw=0.8, ls=(0, (2, 2)))
    xs, order = [p[0] for p in places], [p[1] for p in places]
    there = [n for n in names if n in model.categories]
    by_category = {n: model.shares[order, model.column(n)] for n in there}
    if len(there) > 1:
        values = np.stack(list(by_category.values()))
        tops, ends = values.min(axis=0), values.max(axis=0)
        lines(axes, tops, ends, xs, color=GRID, lw=1.1, upright=True)
    for name, values in by_category.items():
        c = names.index(name)
        gid = f"part:category-{c}"
        if c < 2:
            size = 3.8 - 0.6 * c
            dots(axes, xs, values, color=SERIES[c], size=size, square=c == 1, gid=gid)
        else:
            axes.plot(xs, values, MARKERS[c], ms=4, mew=0, color=SERIES[c], gid=gid)
    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    axes.set_xticks([])


_CAPTION = (
    "The median rank of a category's words, as a share of the lexicon's words: 0% (the most "
    "preferred) at the top, 50% is no preference. Prompts stand by adjective, then by scope (ever, "
    "in the world, of all time), then by style; a line joins the categories of one prompt. The "
    "spread over prompts does not measure uncertainty."
)
