"""The output of ``valuebias compare``: text of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap

from valuebias.cli.compare_rows import Row
from valuebias.errors import visible
from valuebias.format import bracketed, signed

_WIDTH = 80
_HEADS = ("contrast", "valence", "A - B", "95% interval", "margin", "verdict")


def table(
    first: Sequence[str],
    second: Sequence[str],
    fingerprints: Mapping[str, str],
    rows: Mapping[str, Sequence[Row]],
) -> str:
    """The whole answer: the two sides, a table a suite, and what each row rests on.

    ``first`` and ``second`` are the models' labels, ``fingerprints`` by label, ``rows`` by suite.
    """
    lines: list[str] = []
    for title, side in (("A", first), ("B", second)):
        names = (f"{label} (fingerprint {fingerprints[label][:12]})" for label in side)
        lines += _wrapped(f"{title}: {', '.join(names)}", "   ")
    for suite_rows in rows.values():
        lines.append("")
        for text in dict.fromkeys(row.rests_on for row in suite_rows if row.rests_on):
            lines += _wrapped(text, "  ")
        lines += _table(suite_rows)
        for row in suite_rows:
            lines += ["", f"{visible(row.question.contrast)}, {row.question.valence} prompts"]
            for title, text in row.details:
                lines += _wrapped(f"  {title:<11}{text}", " " * 13)
    counted = [row for suite_rows in rows.values() for row in suite_rows if row.counts]
    passed = sum(row.verdict == "PASS" for row in counted)
    lines += ["", f"{passed} of {len(counted)} PASS (the 90% interval lies inside the margin)"]
    return "\n".join(lines)


def _wrapped(text: str, indent: str) -> list[str]:
    return wrap(visible(text), _WIDTH, subsequent_indent=indent, break_on_hyphens=False)


def _table(rows: Sequence[Row]) -> Iterator[str]:
    """Aligned columns; a contrast too long for its column has a line of its own."""
    cells = [_HEADS, *map(_cells, rows)]
    widths = [max(len(row[i]) for row in cells) for i in range(1, len(_HEADS))]
    widest = max(len(row[0]) for row in cells)
    first = min(widest, _WIDTH - sum(widths) - len(widths))
    for row in cells:
        name = visible(row[0])
        if len(name) > first:
            yield name
            name = ""
        rest = (f"{cell:<{width}}" for cell, width in zip(row[1:], widths, strict=True))
        yield " ".join((f"{name:<{first}}", *rest)).rstrip()


def _cells(row: Row) -> tuple[str, ...]:
    valence = {"positive-negative": "pos-neg"}.get(row.question.valence, row.question.valence)
    effect, margin = row.effect, row.margin
    return (
        row.question.contrast,
        valence,
        "" if effect is None else signed(effect.estimate),
        "" if effect is None else bracketed(effect.low, effect.high),
        "" if margin is None else bracketed(margin.low, margin.high),
        row.verdict,
    )
