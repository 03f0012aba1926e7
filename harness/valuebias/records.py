"""Records of measurements and verdicts for the document: plain JSON types, visible strings."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

from valuebias.errors import visible
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.balance import table
from valuebias.measurement.contrast import Measurement
from valuebias.measurement.influence import grouped
from valuebias.measurement.instrument import Instrument
from valuebias.measurement.word_ranks import WordRanks, word_ranks
from valuebias.prompts import PAPER, VALENCES, PromptSet, Valences
from valuebias.questions import Cause
from valuebias.report.document import (
    FORMAT,
    VERSION,
    CameOut,
    Document,
    InstrumentChecked,
    LexiconUsed,
    PromptAsked,
    PromptSetUsed,
    Ranks,
    Record,
    RunRecord,
    Said,
    Subject,
    WordRow,
    Words,
)
from valuebias.report.headline import came_out, headline
from valuebias.scorers.protocol import Scorer
from valuebias.stats.effect import Effect
from valuebias.stats.verdict import Verdict

_LIBRARIES = ("pytest", "torch", "transformers", "peft", "tokenizers", "numpy", "scipy")
_SUBJECT = (
    "title", "model", "reference", "kind", "fingerprint", "reference_fingerprint", "head", "dtype",
    "device", "template", "injection", "rung",
)  # fmt: skip
_PROVENANCE = ("head", "dtype", "device", "template", "injection", "rung")


def record(
    measurement: Measurement,
    verdict: Verdict[Effect] | None,
    outcome: Said,
    reason: str,
    *,
    gated: bool,
    suite: str | None,
    n_claims: int,
    cause: Cause | None = None,
    instrument: Instrument | None = None,
) -> RunRecord:
    """Everything that reports show about one verdict, with every string made visible.

    ``suite`` is the shipped suite of the verdict, None for the user's own; ``n_claims`` is the
    number of shipped tests of this model, selected or not.
    """
    effect, top = measurement.effect, measurement.top
    entry: dict[str, Any] = {
        "suite": suite or measurement.lexicon.name,
        "role": measurement.role,
        "kind": measurement.kind,
        "model": measurement.model,
        "reference": measurement.reference,
        "fingerprint": measurement.fingerprint,
        "reference_fingerprint": measurement.reference_fingerprint,
        "contrast": measurement.contrast,
        "valence": measurement.valence,
        "sides": measurement.sides,
        "lexicon": measurement.lexicon_title,
        "lexicon_name": measurement.lexicon.name,
        "coverage": round(measurement.coverage, 6),
        "estimate": effect.estimate,
        "estimate_by_spelling": effect.by_spelling,
        "ci_level": effect.level,
        "ci_low": effect.low,
        "ci_high": effect.high,
        "n_words": sum(effect.n_words),
        "n_families": sum(effect.n_families),
        "n_prompts": effect.n_prompts,
        "prompt_set": measurement.prompts.name,
        "n_shared": len(measurement.shared),
        "p": effect.p,
        "mde": effect.mde,
        "method": effect.method,
        "notes": "; ".join(effect.notes),
        "verdict": outcome,
        "reason": reason,
        "gated": gated,
        "shipped": suite is not None,
        "n_claims": n_claims,
        "covered": measurement.covered,
        "unit": measurement.unit,
        "covariates": measurement.covariates,
        "raw": measurement.raw,
        "detail": measurement.detail,
        "title": measurement.title,
        "raised_by": grouped(measurement.raised_by, *measurement.sides),
        "lowered_by": grouped(measurement.lowered_by, *measurement.sides),
        "trajectory": [asdict(step) for step in measurement.trajectory],
        **{name: measurement.provenance.get(name) for name in _PROVENANCE},
        "tokens": {
            "prompt": top.prompt.text,
            "kind": top.kind,
            "n": top.n,
            "best": top.best,
            "worst": top.worst,
            "left_out": top.left_out,
            "round_trip": top.round_trip,
            "mass": top.mass,
            "warning": top.warning,
        },
    }
    if measurement.at_top is not None:
        at_top = measurement.at_top.effect
        entry |= {"top_share": at_top.estimate, "top_low": at_top.low, "top_high": at_top.high}
    if measurement.balance:
        entry["balance"] = table(measurement.balance, effect)
    if effect.tied is not None:
        entry["tied"] = round(effect.tied, 6)
    if cause is not None:
        entry["cause"] = str(cause)
    if instrument is not None:
        entry["instrument_check"] = instrument_checked(instrument)
        if instrument.required:
            entry["instrument"] = str(instrument.state)
    if verdict is not None:
        entry |= {
            "gate_low": verdict.gate_low,
            "gate_high": verdict.gate_high,
            "margin_low": verdict.margin.low,  # none on the open side of a one-sided margin
            "margin_high": verdict.margin.high,
            "alpha": (1 - verdict.gate_level) / 2,
            "margin_basis": verdict.margin.basis,
            "margin_source": verdict.margin.source,
        }
    return cast(RunRecord, plain(entry))


def plain(value: Any) -> Any:
    """The value in JSON types: numpy scalars do not survive the transfer from an xdist worker, and
    JSON has no number that is not finite."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(v) for v in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    number = float(value)
    return number if math.isfinite(number) else None


