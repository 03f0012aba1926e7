"""Sentences and a table of forecasts, for terminal, page and card."""

from __future__ import annotations

from collections.abc import Iterable

from valuebias.format import bare, signed
from valuebias.report.beside import ForecastStep
from valuebias.report.document import Record

_ASKED = {"positive": "Asked for the best", "negative": "Asked for the worst"}


def forecasts(records: Iterable[Record]) -> list[Record]:
    """The records that are of a forecast, the largest change first."""
    return sorted(
        (r for r in records if "forecast" in r), key=lambda r: abs(r["estimate"]), reverse=True
    )


def asked(record: Record) -> str:
    """What the prompts of a forecast asked for: "Asked for the best"."""
    return _ASKED[record["valence"]]


def said(record: Record) -> str:
    """What a forecast says, to follow `asked` and a colon; where it settles nothing, that too."""
    made = record["forecast"]
    why = f" It settles nothing: {made['exploratory']}." if made["exploratory"] else ""
    return f"{made['sentence'][:1].lower()}{made['sentence'][1:]}{why}"


def foremost(records: Iterable[Record]) -> list[Record]:
    """The forecast of the largest change, one for each policy and model."""
    first: dict[str, Record] = {}
    for record in forecasts(records):
        first.setdefault(record["title"], record)
    return list(first.values())


def step_name(step: ForecastStep) -> str:
    """Such as ".5 nats" or "best of 16"."""
    amount = bare(f"{step['amount']:g}")
    if step["by"] == "best of":
        return f"best of {amount}"
    return f"{amount} nat" + "s" * (step["amount"] != 1)


def share(value: float) -> str:
    """A share of two digits: .48."""
    return bare(f"{value:.2f}")


LADDER = "share of the first side by nats, then as best of n; below it the effective word families"
"""What `ladder` shows."""


def ladder(records: Iterable[Record]) -> list[list[str]]:
    """The steps of forecasts as a table: its head, then two lines a forecast."""
    listed = [r for r in records if "forecast" in r]
    rows = []
    for r in listed:
        steps = r["forecast"]["steps"]
        rows.append([r["sides"][0], r["valence"], *(share(s["share"]) for s in steps)])
        rows.append(["", "families", *(f"{s['effective']:.1f}" for s in steps)])
    if not listed:
        return []
    return [["share of", "prompts", *map(_head, listed[0]["forecast"]["steps"])], *rows]


def trust(record: Record) -> str:
    """What a reader needs to trust a forecast besides its ladder."""
    made = record["forecast"]
    without = ", ".join(f"{w['family']} {signed(w['estimate'])}" for w in made["without"])
    return (
        f"at most {made['attainable'][0]:.2f} nats can be reached; without a word family: {without}"
    )


def _head(step: ForecastStep) -> str:
    """A step in the head of a narrow table: ".5", "of 16"."""
    amount = bare(f"{step['amount']:g}")
    return f"of {amount}" if step["by"] == "best of" else amount
