"""How figures and files are spoken of, in pytest's reports and outside them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from valuebias.questions import QUESTIONS, Question, question_of


def signed(value: float) -> str:
    """A number with its sign and without its leading zero: +.003."""
    return bare(f"{value:+.3f}")


def bare(number: str) -> str:
    """A written number without its leading zero: 0.5 is .5, -0.5 is -.5, 10.5 is 10.5."""
    return re.sub(r"^([+-]?)0\.", r"\1.", number)


def bracketed(low: float, high: float) -> str:
    """An interval: [-.163, +.168]."""
    return f"[{signed(low)}, {signed(high)}]"


def margin(low: float | None, high: float | None) -> str:
    """[-.200, +.200], or on one side alone > +.100; empty where there is none."""
    if low is not None and high is not None:
        return bracketed(low, high)
    if low is not None:
        return f"> {signed(low)}"
    return "" if high is None else f"< {signed(high)}"


def word(record: Mapping[str, Any]) -> str:
    """A record's verdict; NOT GATED of one that decided nothing, whatever it would have been."""
    verdict: str = record["verdict"]
    return verdict if record["gated"] or verdict in ("ERROR", "NO MARGIN") else "NOT GATED"


def question(record: Mapping[str, Any]) -> Question | None:
    """How what a record answers is spoken of; None of the paper's own tests, which answer none."""
    if record["role"] not in QUESTIONS:
        return None
    return question_of(record["role"], record.get("reference"), raw=bool(record.get("raw")))


def filled(template: str, record: Mapping[str, Any]) -> str:
    """A question's phrase about a record whose strings can be shown."""
    a, b = (
        side if side == "the others" else f"words of {side}"
        for side in (*record["sides"], "the others")[:2]
    )
    return template.format(
        first=record["sides"][0],
        a=a,
        b=b,
        contrast=record.get("contrast", ""),
        model=record.get("model", ""),
        reference=record.get("reference") or "the reference",
    )


def above_zero(record: Mapping[str, Any]) -> str:
    """What an effect above zero means, of a record (or its keys role, sides, valence, reference,
    model and raw) whose strings can be shown."""
    asked = question(record)
    assert asked is not None
    both = asked.both if record["valence"] == "positive-negative" else ""
    return filled(asked.above, record) + both


def of_step(record: Mapping[str, Any]) -> dict[str, Any]:
    """As what a trajectory's steps are read: each is an effect, or one run's minus the other's."""
    asked = question(record)
    assert asked is not None
    return {**record, "role": asked.step}


def path_of(record: Mapping[str, Any]) -> str:
    """What each step of a record's trajectory is."""
    asked = question(record)
    return "effect" if asked is None else asked.path


def directions(records: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """What above zero means in each kind of effect among the records, by what it is called: of
    sides and models that differ, in general words."""
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for r in records:
        if r.get("estimate") is not None:
            kinds.setdefault(kind_of(r), []).append(r)
    return {
        kind: above_zero(
            {
                **found[0],
                "sides": [_same((r["sides"][0] for r in found), "the first side")],
                "reference": found[0]["reference"]
                and _same((r["reference"] for r in found), "the reference"),
                "model": _same((r["model"] for r in found), "the first family"),
            }
        )
        for kind, found in kinds.items()
    }


def kind_of(record: Mapping[str, Any]) -> str:
    """What is asked, as a table is headed: its role, and whether of both valences' prompts."""
    both = ", positive minus negative" if record["valence"] == "positive-negative" else ""
    asked = question(record)
    return f"{record['role']}{'' if asked is None else asked.variant}{both}"


def _same(values: Iterable[str | None], otherwise: str) -> str:
    """The value that all share, or a general word for it."""
    found = set(values)
    return (found.pop() or otherwise) if len(found) == 1 else otherwise


def contrast(record: Mapping[str, Any]) -> str:
    """A record's contrast, and what was asked of it where its model's title does not say so."""
    row = question(record)
    covariates = ", ".join(record.get("covariates", ())) or "covariates"
    asked = "" if row is None else row.asked.format(covariates=covariates)
    return f"{record['contrast']} ({asked})" if asked else str(record["contrast"])


def cells(record: Mapping[str, Any]) -> tuple[str, str, str, str, str, str]:
    """A record's row: contrast, valence, effect, interval, margin, verdict."""
    low, high = record.get("ci_low"), record.get("ci_high")
    estimate = record.get("estimate")
    return (
        contrast(record),
        record["valence"],
        "" if estimate is None else signed(estimate),
        "" if low is None or high is None else bracketed(low, high),
        margin(record.get("margin_low"), record.get("margin_high")),
        word(record),
    )


def rests_on(records: Iterable[Mapping[str, Any]]) -> list[str]:
    """What the effects rest on, contrasts that differ in their counts alone in one line."""
    groups: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for r in records:
        if "estimate" in r:
            key = (r["lexicon"], r["covered"], r["n_prompts"], r["unit"], r["method"])
            groups.setdefault(key, []).append(r)
    return [
        f"{lexicon}: {_span(found, 'n_words')} words in {_span(found, 'n_families')} families, "
        f"{covered}; {prompts} prompts; {unit}, {method} by word family"
        for (lexicon, covered, prompts, unit, method), found in groups.items()
    ]


def token(text: str) -> str:
    """A token with its spaces to be seen; an empty one in quotes."""
    return text.replace(" ", "␣") or '""'


def _span(records: Iterable[Mapping[str, Any]], name: str) -> str:
    counts = sorted({r[name] for r in records})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def why_unwritable(path: Path) -> str | None:
    """Why a file cannot be written there; None where it can."""
    if path.is_dir():
        return "it is a folder"
    if not path.parent.is_dir():
        return "its folder does not exist"
    if path.exists() and not os.access(path, os.W_OK):
        return "it is not yours to write to"
    if not os.access(path.parent, os.W_OK):
        return "its folder is not yours to write to"
    return None
