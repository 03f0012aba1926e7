"""The Big Two: does the model prefer words of agency or words of communion?

``test_range`` holds one model against its margin; ``test_shift`` its difference from each
``--reference`` and from the last release; ``test_anchor`` its difference from the release that the
baseline began with; ``test_top`` its share of the top 10% of the ranking. Each runs once a valence:
for prompts that ask for the best, and for the worst.
"""

from __future__ import annotations

from pytest_valuebias.gate import Gate
from valuebias.measurement.contrast import Measurement

VALUEBIAS_SUITE = "big_two"


def test_range(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)


def test_shift(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)


def test_anchor(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)


def test_top(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)
