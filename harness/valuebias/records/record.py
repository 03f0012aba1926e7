"""Records of measurements and verdicts for the document: plain JSON types, visible strings."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any, cast

from valuebias.errors import visible
from valuebias.measurement.balance import table
from valuebias.measurement.contrast import Measurement
from valuebias.measurement.influence import grouped
from valuebias.measurement.instrument import Instrument
from valuebias.measurement.people import InPeople
from valuebias.outcomes import Cause
from valuebias.records.forecasts import forecast_made
from valuebias.report.document import (
    CameOut,
    Checked,
    InstrumentChecked,
    Record,
    RunRecord,
    Said,
    Subject,
)
from valuebias.stats.effect import Effect
from valuebias.stats.specification import Robustness
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
        **forecast_made(measurement),
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
    if measurement.in_people:
        entry["in_people"] = [_in_people(each) for each in measurement.in_people]
    if measurement.balance:
        entry["balance"] = table(measurement.balance, effect)
    if mass := measurement.provenance.get("rating_mass"):
        entry["rating_mass"] = float(mass)
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
        if verdict.robustness is not None:
            entry["robustness"] = robust(verdict.robustness)
    return cast(RunRecord, plain(entry))


def _in_people(found: InPeople) -> dict[str, Any]:
    """A contrast in people's ratings, in the document."""
    effects = found.found
    named = {} if effects is None else {
        "people": effects.people, "model": effects.scorer,
        "difference": effects.difference, "held": effects.held,
    }  # fmt: skip
    return {
        "ratings": found.label,
        "source": found.source,
        "fingerprint": found.fingerprint,
        "rated": found.rated,
        "entries": found.entries,
        "said": found.said,
        **{
            name: effect and {"estimate": effect.estimate, "low": effect.low, "high": effect.high}
            for name, effect in named.items()
        },
    }


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


def robust(found: Robustness) -> dict[str, Any]:
    """A verdict's robustness in the document."""
    return {
        "state": found.state,
        "reason": found.reason,
        "turned_by": found.turned_by,
        "facets_outside": round(found.facets_outside, 4),
        "not_inside": len(found.turned),
        "outside": len(found.outside),
        "specifications": [
            [
                *(s.alike, s.drawn, s.surface, list(s.covariates), s.without),
                *(round(x, 4) for x in (s.estimate, *s.interval(found.level))),
            ]
            for s in found.specifications
        ],
    }


def instrument_checked(instrument: Instrument) -> InstrumentChecked:
    """An instrument check's entry in the document."""
    return {
        "state": instrument.state.value,
        "required": instrument.required,
        "reason": instrument.reason,
        "words": instrument.words,
        "checks": [
            cast(Checked, {**asdict(check), "missed": check.missed}) for check in instrument.checks
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
