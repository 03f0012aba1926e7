"""Columns, figures and the headline in the report of pytest-html, if it is installed.

It puts into its page what its hooks are given, as HTML: every string here is escaped, and so is the
node id, which holds the model's label and which it does not escape itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from html import escape

import pytest

from pytest_valuebias.outcome import Outcome
from valuebias.errors import visible
from valuebias.report.document import Document, Record
from valuebias.report.wording import cells

_COLUMNS = ("model", "contrast", "valence", "effect", "margin", "verdict")
_AT = 2
"""They stand behind the result and the test's id."""


class Page:
    """pytest-html's hooks. The document is there when the run has ended, before the summary."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        cells[_AT:_AT] = [_heading(name) for name in _COLUMNS]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(self, report: pytest.TestReport, cells: list[str]) -> None:
        if not cells:  # another plugin takes the row out
            return
        node = report.nodeid if report.when == "call" else f"{report.nodeid}::{report.when}"
        for i, cell in enumerate(cells):
            if cell == f'<td class="col-testId">{node}</td>':
                cells[i] = f'<td class="col-testId">{_text(node)}</td>'
        rows = [_row(record) for record in _records(report)]
        columns = zip(*rows, strict=True) if rows else [()] * len(_COLUMNS)
        cells[_AT:_AT] = [
            f'<td class="col-valuebias_{name}">{"<br>".join(map(_text, column))}</td>'
            for name, column in zip(_COLUMNS, columns, strict=True)
        ]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(self, report: pytest.TestReport, data: list[str]) -> None:
        shown = [_one_line(_details(record)) for record in _records(report)]
        if shown and data == ["No log output captured."]:
            data.clear()
        data[:0] = shown

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(self, prefix: list[str]) -> None:
        document = self.outcome.document
        if document is not None:
            outcome, headline = _text(document["outcome"]), _text(document["headline"])
            prefix.append(
                f'<h3 class="valuebias-outcome" style="color:#1a1a1a">Values: {outcome}</h3>'
                f'<p class="valuebias-headline">{headline}</p>'
            )
            prefix.append(_safely(partial(_ranks, document)))


def _ranks(document: Document) -> str:
    from valuebias.report import figures

    names = dict.fromkeys(entry["lexicon"] for entry in document["ranks"])
    drawn = [figure for name in names for figure in figures.of_ranks(document, name)]
    return "".join(
        f'<figure style="margin:1em 0;max-width:60em"><b>{_text(figure.title)}</b>{figure.svg}'
        f"<figcaption>{_text(figure.caption)}</figcaption></figure>"
        for figure in drawn
    )


def _heading(name: str) -> str:
    # Effects would be sorted as text, not as numbers.
    sortable = "" if name == "effect" else ' class="sortable"'
    return f'<th{sortable} data-column-type="valuebias_{name}">{name}</th>'


def _records(report: pytest.TestReport) -> list[Record]:
    records: list[Record] = getattr(report, "valuebias", [])
    return records


def _row(record: Record) -> tuple[str, ...]:
    contrast, valence, effect, interval, margin, verdict = cells(record)
    return record["title"], contrast, valence, f"{effect} {interval}".strip(), margin, verdict


def _details(record: Record) -> str:
    def draw() -> str:
        from valuebias.report import figures

        figure = figures.verdict(record)
        return f"{figure.svg}<div>{_text(figure.caption)}</div>"

    drawn = _safely(draw) if "estimate" in record else ""
    # An error is the text of the test itself, which pytest-html shows.
    reason = "" if record["verdict"] == "ERROR" else _text(record["reason"])
    return f'<div class="valuebias-verdict">{drawn}<div>{reason}</div></div>'


def _safely(draw: Callable[[], str]) -> str:
    """The drawing, or the reason it failed: a defect must not lose the run's own results."""
    try:
        return draw()
    except Exception as error:
        text = f"not drawn, unexpected error, please report it: {type(error).__name__}: {error}"
        return f"<p>{_text(text)}</p>"


def _one_line(text: str) -> str:
    """The page takes lines apart, and colours those that begin with an E."""
    return " ".join(text.split("\n"))


def _text(value: str) -> str:
    return escape(visible(value))
