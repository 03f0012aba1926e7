"""Inheritance: how much of a reward model's taste in words is its base's?

``test_excess`` holds, for each ``--rm`` with a ``--base``, the correlation of its ranks with its
base's beside the words' length, frequency and number of tokens, minus the mean correlation with the
bases of the other reward models, against its margin. Each runs once a valence.
"""

from __future__ import annotations

from pytest_valuebias.gate import Gate
from valuebias.measurement.contrast import Measurement

VALUEBIAS_SUITE = "inheritance"


def test_excess(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)
