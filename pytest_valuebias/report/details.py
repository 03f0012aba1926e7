"""What the document shows besides verdicts: ranks, words, matrices, the paper's own tests.

Read from the store on the controller, only of what was measured: no model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_valuebias.report import first_tokens, matrix, paper
from valuebias.errors import ValueBiasError, visible
from valuebias.records.document import mean_ranks, median_ranks, prompts_asked
from valuebias.report.document import Details
from valuebias.report.wording import question

if TYPE_CHECKING:
    from pytest_valuebias.inputs import Inputs
    from pytest_valuebias.outcome import Outcome
    from valuebias.measurement.word_ranks import WordRanks
    from valuebias.models.spec import ModelSpec


@dataclass(frozen=True)
class Subject:
    """A model whose ranks are shown: under which name."""

    name: str
    kind: str
    spec: ModelSpec
    lexicons: tuple[str, ...]


def details(inputs: Inputs, outcome: Outcome) -> Details:
    """The rest of the document, by its keys."""
    notes: list[str] = []
    by_lexicon: dict[str, list[tuple[Subject, WordRanks]]] = {}
    for subject in subjects(inputs, outcome):
        for name in subject.lexicons:
            try:
                ranks = _ranks(inputs, subject, name)
            except ValueBiasError as error:
                notes.append(f"no ranks of {visible(subject.name)} on {name}: {error}")
            else:
                by_lexicon.setdefault(name, []).append((subject, ranks))
    matrices, left_out = matrix.document(inputs, outcome)
    tokens, no_tokens = first_tokens.document(inputs, outcome)
    found: Details = {
        "prompts": prompts_asked(inputs.prompt_set),
        "ranks": [
            median_ranks(name, subject.name, subject.kind, ranks)
            for name, pairs in by_lexicon.items()
            for subject, ranks in pairs
        ],
        "words": [
            mean_ranks(name, ((s.name, s.kind, ranks) for s, ranks in pairs))
            for name, pairs in by_lexicon.items()
        ],
        "matrices": matrices,
        "paper": paper.text(inputs),
        "notes": [*notes, *left_out, *no_tokens],
    }
    if tokens:
        found["first_tokens"] = tokens
    return found


def nothing() -> Details:
    """The same keys with nothing in them, for a run whose details are missing."""
    why = "the details are missing; the run's last lines give the reason"
    return {
        "prompts": [], "ranks": [], "words": [], "matrices": [], "paper": "", "notes": [why],
    }  # fmt: skip


def subjects(inputs: Inputs, outcome: Outcome) -> Iterator[Subject]:
    """The models that the verdicts are about and were compared with, and a run's two ends."""
    measured = [r for r in outcome.records if "estimate" in r]

    def lexicons(label: str, kind: str) -> tuple[str, ...]:
        mine = (
            r["lexicon_name"]
            for r in measured
            if r["kind"] == kind and r["model"] == visible(label)
        )
        return tuple(dict.fromkeys(mine))

    def compared(label: str, beside: str) -> tuple[str, ...]:
        mine = (
            r["lexicon_name"]
            for r in measured
            if r["reference"] == visible(label)
            and (asked := question(r)) is not None
            and asked.beside == beside
        )
        return tuple(dict.fromkeys(mine))

    candidates = [Subject(s.label, "reward model", s, lexicons(s.label, "")) for s in inputs.models]
    candidates += [
        Subject(s.label, "reference", s, compared(s.label, "reference")) for s in inputs.references
    ]
    for kind, specs in (
        ("language model", inputs.language_models),
        ("implicit reward", inputs.pairs),
    ):
        candidates += [Subject(s.label, kind, s, lexicons(s.label, kind)) for s in specs]
    for run in inputs.runs:
        used = tuple(
            dict.fromkeys((*lexicons(run.label, "training run"), *compared(run.label, "other run")))
        )
        candidates += [
            Subject(f"{run.label} at step {run.steps[at]:,}", "checkpoint", run.models[at], used)
            for at in (0, -1)
        ]
    return (subject for subject in candidates if subject.lexicons)


def _ranks(inputs: Inputs, subject: Subject, name: str) -> WordRanks:
    from valuebias.measurement.word_ranks import word_ranks

    return word_ranks(
        inputs.bench.scorer(subject.spec), inputs.lexicon(name), prompts=inputs.asked(name)
    )
