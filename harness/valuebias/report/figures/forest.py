"""Every verdict's effect with its interval and margin."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from valuebias.report.figures.canvas import Canvas, Figure
from valuebias.report.figures.labels import distinct, listed, shortened, width
from valuebias.report.figures.ranked import Document
from valuebias.report.figures.records import Record, intervals, margin, mark, numbers, reach
from valuebias.report.figures.shapes import boxes, lines, reaching, tick
from valuebias.report.figures.style import GRID, INK, MUTED, SURFACE
from valuebias.report.wording import directions, question, word

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LABEL, _PLOT, _NUMBERS = 220.0, 196.0, 128.0
_ROW, _GROUP, _SECTION, _AXIS, _HEAD = 16.0, 21.0, 40.0, 46.0, 2.0
_MOST_ROWS = 56  # in one figure, so that it fits a printed page

_COLUMNS = {
    "positive": "positive prompts (the best)",
    "negative": "negative prompts (the worst)",
    "positive-negative": "positive minus negative prompts",
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
    titles = list(dict.fromkeys(s["title"] for s in document["subjects"]))
    drawn.sort(key=lambda r: titles.index(r["title"]) if r["title"] in titles else len(titles))
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
        sections.setdefault((_heading(r), both), []).append(r)
    rows: list[_Row] = []
    for section, members in sections.items():
        subjects = dict.fromkeys(r["title"] for r in members)
        contrasts = dict.fromkeys(r["contrast"] for r in members)
        for outer in contrasts if len(subjects) > 1 else subjects:
            lines: dict[tuple[str, int], dict[str, Record]] = {}
            times: Counter[tuple[str, str]] = Counter()
            for r in members:
                group, inner = r["title"], r["contrast"]
                if len(subjects) > 1:
                    group, inner = inner, group
                if group != outer:
                    continue
                nth = times[inner, r["valence"]]
                times[inner, r["valence"]] += 1
                lines.setdefault((inner, nth), {})[r["valence"]] = r
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
    words = {word(r) for r in _verdicts(rows)}
    each = _PLOT + 8 + _NUMBERS + max(88.0, *(1.1 * width(w, 9) + 6 for w in words))
    sections: dict[tuple[str, str], dict[str, list[_Row]]] = {}
    for row in rows:
        sections.setdefault(row.section, {}).setdefault(row.group, []).append(row)
    high = sum(
        _SECTION + _AXIS + sum(_group(groups) + _ROW * len(g) for g in groups.values())
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
        figure, title, description, _caption(records, missing),
        canvas.svg(figure, title, description),
        900 if len(columns) > 1 else 560,
    )  # fmt: skip


def _columns(rows: Sequence[_Row]) -> list[tuple[str, ...]]:
    there = dict.fromkeys(v for row in rows for v in row.verdicts)
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
    heading, _ = section
    if len(groups) == 1:
        heading += f": {_named(next(iter(groups)), next(iter(groups.values())))}"
    canvas.write(0, top + 8, shortened(heading, canvas.width - 20, 11.5), bold=True, size=11.5)
    start = top + _SECTION
    placed: list[tuple[float, _Row]] = []
    y = start
    for group, members in groups.items():
        if len(groups) > 1:
            name = _named(group, members)
            canvas.write(0, y + _GROUP / 2 + 2, shortened(name, _LABEL - 14), bold=True)
        y += _group(groups)
        for row, label in zip(members, _labels(members), strict=True):
            canvas.write(8, y + _ROW / 2, label)
            placed.append((y + _ROW / 2, row))
            y += _ROW
    reached = max(reach(r) for _, row in placed for r in row.verdicts.values())
    limit = reaching(reached) * 1.04
    for c, valences in enumerate(columns):
        shown = [(at, row.verdicts[v]) for at, row in placed for v in valences if v in row.verdicts]
        if not shown:
            continue
        left = _LABEL + c * each
        axes = canvas.axes(left, start, _PLOT, y - start)
        axes.set(xlim=(-limit, limit), ylim=(y, start))
        _axis(axes, limit)
        canvas.write(left, start - 9, _COLUMNS.get(shown[0][1]["valence"], ""), color=MUTED)
        below, above = _ends([r for _, r in shown])
        canvas.write(left, y + 25, f"◂ {below}", size=9, color=MUTED)
        canvas.write(left + _PLOT, y + 25, f"{above} ▸", anchor="right", size=9, color=MUTED)
        _marks(axes, shown, limit)
        for at, r in shown:
            canvas.write(left + _PLOT + 8, at, numbers(r), size=9.5)
            canvas.write(
                left + _PLOT + 8 + _NUMBERS, at, word(r), size=9, bold=True, color=mark(r)[0]
            )
    return y + _AXIS


def _group(groups: Mapping[str, object]) -> float:
    """The height of a group's heading; a group alone has its name in the section's."""
    return _GROUP if len(groups) > 1 else 4.0


def _named(group: str, members: Sequence[_Row]) -> str:
    """A group's name, a subject's without the kind that the section names."""
    if members[0].label == group or any(r["contrast"] == group for r in _verdicts(members)):
        return group
    return _subject(next(_verdicts(members)))


def _labels(members: Sequence[_Row]) -> list[str]:
    """What stands beside each line: its contrast, or its subject."""
    by_contrast = all(r["contrast"] == row.group for row in members for r in _verdicts([row]))
    texts = [_subject(next(_verdicts([row]))) if by_contrast else row.label for row in members]
    short = distinct(list(dict.fromkeys(texts)), _LABEL - 20)
    return [dict(zip(dict.fromkeys(texts), short, strict=True))[text] for text in texts]


def _verdicts(rows: Sequence[_Row]) -> Iterator[Record]:
    return (r for row in rows for r in row.verdicts.values())


def _heading(r: Record) -> str:
    asked = question(r)
    return str(r["role"]) if asked is None else asked.section


def _subject(r: Record) -> str:
    asked = question(r)
    if asked is not None and asked.short:
        return asked.short.format(model=r["model"], reference=r["reference"])
    title: str = r["title"]
    return title.replace(f" ({r['kind']})", "", 1) if r["kind"] else title


def _ends(records: Sequence[Record]) -> tuple[str, str]:
    """What the left and the right of zero mean."""
    asked, sides = question(records[0]), {tuple(r["sides"]) for r in records}
    if asked is not None and asked.ends is not None:
        return asked.ends
    first, second = ({side[i] for side in sides} for i in (0, 1))
    above = first.pop() if len(first) == 1 else "the category"
    below = second.pop() if len(second) == 1 else "the second side"
    return shortened(below, _PLOT / 2 - 14, 9), shortened(above, _PLOT / 2 - 14, 9)


def _axis(axes: Axes, limit: float) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5, symmetric=True, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.set_yticks([])
    axes.grid(axis="x")
    axes.axvline(0, color=INK, lw=0.9, gid="part:zero")
    axes.set_xlim(-limit, limit)


def _marks(axes: Axes, placed: Sequence[tuple[float, Record]], limit: float) -> None:
    """Margins, intervals and estimates at their heights."""
    half = _ROW / 2 - 0.5
    gated = [(y, r, r.get("margin_low"), r.get("margin_high")) for y, r in placed]
    gated = [(y, r, low, high) for y, r, low, high in gated if low is not None or high is not None]
    bands = [
        (-limit if low is None else low, limit if high is None else high, y - half, y + half)
        for y, _, low, high in gated
    ]
    boxes(axes, bands, color=GRID, alpha=0.5, gid="part:margins")
    edges = [(e, y) for y, _, *ends in gated for e in ends if e is not None]
    lines(
        axes, [y - half for _, y in edges], [y + half for _, y in edges], [e for e, _ in edges],
        color=MUTED, lw=0.8, upright=True, gid="part:edges",
    )  # fmt: skip
    for name, thick in (("ci", 1.0), ("gate", 2.6)):
        drawn = [(y, i) for y, r in placed for i in intervals(r) if i[0] == name]
        lines(
            axes, [low for _, (_, low, _, _) in drawn], [high for _, (_, _, high, _) in drawn],
            [y for y, _ in drawn], color=INK, lw=thick, gid=f"part:{name}",
        )  # fmt: skip
    for look in dict.fromkeys(mark(r) for _, r in placed):
        colour, marker, filled = look
        at = [(r["estimate"], y) for y, r in placed if mark(r) == look]
        axes.plot(
            *zip(*at, strict=True), marker, ms=8 if marker in "XP" else 6, color=colour,
            mfc=colour if filled else SURFACE, mec=SURFACE if filled else colour,
            mew=0.7 if filled else 1.6, gid="part:estimates", zorder=5,
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


def _caption(records: Sequence[Record], missing: int) -> str:
    meanings = directions(records)
    above = "; ".join(f"{kind}: {text}" for kind, text in meanings.items())
    if len(meanings) == 1:
        (above,) = meanings.values()
    lost = f" Not drawn, as they could not be measured: {missing} (ERROR)." if missing else ""
    return (
        f"Above zero: {above}. The thin line is the 95% interval by word families, the thick line "
        "the interval that is held against the margin (the shaded band, open on the side that a "
        f"one-sided margin leaves open). Without a thick line there was no margin.{lost}"
    )
