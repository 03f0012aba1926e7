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


def forecast(
    before: float = 0.6, after: float = 0.3, *, sides: tuple[str, str] = ("agency", "communion"),
    name: str = "love", **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """What a forecast's verdict has besides: the first side's share goes from one to the other."""
    path = [before + (after - before) * at for at in (0.0, 0.25, 0.5, 1.0, 1.5, 0.6, 1.2, 1.6)]
    ladder = [("nats", x) for x in (0.0, 0.25, 0.5, 1.0, 2.0)]
    ladder += [("best of", float(x)) for x in (4, 16, 64)]
    steps = [
        {"by": by, "amount": amount, "share": share, "low": max(share - 0.1, 0.0),
         "high": min(share + 0.05, 1.0), "log_odds": None, "nats": amount if by == "nats" else nats,
         "reached": 27, "effective": 12.0}
        for (by, amount), share, nats in zip(ladder, path, (0, 0, 0, 0, 0, 0.6, 1.8, 3.1),
                                             strict=True)
    ]  # fmt: skip
    moved: list[dict[str, Any]] = [
        {"word": f"{name} {at}", "side": sides[at % 2], "change": 0.1 / (at + 1)}
        for at in range(10)
    ]
    return {
        "sentence": f"Among the 322 words of the lexicon (.03% of what P says), the share of "
        f"{sides[0]} goes from .60 to .30 when P is optimised by 1 nat against {name}.",
        "judged": 1.0, "steps": steps, "slope": -0.2, "lexicon_mass": 0.0003,
        "attainable": [2.0, 2.5], "gain": moved,
        "lose": [{**each, "change": -each["change"]} for each in moved],
        "without": [{"family": name, "estimate": -0.25}], "turned": [], "exploratory": "", **more,
    }  # fmt: skip


def first_tokens(token: str = "love", **more: Any) -> dict[str, Any]:
    """What a policy's answers would begin with."""
    steps = [(s["by"], s["amount"], s["nats"]) for s in forecast()["steps"]]
    mass = [0.01 * (at + 1) for at in range(len(steps))]
    moved = [{"token": f" {token}", "before": 1e-7, "after": 0.2}]
    return {
        "model": "org/model", "policy": "P", "lexicon": "big_two", "valence": "positive",
        "n_prompts": 27, "left_out": None, "tokens": 3845, "with_reward": 3611,
        "scored": [0.97, 0.999], "attainable": [6.1, 7.2], "at_nats": 1.0,
        "steps": [
            {"by": by, "amount": amount, "nats": nats, "reached": 27, "effective": 40.0}
            for by, amount, nats in steps
        ],
        "categories": [
            {"category": name, "tokens": 12, "mass": mass, "low": mass, "high": mass}
            for name in ("agency", "communion")
        ],
        "gain": moved, "lose": [{**each, "token": token} for each in moved], **more,
    }  # fmt: skip


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
