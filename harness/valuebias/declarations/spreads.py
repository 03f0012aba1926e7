"""The mean variances of a panel of models, read from the file that `benchmarks` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from valuebias.prompts import Valence

_FACTORS = ("adjective", "scope", "style")


@dataclass(frozen=True)
class PanelSpread:
    """The mean over models and contrasts of one lexicon and valence (`stats.spread.Spread`):
    ``words`` of a family without what its facet shares, ``facet`` the correlation of two families
    of one facet, ``between_valences`` that of a family's part with its part on prompts of the
    other valence."""

    words: float
    noise: float
    prompt: float
    factors: Mapping[str, float]
    facet: float
    between_valences: float


@dataclass(frozen=True)
class PanelSpreads:
    """All of them, by (lexicon, valence); ``basis`` says what they were computed from, ``date``
    when."""

    basis: str
    date: str
    entries: Mapping[tuple[str, str], PanelSpread]

    def spread(self, lexicon: str, valence: Valence) -> PanelSpread:
        return self.entries[lexicon, valence]


@cache
def load_spreads(path: Path) -> PanelSpreads:
    """Read the shipped file."""
    top = yaml.safe_load(path.read_text("utf-8"))
    entries = {
        (row["lexicon"], row["valence"]): PanelSpread(
            row["words"],
            row["noise"],
            row["prompt"],
            {name: row[name] for name in _FACTORS},
            row["facet"],
            row["between_valences"],
        )
        for row in top["spreads"]
    }
    return PanelSpreads(top["basis"], str(top["date"]), entries)
