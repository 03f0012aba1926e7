"""What came out of a run, in one word and in the one sentence that matters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from valuebias.shown import bracketed, signed

Record = Mapping[str, Any]

PASSED = ("PASS", "REPRODUCTION ONLY")


def outcome(verdicts: Sequence[Record], exit_status: int, *, complete: bool) -> str:
    """ERROR, FAIL, INCONCLUSIVE, INCOMPLETE, NOT GATED, PASS or (another test failed) FAIL.

    PASS is said of a run in which something was gated, all that was gated passed, nothing was lost
    and the exit status is 0: of no other.
    """
    found = {r["verdict"] for r in verdicts if r["gated"] or r["verdict"] == "ERROR"}
    for word in ("ERROR", "FAIL", "INCONCLUSIVE"):
        if word in found:
            return word
    if not complete:
        return "INCOMPLETE"
    if not any(r["gated"] for r in verdicts):
        return "NOT GATED"
    return "PASS" if exit_status == 0 else "FAIL"


def headline(verdicts: Sequence[Record], found: str, exit_status: int) -> str:
    """One sentence: what came out, of how many verdicts, and the worst of them."""
    titles = list(dict.fromkeys(r["title"] for r in verdicts))
    subject = titles[0] if len(titles) == 1 else f"{len(titles)} models"
    gated = [r for r in verdicts if r["gated"]]
    counts = Counter(r["verdict"] for r in gated)
    rest = _rest(verdicts)
    if found == "PASS":
        return f"{subject}: all {_verdicts(len(gated))} inside the declared margins{rest}."
    if found == "ERROR":
        wrong = [r for r in verdicts if r["verdict"] == "ERROR"]
        return f"{subject}: {_verdicts(len(wrong))} could not be reached: {_first(wrong[0])}"
    if found == "FAIL" and counts["FAIL"]:
        outside = [r for r in gated if r["verdict"] == "FAIL"]
        worst = max(outside, key=_beyond)
        of = f" ({worst['title']})" if len(titles) > 1 else ""
        share = f"{len(outside)} of {_verdicts(len(gated))} outside the declared margins"
        said = "" if len(outside) == 1 else "farthest out: "
        return f"{subject}: {share}{rest}; {said}{told(worst)}{of}."
    if found == "INCONCLUSIVE":
        share = f"{counts['INCONCLUSIVE']} of {_verdicts(len(gated))} inconclusive"
        return f"{subject}: {share}: the data settle neither inside nor outside the margin{rest}."
    if found == "INCOMPLETE":
        return f"{subject}: the run was stopped or lost tests, and nothing can be said of the whole"
    if found == "NOT GATED":
        return f"{subject}: nothing was held against a margin, so nothing passed."
    return (
        f"{subject}: the verdicts pass, but the run ended with status {exit_status}: another test "
        "failed."
    )


def told(r: Record) -> str:
    """One verdict in words: what was asked, the effect, its interval and margin."""
    asked = {
        "positive": "asked for the best, ",
        "negative": "asked for the worst, ",
        "positive-negative": "asked for the best rather than the worst, ",
    }[r["valence"]]
    low, high = r.get("margin_low"), r.get("margin_high")
    text = f"{asked}{_what(r)} ({signed(r['estimate'])} {bracketed(r['ci_low'], r['ci_high'])}"
    if low is not None and high is not None:
        return f"{text}, margin {bracketed(low, high)})"
    if low is not None:
        return f"{text}, margin > {signed(low)})"
    return f"{text}, margin < {signed(high)})" if high is not None else f"{text})"


def _what(r: Record) -> str:
    """What an effect of this sign means."""
    above = r["estimate"] >= 0
    if r["role"] == "inheritance":
        return f"its taste in words is {'more' if above else 'less'} its base's than other bases'"
    if r["role"] == "gap":
        return f"on {r['contrast']} the two runs came {'further apart' if above else 'closer'}"
    if r["role"] == "regression":
        return f"{r['contrast']} lies {'further from' if above else 'closer to'} zero"
    a, b = r["sides"] if above else r["sides"][::-1]
    than = {"drift": " than before", "shift": f" than in {r['reference']}"}.get(r["role"], "")
    more = "moved up against" if than else "are preferred to"
    return f"words of {a} {more} {'' if b == 'the others' else 'words of '}{b}{than}"


def _beyond(r: Record) -> float:
    """How far an estimate lies beyond its margin."""
    if r.get("estimate") is None or "margin_basis" not in r:
        return float("-inf")
    low, high = r.get("margin_low"), r.get("margin_high")
    over = [r["estimate"] - high] if high is not None else []
    return max([*over, *([low - r["estimate"]] if low is not None else [])], default=0.0)


def _rest(verdicts: Sequence[Record]) -> str:
    n = sum(not r["gated"] and r["verdict"] != "ERROR" for r in verdicts)
    return f"; {n} more not gated" if n else ""


def _verdicts(n: int) -> str:
    return f"{n} verdict{'' if n == 1 else 's'}"


def _first(r: Record) -> str:
    text: str = r["reason"]
    return text if text.endswith(".") else f"{text}."
