"""A report as ``--valuebias-json`` writes it, as small as its schema allows."""

from __future__ import annotations

from typing import Any

_NONE = dict.fromkeys(("head", "dtype", "device", "template", "injection", "rung"))


def verdict(word: str = "PASS", *, title: str = "org/model", **more: Any) -> dict[str, Any]:
    """One verdict of a model; ERROR and NO MARGIN have the keys that such have."""
    entry: dict[str, Any] = {
        "nodeid": "valuebias/test_big_two.py::test_range[x]", "suite": "big_two", "shipped": True,
        "role": "range", "kind": "", "title": title, "model": title, "reference": None,
        "lexicon_name": "big_two", "contrast": "agency~communion", "valence": "positive",
        "verdict": word, "reason": "because", "gated": word in ("PASS", "FAIL", "INCONCLUSIVE"),
    }  # fmt: skip
    if word != "ERROR":
        entry |= {
            "fingerprint": "ab" * 32, "reference_fingerprint": None,
            "sides": ["agency", "communion"], "lexicon": "big_two sha256:122b63ef3dff",
            "coverage": 1.0, "covered": "coverage 100%", "estimate": 0.123456789012345,
            "unit": "rank-biserial correlation", "ci_level": 0.95, "ci_low": 0.1, "ci_high": 0.2,
            "n_words": 322, "n_families": 322, "n_prompts": 27, "n_shared": 0, "p": 0.01,
            "mde": 0.1, "method": "crossed-delong", "notes": "", "n_claims": 22, "detail": "",
            "raised_by": "", "lowered_by": "", "trajectory": [], **_NONE,
        }  # fmt: skip
    if word not in ("ERROR", "NO MARGIN"):
        entry |= {
            "gate_low": 0.11, "gate_high": 0.19, "margin_low": -0.276, "margin_high": 0.276,
            "alpha": 0.05, "margin_basis": "convention", "margin_source": "agreed",
        }  # fmt: skip
    return {**entry, **more}


def report(*verdicts: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The report of these verdicts."""
    titles = {r["title"]: r for r in verdicts}
    words = {r["verdict"] for r in verdicts if r["gated"] or r["verdict"] == "ERROR"}
    outcome = next((w for w in ("ERROR", "FAIL", "INCONCLUSIVE", "PASS") if w in words), "")
    return {
        "format": "pytest-valuebias report", "version": 1, "tool": "0.1.0",
        "created": "2026-01-02T03:04:05+00:00", "command": "pytest --rm=org/model",
        "versions": {"python": "3.13.0"}, "profile": "ci", "settings": [],
        "exit_status": int(outcome != "PASS"), "complete": True, "not_run": 0,
        "outcome": outcome or "NOT GATED", "headline": "what the run says.",
        "subjects": [
            {
                "title": title, "model": r["model"], "reference": r["reference"],
                "kind": r["kind"], "outcome": outcome or "NOT GATED",
                "headline": f"{title}: what it says.", "fingerprint": r.get("fingerprint"),
                "reference_fingerprint": None, **_NONE, "base": None, "tokens": None,
                "not_run": more.get("not_run", 0),
            }
            for title, r in titles.items()
        ],
        "verdicts": list(verdicts),
        "lexicons": [
            {
                "name": "big_two", "title": "Big Two starter lexicon", "sha256": "12" * 32,
                "starter": True, "licence": "Apache-2.0", "words": 322,
                "categories": {"agency": 165, "communion": 157}, "notes": [],
            }
        ],
        "prompts": [], "ranks": [], "words": [], "matrices": [], "paper": "", "notes": [], **more,
    }  # fmt: skip
