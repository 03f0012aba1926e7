"""What the document has beside an effect: its sides' balance, other ways to compute it, and the
steps and words of a forecast."""

from __future__ import annotations

from typing import Literal, TypedDict

from valuebias.report.people import Estimated


class BalanceRow(TypedDict):
    """How the sides differ in one property of their words: means, and their standardised
    difference."""

    covariate: str
    a: float
    b: float
    d: float | None


class BalanceTable(TypedDict):
    """Every property; the controlled effect where the sides are out of balance in one."""

    rows: list[BalanceRow]
    controlled: Estimated | None


Specified = list[str | float | list[str]]
"""A specification: what counts alike, what is drawn, how words were written, the covariates, what
is left out ("" for nothing), the estimate, and its interval at the gate's level."""


class Robust(TypedDict):
    """Whether a PASS holds in all ways to compute it, and of how many facets of a category."""

    state: Literal["robust", "fragile"]
    reason: str
    turned_by: str
    facets_outside: float
    not_inside: int
    outside: int
    specifications: list[Specified]


class ForecastStep(TypedDict):
    """A policy after so much optimisation, averaged over prompts."""

    by: Literal["nats", "best of"]
    amount: float
    share: float
    low: float
    high: float
    log_odds: float | None
    nats: float
    reached: int
    effective: float


class WordMoved(TypedDict):
    """A word, and by how much its share changes."""

    word: str
    side: str
    change: float


class WithoutFamily(TypedDict):
    """The estimate with one word family left out of what the policy can say."""

    family: str
    estimate: float


class ForecastMade(TypedDict):
    """What a policy would say after it was optimised against a model."""

    sentence: str
    judged: float
    steps: list[ForecastStep]
    slope: float
    lexicon_mass: float
    attainable: list[float]
    gain: list[WordMoved]
    lose: list[WordMoved]
    without: list[WithoutFamily]
    turned: list[str]
    exploratory: str
