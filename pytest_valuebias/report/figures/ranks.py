"""Where a model ranks the words of each category, as the paper's figure 1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_valuebias.report.figures.canvas import Canvas, Figure
from pytest_valuebias.report.figures.labels import distinct, shortened, width
from pytest_valuebias.report.figures.ranked import (
    Document,
    Floats,
    Ranked,
    by_polarity,
    categories,
    density,
    plural,
    ranked,
    stem,
    valences,
)
from pytest_valuebias.report.figures.style import DASHES, INK, MUTED, SERIES, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LEFT, _TOP, _ROW, _GAP = 62.0, 30.0, 190.0, 30.0
_MOST_GROUPS = 3  # violins side by side in a category
_MOST_WIDE = 10  # categories in a row of panels


@dataclass(frozen=True)
class _Group:
    """Models whose ranks are one violin: of one base, or one model alone."""

    title: str
    members: tuple[int, ...]


def figures(document: Document, lexicon: str, figure: str) -> list[Figure]:
    """One figure for each kind of model: rewards and log-probabilities are no one sample."""
    models = ranked(document, lexicon)
    kinds = list(dict.fromkeys(m.kind for m in models))
    return [
        _figure(
            [m for m in models if m.kind == kind],
            lexicon,
            figure if at == 0 else f"{figure}-{at + 1}",
        )
        for at, kind in enumerate(kinds)
    ]


def _figure(models: list[Ranked], lexicon: str, figure: str) -> Figure:
    kind, names = models[0].kind, categories(models)
    sizes = {m.n_words for m in models}
    scale = _Scale(sizes.pop() if len(sizes) == 1 else None)
    groups, rows = _groups(models), valences(models)
    blocks = _blocks(names)
    widest = max(sum(len(c) for _, c in block) for block in blocks)
    each = min(max(640 / widest, 34 * len(groups), 44), 150)
    plot = each * widest + 26 * (max(map(len, blocks)) - 1)
    legend = _Legend(models, groups)
    beside = _LEFT + plot + 24 + legend.wide <= 780
    whole = _LEFT + plot + (24 + legend.wide if beside else 12)
    whole = max(whole, 420)
    legend.fit(legend.wide if beside else whole - _LEFT)
    block_height = _TOP + len(rows) * (_ROW + _GAP) + 14
    body = block_height * len(blocks)
    canvas = Canvas(whole, max(body, legend.high + _TOP) if beside else body + legend.high + 8)
    limits = scale.limits(models)
    for b, block in enumerate(blocks):
        left = _LEFT
        for i, (polarity, members) in enumerate(block):
            for v, valence in enumerate(rows):
                top = b * block_height + _TOP + v * (_ROW + _GAP)
                axes = canvas.axes(left, top, each * len(members), _ROW)
                axes.set(xlim=(-0.5, len(members) - 0.5), ylim=limits)
                scale.ticks(axes, labelled=i == 0)
                head = f"{valence} prompts" + (f": {polarity}s" if polarity else "")
                canvas.write(left, top - 11, head, bold=True)
                if i == 0:
                    canvas.write(
                        14, top + _ROW / 2, scale.label, anchor="center", turned=90, color=MUTED
                    )
                for c, category in enumerate(members):
                    _category(axes, c, category, valence, models, groups, scale)
                axes.set_xticks(
                    range(len(members)),
                    labels=[canvas.key(shortened(stem(c, polarity), each - 6)) for c in members],
                )
                axes.tick_params(axis="x", length=0, labelcolor=INK, labelsize=10.5)
            left += each * len(members) + 26
    legend.draw(canvas, *((_LEFT + plot + 24, _TOP) if beside else (_LEFT, body + 4)))
    title = f"Ranks of the categories of {lexicon}: {plural(kind)}"
    description = _described(models, names, rows, scale)
    return Figure(
        figure, title, description, _caption(models, groups, scale),
        canvas.svg(figure, title, description),
        int(min(whole, 560)),
    )  # fmt: skip


class _Scale:
    """Ranks themselves where all models ranked equally many words, else shares of the words."""

    def __init__(self, n_words: int | None) -> None:
        self.n_words = n_words
        self.label = (
            "median rank (as a share of the words)" if n_words is None
            else f"median rank (1 to {n_words:,})"
        )  # fmt: skip

    def of(self, model: Ranked) -> Floats:
        return model.shares if self.n_words is None else model.medians

    @property
    def middle(self) -> float:
        return 0.5 if self.n_words is None else (self.n_words + 1) / 2

    def limits(self, models: Sequence[Ranked]) -> tuple[float, float]:
        """All values and the middle, the most preferred at the top."""
        found = np.concatenate([self.of(m).ravel() for m in models] + [np.array([self.middle])])
        pad = 0.06 * float(np.ptp(found)) or 0.05 * self.middle
        return float(found.max()) + pad, float(found.min()) - pad

    def ticks(self, axes: Axes, *, labelled: bool) -> None:
        from matplotlib.ticker import MaxNLocator, PercentFormatter

        axes.yaxis.set_major_locator(MaxNLocator(5, integer=self.n_words is not None))
        if self.n_words is None:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        axes.grid(axis="y")
        axes.axhline(self.middle, color=MUTED, lw=0.9, ls=(0, (2, 2)), gid="part:middle")
        if not labelled:
            axes.tick_params(axis="y", labelleft=False)

    def shown(self, value: float) -> str:
        return f"{value:.0%}" if self.n_words is None else f"{value:,.0f}"


def _groups(models: Sequence[Ranked]) -> list[_Group]:
    """A group for each base where bases are known, for each model where there are few, or one."""
    bases = list(dict.fromkeys(m.base for m in models))
    if len(models) > 1 and 1 < len(bases) <= _MOST_GROUPS:
        return [
            _Group(
                "no base named" if base is None else f"base {base}",
                tuple(i for i, m in enumerate(models) if m.base == base),
            )
            for base in bases
        ]
    if len(models) <= _MOST_GROUPS:
        return [_Group("", (i,)) for i in range(len(models))]
    return [_Group("", tuple(range(len(models))))]


def _blocks(names: Sequence[str]) -> list[list[tuple[str, list[str]]]]:
    """The categories as rows of panels, each panel with its polarity."""
    panels = by_polarity(names)
    if sum(len(c) for _, c in panels) <= _MOST_WIDE:
        return [panels]
    return [
        [(polarity, members[i : i + _MOST_WIDE])]
        for polarity, members in panels
        for i in range(0, len(members), _MOST_WIDE)
    ]


def _category(
    axes: Axes,
    x: int,
    category: str,
    valence: str,
    models: Sequence[Ranked],
    groups: Sequence[_Group],
    scale: _Scale,
) -> None:
    """One category's violins, dots and grand means, around x."""
    room = 0.84 / len(groups)
    for g, group in enumerate(groups):
        centre = x + (g - (len(groups) - 1) / 2) * room
        found = {
            i: scale.of(models[i])[models[i].asked(valence), models[i].column(category)]
            for i in group.members
            if category in models[i].categories and len(models[i].asked(valence))
        }
        if not found:
            continue
        pooled = np.concatenate(list(found.values()))
        half = 0.46 * room
        colour = SERIES[g] if len(groups) > 1 else MUTED
        if np.ptp(pooled) > 0:
            pad = 0.08 * float(np.ptp(pooled))
            at = np.linspace(pooled.min() - pad, pooled.max() + pad, 26)
            wide = half * density(pooled, at)
            axes.fill_betweenx(at, centre - wide, centre + wide, facecolor=colour, alpha=0.14, lw=0)
            axes.fill_betweenx(
                at, centre - wide, centre + wide, facecolor="none", edgecolor=colour, lw=0.9,
                ls=DASHES[g % len(DASHES)],
            )  # fmt: skip
        if len(found) == 1:  # a single model: its prompts
            values = next(iter(found.values()))
            xs = (
                centre + np.linspace(-0.7, 0.7, len(values)) * half if len(values) > 1 else [centre]
            )
            axes.plot(
                xs, values, "o", ms=2.6, color=colour, alpha=0.75, mew=0,
                gid=f"part:prompts-{valence}",
            )  # fmt: skip
        else:
            xs = centre + np.linspace(-0.8, 0.8, len(found)) * half
            for x_model, (i, values) in zip(xs, found.items(), strict=True):
                own, marker = look(i)
                axes.plot(
                    [x_model], [values.mean()], marker, ms=5.5, mew=0,
                    color=own if len(groups) == 1 else colour,
                    gid=f"part:model-{i}-{valence}",
                )  # fmt: skip
        means = [v.mean() for v in found.values()]
        axes.plot(
            [centre - 0.8 * half, centre + 0.8 * half], [np.mean(means)] * 2, color=INK, lw=2,
            solid_capstyle="butt", gid=f"part:mean-{valence}",
        )  # fmt: skip


