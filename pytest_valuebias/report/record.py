"""Records of tests that could not be measured, and the JUnit properties of records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from valuebias.records.record import plain
from valuebias.report.document import RunRecord

if TYPE_CHECKING:
    from pytest_valuebias.claim import Claim


_PROPERTIES = (
    "estimate", "ci_level", "ci_low", "ci_high", "gate_low", "gate_high", "margin_low",
    "margin_high", "margin_basis", "verdict", "n_words", "n_families", "n_prompts", "lexicon",
    "coverage", "contrast", "valence", "model", "fingerprint", "reference", "role", "gated",
    "margin_source", "injection", "rung", "template", "reason", "reference_fingerprint",
    "method", "p", "mde", "n_shared", "notes", "alpha", "detail", "unit", "instrument", "tied",
    "prompt_set", "top_share", "top_low", "top_high", "panel_member",
)  # fmt: skip


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
    return cast(RunRecord, plain(entry))


def properties(entry: RunRecord, number: int = 1) -> list[tuple[str, str]]:
    """The record as JUnit properties ``valuebias.NAME``; numbers to six decimals.

    A test's second verdict has ``valuebias.2.NAME``, and so on.
    """
    prefix = "valuebias." if number == 1 else f"valuebias.{number}."
    held: Mapping[str, object] = entry
    named = [
        (f"{prefix}{name}", _text(held[name]))
        for name in _PROPERTIES
        if held.get(name) not in (None, "")
    ]
    checked = entry.get("instrument_check")
    if checked is not None:
        named += [
            (f"{prefix}instrument.{check['key']}", _text(check["estimate"]))
            for check in checked["checks"]
        ]
        if not checked["required"]:
            named.append((f"{prefix}instrument", f"{checked['state']} (reported only)"))
    if "robustness" in entry:
        named.append((f"{prefix}robustness", entry["robustness"]["state"]))
    if not entry["gated"]:
        named.append((f"{prefix}status", "NOT GATED"))
    return named


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6f}" if isinstance(value, float) else str(value)
