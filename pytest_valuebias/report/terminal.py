"""The header and the closing table on the terminal, readable at 80 columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import pytest

from pytest_valuebias.inputs import Inputs
from pytest_valuebias.outcome import Outcome
from pytest_valuebias.report import category_ranks, first_tokens, matrix, paper
from pytest_valuebias.report.console import table, write
from valuebias.format import bracketed, p_text, signed, token, unsigned
from valuebias.prompts import VALENCES
from valuebias.report import forecasts
from valuebias.report.document import Record, RunRecord, Step, Tokens
from valuebias.report.lines import (
    differ,
    in_people,
    out_of_balance,
    passes,
    robust,
    ties,
    told,
    top_shares,
)
from valuebias.report.margin_words import origins
from valuebias.report.wording import cells, contrast, path_of, question, rests_on

if TYPE_CHECKING:
    from rich.console import RenderableType

_STYLES = {
    "PASS": "green",
    "FAIL": "bold red",
    "INCONCLUSIVE": "yellow",
    "ERROR": "bold red",
    "NO MARGIN": "yellow",
}


_INJECTED = {
    "text": "words put in as text",
    "token": "words put in as token",
    "spellings": "words in any spelling",
    "turn": "words to the end of the turn",
}
_EXPLAINED = ("INCONCLUSIVE", "ERROR", "NO MARGIN", "NOT GATED")


def header(inputs: Inputs) -> list[str]:
    """The settings in force and the lexicons, for pytest's header."""
    from valuebias.errors import visible

    models = ", ".join(visible(m.text) for m in (*inputs.models, *inputs.language_models))
    labels = [run.label for run in inputs.runs] + [each.label for each in inputs.category_ranks]
    trained = map(visible, labels)
    models = ", ".join(filter(None, (models, *trained)))
    given = [k for k in inputs.values.sources if k not in ("rm", "llm", "profile")]
    values = (
        visible(" ".join(f"{k}={_value(inputs.values[k])}" for k in given)) or "the rest by default"
    )
    lines = [f"valuebias: {models}; profile={inputs.values['profile']}; {values}"]
    asked = inputs.prompt_set
    if not asked.is_paper:
        counts = " and ".join(f"{len(asked.of(v))} {v}" for v in VALENCES)
        lines.append(
            f"valuebias: prompts {visible(asked.name)}: {counts}, language {asked.language}, "
            f"sha256 {asked.digest[:12]}"
        )
    for name in inputs.lexicon_names:
        lexicon = inputs.lexicon(name)
        kind = "starter lexicon, not validated" if lexicon.starter else "lexicon"
        words = len(lexicon.words())
        use = "" if name in inputs.suite_lexicons else ", read by your own tests only"
        lines.append(f"valuebias: {name}: {kind}, sha256 {lexicon.digest[:12]}, {words} words{use}")
        lines += [f"valuebias: {name}: {visible(note)}" for note in lexicon.notes]
    for people in inputs.people:
        facts = (people.source, f"sha256 {people.fingerprint[:12]}", f"{len(people.values)} things")
        lines.append(visible(f"valuebias: {people.label}: {', '.join((*facts, *people.notes))}"))
    return lines


def _value(value: object) -> str:
    return (",".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)


def summary(reporter: pytest.TerminalReporter, inputs: Inputs, outcome: Outcome) -> None:
    """Write the closing table: one row per model, lexicon, contrast and valence."""
    if not outcome.ran:
        return
    if not reporter.config.option.no_summary:
        reporter.section(f"values of {_kind(inputs)} models")
        told: set[str] = set()
        for title in dict.fromkeys(r["title"] for r in outcome.records):
            _model(reporter, title, [r for r in outcome.records if r["title"] == title], told)
        category_ranks.section(reporter, inputs, outcome.records)
        matrix.section(reporter, inputs, outcome)
        first_tokens.section(reporter, inputs, outcome)
        paper.section(reporter, inputs)
    if not outcome.gated:
        why = (
            "no verdict was held against a margin" if outcome.records else "no verdict was reached"
        )
        write(reporter, f"NOTHING WAS GATED: {why}, so this run fails.", "bold red")
    for reason in outcome.unchecked:
        write(reporter, f"NOT GATED: {reason}, so this run fails.", "bold red")


def _kind(inputs: Inputs) -> str:
    spoken = inputs.language_models and not (inputs.models or inputs.runs)
    return "language" if spoken else "reward"


def _model(
    reporter: pytest.TerminalReporter,
    title: str,
    records: Sequence[RunRecord],
    told_before: set[str],
) -> None:
    measured = next((r for r in records if "estimate" in r), None)
    write(reporter, title, "bold")
    if measured is not None:
        write(reporter, _provenance(measured), indent=2)
        if "instrument_check" in measured:
            checked = measured["instrument_check"]
            sound = checked["state"] == "sound" or not checked["required"]
            write(reporter, told(checked), "dim" if sound else "bold yellow", indent=2)
    said: set[str] = set()
    groups = dict.fromkeys((r["shipped"], r["suite"]) for r in records)
    for shipped, suite in sorted(groups, key=lambda group: not group[0]):
        rows = [r for r in records if (r["shipped"], r["suite"]) == (shipped, suite)]
        if not shipped:
            write(reporter, "asserted by your own tests:", "dim", indent=2)
        for line in rests_on(rows):
            if line not in said:
                write(reporter, line, indent=2)
            said.add(line)
        write(reporter, _table(rows))
        for line in top_shares(rows):
            write(reporter, line, indent=2)
        _forecasts(reporter, rows)
        for r in rows:
            if r.get("trajectory"):
                write(
                    reporter, f"{_name(r)}: {path_of(r)} by step, simultaneous 95% band", indent=2
                )
                write(reporter, _trajectory(r["trajectory"]), indent=2)
    lines = (
        _bases(records)
        + robust(records)
        + ties(records)
        + out_of_balance(records)
        + in_people(records)
        + differ(records)
    )
    lines += [
        f"{_name(r)}: {r['detail']}" for r in records if r.get("detail") and "forecast" not in r
    ]
    lines += _explained(records, told_before)
    for line in dict.fromkeys(lines):
        write(reporter, line, indent=2)
    tokens = next((r["tokens"] for r in records if r.get("tokens")), None)
    if tokens is not None and not any(r["reference"] for r in records):
        _tokens(reporter, tokens)


