"""The figures of a report, made from the document and nothing else.

    of_lexicon(document, name) -> [Figure]   forecast, ranks, forest, prompts, drift, where they are
    matrices(document) -> [Figure]           pairs of language models
    verdict(record) -> Figure                one effect on its axis
    strip(record, limit) -> str              the same, for a table's cell
    curve(record) -> Figure                  the effect of a PASS, computed in other ways

Each is one SVG element that refers to nothing outside itself, whose ids begin with the figure's,
whose colours are CSS variables with fallbacks, and whose strings are text and nothing else.
Matplotlib is imported when the first is drawn; ``verdict``, ``strip`` and ``curve`` do without.
"""

from __future__ import annotations

from valuebias.report.document import Document, Record
from valuebias.report.figures.canvas import Figure

__all__ = ["Figure", "curve", "matrices", "of_lexicon", "of_ranks", "strip", "verdict"]


def of_lexicon(document: Document, name: str) -> list[Figure]:
    """The figures on one lexicon, in the order in which a page shows them."""
    from valuebias.report.figures import drift, forecast, forest, prompts, ranks
    from valuebias.report.figures.labels import slug
    from valuebias.report.figures.style import settings

    start = f"fig-{slug(name)}"
    with settings():
        return [
            *forecast.figures(document, name, f"{start}-forecast"),
            *ranks.figures(document, name, f"{start}-ranks"),
            *forest.figures(document, name, f"{start}-forest"),
            *prompts.figures(document, name, f"{start}-prompts"),
            *drift.figures(document, name, f"{start}-drift"),
        ]


def of_ranks(document: Document, name: str) -> list[Figure]:
    """The first of them alone: the ranks on one lexicon."""
    from valuebias.report.figures import ranks
    from valuebias.report.figures.labels import slug
    from valuebias.report.figures.style import settings

    with settings():
        return ranks.figures(document, name, f"fig-{slug(name)}-ranks")


def matrices(document: Document) -> list[Figure]:
    """A figure for each matrix of pairs of language models."""
    from valuebias.report.figures import pairs
    from valuebias.report.figures.style import settings

    with settings():
        return pairs.figures(document)


def verdict(record: Record) -> Figure:
    """One verdict's effect on its axis, with its intervals and margin."""
    from valuebias.report.figures import single

    return single.figure(record)


def curve(record: Record) -> Figure:
    """The specification curve of a verdict with a ``robustness``."""
    from valuebias.report.figures import specifications

    return specifications.figure(record)


def strip(record: Record, limit: float) -> str:
    """The same for a table's cell: an <svg> without numbers, from ``-limit`` to ``limit``."""
    from valuebias.report.figures import single

    return single.strip(record, limit)
