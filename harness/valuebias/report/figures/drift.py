"""How a training run's effects, and the gap of two runs, moved over the checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from valuebias.format import bracketed, signed
from valuebias.report.document import Step
from valuebias.report.figures.canvas import Canvas, Figure
from valuebias.report.figures.labels import distinct, listed, shortened
from valuebias.report.figures.ranked import Document
from valuebias.report.figures.records import Record, mark
from valuebias.report.figures.shapes import tick
from valuebias.report.figures.style import DASHES, MUTED, look
from valuebias.report.wording import directions, of_step, path_of, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST, _MOST_RUNS = 12, 8
_LEFT, _WIDE, _HIGH, _TOP = 46.0, 236.0, 120.0, 44.0


def figures(document: Document, lexicon: str, figure: str) -> list[Figure]:
    """The runs' effects and the gaps of two runs, in figures of as many as can be told apart."""
    records = [
        r for r in document["verdicts"] if r["lexicon_name"] == lexicon and r.get("trajectory")
    ]
    pages = []
    for role in dict.fromkeys(r["role"] for r in records):
        titles = list(dict.fromkeys(r["title"] for r in records if r["role"] == role))
        for i in range(0, len(titles), _MOST_RUNS):
            some = titles[i : i + _MOST_RUNS]
            pages.append([r for r in records if r["role"] == role and r["title"] in some])
    return [
        _figure(page, lexicon, figure if at == 0 else f"{figure}-{at + 1}")
        for at, page in enumerate(pages)
    ]


def _figure(records: Sequence[Record], lexicon: str, figure: str) -> Figure:
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
    top_of = _TOP + 14 * (max(map(_deep, panels.values())) - 1)
    head = 18.0 * len(titles) + 4
    whole = max(across * (_LEFT + _WIDE) + 8, 480)
    canvas = Canvas(whole, head + down * (_HIGH + top_of + 22) + 14)
    for i, title in enumerate(titles):
        colour, marker = look(i)
        y = 9 + 18 * i
        canvas.whole.plot(
            [_LEFT, _LEFT + 15, _LEFT + 30], [y] * 3, marker=marker, ms=5, mew=0, color=colour,
            ls=DASHES[i % len(DASHES)],
        )  # fmt: skip
        canvas.write(_LEFT + 38, y, labels[title])
    points = [s for key in shown for r in panels[key] for s in r["trajectory"]]
    steps = sorted({s["step"] for s in points})
    low = min(0.0, *(_band(s)[0] for s in points))
    high = max(0.0, *(_band(s)[1] for s in points))
    pad = 0.06 * (high - low) or 0.1
    for p, key in enumerate(shown):
        left = (p % across) * (_LEFT + _WIDE) + _LEFT
        top = head + (p // across) * (_HIGH + top_of + 22) + top_of - 2
        axes = canvas.axes(left, top, _WIDE - 8, _HIGH)
        axes.set_ylim(low - pad, high + pad)
        axes.axhline(0, color=MUTED, lw=0.8)
        axes.grid(axis="y")
        for r in panels[key]:
            i = titles.index(r["title"])
            colour, marker = look(i)
            xs = [s["step"] for s in r["trajectory"]]
            lows, highs = zip(*map(_band, r["trajectory"]), strict=True)
            axes.fill_between(xs, lows, highs, facecolor=colour, alpha=0.15, lw=0)
            axes.plot(
                xs, [s["estimate"] for s in r["trajectory"]], marker=marker, ms=4.5, mew=0,
                color=colour, ls=DASHES[i % len(DASHES)], gid=f"part:run-{i}",
            )  # fmt: skip
        _axis(axes, steps)
        _changes(canvas, left, top - 8, panels[key], titles)
        canvas.write(
            left,
            top - 8 - 14 * _deep(panels[key]),
            shortened(f"{key[0]}, {key[1]}", _WIDE - 8),
            bold=True,
        )
        if p // across == down - 1 or p + across >= len(shown):
            canvas.write(left + _WIDE / 2, top + _HIGH + 27, "step", anchor="center", color=MUTED)
    what = path_of(records[0])
    title = f"{what.capitalize()} over training on {lexicon}"
    description = _described(panels, shown, what)
    return Figure(
        figure, title, description, _caption(what, records, left_out),
        canvas.svg(figure, title, description), 480,
    )  # fmt: skip


def _band(step: Step) -> tuple[float, float]:
    """The band at a step; where there is none, the estimate alone."""
    low, high = step["low"], step["high"]
    return (step["estimate"],) * 2 if low is None or high is None else (low, high)


def _interest(r: Record) -> tuple[bool, float]:
    """Verdicts first, then the changes that stand out most from their intervals."""
    half = (r["ci_high"] - r["ci_low"]) / 2
    return bool(r["gated"]), abs(r["estimate"]) / half if half > 0 else 0.0


def _deep(records: Sequence[Record]) -> int:
    """The lines that the changes of so many runs take, two a line."""
    return -(-len(records) // 2)


def _changes(
    canvas: Canvas, left: float, top: float, records: Sequence[Record], titles: Sequence[str]
) -> None:
    """Each run's change and verdict beside its marker."""
    wide = (_WIDE - 8) / min(2, len(records))
    for at, r in enumerate(records):
        colour, marker = look(titles.index(r["title"]))
        x = left + (at % 2) * wide
        y = top - 13 * (_deep(records) - 1 - at // 2)
        canvas.whole.plot([x + 3], [y], marker, ms=4.5, mew=0, color=colour)
        canvas.write(x + 10, y, signed(r["estimate"]), size=9)
        canvas.write(x + 45, y, word(r).lower(), size=9, color=mark(r)[0])


def _axis(axes: Axes, steps: Sequence[int]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    if len(steps) <= 5:
        axes.set_xticks(steps)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
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
                f"{bracketed(*_band(last))} at step {last['step']:,}"
            )
    return f"The {what} by training step: {'; '.join(said)}."


def _caption(what: str, records: Sequence[Record], left_out: Sequence[tuple[str, str]]) -> str:
    lost = ""
    if left_out:
        lost = (
            f" Drawn are the {_MOST} that changed most clearly; not drawn: "
            f"{listed((', '.join(key) for key in left_out), 60)}."
        )
    return (
        f"The {what} (rank-biserial correlation; above zero: {_above(map(of_step, records))}) at "
        "each checkpoint; the band holds at all checkpoints at once with 95% confidence. The "
        f"number beside a verdict is the change; above zero: {_above(records)}.{lost}"
    )


def _above(records: Iterable[Record]) -> str:
    return "; ".join(directions(records).values())
