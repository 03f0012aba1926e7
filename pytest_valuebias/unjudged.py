"""Measurements that a test takes and never judges: a row in every report, and a warning.

Without them a test that forgot its assertion would leave no trace but "passed".
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from valuebias.measurement.contrast import Measurement

REASON = (
    "the test took this measurement and never held it against a margin: assert one with "
    "assert_within, assert_above or assert_below"
)

_TAKEN = pytest.StashKey[dict[int, "Measurement"]]()


def take(item: pytest.Item, measurement: Measurement) -> None:
    """Note that the test has this measurement."""
    item.stash.setdefault(_TAKEN, {})[id(measurement)] = measurement


def judged(item: pytest.Item, measurement: Measurement) -> None:
    """Note that the test judged it, or used it for another that it will judge."""
    item.stash.get(_TAKEN, {}).pop(id(measurement), None)


def left(item: pytest.Item) -> tuple[Measurement, ...]:
    """What the test took and did not judge, each once; forgets them."""
    taken = tuple(item.stash.get(_TAKEN, {}).values())
    item.stash[_TAKEN] = {}
    return taken
