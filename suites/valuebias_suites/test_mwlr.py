"""Pairs of language models: what does the one prefer more than the other?

``test_range`` holds the implicit reward that would turn the first ``--llm`` of a pair into the
second, the mixture-weighted log-ratio (MWLR) of the words' probabilities, against the declared
margin. Each runs once a valence.
"""

from __future__ import annotations

from pytest_valuebias.gate import Gate
from valuebias.measurement.contrast import Measurement

VALUEBIAS_SUITE = "mwlr"


def test_range(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)
