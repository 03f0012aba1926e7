"""The implicit rewards of all pairs of language models, as matrices."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pytest_valuebias.report.console import write
from valuebias.errors import ValueBiasError, visible
from valuebias.report.document import PairMatrix

if TYPE_CHECKING:
    import pytest

    from pytest_valuebias.inputs import Inputs
    from pytest_valuebias.outcome import Outcome
    from valuebias.measurement.pair_matrix import Matrix


def section(reporter: pytest.TerminalReporter, inputs: Inputs, outcome: Outcome) -> None:
    """Write the matrices to the terminal."""
    from valuebias.measurement.pair_matrix import shown

    for matrix in _matrices(inputs, outcome):
        if isinstance(matrix, str):
            write(reporter, matrix, "yellow")
            continue
        write(reporter, f"{visible(matrix.contrast)}, {visible(matrix.unit)}", "bold")
        write(reporter, "above zero: the second model prefers the first side more", indent=2)
        write(reporter, shown(matrix))
        for reason in matrix.left_out:
            write(reporter, f"none: {visible(reason)}", "yellow", indent=2)


def document(inputs: Inputs, outcome: Outcome) -> tuple[list[PairMatrix], list[str]]:
    """The matrices for the document (null: not measured), and the reasons for missing ones."""
    entries: list[PairMatrix] = []
    reasons = []
    for matrix in _matrices(inputs, outcome):
        if isinstance(matrix, str):
            reasons.append(matrix)
            continue
        rows = matrix.values.tolist()
        entries.append(
            {
                "contrast": visible(matrix.contrast),
                "unit": visible(matrix.unit),
                "labels": [visible(label) for label in matrix.labels],
                "values": [[None if math.isnan(x) else x for x in row] for row in rows],
                "left_out": [visible(reason) for reason in matrix.left_out],
            }
        )
    return entries, reasons


def _matrices(inputs: Inputs, outcome: Outcome) -> Iterator[Matrix | str]:
    """One for each ``--valuebias-matrix``, read from the store, where pairs were tested; in place
    of one that cannot be had, why."""
    if not any(r["kind"] == "implicit reward" and r["shipped"] for r in outcome.records):
        return
    from valuebias.measurement.pair_matrix import matrix

    lexicons = [inputs.lexicon(name) for name in inputs.lexicon_names]
    for contrast in inputs.values["matrix"]:
        try:
            yield matrix(
                inputs.bench, inputs.language_models, contrast, lexicons, prompts=inputs.prompts
            )
        except ValueBiasError as error:
            yield f"{visible(contrast)}: no matrix: {visible(str(error))}"
