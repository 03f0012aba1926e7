"""One record a verdict: the plain mapping that every report, and every xdist worker, passes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, cast

from valuebias.errors import visible
from valuebias.report.document import RunRecord

if TYPE_CHECKING:
    from pytest_valuebias.claim import Claim
    from valuebias.measurement.contrast import Measurement
    from valuebias.questions import Cause
    from valuebias.stats.effect import Effect
    from valuebias.stats.verdict import Verdict


_PROPERTIES = (
    "estimate", "ci_level", "ci_low", "ci_high", "gate_low", "gate_high", "margin_low",
    "margin_high", "margin_basis", "verdict", "n_words", "n_families", "n_prompts", "lexicon",
    "coverage", "contrast", "valence", "model", "fingerprint", "reference", "role", "gated",
    "margin_source", "injection", "rung", "template", "reason", "reference_fingerprint",
    "method", "p", "mde", "n_shared", "notes", "alpha", "detail", "unit",
)  # fmt: skip

_PROVENANCE = ("head", "dtype", "device", "template", "injection", "rung")


def record(
    measurement: Measurement,
    verdict: Verdict[Effect] | None,
    outcome: str,
    reason: str,
    *,
    gated: bool,
    suite: str | None,
    n_claims: int,
    cause: Cause | None = None,
) -> RunRecord:
    """Everything reports show of one verdict, in JSON-able types with every string made visible.

    ``suite`` is the shipped suite it is a verdict of, None for a test of the user's own;
    ``n_claims`` how many shipped tests ask something of this model, selected or not.
    """
    from valuebias.measurement.contrast import grouped

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
        "ci_level": effect.level,
        "ci_low": effect.low,
        "ci_high": effect.high,
        "n_words": sum(effect.n_words),
        "n_families": sum(effect.n_families),
        "n_prompts": effect.n_prompts,
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
    if cause is not None:
        entry["cause"] = str(cause)
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
    return cast(RunRecord, {name: _plain(value) for name, value in entry.items()})


def error_record(claim: Claim, reason: str) -> RunRecord:
    """The record of a shipped test that could not be measured."""
    reference = None if claim.reference is None else claim.reference.label
    entry = {
        "suite": claim.suite,
        "role": claim.role,
        "kind": claim.kind,
        "lexicon_name": claim.lexicon,
        "model": claim.model.label,
        "title": claim.title,
        "reference": reference,
        "contrast": claim.contrast,
        "valence": claim.valence,
        "verdict": "ERROR",
        "reason": reason,
        "gated": False,
        "shipped": True,
    }
    return cast(RunRecord, {name: _plain(value) for name, value in entry.items()})


def properties(entry: RunRecord, number: int = 1) -> list[tuple[str, str]]:
    """The record as JUnit properties ``valuebias.NAME``; numbers to six decimals.

    A test's second verdict has ``valuebias.2.NAME``, and so on.
    """
    prefix = "valuebias." if number == 1 else f"valuebias.{number}."
    held: Mapping[str, object] = entry
    found = [
        (f"{prefix}{name}", _text(held[name]))
        for name in _PROPERTIES
        if held.get(name) not in (None, "")
    ]
    if not entry["gated"]:
        found.append((f"{prefix}status", "NOT GATED"))
    return found


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6f}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    """JSON-able types only: numpy scalars do not survive the way from an xdist worker, and JSON has
    no number that is not finite."""
    if isinstance(value, str):
        return visible(value)
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if value is None or isinstance(value, (bool, int)):
        return value
    number = float(value)
    return number if math.isfinite(number) else None
