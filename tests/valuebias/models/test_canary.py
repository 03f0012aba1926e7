"""The fixed conversations: what preflight makes of a scorer that shows nothing but scores."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from support.taste import noise, rewards
from valuebias.errors import ModelError
from valuebias.models.canary import ALLOWED, CONVERSATIONS, FloatArray, Sighting, sight

Values = Callable[[Sequence[int]], Sequence[float]]


def asking(values: Values) -> Callable[[Sequence[int]], FloatArray]:
    return lambda numbers: np.array(values(numbers), np.float32)


def true(numbers: Sequence[int]) -> list[float]:
    return rewards()([CONVERSATIONS[i] for i in numbers])


def test_there_are_32_and_they_never_change() -> None:
    """Every stored score of a model without files is found by them."""
    assert len(set(CONVERSATIONS)) == 32
    assert all(question and answer for question, answer in CONVERSATIONS)
    digest = hashlib.sha256(repr(CONVERSATIONS).encode()).hexdigest()
    assert digest == "d50d3546da3b6aa2e9075f5af1c24f4a59564724aeda3e0da77078fd8c49ae42"


def test_what_is_the_same_each_time_has_the_repeatability_of_float() -> None:
    seen = sight(asking(true))
    assert seen.values.tobytes() == np.array(true(range(32)), np.float32).tobytes()
    assert seen.repeatability == pytest.approx(1e-6 * seen.spread)


def test_noise_of_half_precision_is_measured_and_let_through() -> None:
    rng = np.random.default_rng(0)
    spread = max(true(range(32))) - min(true(range(32)))
    wobble = 0.2 * ALLOWED * spread
    seen = sight(asking(lambda ns: [v + wobble * rng.uniform(-1, 1) for v in true(ns)]))
    assert 0.5 * wobble < seen.repeatability <= 2 * wobble
    assert (
        seen.told
        == f"{seen.repeatability:.2g} ({seen.repeatability / seen.spread:.2g} of the spread)"
    )


def test_the_same_model_is_known_by_its_repeatability() -> None:
    values = np.array(true(range(32)), np.float32)
    first = Sighting(values, 0.01)
    near, far = values.copy(), values.copy()
    near[7] += 0.019
    far[7] += 0.03
    assert first.same_as(Sighting(near, 1e-6))
    assert Sighting(near, 1e-6).same_as(first)
    assert not first.same_as(Sighting(far, 1e-6))
    assert first.difference(Sighting(far, 1e-6)) == pytest.approx(0.03, rel=1e-3)


def padded(numbers: Sequence[int]) -> list[float]:
    """A score that depends on the longest answer it is asked for with."""
    longest = max(len(CONVERSATIONS[i][1]) for i in numbers)
    return [v + 0.05 * longest for v in true(numbers)]


RANDOM = np.random.default_rng(1)
REFUSED: list[tuple[Values, str]] = [
    (lambda ns: [3.0] * len(ns), "different conversations the same score"),
    (lambda ns: [noise(CONVERSATIONS[i][0]) for i in ns], "every answer to a question"),
    (lambda ns: [1 / (1 + math.exp(-8 * v)) for v in true(ns)], r"an end of \[0, 1\]"),
    (lambda ns: [math.tanh(5 * v) for v in true(ns)], r"an end of \[-1, 1\]"),
    (lambda ns: [round(v) for v in true(ns)], "only . different scores"),
    (lambda ns: [v + RANDOM.normal() for v in true(ns)], "when asked again"),
    (padded, "depend on what they are asked for with"),
    (lambda ns: list(np.array(true(ns)) - np.mean(true(ns))), "asked for with"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "message"), REFUSED)
def test_what_cannot_be_trusted_is_refused(values: Values, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        sight(asking(values))


def test_a_sigmoid_that_saturates_nothing_keeps_the_order() -> None:
    seen = sight(asking(lambda ns: [1 / (1 + math.exp(-v)) for v in true(ns)]))
    assert (np.argsort(seen.values) == np.argsort(true(range(32)))).all()
