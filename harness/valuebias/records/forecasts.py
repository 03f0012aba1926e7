"""A forecast's part of its record."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from valuebias.measurement.contrast import Measurement
from valuebias.measurement.forecast import sentence
from valuebias.measurement.influence import MovedWord
from valuebias.stats.forecast import JUDGED, Forecast


def forecast_made(measurement: Measurement) -> dict[str, Any]:
    """What the record of a forecast has besides, by key; nothing of any other measurement."""
    found = measurement.effect
    if not isinstance(found, Forecast):
        return {}

    def moved(word: MovedWord) -> dict[str, Any]:
        side = measurement.sides[0 if word.in_a else 1]
        return {"word": word.word, "side": side, "change": word.change}

    made = {
        "sentence": sentence(measurement, found),
        "judged": JUDGED,
        "steps": [asdict(step) for step in found.steps],
        "slope": found.slope,
        "lexicon_mass": found.lexicon_mass,
        "attainable": found.attainable,
        "gain": [moved(word) for word in measurement.moved if word.change > 0],
        "lose": [moved(word) for word in measurement.moved if word.change < 0],
        "without": [asdict(each) for each in found.without],
        "turned": found.turned,
        "exploratory": found.exploratory,
    }
    return {"forecast": made}
