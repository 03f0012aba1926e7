"""A figure laid out in pixels, and what a page is given of it."""

from __future__ import annotations

from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, Any, Literal

from valuebias.report.figures.style import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Anchor = Literal["left", "center", "right"]


@dataclass(frozen=True)
class Figure:
    """One figure of a page.

    ``title`` says what it is; ``description`` what a reader who does not see it is told: what is
    drawn, and the main numbers; ``caption`` the units, the direction, and what the spread is and is
    not. ``svg`` is an <svg> element that refers to nothing outside itself. ``min_width`` (pixels)
    is the width below which a page should let it scroll sideways.
    """

    id: str
    title: str
    description: str
    caption: str
    svg: str
    min_width: int


class Canvas:
    """A matplotlib figure whose unit is the pixel.

    Texts are drawn as placeholders that matplotlib can measure and that mean nothing to it, and
    written into the SVG afterwards: it has no glyphs for some, and reads mathematics into others.
    """

    def __init__(self, width: float, height: float) -> None:
        from matplotlib.figure import Figure as Drawing

        self.width, self.height = width, height
        self.drawing = Drawing(figsize=(width / 72, height / 72), dpi=72, facecolor="none")
        self.texts: dict[str, str] = {}
        self._whole: Axes | None = None

    def axes(self, left: float, top: float, width: float, height: float) -> Axes:
        """A plot at that place, in pixels from the top left corner."""
        box = (
            left / self.width,
            1 - (top + height) / self.height,
            width / self.width,
            height / self.height,
        )
        return self.drawing.add_axes(box)

    @property
    def whole(self) -> Axes:
        """A plot of the whole figure whose coordinates are pixels from the top left corner."""
        if self._whole is None:
            axes = self.axes(0, 0, self.width, self.height)
            axes.set_axis_off()
            axes.set(xlim=(0, self.width), ylim=(self.height, 0))
            self._whole = axes
        return self._whole

    def key(self, text: str) -> str:
        """The placeholder of a text."""
        key = f"t{len(self.texts)}"
        self.texts[key] = text
        return key

    def write(
        self,
        x: float,
        y: float,
        text: str,
        *,
        at: Axes | None = None,
        anchor: Anchor = "left",
        size: float = 10.5,
        color: str = INK,
        bold: bool = False,
        turned: float = 0,
        **more: Any,
    ) -> None:
        """A text beside that point, its middle at that height, in pixels or a plot's units."""
        (at or self.whole).text(
            x,
            y,
            self.key(text),
            ha=anchor,
            va=more.pop("va", "center_baseline"),
            size=size,
            color=color,
            weight="bold" if bold else "normal",
            rotation=turned,
            rotation_mode="anchor",
            **more,
        )

    def svg(self, figure: str, title: str, description: str) -> str:
        """The <svg> element of a page, whose ids begin with ``figure``."""
        from valuebias.report.figures.svg import finished

        buffer = StringIO()
        self.drawing.savefig(buffer, format="svg", facecolor="none", edgecolor="none")
        return finished(buffer.getvalue(), figure, title, description, self.texts)
