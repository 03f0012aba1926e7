"""Many dots, lines and boxes as one path each: a tenth of the size of as many elements."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from valuebias.format import bare

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Box = tuple[float, float, float, float]


def lines(
    axes: Axes,
    starts: npt.ArrayLike,
    ends: npt.ArrayLike,
    at: npt.ArrayLike,
    *,
    color: str,
    lw: float,
    upright: bool = False,
    cap: str = "butt",
    gid: str = "",
) -> None:
    """Lines from ``starts`` to ``ends`` at the heights ``at``, or upright ones at those places."""
    along, across = np.asarray([starts, ends], float), np.asarray([at, at], float)
    if not along.size:
        return
    gap = np.full(along.shape[1], np.nan)
    xs, ys = (np.stack([*pair, gap], axis=1).ravel() for pair in (along, across))
    if upright:
        xs, ys = ys, xs
    axes.plot(xs, ys, color=color, lw=lw, solid_capstyle=cap, gid=gid or None)


def dots(
    axes: Axes, xs: npt.ArrayLike, ys: npt.ArrayLike, *, color: str, size: float,
    square: bool = False, gid: str = "",
) -> None:  # fmt: skip
    """Dots of that size in pixels: lines without a length, with round or square ends."""
    cap = "projecting" if square else "round"
    lines(axes, xs, xs, ys, color=color, lw=size, cap=cap, gid=gid)


def boxes(
    axes: Axes, rectangles: Iterable[Box], *, color: str, alpha: float = 1, gid: str = ""
) -> None:
    """Filled boxes (left, right, top, bottom)."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    paths = [
        Path([(a, t), (b, t), (b, u), (a, u), (a, t)], closed=True) for a, b, t, u in rectangles
    ]  # fmt: skip
    if paths:
        shape = Path.make_compound_path(*paths)
        axes.add_patch(PathPatch(shape, facecolor=color, alpha=alpha, lw=0, gid=gid or None))


def tick(value: float) -> str:
    """An effect on an axis: +.5, 0, -1."""
    return "0" if abs(value) < 5e-4 else bare(f"{value:+.3f}".rstrip("0").rstrip("."))


def reaching(value: float) -> float:
    """A round end of an axis that holds the value."""
    steps: Sequence[float] = (0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1, 1.2, 1.5, 2)
    return next((s for s in steps if s >= value), value)
