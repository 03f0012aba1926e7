"""The report of what was measured and judged without pytest."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from valuebias.errors import ReportError
from valuebias.files import write_whole
from valuebias.measurement.forecast import Foreseen
from valuebias.records.document import document_of
from valuebias.records.measured import Judgement, MeasuredEffect
from valuebias.report.document import Document


def report(
    results: Iterable[MeasuredEffect | Judgement | Foreseen],
    *,
    html: str | Path | None = None,
    json: str | Path | None = None,
) -> Document:
    """The report of these effects, verdicts and forecasts, as pytest's ``--valuebias-html`` and
    ``--valuebias-json`` write it; returns its document.

    Word ranks are drawn for models that were measured on both valences. Raises ReportError if
    there is nothing to report, OSError if a file cannot be written.
    """
    given = [MeasuredEffect(f.measurement()) if isinstance(f, Foreseen) else f for f in results]
    if not given:
        raise ReportError("nothing to report", remedy="Give effects, verdicts or forecasts.")
    measured = [f.measured if isinstance(f, Judgement) else f for f in given]
    scored = [
        (m.measurement.lexicon, scorer, m.measurement.valence)
        for m in measured
        for scorer in m.scorers
    ]
    lexicons = [m.measurement.lexicon for m in measured]
    sets = [m.measurement.prompts for m in measured]
    prompts = max(sets, key=lambda each: len(each.prompts))  # of quick effects a part was asked
    if any(not {*each.prompts} <= {*prompts.prompts} for each in sets):
        raise ReportError(
            "a report is of one prompt set",
            seen=", ".join(dict.fromkeys(each.name for each in sets)),
            remedy="Make one report for each.",
        )
    document = document_of([f.record() for f in given], lexicons, scored, prompts)
    if html is not None:
        from valuebias.report.html import page

        write_whole(Path(html), page(document).encode())
    if json is not None:
        from valuebias.report.json import text

        write_whole(Path(json), text(document).encode())
    return document
