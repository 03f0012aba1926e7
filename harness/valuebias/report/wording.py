"""The words for records, the same in every report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from valuebias.format import bracketed, margin, signed
from valuebias.questions import QUESTIONS, Question, fill, question_of
from valuebias.report.document import Record


def word(record: Record) -> str:
    """A record's verdict; NOT GATED of one that decided nothing, whatever it would have been."""
    verdict: str = record["verdict"]
    return verdict if record["gated"] or verdict in ("ERROR", "NO MARGIN") else "NOT GATED"


def question(record: Record) -> Question | None:
    """The question a record answers; None for the paper's own tests, which answer none."""
    if record["role"] not in QUESTIONS:
        return None
    return question_of(record["role"], record.get("reference"), raw=bool(record.get("raw")))


def filled(template: str, record: Record) -> str:
    """A question's phrase about a record."""
    return fill(
        template,
        sides=record["sides"],
        contrast=record["contrast"],
        model=record["model"],
        reference=record["reference"],
    )


def above_zero(record: Record) -> str:
    """What an effect above zero means."""
    asked = question(record)
    assert asked is not None
    both = asked.both if record["valence"] == "positive-negative" else ""
    return filled(asked.above, record) + both


def of_step(record: Record) -> Record:
    """As what a trajectory's steps are read: each is an effect, or one run's minus the other's."""
    asked = question(record)
    assert asked is not None
    step = record.copy()
    step["role"] = asked.step
    return step


def path_of(record: Record) -> str:
    """What each step of a record's trajectory is."""
    asked = question(record)
    return "effect" if asked is None else asked.path


def directions(records: Iterable[Record]) -> dict[str, str]:
    """What above zero means in each kind of effect among the records, by what it is called: of
    sides and models that differ, in general words."""
    kinds: dict[str, list[Record]] = {}
    for r in records:
        if r.get("estimate") is not None:
            kinds.setdefault(kind_of(r), []).append(r)
    return {
        kind: above_zero(
            {
                **same_kind[0],
                "sides": [_same((r["sides"][0] for r in same_kind), "the first side")],
                "reference": same_kind[0]["reference"]
                and _same((r["reference"] for r in same_kind), "the reference"),
                "model": _same((r["model"] for r in same_kind), "the first family"),
            }
        )
        for kind, same_kind in kinds.items()
    }


def kind_of(record: Record) -> str:
    """What is asked, as a table is headed: its role, and whether of both valences' prompts."""
    both = ", positive minus negative" if record["valence"] == "positive-negative" else ""
    asked = question(record)
    return f"{record['role']}{'' if asked is None else asked.variant}{both}"


def _same(values: Iterable[str | None], otherwise: str) -> str:
    """The value that all share, or a general word for it."""
    distinct = set(values)
    return (distinct.pop() or otherwise) if len(distinct) == 1 else otherwise


def contrast(record: Record) -> str:
    """A record's contrast, and what was asked of it where its model's title does not say so."""
    row = question(record)
    covariates = ", ".join(record.get("covariates", ())) or "covariates"
    asked = "" if row is None else row.asked.format(covariates=covariates)
    return f"{record['contrast']} ({asked})" if asked else str(record["contrast"])


def cells(record: Record) -> tuple[str, str, str, str, str, str]:
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


def top_share(record: Record) -> str:
    """The top share beside an effect, with its interval; empty where there is none."""
    if record.get("top_share") is None:
        return ""
    return f"{signed(record['top_share'])} {bracketed(record['top_low'], record['top_high'])}"


def rests_on(records: Iterable[Record]) -> list[str]:
    """What the effects rest on, contrasts that differ in their counts alone in one line."""
    groups: dict[tuple[Any, ...], list[Record]] = {}
    for r in records:
        if "estimate" in r:
            asked = prompts_of(r)
            key = (r["lexicon"], r["covered"], asked, r["unit"], r["method"])
            groups.setdefault(key, []).append(r)
    return [
        f"{lexicon}: {_span(r['n_words'] for r in group)} words in "
        f"{_span(r['n_families'] for r in group)} families, "
        f"{covered}; {prompts}; {unit}, {method} by word family"
        for (lexicon, covered, prompts, unit, method), group in groups.items()
    ]


def prompts_of(record: Record) -> str:
    """ "27 prompts", with the set's name where it is not the paper's."""
    name = record.get("prompt_set", "paper")
    return f"{record['n_prompts']} prompts" + ("" if name == "paper" else f" ({name})")


def _span(numbers: Iterable[int]) -> str:
    counts = sorted(set(numbers))
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
