"""Language models: the same contrasts as of reward models, by log-probability.

``test_range`` holds each ``--llm`` against its margin. A word's number is the probability
that the answer begins with it, in any of its spellings. Each runs once a valence.
"""

from __future__ import annotations

from pytest_valuebias.gate import Gate
from valuebias.measurement.contrast import Measurement

VALUEBIAS_SUITE = "logprobs"


def test_range(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)