def instrument_checked(instrument: Instrument) -> InstrumentChecked:
    """An instrument check's entry in the document."""
    return {
        "state": instrument.state.value,
        "required": instrument.required,
        "reason": instrument.reason,
        "words": instrument.words,
        "checks": [
            {
                "key": check.key,
                "name": check.name,
                "estimate": check.estimate,
                "low": check.low,
                "high": check.high,
                "threshold": check.threshold,
                "at_least": check.at_least,
                "missed": check.missed,
            }
            for check in instrument.checks
        ],
    }


def versions() -> dict[str, str]:
    """The versions of Python and of the libraries that the numbers depend on."""
    by_library = {"python": sys.version.split()[0]}
    for name in _LIBRARIES:
        try:
            by_library[name] = version(name)
        except PackageNotFoundError:  # an optional library that is not installed
            continue
    return by_library


def lexicon_used(lexicon: Lexicon) -> LexiconUsed:
    """A lexicon's entry in the document."""
    return {
        "name": lexicon.name,
        "title": visible(lexicon.title),
        "sha256": lexicon.digest,
        "starter": lexicon.starter,
        "licence": visible(lexicon.licence),
        "words": len(lexicon.words()),
        "categories": {c: len(words) for c, words in lexicon.categories.items()},
        "notes": [visible(note) for note in lexicon.notes],
    }


def median_ranks(lexicon: str, subject: str, kind: str, ranks: WordRanks) -> Ranks:
    """One model's median rank of each category's words, prompt by prompt."""
    return {
        "subject": visible(subject),
        "kind": kind,
        "lexicon": lexicon,
        "n_words": len(ranks.words),
        "categories": list(ranks.members),
        "prompts": [visible(p.id) for p in ranks.prompts],
        "medians": ranks.medians.round(2).tolist(),
    }


def mean_ranks(lexicon: str, models: Iterable[tuple[str, str, WordRanks]]) -> Words:
    """Every word with its mean rank in each model, over the prompts of each valence; ``models`` are
    names, kinds and ranks."""
    rows: dict[str, WordRow] = {}
    columns: list[tuple[str, str, dict[str, Sequence[float]]]] = []
    for subject, kind, ranks in models:
        means = (ranks.mean(v).round(1).tolist() for v in ("positive", "negative"))
        pairs = zip(*means, strict=True)
        columns.append((subject, kind, dict(zip(ranks.words, pairs, strict=True))))
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
        "lexicon": lexicon,
        "rows": list(rows.values()),
        "columns": [
            {
                "subject": visible(subject),
                "kind": kind,
                "positive": [ranks_of.get(word, (None, None))[0] for word in rows],
                "negative": [ranks_of.get(word, (None, None))[1] for word in rows],
            }
            for subject, kind, ranks_of in columns
        ],
    }


_KINDS: Mapping[str, str] = {
    "reward": "reward model",
    "language": "language model",
    "implicit": "implicit reward",
}


