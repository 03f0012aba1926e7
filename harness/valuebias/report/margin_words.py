"""Where a margin is from, in words: the one table for every report.

Nothing is called declared that nobody declared.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from valuebias.report.document import Record

_DECLARED = "declared by you"
_ORIGINS = {
    "declared": _DECLARED,
    "panel": "predicted from ten public reward models",
    "convention": "set by convention",
}
_MANY = {
    "panel": "95% intervals of a new model's effect, or of the difference between two on one base",
    "convention": "an agreed size of effect either side of zero",
}
ONE_OF_TEN = "this model is one of the ten that the panel margin was predicted from"
_AMONG = ", this one among them"


def origin(basis: str) -> str:
    """Where a margin of this basis is from; a basis that is not ours is the user's own."""
    return _ORIGINS.get(basis, _DECLARED)


def their_margins(records: Sequence[Record]) -> str:
    """The margins that these verdicts were held against, and where they are from. A claim without
    a margin, such as "not closed by step 900", is made in the user's own test."""
    count = Counter(origin(r.get("margin_basis", "declared")) for r in records)
    panel = [r for r in records if r.get("margin_basis") == "panel"]
    if panel and all(r.get("panel_member") for r in panel) and len({r["model"] for r in panel}) < 2:
        of_ten = _ORIGINS["panel"]
        count = Counter({f"{k}{_AMONG}" if k == of_ten else k: n for k, n in count.items()})
    if len(count) == 1:
        return f"the margin{'' if len(records) == 1 else 's'} {next(iter(count))}"
    return f"their margins ({'; '.join(f'{n} {where}' for where, n in count.items())})"


def origins(records: Iterable[Record], *, most: int | None = None) -> list[str]:
    """A line for each source of a margin, and one if the model is among those that it was predicted
    from; one line for each basis where ``most`` is given, told in general words beyond as many
    sources."""
    sources: dict[str, dict[str, None]] = {}
    member = False
    for r in records:
        if "margin_basis" in r:
            sources.setdefault(r["margin_basis"], {})[r["margin_source"]] = None
        member |= bool(r.get("panel_member"))
    lines = []
    for basis, texts in sources.items():
        told: Iterable[str] = texts
        if most is not None:
            many = _MANY.get(basis, f"{len(texts)} sources")
            told = ["; ".join(texts) if len(texts) <= most else many]
        lines += [f"margin ({origin(basis)}): {text}" for text in told]
    return [*lines, ONE_OF_TEN] if member else lines
