"""Writes the reports that a run was asked for, once it has ended; never loses the run itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from importlib import import_module
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from valuebias.errors import ValueBiasError, visible
from valuebias.files import write_whole

if TYPE_CHECKING:
    from pytest_valuebias.inputs import Inputs
    from pytest_valuebias.options import Values
    from pytest_valuebias.outcome import Outcome
    from valuebias.report.document import Document

KINDS = {
    "html": ("valuebias.report.html", "page"),
    "json": ("valuebias.report.json", "text"),
}
"""The report files, each with the function that makes its text from the document."""


def check_subject(values: Values) -> None:
    """Raise pytest.UsageError where a report is asked for on the command line without a model.

    Nothing would be written. Settings in a file or the environment apply to runs with a model only.
    """
    for kind in KINDS:
        if values.sources.get(kind, "").startswith("--"):
            raise pytest.UsageError(
                f"--valuebias-{kind} reports on a model, and none was given. Give --rm=MODEL."
            )


def check(inputs: Inputs) -> None:
    """Raise pytest.UsageError, before anything is run, on a file that could not be written."""
    from valuebias.files import why_unwritable

    paths = _paths(inputs)
    for kind, path in paths.items():
        why = why_unwritable(path)
        if why is not None:
            raise pytest.UsageError(
                f"--valuebias-{kind}: {visible(str(path))} cannot be written: {why}."
            )
    for (kind, path), (other, same) in combinations(paths.items(), 2):
        if path.resolve() == same.resolve():
            raise pytest.UsageError(
                f"--valuebias-{kind} and --valuebias-{other} both name {visible(str(path))}. "
                "Give each its own file."
            )


def begin(inputs: Inputs) -> None:
    """Remove the last run's reports, so that they cannot be mistaken for this run's."""
    for path in _paths(inputs).values():
        if path.is_file():
            path.resolve().unlink()


def _paths(inputs: Inputs) -> dict[str, Path]:
    given = ((kind, inputs.values[kind]) for kind in KINDS)
    return {kind: Path(path).expanduser() for kind, path in given if path}


def write(session: pytest.Session, inputs: Inputs, outcome: Outcome) -> int:
    """Write all reports; returns the run's exit status, which is not 0 if one failed."""
    from pytest_valuebias.report import details, document, junit

    status = int(session.exitstatus)
    paths, summary = _paths(inputs), os.environ.get("GITHUB_STEP_SUMMARY")
    detailed = paths or session.config.pluginmanager.hasplugin("valuebias-html")
    if not (detailed or summary or session.config.getoption("xmlpath", None)):
        return status  # nothing uses the document
    complete = status in (0, 1) and not (session.shouldfail or session.shouldstop or outcome.lost)

    def attempt(what: str, make: Callable[[], str]) -> bool:
        try:
            outcome.written.append(make())
        except (ValueBiasError, OSError) as error:
            outcome.written.append(f"valuebias: no {what}: {visible(str(error))}")
            return False
        except Exception as error:  # a defect here must not lose the run's own results
            text = visible(f"{type(error).__name__}: {error}")
            outcome.written.append(
                f"valuebias: no {what}: unexpected error, please report it: {text}"
            )
            return False
        return True

    def outline() -> str:
        config = session.config
        outlined = document.outline(config, inputs, outcome, status, complete=complete)
        junit.add_properties(config, outlined)
        # The content of a report without details.
        outcome.document = {**outlined, **details.nothing()}
        return ""

    made = [attempt("report", outline)]
    if outcome.document is not None and summary:
        from valuebias.report import github

        append = partial(github.append, outcome.document, Path(summary))
        made.append(attempt("step summary", append))
    if outcome.document is not None and detailed:
        add = partial(_details, outcome.document, inputs, outcome)
        made.append(attempt("details in the reports", add))
        for kind, path in paths.items():
            made.append(attempt(f"{kind} report", partial(_write, kind, outcome.document, path)))
    outcome.written = [line for line in outcome.written if line]
    return status if all(made) or status else pytest.ExitCode.TESTS_FAILED


def _details(document: Document, inputs: Inputs, outcome: Outcome) -> str:
    from pytest_valuebias.report.details import details

    outcome.document = {**document, **details(inputs, outcome)}
    return ""


def _write(kind: str, document: Document, path: Path) -> str:
    module, function = KINDS[kind]
    text: str = getattr(import_module(module), function)(document)
    write_whole(path, text.encode())
    return f"valuebias: {kind} report in {visible(str(path))}"