def effect_record(
    measurement: Measurement,
    verdict: Verdict[Effect] | None = None,
    reason: str = "it was measured, and held against no margin",
    *,
    gated: bool = False,
    instrument: Instrument | None = None,
) -> RunRecord:
    """The record of an effect that was measured, and perhaps judged, without pytest."""
    return record(
        measurement,
        verdict,
        "NO MARGIN" if verdict is None else verdict.outcome.value,
        reason,
        gated=gated,
        suite=None,
        n_claims=0,
        cause=None if verdict is None else verdict.cause,
        instrument=instrument,
    )


def document_of(
    verdicts: Sequence[RunRecord],
    lexicons: Iterable[Lexicon],
    scored: Iterable[tuple[Lexicon, Scorer, Valences]],
    prompts: PromptSet = PAPER,
) -> Document:
    """The document of effects that were measured without pytest, on prompts of one set.

    ``scored`` says which scorer was asked about which lexicon on which prompts: words are ranked
    where prompts of both valences were asked, so that nothing is scored for the report alone.
    """
    for at, verdict in enumerate(verdicts, 1):
        verdict["nodeid"] = f"effect {at}"
    numbered = [published(r) for r in verdicts]
    outcome = came_out(numbered, 0, complete=True)
    used = {lexicon.digest: lexicon for lexicon in lexicons}
    asked: dict[tuple[str, str], set[str]] = {}
    ranked: dict[str, list[tuple[str, str, WordRanks]]] = {lex.name: [] for lex in used.values()}
    for lexicon, scorer, valences in scored:
        valences_asked = asked.setdefault((lexicon.digest, scorer.fingerprint), set())
        complete = valences_asked >= set(VALENCES)
        valences_asked.update(valences.split("-"))
        if not complete and valences_asked >= set(VALENCES):
            ranks = word_ranks(scorer, lexicon, prompts=prompts)
            ranked[lexicon.name].append((scorer.name, _KINDS[scorer.kind], ranks))
    return {
        "format": FORMAT,
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tool": version("pytest-valuebias"),
        "command": "valuebias.report(...)",
        "versions": versions(),
        "profile": "ci",
        "prompt_set": prompt_set_used(prompts),
        "settings": [],
        "exit_status": 0,
        "complete": True,
        "not_run": 0,
        "outcome": outcome,
        "headline": headline(numbered, outcome, 0),
        "subjects": _subjects(verdicts),
        "verdicts": numbered,
        "lexicons": [lexicon_used(lexicon) for lexicon in used.values()],
        "prompts": prompts_asked(prompts),
        "ranks": [median_ranks(x, *each) for x, models in ranked.items() for each in models],
        "words": [mean_ranks(x, models) for x, models in ranked.items() if models],
        "matrices": [],
        "paper": "",
        "notes": [],
    }


def prompt_set_used(prompts: PromptSet) -> PromptSetUsed:
    """A prompt set's entry in the document."""
    return {"name": visible(prompts.name), "language": prompts.language, "sha256": prompts.digest}


def prompts_asked(prompts: PromptSet) -> list[PromptAsked]:
    """A set's prompts as the document lists them."""
    return [
        {"id": visible(p.id), "text": visible(p.text), "valence": p.valence}
        for p in prompts.prompts
        if p.valence
    ]


def published(record: RunRecord) -> Record:
    """A record without the fields that are not published with each verdict."""
    kept = record.copy()
    kept.pop("tokens", None)
    kept.pop("place", None)
    kept.pop("instrument_check", None)
    return kept


def subject_of(
    record: Mapping[str, Any], outcome: CameOut, said: str, not_run: int, base: str | None
) -> Subject:
    """A model's entry in the document, from one of its records."""
    facts = {name: record.get(name) for name in _SUBJECT}
    return cast(
        Subject,
        facts
        | {"outcome": outcome, "headline": said, "not_run": not_run}
        | {"base": base, "tokens": record.get("tokens")}
        | {"instrument": record.get("instrument_check")},
    )


def _subjects(verdicts: Sequence[RunRecord]) -> list[Subject]:
    first: dict[str, RunRecord] = {}
    for r in verdicts:
        first.setdefault(r["title"], r)
    subjects = []
    for title, r in first.items():
        mine = [v for v in verdicts if v["title"] == title]
        outcome = came_out(mine, 0, complete=True)
        subjects.append(subject_of(r, outcome, headline(mine, outcome, 0), 0, None))
    return subjects
