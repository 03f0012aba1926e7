"""What a policy would say by how far it is optimised, and the words that gain and lose most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from valuebias.format import bare, signed
from valuebias.report.beside import ForecastStep, WordMoved
from valuebias.report.figures.canvas import Canvas, Figure
from valuebias.report.figures.labels import listed, shortened, width
from valuebias.report.figures.ranked import Document
from valuebias.report.figures.records import Record
from valuebias.report.figures.shapes import lines, reaching, tick
from valuebias.report.figures.style import DASHES, INK, MARKERS, MUTED, SERIES, SURFACE
from valuebias.report.forecasts import forecasts, share, step_name

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOST, _WORDS = 8, 8
_LEFT, _WIDE, _HIGH, _GAP = 40.0, 330.0, 150.0, 88.0
_ROW = 15.0

Draw = Callable[[Canvas, Record, float, float], None]


def figures(document: Document, lexicon: str, figure: str) -> list[Figure]:
    """The shares by nats and the words that move, of the forecasts that change most."""
    found = forecasts(r for r in document["verdicts"] if r["lexicon_name"] == lexicon)
    if not found:
        return []
    kept, lost = found[:_MOST], found[_MOST:]
    shown = [r for r in document["verdicts"] if r in kept]
    more = f" Not drawn, as they change less: {listed(map(_name, lost), 12)}." if lost else ""
    policies = list(dict.fromkeys(str(r["reference"]) for r in shown))
    whose = policies[0] if len(policies) == 1 else f"{len(policies)} policies"
    return [
        _shares(shown, f"What {whose} would say of {lexicon}", more, figure),
        _movers(shown, f"Words of {lexicon} that {whose} would say more, and less", more, figure),
    ]


def _shares(records: Sequence[Record], title: str, more: str, figure: str) -> Figure:
    canvas = _panels(records, _HIGH, _curves)
    said = "; ".join(f"{_name(r)}: {_told(r)}" for r in records)
    description = f"Shares of what is said among the words of both sides: {said}."
    caption = (
        "The share of each side among the words of both, by the KL divergence from the policy, in "
        f"nats; bands: {_level(records)} intervals over prompts. The line joins the exact optima; "
        "a diamond on an upright line is best-of-n with its interval, n above the plot. The dotted "
        f"line is where the change is judged.{more}"
    )
    name = f"{figure}-shares"
    return Figure(name, title, description, caption, canvas.svg(name, title, description), 640)


def _movers(records: Sequence[Record], title: str, more: str, figure: str) -> Figure:
    rows = max(_rows(r) for r in records)
    canvas = _panels(records, _ROW * (rows + 1) + 4, _bars)
    said = "; ".join(
        f"{_name(r)}: gain {_words(r['forecast']['gain'])}, lose {_words(r['forecast']['lose'])}"
        for r in records
    )
    description = f"Words by the change of their share: {said}."
    caption = (
        "By how much each word's share changes at the nats that are judged, averaged over prompts: "
        "the words that gain most, then those that lose most. Circles and squares are the two "
        f"sides.{more}"
    )
    name = f"{figure}-words"
    return Figure(name, title, description, caption, canvas.svg(name, title, description), 640)


def _panels(records: Sequence[Record], high: float, draw: Draw) -> Canvas:
    """A panel for each forecast, two beside one another, each with its name above."""
    across = min(2, len(records))
    down = -(-len(records) // across)
    canvas = Canvas(across * (_LEFT + _WIDE) + 8, down * (high + _GAP) + 4)
    for i, r in enumerate(records):
        left = (i % across) * (_LEFT + _WIDE) + _LEFT
        top = (i // across) * (high + _GAP) + 48
        canvas.write(left, top - 36, shortened(f"{r['contrast']}, {r['valence']}", _WIDE - 12),
                     bold=True)  # fmt: skip
        canvas.write(left, top - 21, shortened(r["title"], _WIDE - 12, 9.5), size=9.5, color=MUTED)
        draw(canvas, r, left, top)
    return canvas


def _curves(canvas: Canvas, r: Record, left: float, top: float) -> None:
    """A line and band a side over the nats, and best-of-n as diamonds."""
    made = r["forecast"]
    by_nats = [s for s in made["steps"] if s["by"] == "nats"]
    draws = [s for s in made["steps"] if s["by"] == "best of"]
    room = max(width(side, 9.5) for side in r["sides"])
    room = min(room, 84) + 10
    axes = canvas.axes(left, top, _WIDE - 12 - room, _HIGH)
    end = max(s["nats"] for s in made["steps"])
    axes.set(xlim=(-0.02 * end, 1.03 * end), ylim=(-0.03, 1.03))
    axes.grid(axis="y")
    axes.axvline(made["judged"], color=MUTED, lw=0.8, ls=(0, (1.2, 1.6)))
    for side in (0, 1):
        colour = SERIES[side]
        xs = [s["nats"] for s in by_nats]
        lows, mid, highs = zip(*(_of_side(s, side) for s in by_nats), strict=True)
        axes.fill_between(xs, lows, highs, facecolor=colour, alpha=0.18, lw=0)
        axes.plot(xs, mid, marker=MARKERS[side], ms=4.5, mew=0, color=colour, ls=DASHES[side],
                  gid=f"part:side-{side}")  # fmt: skip
        at = [_of_side(s, side) for s in draws]
        places = [s["nats"] + (side - 0.5) * 0.02 * end for s in draws]  # beside one another
        lines(axes, [a[0] for a in at], [a[2] for a in at], places, color=colour, lw=1.1,
              upright=True, gid=f"part:best-interval-{side}")  # fmt: skip
        axes.plot(places, [a[1] for a in at], "D", ms=5, mew=1.2, mfc=SURFACE, color=colour,
                  gid=f"part:best-of-{side}")  # fmt: skip
    for s in draws:
        canvas.write(s["nats"], 1.08, f"{s['amount']:g}", at=axes, anchor="center", size=9,
                     color=MUTED)  # fmt: skip
    last = [_of_side(by_nats[-1], side)[1] for side in (0, 1)]
    for side, y in enumerate(_apart(last)):
        label = shortened(r["sides"][side], 84, 9.5)
        canvas.write(left + _WIDE - 8 - room, top + (1.03 - y) / 1.06 * _HIGH, label, size=9.5,
                     color=SERIES[side])  # fmt: skip
    _axis(axes, end)
    canvas.write(left + (_WIDE - 12 - room) / 2, top + _HIGH + 24,
                 "nats; diamonds: best of n", anchor="center", size=9.5, color=MUTED)  # fmt: skip


def _axis(axes: Axes, end: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: bare(f"{value:.3g}")))
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: bare(f"{value:.3g}")))


def _bars(canvas: Canvas, r: Record, left: float, top: float) -> None:
    """A row a word: its name, and its change from zero."""
    words = _shown(r)
    room = min(max((width(w["word"], 9.5) for w in words), default=40), 120) + 10
    whole = _WIDE - 12
    end = reaching(max((abs(w["change"]) for w in words), default=0.1)) * 1.04
    axes = canvas.axes(left + room, top, whole - room - 40, _ROW * (len(words) + 1))
    axes.set(xlim=(-end, end), ylim=(len(words), -1))
    axes.axvline(0, color=MUTED, lw=0.8)
    axes.grid(axis="x")
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    for side in (0, 1):
        mine = [(at, w) for at, w in enumerate(words) if w["side"] == r["sides"][side]]
        changes, rows = [w["change"] for _, w in mine], [at for at, _ in mine]
        lines(axes, [0.0 for _ in rows], changes, rows, color=SERIES[side], lw=1.6)
        axes.plot(changes, rows, MARKERS[side], ms=5, mew=0, color=SERIES[side],
                  gid=f"part:words-{side}")  # fmt: skip
    for at, word in enumerate(words):
        y = top + _ROW * (at + 1)
        canvas.write(left + room - 6, y, shortened(word["word"], 120, 9.5), anchor="right",
                     size=9.5)  # fmt: skip
        canvas.write(left + whole - 36, y, signed(word["change"]), size=9, color=INK)
    _changes(axes, end)


def _changes(axes: Axes, end: float) -> None:
    from matplotlib.ticker import FuncFormatter

    axes.set_xticks([-end / 1.04, 0, end / 1.04])
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))


def _of_side(step: ForecastStep, side: int) -> tuple[float, float, float]:
    """Lower end, share and upper end of a side; the second has what the first leaves."""
    if side == 0:
        return step["low"], step["share"], step["high"]
    return 1 - step["high"], 1 - step["share"], 1 - step["low"]


def _apart(places: Sequence[float]) -> list[float]:
    """The heights of two labels, moved apart where they would overlap."""
    a, b = places
    short = max(0.0, 0.1 - abs(a - b)) / 2
    return [a + short, b - short] if a >= b else [a - short, b + short]


def _shown(r: Record) -> list[WordMoved]:
    made = r["forecast"]
    return [*made["gain"][:_WORDS], *reversed(made["lose"][:_WORDS])]


def _rows(r: Record) -> int:
    return len(_shown(r))


def _words(moved: Sequence[WordMoved]) -> str:
    return ", ".join(f"{w['word']} {signed(w['change'])}" for w in moved[:_WORDS]) or "none"


def _told(r: Record) -> str:
    steps = ", ".join(f"{step_name(s)} {share(s['share'])}" for s in r["forecast"]["steps"])
    return f"{r['sides'][0]} {steps}"


def _name(r: Record) -> str:
    return f"{r['title']}, {r['contrast']}, {r['valence']} prompts"


def _level(records: Sequence[Record]) -> str:
    return f"{records[0]['ci_level']:.0%}"
