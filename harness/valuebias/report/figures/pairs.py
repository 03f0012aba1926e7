"""The implicit rewards of all pairs of language models, as annotated matrices."""

from __future__ import annotations

from valuebias.format import signed
from valuebias.report.document import PairMatrix
from valuebias.report.figures.canvas import Canvas, Figure
from valuebias.report.figures.labels import distinct, listed, sentence, slug, width
from valuebias.report.figures.ranked import Document
from valuebias.report.figures.style import HATCH, INK, MUTED, SERIES

_BELOW, _ABOVE = SERIES[1], SERIES[0]


def figures(document: Document) -> list[Figure]:
    """A figure for each matrix."""
    return [
        _figure(matrix, f"fig-matrix-{at}-{slug(matrix['contrast'])}")
        for at, matrix in enumerate(document["matrices"], 1)
    ]


def _figure(matrix: PairMatrix, figure: str) -> Figure:
    values, n = matrix["values"], len(matrix["labels"])
    cell = 64.0 if n <= 8 else 46.0
    labels = distinct(matrix["labels"], 190)
    longest = max(width(text) for text in labels)
    left = max(longest + 12, 40)
    turned = longest > cell - 4
    head = 22 + (0.71 * longest + 8 if turned else 18)
    right = 0.71 * longest if turned else 12
    canvas = Canvas(left + n * cell + right, head + n * cell + 4)
    axes = canvas.whole
    top = max((abs(v) for row in values for v in row if v is not None), default=0.0) or 1.0
    canvas.write(left, 9, "to", bold=True)
    canvas.write(left - 8, head - 10, "from", anchor="right", bold=True)
    for j, label in enumerate(labels):
        x = left + (j + 0.5) * cell
        if turned:
            canvas.write(x - 4, head - 6, label, turned=45, va="baseline")
        else:
            canvas.write(x, head - 10, label, anchor="center")
    for i, row in enumerate(values):
        y = head + i * cell
        canvas.write(left - 8, y + cell / 2, labels[i], anchor="right")
        for j, value in enumerate(row):
            x = left + j * cell
            if value is None:
                axes.fill_between(
                    [x + 1, x + cell - 1], y + 1, y + cell - 1, facecolor="none", hatch=HATCH,
                    lw=0.6, edgecolor=MUTED,
                )  # fmt: skip
                text = "none"
            else:
                axes.fill_between(
                    [x + 1, x + cell - 1], y + 1, y + cell - 1, lw=0,
                    facecolor=_ABOVE if value > 0 else _BELOW, alpha=0.5 * abs(value) / top,
                )  # fmt: skip
                text = "0" if i == j and value == 0 else signed(value)
            canvas.write(x + cell / 2, y + cell / 2, text, anchor="center", color=INK)
    title = f"{matrix['contrast']}: implicit rewards of all pairs"
    description = _described(matrix)
    caption = " ".join(
        (
            sentence(matrix["unit"]),
            "Row: the model it starts from; column: the one it leads to. Above zero (blue) the",
            "second prefers the first side more than the first does, below zero (orange) less.",
            *(sentence(f"none: {reason}") for reason in matrix["left_out"]),
        )
    )
    return Figure(
        figure, title, description, caption, canvas.svg(figure, title, description),
        int(min(canvas.width, 480)),
    )  # fmt: skip


def _described(matrix: PairMatrix) -> str:
    labels, values = matrix["labels"], matrix["values"]
    cells = [
        (values[i][j], f"{labels[i]} to {labels[j]}")
        for i in range(len(labels))
        for j in range(i + 1, len(labels))
    ]
    said = listed(
        (f"{pair} {'none' if value is None else signed(value)}" for value, pair in cells), 30
    )
    return f"A matrix of {len(labels)} models on {matrix['contrast']}, {matrix['unit']}: {said}."
