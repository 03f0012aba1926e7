"""Time limits: how long a search will take, predicted from its first blocks."""

from __future__ import annotations

import math
import time

from valuebias.errors import SearchError


class TooSlow(SearchError):
    """A search that would exceed its time limit. ``estimate`` is in seconds, for the whole run."""

    def __init__(self, estimate: float, limit: float) -> None:
        self.estimate = estimate
        self._limit = limit
        super().__init__(
            f"scoring all candidates would take about {estimate:.0f} s",
            seen=f"a limit of {limit:.0f} s",
            remedy="Score fewer candidates, or allow more time.",
        )

    def __reduce__(self) -> tuple[object, ...]:
        return TooSlow, (self.estimate, self._limit)


class Clock:
    """Predicts from the first blocks how long a run takes, and stops one that takes too long."""

    def __init__(self, began: float, limit: float | None, tokens: int) -> None:
        self._began = began
        self._limit = limit
        self._left = tokens
        self._blocks = 0
        self._last = time.monotonic()

    def finished(self, tokens: int) -> None:
        """Note a finished block. Raises TooSlow."""
        now = time.monotonic()
        self._left -= tokens
        self._blocks += 1
        rate = (now - self._last) / tokens
        self._last = now
        estimate = now - self._began + rate * self._left
        # The first block includes warming up, so alone it must exceed the limit by far.
        margin = {1: 2.0, 2: 1.0}.get(self._blocks, math.inf)
        if self._limit is not None and self._left and estimate > margin * self._limit:
            raise TooSlow(estimate, self._limit)
