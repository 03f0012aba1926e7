"""The implicit rewards of all pairs of language models, as matrices on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from valuebias.errors import ValueBiasError, visible

if TYPE_CHECKING:
    import pytest

    from pytest_valuebias.session import State


def section(reporter: pytest.TerminalReporter, state: State) -> None:
    """One matrix for each ``--valuebias-matrix``, read from the store, where pairs were tested."""
    from pytest_valuebias.report.terminal import write

    if not any(r["role"] == "implicit" and r["shipped"] for r in state.records):
        return
    from valuebias.implicit_table import matrix, shown

    lexicons = [state.lexicon(name) for name in state.lexicon_names]
    for contrast in state.values["matrix"]:
        try:
            found = matrix(
                state.bench, state.language_models, contrast, lexicons, quick=state.quick
            )
        except ValueBiasError as error:
            write(reporter, f"{contrast}: no matrix: {visible(str(error))}", "yellow")
            continue
        write(reporter, f"{visible(found.contrast)}, {visible(found.unit)}", "bold")
        write(reporter, "above zero: the second model prefers the first side more", indent=2)
        write(reporter, shown(found))
        for reason in found.left_out:
            write(reporter, f"none: {visible(reason)}", "yellow", indent=2)
