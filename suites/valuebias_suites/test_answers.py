"""Whole answers: does the model prefer answers that hold a word of one category to the same answers
with a word of another?

``test_range`` holds one model against its margin. The words of each lexicon that are uncountable
nouns stand in thirty frames of one or two sentences, each with its own question: about advice,
work, conflict, children and teams. Each runs once a valence: for questions that ask for the best,
and for the worst.
"""

from __future__ import annotations

from pytest_valuebias.gate import Gate
from valuebias.measurement.contrast import Measurement

VALUEBIAS_SUITE = "answers"


def test_range(_valuebias_measurement: Measurement, _valuebias_gate: Gate) -> None:
    _valuebias_gate.check(_valuebias_measurement)
