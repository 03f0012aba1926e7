"""Reads the report that ``pytest --valuebias-json=FILE`` writes, and checks it by its schema."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path
from typing import Any, cast

from valuebias.errors import ReportError
from valuebias.report.document import Document

_AGAIN = "Give the file that pytest --rm=MODEL --valuebias-json=FILE wrote."


def schema() -> dict[str, Any]:
    """The JSON Schema of a report."""
    text = files("valuebias.report").joinpath("schema.json").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(text)
    return document


def read_report(path: Path) -> Document:
    """The report in a file. Raises ReportError on anything else."""
    try:
        document: Any = json.loads(path.read_bytes().decode("utf-8-sig"), parse_constant=_no_number)
    except OSError as error:
        raise ReportError(
            f"the report cannot be read: {error.strerror or error}", seen=path, remedy=_AGAIN
        ) from None
    except (ValueError, RecursionError) as error:
        raise ReportError(f"{path} is not JSON: {error}", remedy=_AGAIN) from None
    about = schema()
    wanted = about["properties"]
    kind = document.get("format") if isinstance(document, dict) else type(document).__name__
    if kind != wanted["format"]["const"]:
        raise ReportError(
            f"{path} is JSON, but not a report of pytest-valuebias", seen=kind, remedy=_AGAIN
        )
    version, known = document.get("version"), wanted["version"]["const"]
    if type(version) is int and version > known:
        raise ReportError(
            f"{path} was written by a newer pytest-valuebias",
            seen=f"format version {version}; this one reads {known}",
            remedy="Update pytest-valuebias, or run the tests with this one.",
        )
    _check(document, about, path)
    return cast(Document, document)


def _check(document: dict[str, Any], about: dict[str, Any], path: Path) -> None:
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import best_match

    error = best_match(Draft202012Validator(about).iter_errors(document))
    if error is not None:
        raise ReportError(
            f"{path} does not match the report format, at {error.json_path}",
            seen=error.message,
            remedy="Run the tests again; an edited report cannot be used.",
        )


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not a JSON number")
