"""Where models rank the words of each category, as the paper's figure 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from valuebias.report.figures import violins
from valuebias.report.figures.canvas import Canvas, Figure
from valuebias.report.figures.labels import distinct
from valuebias.report.figures.ranked import (
    Document,
    Floats,
    Ranked,
    by_polarity,
    categories,
    plural,
    ranked,
    stem,
    valences,
)
from valuebias.report.figures.style import INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _TOP, _ROW, _GAP, _BETWEEN = 62.0, 26.0, 184.0, 40.0, 26.0
_MOST_WIDE = 10  # categories in a row of panels


def figures(document: Document, lexicon: str, figure: str) -> list[Figure]:
    """One figure for each kind of model: rewards and log-probabilities are not one sample. All have
    one scale, so that a small spread looks small beside a large one."""
    models = ranked(document, lexicon)
    scale = _Scale(models)
    kinds = list(dict.fromkeys(m.kind for m in models))
    return [
        _figure(
            [m for m in models if m.kind == kind],
            scale,
            lexicon,
            figure if at == 0 else f"{figure}-{at + 1}",
        )
        for at, kind in enumerate(kinds)
    ]


def _figure(models: list[Ranked], scale: _Scale, lexicon: str, figure: str) -> Figure:
    names, rows = categories(models), valences(models)
    groups, blocks = violins.grouped(models), _blocks(names)
    legend = violins.Legend(models, groups)
    widest = max(sum(len(c) for _, c in block) for block in blocks)
    each = min(max(640 / widest, 15 * len(groups), 44), 150)
    plot = each * widest + _BETWEEN * (max(map(len, blocks)) - 1)
    beside = _LEFT + plot + 24 + legend.wide <= 780
    whole = max(_LEFT + plot + (24 + legend.wide if beside else 12), 420)
    legend.fit(legend.wide if beside else whole - _LEFT)
    block_high = _TOP + len(rows) * (_ROW + _GAP)
    body = block_high * len(blocks)
    canvas = Canvas(whole, max(body, legend.high + _TOP) if beside else body + legend.high + 4)
    for b, block in enumerate(blocks):
        left = _LEFT
        for i, (polarity, members) in enumerate(block):
            labels = distinct([stem(c, polarity) for c in members], each - 4)
            for v, valence in enumerate(rows):
                top = b * block_high + _TOP + v * (_ROW + _GAP)
                axes = canvas.axes(left, top, each * len(members), _ROW)
                axes.set_xlim(-0.5, len(members) - 0.5)
                scale.draw(axes, labelled=i == 0)
                head = f"{valence} prompts" + (f": {_PLURALS[polarity]}" if polarity else "")
                canvas.write(left, top - 11, head, bold=True)
                if i == 0:
                    middle = top + _ROW / 2
                    canvas.write(
                        14, middle, scale.label, anchor="center", turned=90, color=MUTED
                    )  # fmt: skip
                for x, category in enumerate(members):
                    violins.draw(axes, x, category, valence, models, groups, scale.of)
                axes.set_xticks(range(len(members)), labels=[canvas.key(t) for t in labels])
                axes.tick_params(axis="x", length=0, labelcolor=INK, labelsize=10.5)
            left += each * len(members) + _BETWEEN
    legend.draw(canvas, *((_LEFT + plot + 24, _TOP) if beside else (_LEFT, body + 2)))
    title = f"Ranks of the categories of {lexicon}: {plural(models[0].kind)}"
    description = _described(models, names, rows, scale)
    alone = len(groups) == len(models)
    return Figure(
        figure, title, description, _caption(scale, alone=alone),
        canvas.svg(figure, title, description), int(min(whole, 620)),
    )  # fmt: skip


_PLURALS = {"virtue": "virtues", "vice": "vices"}


class _Scale:
    """Ranks themselves where all models ranked equally many words, else shares of the words."""

    def __init__(self, models: Sequence[Ranked]) -> None:
        sizes = {m.n_words for m in models}
        self.n_words = n_words = sizes.pop() if len(sizes) == 1 else None
        self.label = f"median rank ({'0%' if n_words is None else 1} = most preferred)"
        self._middle = 0.5 if n_words is None else (n_words + 1) / 2
        values = [self.of(m).ravel() for m in models]
        ranks = np.concatenate([*values, np.array([self._middle])])
        pad = 0.06 * float(np.ptp(ranks)) or 0.05 * self._middle
        first, last = (0.0, 1.0) if n_words is None else (0.5, n_words + 0.5)
        self._limits = min(float(ranks.max()) + pad, last), max(float(ranks.min()) - pad, first)

    def of(self, model: Ranked) -> Floats:
        return model.shares if self.n_words is None else model.medians

    def draw(self, axes: Axes, *, labelled: bool) -> None:
        """The axis of a panel, the most preferred at the top, and the middle rank."""
        from matplotlib.ticker import FuncFormatter, MaxNLocator

        axes.set_ylim(self._limits)
        axes.yaxis.set_major_locator(MaxNLocator(5, integer=self.n_words is not None))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: self.shown(value)))
        axes.grid(axis="y")
        axes.axhline(self._middle, color=MUTED, lw=0.9, ls=(0, (2, 2)), gid="part:middle")
        if not labelled:
            axes.tick_params(axis="y", labelleft=False)

    def shown(self, value: float) -> str:
        return f"{value:.0%}" if self.n_words is None else f"{value:,.0f}"


def _blocks(names: Sequence[str]) -> list[list[tuple[str, list[str]]]]:
    """The categories as rows of panels, each panel with its polarity."""
    panels = by_polarity(names)
    if len(names) <= _MOST_WIDE:
        return [panels]
    return [
        [(polarity, members[i : i + _MOST_WIDE])]
        for polarity, members in panels
        for i in range(0, len(members), _MOST_WIDE)
    ]


def _described(
    models: Sequence[Ranked], names: Sequence[str], rows: Sequence[str], scale: _Scale
) -> str:
    said = []
    for valence in rows:
        parts = []
        for category in names:
            means = [
                float(scale.of(m)[m.asked(valence), m.column(category)].mean())
                for m in models
                if category in m.categories and len(m.asked(valence))
            ]
            if not means:
                continue
            text = f"{category} {scale.shown(float(np.mean(means)))}"
            if len(means) > 1:
                text += f" (models {scale.shown(min(means))} to {scale.shown(max(means))})"
            parts.append(text)
        said.append(f"on {valence} prompts {', '.join(parts)}")
    of = "as shares of the words" if scale.n_words is None else f"of {scale.n_words:,} words"
    return f"Means of the median ranks {of}, the smallest the most preferred: {'; '.join(said)}."


def _caption(scale: _Scale, *, alone: bool) -> str:
    to = "0% the most preferred" if scale.n_words is None else f"from 1 to {scale.n_words:,}"
    dots = (
        "A dot is a prompt, and a violin a model's prompts."
        if alone
        else "A marker is a model's mean over its prompts; a violin holds all its models' prompts."
    )
    return (
        "The median rank of a category's words among all words of the lexicon "
        f"({to}), one for each prompt and model, the most preferred at the top. {dots} The spread "
        "over prompts does not measure uncertainty, as they are variants of one question: for "
        "intervals see the forest plot of effects."
    )
