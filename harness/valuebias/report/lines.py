"""Lines on several verdicts at once, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterable

from valuebias.format import signed
from valuebias.report.document import InstrumentChecked, Record


def told(checked: InstrumentChecked) -> str:
    """An instrument check in one line."""
    state = checked["state"] + ("" if checked["required"] else " (reported only)")
    by_name: dict[str, list[str]] = {}
    for check in checked["checks"]:
        name, _, _ = check["name"].partition(", ")
        figure = f"{signed(check['estimate'])}{' (missed)' * check['missed']}"
        by_name.setdefault(name, []).append(figure)
    figures = "; ".join(f"{name} {', '.join(values)}" for name, values in by_name.items())
    words = f" ({checked['words']})" if checked["words"] else ""
    return f"instrument {state}: {figures}{words}" if figures else f"instrument {state}"


def passes(records: Iterable[Record]) -> str:
    """What a PASS says, at the levels in force."""
    levels = sorted({r["alpha"] for r in records if "alpha" in r})
    if len(levels) == 1:
        return (
            f"PASS = the {100 - 200 * levels[0]:.4g}% interval lies inside the margin "
            f"(two one-sided tests at {_short(levels[0])})"
        )
    return (
        "PASS = shown to lie inside the margin by two one-sided tests at the claim's share of the "
        f"declared budget ({_short(levels[0])} to {_short(levels[-1])})"
    )


def differ(records: Iterable[Record]) -> list[str]:
    """How many effects differ from zero once corrected for how many were looked at.

    The family is what a model's shipped tests ask in all (each record says how many), whatever was
    selected, and what else was asserted.
    """
    from valuebias.declarations.claims import benjamini_hochberg, holm

    shipped: dict[tuple[str, ...], Record] = {}  # once each, however often it was run
    own = []
    for r in records:
        if r.get("p") is not None and r["shipped"]:
            shipped[r["suite"], r["contrast"], r["valence"], r["role"]] = r
        elif r.get("p") is not None:
            own.append(r)
    effects = [*shipped.values(), *own]
    if len(effects) < 2:
        return []
    p = [p for r in effects if (p := r["p"]) is not None]
    asked = {r["role"]: r.get("n_claims", 0) for r in shipped.values()}
    m = max(sum(asked.values()), *(r.get("n_claims", 0) for r in effects)) + len(own)
    strict, loose = (int((f(p, m) < 0.05).sum()) for f in (holm, benjamini_hochberg))
    return [
        f"of {m} effects {sum(x < 0.05 for x in p)} differ from zero at .05 each, {strict} after "
        f"Holm's correction, {loose} at a false discovery rate of .05; this gates nothing"
    ]


def _short(alpha: float) -> str:
    return f"{alpha:.3g}".removeprefix("0")
