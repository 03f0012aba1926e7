"""Drift: what did training do to a reward model's values?

``test_change`` holds, for each ``--valuebias-checkpoints``, the change from its first checkpoint to
its last; ``test_gap`` how much wider apart each two runs are at their end than at their beginning
(below zero they came closer). Each runs once a valence. ``test_ranks`` shows a file of category
ranks (``ranks:FILE``), which has no interval: it is always skipped.
"""

from __future__ import annotations

from pytest_valuebias.gate import Gate
from valuebias.measurement.contrast import Measurement
from valuebias.training.category_ranks import CategoryRanks

VALUEBIAS_SUITE = "drift"


def test_change(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)


def test_gap(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)


def test_ranks(_valuebias_ranks: CategoryRanks, _valuebias_gate: Gate) -> None:
    _valuebias_gate.show(_valuebias_ranks)
