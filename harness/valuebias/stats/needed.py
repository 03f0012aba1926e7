"""How many word families, or levels of a factor, make a PASS likely where there is no effect.

needed(claims, effects, like=...) -> Needed
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from valuebias.stats.crossed import Floats
from valuebias.stats.power import Alike, Asked, Planned, chances

POWER = 0.8
"""P(PASS) that is asked for, of a claim and of the whole run."""
TIMES = (1, 1.25, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10, 15, 20)
"""How many times as many families are tried."""
LEVELS = (4, 5, 6, 7, 8, 9, 10, 12, 15, 18, 24, 30, 40)
"""How many levels are tried."""
DRAWS = 4000


@dataclass(frozen=True)
class Needed:
    """What is needed for P(PASS) of .8, everything else staying as it is: by claim and for the
    whole run, ``families`` as a multiple of those asked (1: they are enough), ``levels`` of each
    claim's leading factor. None: not even `TIMES`' or `LEVELS`' last is enough, or there is no such
    factor."""

    families: tuple[float | None, ...]
    levels: tuple[int | None, ...]
    whole_families: float | None
    whole_levels: int | None


def needed(
    claims: Sequence[Planned],
    effects: Sequence[float],
    *,
    like: Alike | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Needed:
    """From simulated runs at ``effects`` (claims,), with the same draws throughout. Families are
    tried in steps, between which P(PASS) is interpolated; levels are rounded up."""

    def passing(changed: Sequence[Planned]) -> Floats:
        """P(PASS) of each claim, and last of the whole run."""
        found = chances(changed, effects, like=like, alpha=alpha, draws=DRAWS, seed=seed)
        return np.append(found.passed.mean(axis=0), found.whole[0])

    def families(times: float) -> Floats:
        return passing([replace(c, asked=c.asked.more_families(times)) for c in claims])

    def levels(count: float) -> Floats:
        return passing([replace(c, asked=_with_levels(c, round(count))) for c in claims])

    now = min((_levels(c) for c in claims if _levels(c)), default=0)
    by_families = _first(families, TIMES)
    steps = (now, *(k for k in LEVELS if k > now)) if now else ()
    by_levels = _first(levels, steps) if steps else [None] * (len(claims) + 1)
    counts = [None if k is None else int(np.ceil(k - 1e-9)) for k in by_levels]
    return Needed(tuple(by_families[:-1]), tuple(counts[:-1]), by_families[-1], counts[-1])


def _first(passing: Callable[[float], Floats], steps: Sequence[float]) -> list[float | None]:
    """Of each claim and the whole run, the first value from which on P(PASS) is `POWER`."""
    found: list[float | None] = []
    before: Floats | None = None
    for step, last in zip(steps, (steps[0], *steps[:-1]), strict=True):
        now = passing(step)
        found = found or [None] * len(now)
        for i, p in enumerate(now):
            if found[i] is None and p >= POWER:
                part = 1.0 if before is None else (POWER - before[i]) / (p - before[i])
                found[i] = last + part * (step - last)
        before = now
        if None not in found:
            break
    return found


def _levels(claim: Planned) -> int:
    """The levels of the factor that is asked about; 0 if there is none."""
    return claim.asked.levels.get(leading(claim), 0)


def leading(claim: Planned) -> str:
    """The factor that is asked about: adjectives, or else the first of the prompts' factors."""
    levels = claim.asked.levels
    return "adjective" if "adjective" in levels else next(iter(levels), "")


def _with_levels(claim: Planned, count: int) -> Asked:
    return claim.asked.with_levels(leading(claim), count) if leading(claim) else claim.asked
