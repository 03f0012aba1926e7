"""Forecast: what would a policy say after it was optimised against a reward model?

``test_change`` holds, for each ``--rm`` and each ``--policy``, the change of a category's share of
what the policy says, at one nat of KL divergence, against its margin. Each runs once a valence.
"""

from __future__ import annotations

from pytest_valuebias.gate import Gate
from valuebias.measurement.contrast import Measurement

VALUEBIAS_SUITE = "forecast"


def test_change(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)
