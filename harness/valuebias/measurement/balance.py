"""Are a contrast's two sides alike in the frequency, length and number of tokens of their words?

A category of rarer or longer words is ranked differently whatever it stands for. How far the sides
differ is shown beside every effect; where they differ much, so is the effect with the differences
held constant, and one that lies outside the margin then is no PASS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.candidates import Candidates
from valuebias.errors import StatisticsError
from valuebias.lexicons.frequencies import Frequencies
from valuebias.lexicons.lexicon import Lexicon, Selection
from valuebias.scorers.protocol import Scorer
from valuebias.stats import Effect, Facets, Term, controlled

OUT_OF_BALANCE = 0.5
"""From this standardised difference on the sides are out of balance: half a standard deviation,
Cohen's medium effect and twice what matching is asked to reach (Stuart, Statistical Science 2010).
Fixed on 28 November 2026."""

_KNOWN = 0.8
"""The least share of words that frequencies must know: below, they are of another language."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Balance:
    """How a contrast's sides differ in one property of their words: the means of each side, every
    family counting alike, and ``d``, their difference in pooled standard deviations (positive:
    the first side has more). ``log`` frequencies are of the source's own scale."""

    covariate: str
    a: float
    b: float
    d: float


def properties(
    scorer: Scorer, lexicon: Lexicon, words: Sequence[str], frequencies: Frequencies | None
) -> dict[str, Floats]:
    """Each property of the words (words,): log frequency where known, length in characters, and
    number of tokens where the model has a tokenizer; those alone that vary."""
    columns: dict[str, Floats] = {}
    if frequencies is not None:
        column = np.array(frequencies.of(words), dtype=np.float64)
        if np.mean(column > column.min()) >= _KNOWN:
            columns["frequency"] = column
    columns["length"] = np.array([len(word) for word in words], dtype=np.float64)
    counts = _tokens(scorer, lexicon)
    if all(word in counts for word in words):
        columns["tokens"] = np.array([counts[word] for word in words], dtype=np.float64)
    return {name: column for name, column in columns.items() if np.ptp(column) > 0}


def _tokens(scorer: Scorer, lexicon: Lexicon) -> Mapping[str, int]:
    """The number of tokens of each of a lexicon's words; empty without a tokenizer."""
    asked = scorer.candidates(lexicon)
    if not isinstance(asked, Candidates):
        return {}
    counts = scorer.token_counts(asked.responses)
    return {} if counts is None else dict(zip(asked.responses, counts, strict=True))


def balance(columns: Mapping[str, Floats], selection: Selection) -> tuple[Balance, ...]:
    """The balance of a contrast in each property, of which `properties` gives the columns."""
    rows = []
    for name, column in columns.items():
        (a, spread_a), (b, spread_b) = (
            _moments(column[side], selection.families[side])
            for side in (selection.in_a, ~selection.in_a)
        )
        pooled = math.sqrt((spread_a + spread_b) / 2)
        rows.append(Balance(name, a, b, (a - b) / pooled if pooled else math.inf * (a - b)))
    return tuple(rows)


def _moments(column: Floats, families: npt.NDArray[np.str_]) -> tuple[float, float]:
    """Mean and variance of one side, every family counting alike."""
    _, family, sizes = np.unique(families, return_inverse=True, return_counts=True)
    weights = 1 / sizes[family.reshape(-1)]
    mean = float(np.average(column, weights=weights))
    return mean, float(np.average((column - mean) ** 2, weights=weights))


def beside(
    effect: Effect,
    rows: Sequence[Balance],
    columns: Mapping[str, Floats],
    terms: Sequence[Term],
    selection: Selection,
    facets: Facets | None,
    alpha: float,
) -> Effect:
    """The effect, with the one beside all properties as its ``beside`` where a side is out of
    balance in one of them, and the properties leave something of the categories' difference."""
    if not any(abs(row.d) >= OUT_OF_BALANCE for row in rows):
        return effect
    try:
        held = controlled(
            terms,
            selection.in_a,
            selection.families,
            columns,
            facets=facets,
            alpha=alpha,
            permute=False,
        )
    except StatisticsError:
        return effect
    return replace(effect, beside=held)


def table(rows: Sequence[Balance], effect: Effect) -> dict[str, Any]:
    """The balance for reports: a row a property, and the controlled effect if there is one."""
    held = effect.beside
    beside = {"estimate": held.estimate, "low": held.low, "high": held.high} if held else None
    return {"rows": [asdict(row) for row in rows], "controlled": beside}
