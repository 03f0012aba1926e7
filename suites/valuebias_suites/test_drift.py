"""Drift: what did training do to a reward model's values?

``test_change`` holds, for each ``--valuebias-checkpoints``, the change from its first checkpoint to
its last; ``test_gap`` how much wider apart each two runs are at their end than at their beginning
(below zero they came closer). Each runs once a valence.
"""

from __future__ import annotations

from pytest_valuebias.gate import Gate
from valuebias.measurement.contrast import Measurement

VALUEBIAS_SUITE = "drift"


def test_change(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)


def test_gap(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)
