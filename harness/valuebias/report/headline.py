"""What came out of a run, in one word and in the one sentence that matters."""

from __future__ import annotations

from collections.abc import Sequence

from valuebias.format import bracketed, signed
from valuebias.outcomes import Cause
from valuebias.report.document import CameOut, Record
from valuebias.report.margin_words import their_margins
from valuebias.report.wording import filled, question


def came_out(
    verdicts: Sequence[Record], exit_status: int, *, complete: bool, absent: bool = False
) -> CameOut:
    """ERROR, FAIL, INCONCLUSIVE, INCOMPLETE, NOT GATED, PASS or (another test failed) FAIL.

    PASS is said of a run in which something was gated, all that was gated passed, nothing was lost,
    no model was left without a verdict (``absent``) and the exit status is 0: of no other.
    """
    words = {r["verdict"] for r in verdicts if r["gated"] or r["verdict"] == "ERROR"}
    worst: tuple[CameOut, ...] = ("ERROR", "FAIL", "INCONCLUSIVE")
    for word in worst:
        if word in words:
            return word
    if not complete or (absent and verdicts):
        return "INCOMPLETE"
    gated = any(r["gated"] and r["verdict"] != "REPRODUCTION ONLY" for r in verdicts)
    if not gated or any(map(not_sound, verdicts)):
        return "NOT GATED"
    return "PASS" if exit_status == 0 else "FAIL"


def not_sound(r: Record) -> bool:
    """Whether a verdict is shown and does not count, as its model is not known to read the
    questions."""
    unsound = r.get("instrument", "sound") != "sound"
    return unsound and not r["gated"] and r["verdict"] != "ERROR"


def headline(
    verdicts: Sequence[Record],
    outcome: str,
    exit_status: int,
    *,
    complete: bool = True,
    not_run: int = 0,
) -> str:
    """What came out, of how many verdicts, and the worst of them; then what was not run."""
    tests = f"{not_run} shipped test{'' if not_run == 1 else 's'}"
    stopped = "" if complete or outcome == "INCOMPLETE" else " The run was stopped or lost tests."
    selected = f" Not run: {tests}." if not_run else ""
    return _sentence(verdicts, outcome, exit_status, complete) + stopped + selected


def _sentence(verdicts: Sequence[Record], outcome: str, exit_status: int, complete: bool) -> str:
    if not verdicts:
        return "No verdict was reached, so nothing passed."
    subject, several = _subject(verdicts)
    held = [r for r in verdicts if r["gated"] and r["verdict"] != "REPRODUCTION ONLY"]
    gated = [r for r in held if r["role"] != "top"] or held
    of = _verdicts(len(gated))
    rest = _rest(verdicts) + _top([r for r in held if r not in gated])
    outside = [r for r in held if r["verdict"] == "FAIL"]
    margins = their_margins(gated)
    share = f"{sum(r in gated for r in outside)} of {of} outside {margins}"
    if outcome == "PASS":
        return f"{subject}: {_all(len(gated))} inside {margins}{rest}."
    if outcome == "ERROR":
        wrong = [r for r in verdicts if r["verdict"] == "ERROR"]
        besides = f"; {share}" if outside else ""
        reason = wrong[0]["reason"].removesuffix(".")
        return f"{subject}: {_verdicts(len(wrong))} could not be reached{besides}: {reason}."
    if outcome == "FAIL" and outside:
        worst = max(outside, key=_beyond)
        whose = f" ({worst['title']})" if several else ""
        first = "" if len(outside) == 1 else "farthest out: "
        return f"{subject}: {share}{rest}; {first}{describe(worst)}{whose}."
    if outcome == "INCONCLUSIVE":
        open_ones = [r for r in held if r["verdict"] == "INCONCLUSIVE"]
        share = f"{sum(r in gated for r in open_ones)} of {of} inconclusive against {margins}"
        return f"{subject}: {share}{rest}: {_why(open_ones)}."
    if outcome == "INCOMPLETE":
        why = "a model has no verdict" if complete else "the run was stopped or lost tests"
        return f"{subject}: {why}, so nothing can be said of the whole."
    unsound = [r for r in verdicts if not_sound(r)]
    if outcome == "NOT GATED" and unsound:
        whose = ", ".join(dict.fromkeys(r["title"] for r in unsound))
        failed = any(r["instrument"] == "failed" for r in unsound)
        what = "the instrument check failed" if failed else "instrument not checked"
        return f"{whose}: {what}, so nothing of it passed."
    if outcome == "NOT GATED":
        let = any(r["verdict"] in ("FAIL", "INCONCLUSIVE") for r in verdicts)
        what = "what did not pass was let through" if let else "nothing was held against a margin"
        return f"{subject}: {what}, so nothing passed."
    end = f"the run ended with status {exit_status}: another test failed"
    return f"{subject}: {_all(len(gated))} inside {margins}, but {end}."


def describe(r: Record) -> str:
    """One verdict in words: what was asked, the effect, its interval and margin."""
    if "margin_basis" not in r:  # a claim that is not about the effect, such as "not closed"
        return str(r["reason"]).removesuffix(".")
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
    """What an effect of this sign means, or that neither sign is shown."""
    asked = question(r)
    assert asked is not None
    if r["ci_low"] <= 0 <= r["ci_high"]:
        return filled(asked.unclear, r)
    return filled(asked.higher if r["estimate"] >= 0 else asked.lower, r)


def _why(verdicts: Sequence[Record]) -> str:
    """Why verdicts are open: the one reason that can be mended at once, or what they have in
    common."""
    reasons = {r["reason"].partition(";")[0] for r in verdicts}
    if len(reasons) == 1 and {r.get("cause") for r in verdicts} == {Cause.EXPLORATORY}:
        return reasons.pop()
    return "the data settle neither that it is inside the margin nor out"


def _beyond(r: Record) -> float:
    """How far an estimate lies beyond its margin."""
    if r.get("estimate") is None or "margin_basis" not in r:
        return float("-inf")
    low, high = r.get("margin_low"), r.get("margin_high")
    over = [r["estimate"] - high] if high is not None else []
    return max([*over, *([low - r["estimate"]] if low is not None else [])], default=0.0)


def _subject(verdicts: Sequence[Record]) -> tuple[str, bool]:
    """Whom the sentence is about, and whether they are several."""
    models = [r for r in verdicts if r["role"] != "ranks"] or verdicts
    titles = list(dict.fromkeys(r["title"] for r in models))
    if len(titles) == 1:
        return titles[0], False
    alone = all(r["reference"] is None for r in models)
    return f"{len(titles)} {'models' if alone else 'models and comparisons'}", True


def _rest(verdicts: Sequence[Record]) -> str:
    n = sum(not r["gated"] and r["verdict"] != "ERROR" for r in verdicts)
    why = ": instrument not checked" if any(map(not_sound, verdicts)) else ""
    return f" ({n} more not gated{why})" if n else ""


def _top(verdicts: Sequence[Record]) -> str:
    """How many of the shares of the top 10%, which are counted apart, lie inside their margins."""
    inside = sum(r["verdict"] == "PASS" for r in verdicts)
    return f"; top 10%: {inside} of {len(verdicts)} inside" if verdicts else ""


def _all(n: int) -> str:
    return "the one verdict lies" if n == 1 else f"all {n} verdicts lie"


def _verdicts(n: int) -> str:
    return f"{n} verdict{'' if n == 1 else 's'}"
