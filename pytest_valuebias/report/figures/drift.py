"""How a training run's effects, and the gap of two runs, moved over the checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pytest_valuebias.report.figures.canvas import Canvas, Figure
from pytest_valuebias.report.figures.labels import distinct, listed, shortened
from pytest_valuebias.report.figures.ranked import Document
from pytest_valuebias.report.figures.records import Record, word
from pytest_valuebias.report.figures.style import DASHES, MUTED, look
from valuebias.shown import bracketed, signed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST = 12
_LEFT, _WIDE, _HIGH, _TOP = 46.0, 214.0, 120.0, 44.0
_WHAT = {"drift": "effect", "gap": "gap of the two runs"}


def figures(document: Document, lexicon: str, figure: str) -> list[Figure]:
    """One figure of the runs' effects and one of the gaps of two runs."""
    found = [
        r for r in document["verdicts"] if r["lexicon_name"] == lexicon and r.get("trajectory")
    ]
    roles = list(dict.fromkeys(r["role"] for r in found))
    return [
        _figure(
            [r for r in found if r["role"] == role],
            lexicon,
            role,
            figure if at == 0 else f"{figure}-{at + 1}",
        )
        for at, role in enumerate(roles)
    ]


def _figure(records: Sequence[Record], lexicon: str, role: str, figure: str) -> Figure:
    panels: dict[tuple[str, str], list[Record]] = {}
    for r in records:
        panels.setdefault((r["contrast"], r["valence"]), []).append(r)
    shown = list(panels)
    if len(shown) > _MOST:
        shown = sorted(shown, key=lambda key: max(map(_interest, panels[key])), reverse=True)[
            :_MOST
        ]
    left_out = [key for key in panels if key not in shown]
    titles = list(dict.fromkeys(r["title"] for r in records))
    labels = dict(zip(titles, distinct(titles, 300), strict=True))
    across = 2 if len(shown) <= 4 else 3
    across = min(across, len(shown))
    down = -(-len(shown) // across)
    head = 18.0 * len(titles) + 8
    whole = max(across * (_LEFT + _WIDE) + 8, 480)
    canvas = Canvas(whole, head + down * (_HIGH + _TOP + 22))
    for i, title in enumerate(titles):
        colour, marker = look(i)
        y = 9 + 18 * i
        canvas.whole.plot(
            [_LEFT, _LEFT + 15, _LEFT + 30], [y] * 3, marker=marker, ms=5, mew=0, color=colour,
            ls=DASHES[i % len(DASHES)],
        )  # fmt: skip
        canvas.write(_LEFT + 38, y, labels[title])
    steps = [s for key in shown for r in panels[key] for s in r["trajectory"]]
    low = min(0.0, *(s["low"] for s in steps))
    high = max(0.0, *(s["high"] for s in steps))
    pad = 0.06 * (high - low) or 0.1
    for p, key in enumerate(shown):
        left = (p % across) * (_LEFT + _WIDE) + _LEFT
        top = head + (p // across) * (_HIGH + _TOP + 22) + _TOP - 12
        axes = canvas.axes(left, top, _WIDE - 8, _HIGH)
        axes.set_ylim(low - pad, high + pad)
        axes.axhline(0, color=MUTED, lw=0.8)
        axes.grid(axis="y")
        said = []
        for r in panels[key]:
            i = titles.index(r["title"])
            colour, marker = look(i)
            xs = [s["step"] for s in r["trajectory"]]
            axes.fill_between(
                xs, [s["low"] for s in r["trajectory"]], [s["high"] for s in r["trajectory"]],
                facecolor=colour, alpha=0.15, lw=0,
            )  # fmt: skip
            axes.plot(
                xs, [s["estimate"] for s in r["trajectory"]], marker=marker, ms=4.5, mew=0,
                color=colour, ls=DASHES[i % len(DASHES)], gid=f"part:run-{i}",
            )  # fmt: skip
            said.append(f"{signed(r['estimate'])} {word(r)}")
        _axis(axes)
        canvas.write(left, top - 22, shortened(f"{key[0]}, {key[1]}", _WIDE - 8), bold=True)
        canvas.write(
            left, top - 8, shortened(f"change {' · '.join(said)}", _WIDE - 8, 9), size=9,
            color=MUTED,
        )  # fmt: skip
        if p // across == down - 1 or p + across >= len(shown):
            canvas.write(left + _WIDE / 2, top + _HIGH + 27, "step", anchor="center", color=MUTED)
    what = _WHAT.get(role, "effect")
    title = f"{what.capitalize()} over training on {lexicon}"
    description = _described(panels, shown, what)
    return Figure(
        figure, title, description, _caption(what, left_out),
        canvas.svg(figure, title, description), 480,
    )  # fmt: skip


def _interest(r: Record) -> tuple[bool, float]:
    """Verdicts first, then the changes that stand out most from their intervals."""
    half = (r["ci_high"] - r["ci_low"]) / 2
    return bool(r["gated"]), abs(r["estimate"]) / half if half > 0 else 0.0


def _axis(axes: Axes) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _described(
    panels: dict[tuple[str, str], list[Record]], shown: Sequence[tuple[str, str]], what: str
) -> str:
    said = []
    for key in shown:
        for r in panels[key]:
            first, last = r["trajectory"][0], r["trajectory"][-1]
            said.append(
                f"{r['title']}, {key[0]}, {key[1]} prompts: {signed(first['estimate'])} at step "
                f"{first['step']:,}, {signed(last['estimate'])} "
                f"{bracketed(last['low'], last['high'])} at step {last['step']:,}"
            )
    return f"The {what} by training step: {'; '.join(said)}."


def _caption(what: str, left_out: Sequence[tuple[str, str]]) -> str:
    lost = ""
    if left_out:
        lost = (
            f" Drawn are the {_MOST} that changed most clearly; not drawn: "
            f"{listed((', '.join(key) for key in left_out), 60)}."
        )
    return (
        f"The {what} (rank-biserial correlation; above zero: the first side is preferred) at each "
        "checkpoint; the band holds at all checkpoints at once with 95% confidence. The change is "
        f"from the first to the last.{lost}"
    )
