"""A forecast over a whole vocabulary as the document has it: hostile strings made visible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from valuebias.errors import visible
from valuebias.measurement.first_tokens import MovedToken, TokenForecast
from valuebias.records.record import plain
from valuebias.report.first_tokens import FirstTokens
from valuebias.stats.forecast import JUDGED


def first_tokens_made(forecast: TokenForecast) -> FirstTokens:
    """Its entry in the document."""
    found = forecast.found
    steps = () if found is None else found.steps
    entry = {
        "model": forecast.model,
        "policy": forecast.policy,
        "lexicon": forecast.lexicon,
        "valence": forecast.valence,
        "n_prompts": len(forecast.prompts.of(forecast.valence)),
        "left_out": forecast.left_out or None,
        "tokens": forecast.n_tokens,
        "with_reward": forecast.n_scored,
        "scored": () if found is None else found.scored,
        "attainable": () if found is None else found.attainable,
        "at_nats": JUDGED,
        "steps": [
            {
                "by": step.by,
                "amount": step.amount,
                "nats": step.nats,
                "reached": step.reached,
                "effective": step.effective,
            }
            for step in steps
        ],
        "categories": [
            {
                "category": category,
                "tokens": forecast.n_words[at],
                "mass": [step.groups[at].mass for step in steps],
                "low": [step.groups[at].low for step in steps],
                "high": [step.groups[at].high for step in steps],
            }
            for at, category in enumerate(forecast.categories)
        ],
        "gain": _shifts(forecast.gain),
        "lose": _shifts(forecast.lose),
    }
    return cast(FirstTokens, plain(entry))


def _shifts(moved: Sequence[MovedToken]) -> list[dict[str, object]]:
    return [
        {"token": visible(each.text), "before": each.before, "after": each.after} for each in moved
    ]
