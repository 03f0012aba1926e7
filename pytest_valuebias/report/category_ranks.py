"""Files of category ranks: their records, what the document has of them, the terminal's section.

They never gate: there are no words, so that there is no interval.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, cast

from pytest_valuebias.report.console import write
from valuebias.errors import visible
from valuebias.records.record import plain
from valuebias.report.document import RunRecord
from valuebias_suites import RANKS

if TYPE_CHECKING:
    import pytest
    from rich.console import RenderableType

    from pytest_valuebias.inputs import Inputs
    from valuebias.report.category_ranks import RankedFile
    from valuebias.training.category_ranks import CategoryRanks

KIND = "category ranks"
TITLE = "ranks of categories: NOT GATED"
_ACROSS = 6
"""Columns beside the step that fit on 80 characters."""


def title(ranks: CategoryRanks) -> str:
    """What reports call a file."""
    return f"{ranks.label} ({KIND})"


def record(ranks: CategoryRanks) -> RunRecord:
    """The record of a file that was read."""
    from valuebias.training.category_ranks import WHY

    entry = {
        "nodeid": "",
        "suite": RANKS[0],
        "role": "ranks",
        "kind": KIND,
        "lexicon_name": "",
        "title": title(ranks),
        "model": ranks.label,
        "reference": None,
        "contrast": "~".join(ranks.sides),
        "valence": "unknown",
        "verdict": "NOT GATED",
        "reason": WHY,
        "gated": False,
        "shipped": True,
    }
    return cast(RunRecord, plain(entry))


def document(inputs: Inputs, records: Iterable[RunRecord]) -> list[RankedFile]:
    """The files whose test was run."""
    from valuebias.records.document import ranked_file

    run = {r["title"] for r in records if r["role"] == "ranks"}
    return [ranked_file(each) for each in inputs.category_ranks if visible(title(each)) in run]


def section(
    reporter: pytest.TerminalReporter, inputs: Inputs, records: Iterable[RunRecord]
) -> None:
    """Each file as tables, by step, of its runs and of each two of them."""
    from valuebias.report.category_ranks import about, ends, key

    files = document(inputs, records)
    if files:
        reporter.section(TITLE)
    for file in files:
        write(reporter, file["name"], "bold")
        for line in (f"NOT GATED: {file['reason']}", about(file), *key(file)):
            write(reporter, line, indent=2)
        for table in _tables(file):
            write(reporter, table, indent=2)
        for line in ends(file):
            write(reporter, line, indent=2)


def _tables(file: RankedFile) -> Iterable[RenderableType]:
    from rich.table import Table

    from valuebias.report.category_ranks import columns, steps

    listed = columns(file)
    for at in range(0, len(listed), _ACROSS):
        some = listed[at : at + _ACROSS]
        table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
        for name in ("step", *(column.heading for column in some)):
            table.add_column(name, header_style="dim", justify="right", no_wrap=True)
        for step in steps(file):
            table.add_row(f"{step:,}", *(column.cell(step) for column in some))
        yield table
