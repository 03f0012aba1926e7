"""Lines on several verdicts at once, for the terminal and the page."""

from __future__ import annotations

from collections.abc import Iterable

from valuebias.format import signed
from valuebias.report.beside import BalanceRow
from valuebias.report.document import InstrumentChecked, Record
from valuebias.report.wording import contrast


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


def robust(records: Iterable[Record]) -> list[str]:
    """How many of the PASSes hold however the effect is computed, and what turns the others."""
    found = [(r, r["robustness"]) for r in records if r["verdict"] == "PASS" and "robustness" in r]
    if not found:
        return []
    fragile = [
        f"{contrast(r)} {r['valence']} ({each['turned_by']})"
        for r, each in found
        if each["state"] == "fragile"
    ]
    said = f"computed in other ways, {len(found) - len(fragile)} of {len(found)} PASS are robust"
    return [said + f"; fragile: {', '.join(fragile)}" * bool(fragile)]


def top_shares(records: Iterable[Record]) -> list[str]:
    """One line with each contrast's share of the top 10% less its share of all, by valence."""
    shares: dict[str, dict[str, str]] = {}
    for r in records:
        if r.get("top_share") is not None:
            shares.setdefault(contrast(r), {})[r["valence"]] = signed(r["top_share"])
    if not shares:
        return []
    valences = dict.fromkeys(valence for each in shares.values() for valence in each)
    listed = "; ".join(
        f"{name} {', '.join(each.get(valence, 'none') for valence in valences)}"
        for name, each in shares.items()
    )
    return [f"share of the top 10% less share of all ({', '.join(valences)}): {listed}"]


def differ(records: Iterable[Record]) -> list[str]:
    """How many effects differ from zero once corrected for how many were looked at.

    The family is what a model's shipped tests ask in all (each record says how many), whatever was
    selected, and what else was asserted.
    """
    from valuebias.declarations.claims import benjamini_hochberg, holm

    shipped: dict[tuple[str, ...], Record] = {}  # once each, however often it was run
    own = []
    for r in records:
        if r["role"] == "top":  # counted apart: it is no other effect, but a part of one
            continue
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


def ties(records: Iterable[Record]) -> list[str]:
    """The share of pairs of words across the categories with the same score."""
    shares = sorted(100 * r["tied"] for r in records if "tied" in r)
    if not shares:
        return []
    span = f"{shares[0]:.1f}%"
    if f"{shares[-1]:.1f}%" != span:
        span = f"{span} to {shares[-1]:.1f}%"
    return [f"ties: {span} of the pairs of words across the categories (above 20%: no PASS)"]


def out_of_balance(records: Iterable[Record]) -> list[str]:
    """The contrasts whose sides differ in properties of their words, each with how far, and the
    effects with these controlled: a warning of what an effect may be besides a value."""
    named: dict[str, dict[str, None]] = {}
    for r in records:
        table = r.get("balance")
        if table is None or not (apart := far(table["rows"])):
            continue
        effects = named.setdefault(f"{r['contrast']} ({', '.join(apart)})", {})
        if (held := table["controlled"]) is not None:
            effects[f"{r['valence']} {signed(held['estimate'])}"] = None
    if not named:
        return []
    shown = "; ".join(f"{what} {', '.join(effects)}".rstrip() for what, effects in named.items())
    return [f"warning: sides out of balance, with the effects controlled for it: {shown}"]


def in_people(records: Iterable[Record]) -> list[str]:
    """The same contrasts in people's ratings, one line each."""
    return [
        f"{contrast(r)} {r['valence']}: {each['said']}"
        for r in records
        for each in r.get("in_people", [])
    ]


_FAR = 0.5
"""As `measurement.balance.OUT_OF_BALANCE`, which renderers may not read; a test holds the two."""


def far(rows: Iterable[BalanceRow]) -> list[str]:
    """The properties in which sides are out of balance: "frequency d +.750"."""
    return [
        f"{row['covariate']} d {signed(row['d'])}"
        for row in rows
        if row["d"] is not None and abs(row["d"]) >= _FAR
    ]


def _short(alpha: float) -> str:
    return f"{alpha:.3g}".removeprefix("0")