class _Legend:
    """The models' markers under their groups, and the grand mean."""

    _LINE = 16.0

    def __init__(self, models: Sequence[Ranked], groups: Sequence[_Group]) -> None:
        names = distinct([m.name for m in models], 230)
        self.entries: list[tuple[str, str, str, int]] = []
        for g, group in enumerate(groups):
            colour = SERIES[g] if len(groups) > 1 else MUTED
            alone = len(group.members) == 1
            if group.title or alone:
                text = shortened(group.title, 230) if group.title else names[group.members[0]]
                self.entries.append(("violin", colour, text, g))
                if not group.title:
                    continue
            for i in group.members:
                own, marker = look(i)
                if alone:
                    marker = "."
                self.entries.append((marker, own if len(groups) == 1 else colour, names[i], g))
        self.entries.append(("mean", INK, "grand mean" if len(models) > 1 else "mean", 0))
        self.entries.append(("middle", MUTED, "the middle rank: no preference", 0))
        self.wide = 26 + max(width(text) for _, _, text, _ in self.entries)
        self.columns, self.high = 1, 0.0

    def fit(self, room: float) -> None:
        self.columns = max(1, int(room // (self.wide + 14)))
        self.high = -(-len(self.entries) // self.columns) * self._LINE + 10

    def draw(self, canvas: Canvas, left: float, top: float) -> None:
        lines = -(-len(self.entries) // self.columns)
        for at, (what, colour, text, g) in enumerate(self.entries):
            x = left + (at // lines) * (self.wide + 14)
            y = top + (at % lines) * self._LINE + 6
            axes = canvas.whole
            if what == "violin":
                axes.fill_between([x, x + 14], y - 5, y + 5, facecolor=colour, alpha=0.14, lw=0)
                axes.plot(
                    [x, x + 14, x + 14, x, x], [y - 5, y - 5, y + 5, y + 5, y - 5], color=colour,
                    lw=0.9, ls=DASHES[g % len(DASHES)],
                )  # fmt: skip
            elif what in ("mean", "middle"):
                axes.plot(
                    [x, x + 14], [y, y], color=colour, lw=2 if what == "mean" else 0.9,
                    ls="solid" if what == "mean" else (0, (2, 2)),
                )  # fmt: skip
            else:
                axes.plot([x + 7], [y], what, ms=5.5, mew=0, color=colour)
            canvas.write(x + 20, y, text)


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
    of = "in shares of the words" if scale.n_words is None else f"of {scale.n_words:,} words"
    return f"Mean of the median ranks {of}, the smallest the most preferred: {'; '.join(said)}."


def _caption(models: Sequence[Ranked], groups: Sequence[_Group], scale: _Scale) -> str:
    rank = (
        "The median rank of a category's words among all words of the lexicon, one value for each "
        "prompt and model; the most preferred at the top"
        + ("." if scale.n_words is None else f", rank 1 of {scale.n_words:,}.")
    )
    if len(groups) == len(models):
        dots = "Each dot is a prompt; a violin shows how a model's prompts are spread."
    else:
        dots = "Each dot is a model's mean over its prompts; a violin holds all prompts and models."
    return (
        f"{rank} {dots} The spread over prompts is no uncertainty: the prompts are variants of one "
        "question, and words are the sample. The intervals are in the forest of effects."
    )
