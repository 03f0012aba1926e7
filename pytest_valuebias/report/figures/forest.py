"""Every verdict's effect with its interval and margin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_valuebias.report.figures.canvas import Canvas, Figure
from pytest_valuebias.report.figures.labels import listed, shortened
from pytest_valuebias.report.figures.ranked import Document
from pytest_valuebias.report.figures.records import Record, margin, mark, numbers, reach, word
from pytest_valuebias.report.figures.style import GRID, INK, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABEL, _PLOT, _NUMBERS, _WORD = 186.0, 196.0, 134.0, 92.0
_ROW, _GROUP, _SECTION, _AXIS, _HEAD = 16.0, 21.0, 34.0, 34.0, 8.0
_MOST_ROWS = 56  # in one figure, so that it fits a printed page

_SECTIONS = {
    "range": "preference of a reward model",
    "shift": "shift from a reference",
    "logprob": "preference of a language model",
    "implicit": "preference of an implicit reward",
    "inheritance": "inheritance: correlation with its own base beyond other bases",
    "drift": "change over a training run",
    "gap": "change of the gap between two training runs",
    "controlled": "preference with confounds held constant",
    "regression": "distance from zero, against a reference",
}
_COLUMNS = {
    "positive": "asked for the best",
    "negative": "asked for the worst",
    "positive-negative": "asked for the best, minus for the worst",
}


@dataclass(frozen=True)
class _Row:
    """One line: a subject's verdicts on a contrast, one for each valence at most."""

    section: tuple[str, str]
    group: str
    label: str
    verdicts: dict[str, Record]


def figures(document: Document, lexicon: str, figure: str) -> list[Figure]:
    """The forest, in as many figures as keep each to a page."""
    records = [r for r in document["verdicts"] if r["lexicon_name"] == lexicon]
    drawn = [r for r in records if r.get("estimate") is not None]
    missing = len(records) - len(drawn)
    pages = list(_pages(_rows(drawn)))
    return [
        _figure(rows, lexicon, figure if at == 0 else f"{figure}-{at + 1}", (at, len(pages)),
                missing if at == len(pages) - 1 else 0)
        for at, rows in enumerate(pages)
    ]  # fmt: skip


def _rows(records: Sequence[Record]) -> list[_Row]:
    sections: dict[tuple[str, str], list[Record]] = {}
    for r in records:
        both = "" if r["valence"] in ("positive", "negative") else r["valence"]
        sections.setdefault((r["role"], both), []).append(r)
    rows: list[_Row] = []
    for section, members in sections.items():
        subjects = dict.fromkeys(r["title"] for r in members)
        contrasts = dict.fromkeys(r["contrast"] for r in members)
        for outer in contrasts if len(subjects) > 1 else subjects:
            key, inner = ("contrast", "title") if len(subjects) > 1 else ("title", "contrast")
            lines: dict[tuple[str, int], dict[str, Record]] = {}
            times: Counter[tuple[str, str]] = Counter()
            for r in members:
                if r[key] != outer:
                    continue
                nth = times[r[inner], r["valence"]]
                times[r[inner], r["valence"]] += 1
                lines.setdefault((r[inner], nth), {})[r["valence"]] = r
            inside = sorted(
                lines, key=lambda line: list(dict.fromkeys(x for x, _ in lines)).index(line[0])
            )
            rows += [_Row(section, outer, line[0], lines[line]) for line in inside]
    return rows


def _pages(rows: Sequence[_Row]) -> Iterator[list[_Row]]:
    """The rows in pages, broken between groups where a group fits a page."""
    groups: dict[tuple[tuple[str, str], str], list[_Row]] = {}
    for row in rows:
        groups.setdefault((row.section, row.group), []).append(row)
    page: list[_Row] = []
    for members in groups.values():
        if page and len(page) + len(members) > _MOST_ROWS:
            yield page
            page = []
        while len(members) > _MOST_ROWS:
            yield members[:_MOST_ROWS]
            members = members[_MOST_ROWS:]
        page += members
    if page:
        yield page


def _figure(
    rows: Sequence[_Row], lexicon: str, figure: str, page: tuple[int, int], missing: int
) -> Figure:
    columns = _columns(rows)
    each = _PLOT + 8 + _NUMBERS + _WORD
    sections: dict[tuple[str, str], dict[str, list[_Row]]] = {}
    for row in rows:
        sections.setdefault(row.section, {}).setdefault(row.group, []).append(row)
    high = sum(
        _SECTION + _AXIS + sum(_GROUP + _ROW * len(g) for g in groups.values())
        for groups in sections.values()
    )
    canvas = Canvas(_LABEL + len(columns) * each, _HEAD + high)
    top = _HEAD
    for section, groups in sections.items():
        top = _section(canvas, section, groups, columns, each, top)
    records = [r for row in rows for r in row.verdicts.values()]
    number = f" ({page[0] + 1} of {page[1]})" if page[1] > 1 else ""
    title = f"Effects on {lexicon} with intervals and margins{number}"
    description = _described(records, missing)
    return Figure(
        figure, title, description, _caption(missing), canvas.svg(figure, title, description),
        720 if len(columns) > 1 else 480,
    )  # fmt: skip


def _columns(rows: Sequence[_Row]) -> list[tuple[str, ...]]:
    there = {v for row in rows for v in row.verdicts}
    sides: list[tuple[str, ...]] = [(v,) for v in ("positive", "negative") if v in there]
    others = tuple(v for v in there if v not in ("positive", "negative"))
    if not others:
        return sides
    return [(*(sides[0] if sides else ()), *others), *sides[1:]]