def _explained(records: Iterable[Record], told_before: set[str]) -> list[str]:
    """Why verdicts are none, once a reason and run."""
    named: dict[str, list[str]] = {}
    for r in records:
        if r["verdict"] in _EXPLAINED:
            named.setdefault(r["reason"], []).append(_name(r))
    lines = [
        f"{names[0] if len(names) == 1 else f'{len(names)} verdicts'}: "
        f"{'the same as above' if reason in told_before else reason}"
        for reason, names in named.items()
    ]
    told_before.update(named)
    return lines


def _bases(records: Sequence[Record]) -> list[str]:
    """The sources of the margins, or only their kind if there are many."""
    lines = origins(records, most=2)
    if any(r["verdict"] == "PASS" and "alpha" in r for r in records):
        lines.append(passes(records))
    return lines


def _name(record: Record) -> str:
    p = record["p"] if record.get("method") == "permutation" else None
    permuted = "" if p is None else f" (permutation {p_text(p)})"
    return f"{contrast(record)} {record['valence']}{permuted}"


def _provenance(record: Record) -> str:
    how = (record["head"], record["dtype"], record["device"], record["rung"])
    facts = [fact for fact in how if fact]
    template = record.get("template")
    facts += (
        [{"chat_template": "chat template"}.get(template, f"{template} template")]
        if template
        else []
    )
    injection = record.get("injection")
    facts += [_INJECTED[injection]] if injection else []
    if "rating_mass" in record:
        facts.append(f"a rating has probability {unsigned(record['rating_mass'])}")
    facts.append(f"fingerprint {record['fingerprint'][:12]}")
    if record["reference_fingerprint"]:
        asked = question(record)
        other = "reference" if asked is None else asked.other
        facts.append(f"of the {other} {record['reference_fingerprint'][:12]}")
    return ", ".join(facts)


def _table(records: Iterable[Record]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    rows = [
        [cell.replace("positive-negative", "pos-neg") if i == 1 else cell for i, cell in row]
        for row in (enumerate(cells(r)) for r in records)
    ]
    names = ("contrast", "valence", "effect", "95% interval", "margin", "verdict")
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    table.add_column(names[0], header_style="dim", overflow="fold")  # the one that may be long
    for i, name in enumerate(names[1:], 1):
        width = max(len(name), *(len(row[i]) for row in rows))
        table.add_column(name, header_style="dim", no_wrap=True, min_width=width)
    for row in rows:
        table.add_row(*map(Text, row[:-1]), Text(row[-1], style=_STYLES.get(row[-1], "yellow")))
    return table


def _forecasts(reporter: pytest.TerminalReporter, records: Sequence[Record]) -> None:
    """The sentence of the forecast that changes most, and all by step."""
    for r in forecasts.foremost(records):
        write(reporter, f"{forecasts.asked(r)}: {forecasts.said(r)}", indent=2)
    rows = forecasts.ladder(records)
    if rows:
        write(reporter, f"{forecasts.LADDER}:", indent=2)
        write(reporter, table(rows, numbers_from=2), indent=2)
    for r in records:
        if "forecast" in r:
            write(reporter, f"{_name(r)}: {forecasts.trust(r)}", indent=2)


def _trajectory(steps: Iterable[Step]) -> RenderableType:
    from rich.table import Table

    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for name in ("step", "pairs", "effect", "band", "tau with the last"):
        table.add_column(name, header_style="dim", justify="right", no_wrap=True)
    for step in steps:
        low, high = step["low"], step["high"]
        table.add_row(
            f"{step['step']:,}",
            "" if step["pairs"] is None else f"{step['pairs']:,}",
            signed(step["estimate"]),
            "" if low is None or high is None else bracketed(low, high),
            "" if step["tau"] is None else unsigned(step["tau"]),
        )
    return table


def _tokens(reporter: pytest.TerminalReporter, tokens: Tokens) -> None:
    if tokens["left_out"]:
        write(reporter, f"best and worst tokens left out: {tokens['left_out']}", indent=2)
        return
    kept = (
        f" ({tokens['round_trip']} survive being written as text)" if tokens["round_trip"] else ""
    )
    kept += f" (they hold {tokens['mass']} of the probability)" if tokens["mass"] else ""
    write(reporter, f"{tokens['prompt']} Of {tokens['n']:,} {tokens['kind']}{kept}:", indent=2)
    if tokens["warning"]:
        write(reporter, f"warning: {tokens['warning']}", "yellow", indent=4)
    for name, rows in (("best", tokens["best"]), ("worst", tokens["worst"])):
        shown = "  ".join(token(str(text)) for text, _ in rows)
        write(reporter, f"{name:5} {shown}", indent=4)
