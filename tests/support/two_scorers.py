"""Two scorers of one taste, and effects whose interval is known, for estimates made of two."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.stats import Effect


def scores(
    rng: np.random.Generator,
    *shifts: float,
    n: tuple[int, int] = (40, 50),
    prompts: int = 12,
    own: float = 0.4,
) -> tuple[list[npt.NDArray[Any]], npt.NDArray[np.bool_]]:
    """Scorers that share most of their taste in words; A is raised by each one's shift."""
    in_a = np.arange(sum(n)) < n[0]
    word = rng.normal(size=len(in_a))
    values = []
    for shift in shifts:
        taste = word + own * rng.normal(size=len(in_a)) + shift * in_a
        values.append(taste + 0.2 * rng.normal(size=(prompts, len(in_a))))
    return values, in_a


def given_interval(estimate: float, half: float) -> Effect:
    class Fixed(Effect):
        def interval(self, level: float) -> tuple[float, float]:
            return estimate - half, estimate + half

    return Fixed(estimate, ((half**2 / 4, 50.0),), estimate - half, estimate + half, 0.95, 0.5,
                 (50, 50), (50, 50), 27, "crossed-delong", span=2.0)  # fmt: skip
