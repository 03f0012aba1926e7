"""The run as one JSON-able document: what every report but the terminal is made from.

Built on the controller from the records and the store. Every string of a model or vocabulary is
made visible; what is missing has a line in ``notes``.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_valuebias.report import category_ranks
from pytest_valuebias.report.unrun import Unrun, unrun
from valuebias.errors import visible
from valuebias.records.document import lexicon_used, prompt_set_used
from valuebias.records.record import published, subject_of, versions
from valuebias.report.document import (
    FORMAT,
    VERSION,
    CameOut,
    Outline,
    Record,
    RunRecord,
    Setting,
    Subject,
)
from valuebias.report.headline import came_out, headline

if TYPE_CHECKING:
    import pytest

    from pytest_valuebias.inputs import Inputs
    from pytest_valuebias.outcome import Outcome
    from valuebias.report.document import RunRecord


def outline(
    config: pytest.Config, inputs: Inputs, outcome: Outcome, exit_status: int, *, complete: bool
) -> Outline:
    """All of the document that needs no scores: the run, its models, lexicons and verdicts."""
    verdicts = [published(r) for r in outcome.records]
    left = unrun(inputs, outcome)
    word = came_out(verdicts, exit_status, complete=complete, absent=bool(left.absent))
    said = headline(verdicts, word, exit_status, complete=complete, not_run=left.total)
    whole: Outline = {
        "format": FORMAT,
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tool": version("pytest-valuebias"),
        "command": _command(config),
        "versions": versions(),
        "profile": inputs.values["profile"],
        "prompt_set": prompt_set_used(inputs.prompt_set),
        "settings": _settings(config, inputs),
        "exit_status": exit_status,
        "complete": complete,
        "not_run": left.total,
        "outcome": word,
        "headline": said,
        "subjects": _subjects(inputs, outcome.records, verdicts, left, complete=complete),
        "verdicts": verdicts,
        "lexicons": [lexicon_used(inputs.lexicon(name)) for name in _lexicons_used(outcome)],
    }
    ranks = category_ranks.document(inputs, outcome.records)
    if ranks:
        whole["category_ranks"] = ranks
    return whole


def _command(config: pytest.Config) -> str:
    """What was typed, and what the environment added to it."""
    typed = shlex.join(("pytest", *map(str, config.invocation_params.args)))
    added = os.environ.get("PYTEST_ADDOPTS")
    return visible(f"PYTEST_ADDOPTS={shlex.quote(added)} {typed}" if added else typed)


def _settings(config: pytest.Config, inputs: Inputs) -> list[Setting]:
    """The settings that are not defaults, each with where it came from."""
    settings: list[Setting] = [
        {"name": name, "value": _text(inputs.values[name]), "source": visible(source)}
        for name, source in inputs.values.sources.items()
    ]
    added = config.getini("addopts")  # it may select tests
    if added:
        text = visible(shlex.join(added))
        settings.append({"name": "addopts", "value": text, "source": "ini setting addopts"})
    return settings


def _text(value: object) -> str:
    return visible(", ".join(map(str, value)) if isinstance(value, tuple) else str(value))


def _subjects(
    inputs: Inputs,
    records: Sequence[RunRecord],
    verdicts: Sequence[Record],
    left: Unrun,
    *,
    complete: bool,
) -> list[Subject]:
    """What was judged, in the order of the verdicts, with how it was scored and the outcome.

    Last are models that were given and have no verdict.
    """
    by_title: dict[str, Mapping[str, Any]] = {}
    for r in records:
        if r["title"] not in by_title or "estimate" not in by_title[r["title"]]:
            by_title[r["title"]] = r
    for label, kind in left.absent:
        title = f"{label} ({kind})" if kind else label
        by_title.setdefault(title, {"title": title, "model": label, "kind": kind})
    return [
        subject_of(r, *_came_out(title, verdicts, left, complete=complete), _base(inputs, r))
        for title, r in by_title.items()
    ]


def _came_out(
    title: str, verdicts: Sequence[Record], left: Unrun, *, complete: bool
) -> tuple[CameOut, str, int]:
    """The outcome for one subject, whatever the others are."""
    mine = [v for v in verdicts if v["title"] == title]
    not_run = left.counts[title]
    if not mine:
        return "INCOMPLETE", f"{title}: none of its {not_run} shipped tests was run.", not_run
    word = came_out(mine, 0, complete=complete)
    said = headline(mine, word, 0, complete=complete, not_run=not_run)
    return word, said, not_run


def _base(inputs: Inputs, record: Mapping[str, Any]) -> str | None:
    if record["kind"]:  # a reward model alone has a base, though others may share its label
        return None
    label = record["model"]
    base = next((b for m, b in inputs.bases.items() if visible(m) == label), None)
    return None if base is None else visible(base.label)


def _lexicons_used(outcome: Outcome) -> Iterable[str]:
    return dict.fromkeys(r["lexicon_name"] for r in outcome.records if r.get("lexicon"))
