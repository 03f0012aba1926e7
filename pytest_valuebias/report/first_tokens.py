"""Forecasts over whole vocabularies, under the profile thorough: exploration that never gates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_valuebias.report.console import table, write
from valuebias.errors import ValueBiasError, visible

if TYPE_CHECKING:
    import pytest

    from pytest_valuebias.inputs import Inputs
    from pytest_valuebias.outcome import Outcome
    from valuebias.report.first_tokens import FirstTokens


def document(inputs: Inputs, outcome: Outcome) -> tuple[list[FirstTokens], list[str]]:
    """One for each policy, model, lexicon and valence that was forecast, read from the store; and
    the reasons for missing ones."""
    from valuebias.measurement.first_tokens import measure_tokens
    from valuebias.records.first_tokens import first_tokens_made

    entries: list[FirstTokens] = []
    reasons = []
    asked = dict.fromkeys(
        (r["model"], r["reference"], r["lexicon_name"], r["valence"])
        for r in outcome.records
        if inputs.thorough and "forecast" in r
    )
    models = {visible(spec.label): spec for spec in inputs.models}
    policies = {visible(spec.label): spec for spec in inputs.policies}
    for model, policy, lexicon, valence in asked:
        assert policy is not None
        assert valence in ("positive", "negative")
        try:
            found = measure_tokens(
                inputs.bench.scorer(models[model]),
                inputs.bench.scorer(policies[policy]),
                inputs.lexicon(lexicon),
                valence,
                prompts=inputs.prompts,
            )
        except ValueBiasError as error:
            reasons.append(f"no first tokens of {policy} optimised against {model}: {error}")
        else:
            entries.append(first_tokens_made(found))
    return entries, list(dict.fromkeys(reasons))


def section(reporter: pytest.TerminalReporter, inputs: Inputs, outcome: Outcome) -> None:
    """Each as a table of categories by step, with the tokens that move most."""
    from valuebias.report.first_tokens import HOW, TITLE, about, moved, named, rows

    made = outcome.document
    known = None if made is None else made.get("first_tokens")
    entries, reasons = document(inputs, outcome) if known is None else (known, [])
    if entries or reasons:
        reporter.section(TITLE)
        write(reporter, HOW)
    for entry in entries:
        write(reporter, f"{named(entry)} ({entry['lexicon']})", "bold")
        write(reporter, about(entry), indent=2)
        if lines := rows(entry):
            write(reporter, table(lines, numbers_from=1), indent=2)
            write(reporter, f"gain: {moved(entry['gain'])}", indent=2)
            write(reporter, f"lose: {moved(entry['lose'])}", indent=2)
    for reason in reasons:
        write(reporter, reason, "yellow")