def _section(
    canvas: Canvas,
    section: tuple[str, str],
    groups: dict[str, list[_Row]],
    columns: Sequence[tuple[str, ...]],
    each: float,
    top: float,
) -> float:
    """Draw one section; returns where it ends."""
    role, _ = section
    canvas.write(0, top + 8, _SECTIONS.get(role, role), bold=True, size=11.5)
    start = top + _SECTION
    placed: list[tuple[float, _Row]] = []
    y = start
    for group, members in groups.items():
        canvas.write(0, y + _GROUP / 2 + 2, shortened(group, _LABEL - 10), bold=True)
        y += _GROUP
        for row in members:
            canvas.write(8, y + _ROW / 2, shortened(row.label, _LABEL - 18))
            placed.append((y + _ROW / 2, row))
            y += _ROW
    reached = max(reach(r) for _, row in placed for r in row.verdicts.values())
    limit = _limit(reached)
    for c, valences in enumerate(columns):
        found = [(at, row.verdicts[v]) for at, row in placed for v in valences if v in row.verdicts]
        if not found:
            continue
        left = _LABEL + c * each
        axes = canvas.axes(left, start, _PLOT, y - start)
        axes.set(xlim=(-limit, limit), ylim=(y, start))
        _axis(axes, limit)
        canvas.write(left, start - 9, _COLUMNS.get(found[0][1]["valence"], ""), color=MUTED)
        canvas.write(left, y + 24, "◂ second side", size=9, color=MUTED)
        canvas.write(left + _PLOT, y + 24, "first side ▸", anchor="right", size=9, color=MUTED)
        _marks(axes, found, limit)
        for at, r in found:
            canvas.write(left + _PLOT + 8, at, numbers(r), size=9.5)
            canvas.write(
                left + _PLOT + 8 + _NUMBERS, at, word(r), size=9, bold=True, color=mark(r)[0]
            )
    return y + _AXIS


def _limit(reached: float) -> float:
    steps = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2, 1.5, 2.0)
    return next((s for s in steps if s >= reached), max(reached, 2.0)) * 1.04


def _axis(axes: Axes, limit: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(4, symmetric=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _tick(value)))
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.axvline(0, color=INK, lw=0.9, gid="part:zero")
    axes.set_xlim(-limit, limit)


def _tick(value: float) -> str:
    return "0" if abs(value) < 1e-9 else f"{value:+.2f}".rstrip("0").rstrip(".").replace("0.", ".")


def _marks(axes: Axes, found: Sequence[tuple[float, Record]], limit: float) -> None:
    """Margins, intervals and estimates at their heights."""
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    nan = float("nan")
    bands: list[list[tuple[float, float]]] = []
    edges: tuple[list[float], list[float]] = ([], [])
    for y, r in found:
        low, high = r.get("margin_low"), r.get("margin_high")
        if low is None and high is None:
            continue
        a, b = -limit if low is None else low, limit if high is None else high
        t, u = y - _ROW / 2 + 0.6, y + _ROW / 2 - 0.6
        bands.append([(a, t), (b, t), (b, u), (a, u)])
        for edge in (e for e in (low, high) if e is not None):
            edges[0].extend((edge, edge, nan))
            edges[1].extend((t, u, nan))
    if bands:
        shape = Path.make_compound_path(*(Path(band + band[:1], closed=True) for band in bands))
        axes.add_patch(PathPatch(shape, facecolor=GRID, alpha=0.45, lw=0, gid="part:margins"))
        axes.plot(*edges, color=MUTED, lw=0.8)
    for names, thick in ((("ci_low", "ci_high"), 1.0), (("gate_low", "gate_high"), 2.6)):
        xs: list[float] = []
        ys: list[float] = []
        for y, r in found:
            if r.get(names[0]) is not None and r.get(names[1]) is not None:
                xs += [r[names[0]], r[names[1]], nan]
                ys += [y, y, nan]
        axes.plot(xs, ys, color=INK, lw=thick, solid_capstyle="butt", gid=f"part:{names[0]}")
    for look in dict.fromkeys(mark(r) for _, r in found):
        colour, marker, filled = look
        at = [(r["estimate"], y) for y, r in found if mark(r) == look]
        axes.plot(
            *zip(*at, strict=True), marker, ms=7 if marker in "XP" else 6, color=colour,
            mfc=colour if filled else "#ffffff", mec=colour, mew=0.6 if filled else 1.6,
            gid="part:estimates",
        )  # fmt: skip


def _described(records: Sequence[Record], missing: int) -> str:
    counts = Counter(word(r) for r in records)
    said = ", ".join(f"{n} {verdict}" for verdict, n in counts.items())
    first = [r for r in records if word(r) in ("FAIL", "INCONCLUSIVE")] or sorted(
        records, key=lambda r: -abs(r["estimate"])
    )[:3]
    main = listed(
        (f"{r['title']}, {r['contrast']}, {r['valence']} prompts: {numbers(r)}"
         + (f", {margin(r)}" if margin(r) else "") + f", {word(r)}" for r in first),
        8,
    )  # fmt: skip
    lost = f" {missing} more could not be measured." if missing else ""
    return f"A forest plot of {len(records)} verdicts: {said}. {main}.{lost}"


def _caption(missing: int) -> str:
    lost = f" Not drawn, as they could not be measured: {missing} (ERROR)." if missing else ""
    return (
        "Above zero: words of the contrast's first side are preferred to those of its second. The "
        "thin line is the 95% interval by word families, the thick line the interval that is held "
        "against the margin (the shaded band, open on the side that a one-sided margin leaves "
        f"open). Without a thick line nothing was gated.{lost}"
    )
