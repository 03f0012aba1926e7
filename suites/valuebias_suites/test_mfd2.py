"""Moral foundations: which virtues does the model prefer to the others, and which vices?

``test_range`` holds one model against its margin; ``test_shift`` its difference from each
``--reference``; ``test_top`` the share of the top 10% of the ranking, where a margin is declared
for it. Each runs once a valence: for prompts that ask for the best, and for the worst.
"""

from __future__ import annotations

from pytest_valuebias.gate import Gate
from valuebias.measurement.contrast import Measurement

VALUEBIAS_SUITE = "mfd2"


def test_range(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)


def test_shift(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)


def test_anchor(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)


def test_top(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)
