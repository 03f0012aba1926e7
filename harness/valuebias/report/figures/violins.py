"""Violins of ranks side by side in a category, the dots in them, and what says whose they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from valuebias.report.figures.canvas import Canvas
from valuebias.report.figures.labels import distinct, shortened, width
from valuebias.report.figures.ranked import Floats, Ranked, density
from valuebias.report.figures.shapes import boxes, dots, lines
from valuebias.report.figures.style import DASHES, INK, MUTED, SERIES, look

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 4  # violins side by side in a category


@dataclass(frozen=True)
class Group:
    """Models whose ranks are one violin: of one base, or one model alone.

    ``title`` names what they share, empty for a model alone and for all models together.
    """

    title: str
    members: tuple[int, ...]


def grouped(models: Sequence[Ranked]) -> list[Group]:
    """A group for each base where bases are known, for each model where there are few, or one."""
    bases = list(dict.fromkeys(m.base for m in models))
    if len(models) > len(bases) > 1 and len(bases) <= _MOST:
        return [
            Group(
                "no base named" if base is None else f"base {base}",
                tuple(i for i, m in enumerate(models) if m.base == base),
            )
            for base in bases
        ]
    if len(models) <= _MOST:
        return [Group("", (i,)) for i in range(len(models))]
    return [Group("", tuple(range(len(models))))]


def draw(
    axes: Axes,
    x: int,
    category: str,
    valence: str,
    models: Sequence[Ranked],
    groups: Sequence[Group],
    scaled: Callable[[Ranked], Floats],
) -> None:
    """One category's violins, dots and means, around x."""
    room = 0.84 / len(groups)
    for g, group in enumerate(groups):
        by_model = {
            i: scaled(models[i])[models[i].asked(valence), models[i].column(category)]
            for i in group.members
            if category in models[i].categories and len(models[i].asked(valence))
        }
        if by_model:
            centre = x + (g - (len(groups) - 1) / 2) * room
            _violin(axes, centre, 0.46 * room, by_model, valence, g if len(groups) > 1 else None)


def _violin(
    axes: Axes, centre: float, half: float, by_model: dict[int, Floats], valence: str, g: int | None
) -> None:
    pooled = np.concatenate(list(by_model.values()))
    colour = MUTED if g is None else SERIES[g]
    if np.ptp(pooled) > 0:
        at = np.linspace(pooled.min(), pooled.max(), 26)
        wide = half * density(pooled, at)
        left, right = centre - wide, centre + wide
        axes.fill_betweenx(at, left, right, facecolor=colour, alpha=0.14, lw=0)
        axes.fill_betweenx(
            at, left, right, facecolor="none", edgecolor=colour, lw=0.9,
            ls=DASHES[(g or 0) % len(DASHES)],
        )  # fmt: skip
    if len(by_model) == 1:  # a single model: its prompts
        values = next(iter(by_model.values()))
        at = np.linspace(-0.7, 0.7, len(values)) if len(values) > 1 else np.zeros(1)
        gid = f"part:prompts-{valence}"
        dots(axes, centre + at * half, values, color=colour, size=2.6, gid=gid)
    else:
        for at_model, (i, values) in zip(
            np.linspace(-0.8, 0.8, len(by_model)), by_model.items(), strict=True
        ):
            own, marker = look(i)
            axes.plot(
                [centre + at_model * half], [values.mean()], marker, ms=5.5, mew=0,
                color=own if g is None else colour, gid=f"part:model-{i}-{valence}",
            )  # fmt: skip
    mean = float(np.mean([v.mean() for v in by_model.values()]))
    ends = centre - 0.8 * half, centre + 0.8 * half
    lines(axes, [ends[0]], [ends[1]], [mean], color=INK, lw=2, gid=f"part:mean-{valence}")


class Legend:
    """Whose violins and dots are whose."""

    _LINE, _MOST_WIDE = 16.0, 300.0

    def __init__(self, models: Sequence[Ranked], groups: Sequence[Group]) -> None:
        names = distinct([_titled(m, groups) for m in models], self._MOST_WIDE)
        self._entries: list[tuple[str, str, str, int]] = []
        for g, group in enumerate(groups):
            colour = SERIES[g] if len(groups) > 1 else MUTED
            alone = len(group.members) == 1 and not group.title
            if group.title or alone:
                text = names[group.members[0]] if alone else shortened(group.title, self._MOST_WIDE)
                self._entries.append(("violin", colour, text, g))
            if not alone:
                own = [(i, *look(i)) for i in group.members]
                self._entries += [
                    (marker, c if len(groups) == 1 else colour, names[i], g) for i, c, marker in own
                ]
        mean = "mean" if len(groups) == len(models) else "mean of the models"
        self._entries += [
            ("mean", INK, mean, 0),
            ("middle", MUTED, "the middle rank: no preference", 0),
        ]
        self.wide = 26 + max(width(text) for _, _, text, _ in self._entries)
        self.columns, self.high = 1, 0.0

    def fit(self, room: float) -> None:
        """Set in as many columns as that room holds."""
        self.columns = max(1, int((room + 14) // (self.wide + 14)))
        self.high = -(-len(self._entries) // self.columns) * self._LINE + 6

    def draw(self, canvas: Canvas, left: float, top: float) -> None:
        down = -(-len(self._entries) // self.columns)
        for at, (what, colour, text, g) in enumerate(self._entries):
            x = left + (at // down) * (self.wide + 14)
            y = top + (at % down) * self._LINE + 6
            axes = canvas.whole
            if what == "violin":
                boxes(axes, [(x, x + 14, y - 5, y + 5)], color=colour, alpha=0.14)
                axes.plot(
                    [x, x + 14, x + 14, x, x], [y - 5, y - 5, y + 5, y + 5, y - 5], color=colour,
                    lw=0.9, ls=DASHES[g % len(DASHES)],
                )  # fmt: skip
            elif what == "mean":
                lines(axes, [x], [x + 14], [y], color=colour, lw=2)
            elif what == "middle":
                axes.plot([x, x + 14], [y, y], color=colour, lw=0.9, ls=(0, (2, 2)))
            else:
                axes.plot([x + 7], [y], what, ms=5.5, mew=0, color=colour)
            canvas.write(x + 20, y, text)


def _titled(model: Ranked, groups: Sequence[Group]) -> str:
    """A model, with its base where no heading says it."""
    headed = any(group.title for group in groups)
    return model.name if headed or model.base is None else f"{model.name} (base {model.base})"
