"""One effect as a notebook cell shows it: a small table, and the effect drawn with its interval."""

from __future__ import annotations

from html import escape

from valuebias.report import figures
from valuebias.report.document import Record
from valuebias.report.wording import cells, top_share


def cell(record: Record) -> str:
    """A record as HTML; every string is escaped."""
    drawn = figures.verdict(record)
    names = ("contrast", "prompts", "effect", "interval", "margin", "verdict", "top 10%")
    head = "".join(f"<th>{name}</th>" for name in names)
    row = "".join(f"<td>{escape(text)}</td>" for text in (*cells(record), top_share(record)))
    return (
        f"<table><caption>{escape(record['title'])}, {escape(record['lexicon'])}</caption>"
        f"<thead><tr>{head}</tr></thead><tbody><tr>{row}</tr></tbody></table>{drawn.svg}"
        f"<p>{escape(drawn.caption)}</p>"
    )
