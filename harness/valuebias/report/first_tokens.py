"""Forecasts over a whole vocabulary in the document, and what terminal and page show of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, TypedDict

from valuebias.format import bare, percent, token


class TokenStep(TypedDict):
    """A policy after so much optimisation, averaged over prompts."""

    by: Literal["nats", "best of"]
    amount: float
    nats: float
    reached: int
    effective: float


class TokenCategory(TypedDict):
    """The probability of the tokens that are one whole word of a category, step by step."""

    category: str
    tokens: int
    mass: list[float]
    low: list[float]
    high: list[float]


class TokenShift(TypedDict):
    """A token's probability before, and at the nats that are named."""

    token: str
    before: float
    after: float


class FirstTokens(TypedDict):
    """What a policy's answers would begin with: shown, and held against nothing."""

    model: str
    policy: str
    lexicon: str
    valence: Literal["positive", "negative"]
    n_prompts: int
    left_out: str | None
    tokens: int
    with_reward: int
    scored: list[float]
    attainable: list[float]
    at_nats: float
    steps: list[TokenStep]
    categories: list[TokenCategory]
    gain: list[TokenShift]
    lose: list[TokenShift]


TITLE = "what a policy's answers would begin with: exploration, NOT GATED"
HOW = (
    "The exact optimum over all first tokens, not the words of a lexicon alone: the probability of "
    "the tokens that are one whole word of a category, of all that have a reward."
)


def named(entry: FirstTokens) -> str:
    """Of what an entry is."""
    return f"{entry['policy']} optimised against {entry['model']}, {entry['valence']} prompts"


def about(entry: FirstTokens) -> str:
    """What it rests on, or why there is nothing."""
    if entry["left_out"] is not None:
        return f"left out: {entry['left_out']}"
    least, mean = entry["scored"]
    return (
        f"{entry['with_reward']:,} of {entry['tokens']:,} tokens have a reward, and "
        f"{percent(mean)} of the probability (at least {percent(least)}); at most "
        f"{entry['attainable'][0]:.2f} nats can be reached; {entry['n_prompts']} prompts"
    )


def rows(entry: FirstTokens) -> list[list[str]]:
    """A table: its head, then a line a category, then the effective number of tokens."""
    if entry["left_out"] is not None:
        return []
    head = ["tokens of", "n", *map(_head, entry["steps"])]
    lines = [
        [each["category"], str(each["tokens"]), *map(percent, each["mass"])]
        for each in entry["categories"]
    ]
    return [head, *lines, ["worth", "", *(f"{step['effective']:.0f}" for step in entry["steps"])]]


def moved(shifts: Iterable[TokenShift]) -> str:
    """Tokens with their probability before and after."""
    told = (f"{token(s['token'])} {percent(s['before'])} to {percent(s['after'])}" for s in shifts)
    return ", ".join(told) or "none"


def _head(step: TokenStep) -> str:
    amount = bare(f"{step['amount']:g}")
    return f"of {amount}" if step["by"] == "best of" else amount
