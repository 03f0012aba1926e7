"""Human: does a reward model prefer what people rate higher?

``test_agreement`` holds, for each ``--rm`` and each ``--human``, the rank correlation of the
model's scores with people's ratings of the same words against its margin, on positive prompts:
people were not asked for the worst. No margin is shipped: how far a model should go with the people
of a file is for its user to say.
"""

from __future__ import annotations

from pytest_valuebias.gate import Gate
from valuebias.measurement.contrast import Measurement

VALUEBIAS_SUITE = "human"


def test_agreement(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)
