"""What the document shows besides verdicts: ranks, words, matrices, the paper's own tests.

Read from the store on the controller, of what was measured and nothing else: no model is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_valuebias.report import matrix, paper
from valuebias.errors import ValueBiasError, visible
from valuebias.report.document import Details, Ranks, WordRow, Words
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
    from valuebias.prompts import PAPER_PROMPTS

    notes: list[str] = []
    found: dict[str, list[tuple[Subject, WordRanks]]] = {}
    for subject in subjects(inputs, outcome):
        for name in subject.lexicons:
            try:
                ranks = _ranks(inputs, subject, name)
            except ValueBiasError as error:
                notes.append(f"no ranks of {visible(subject.name)} on {name}: {error}")
            else:
                found.setdefault(name, []).append((subject, ranks))
    matrices, left_out = matrix.document(inputs, outcome)
    return {
        "prompts": [
            {"id": p.id, "text": p.text, "valence": p.valence} for p in PAPER_PROMPTS if p.valence
        ],
        "ranks": [_medians(name, *pair) for name, pairs in found.items() for pair in pairs],
        "words": [_words(name, pairs) for name, pairs in found.items()],
        "matrices": matrices,
        "paper": paper.text(inputs),
        "notes": [*notes, *left_out],
    }


def nothing() -> Details:
    """The same keys with nothing in them, for a run whose details could not be had."""
    why = "the details could not be had; the run's last lines say why"
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
            and asked.beside == "reference"
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

    return word_ranks(inputs.bench.scorer(subject.spec), inputs.lexicon(name), quick=inputs.quick)


def _medians(name: str, subject: Subject, ranks: WordRanks) -> Ranks:
    return {
        "subject": visible(subject.name),
        "kind": subject.kind,
        "lexicon": name,
        "n_words": len(ranks.words),
        "categories": list(ranks.members),
        "prompts": [p.id for p in ranks.prompts],
        "medians": ranks.medians.round(2).tolist(),
    }


def _words(name: str, pairs: Iterable[tuple[Subject, WordRanks]]) -> Words:
    """Every word with its mean rank in each model, over the prompts of each valence."""
    rows: dict[str, WordRow] = {}
    columns = []
    for subject, ranks in pairs:
        means = {v: ranks.mean(v).round(1).tolist() for v in ("positive", "negative")}
        columns.append(
            (subject, dict(zip(ranks.words, zip(*means.values(), strict=True), strict=True)))
        )
        for word, family in zip(ranks.words, ranks.families, strict=True):
            rows.setdefault(
                word, {"word": visible(word), "family": visible(family), "categories": []}
            )
        for category, at in ranks.members.items():
            for i in at:
                known = rows[ranks.words[i]]["categories"]
                if category not in known:
                    known.append(category)
    return {
        "lexicon": name,
        "rows": list(rows.values()),
        "columns": [
            {
                "subject": visible(subject.name),
                "kind": subject.kind,
                "positive": [found.get(word, (None, None))[0] for word in rows],
                "negative": [found.get(word, (None, None))[1] for word in rows],
            }
            for subject, found in columns
        ],
    }
