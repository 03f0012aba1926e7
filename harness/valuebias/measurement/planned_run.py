"""The plan of a run: the chances of its claims and of the whole, and what a PASS needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from valuebias.measurement.plan import POSITIONS, Claim, alike, effects_at
from valuebias.stats.needed import Needed, leading, needed
from valuebias.stats.power import Chances, chances

Three = tuple[float, float, float]
"""P(PASS), P(FAIL), P(INCONCLUSIVE)."""


@dataclass(frozen=True)
class Plan:
    """``claims`` have margins, ``without_margin`` have none and will be skipped. ``effects`` holds
    each claim's true effects at `POSITIONS`, ``chances`` what its verdict is there, ``whole`` that
    of the run: all claims PASS, at least one FAILs, neither. ``needed`` is None where nothing can
    pass whatever is added."""

    claims: tuple[Claim, ...]
    without_margin: tuple[Claim, ...]
    effects: tuple[tuple[float, ...], ...]
    chances: tuple[tuple[Three, ...], ...]
    whole: tuple[Three, ...]
    needed: Needed | None

    @property
    def factor(self) -> str:
        """The factor whose levels are asked about; empty if the prompts have none."""
        return next((leading(c.planned) for c in self.claims if leading(c.planned)), "")


def make_plan(
    claims: Sequence[Claim],
    between_valences: Mapping[str, float],
    *,
    alpha: float = 0.05,
    can_pass: bool = True,
    seed: int = 0,
) -> Plan:
    """Simulate the run (`stats.power`). ``between_valences`` is as for `alike`; ``can_pass`` is
    False where the profile is one under which nothing passes, so that nothing helps.

    Raises StatisticsError for an alpha not between 0 and .5.
    """
    held = tuple(claim for claim in claims if claim.margin is not None)
    if not held:
        return Plan((), tuple(claims), (), (), (), None)
    planned = [claim.planned for claim in held]
    like = alike(held, between_valences)
    effects = [effects_at(each.margin) for each in planned]
    found: list[Chances] = [
        chances(planned, [each[at] for each in effects], like=like, alpha=alpha, seed=seed)
        for at in range(len(POSITIONS))
    ]
    none = [each[0] for each in effects]
    return Plan(
        claims=held,
        without_margin=tuple(claim for claim in claims if claim.margin is None),
        effects=tuple(effects),
        chances=tuple(tuple(_three(at.by_claim[i]) for at in found) for i in range(len(held))),
        whole=tuple(at.whole for at in found),
        needed=needed(planned, none, like=like, alpha=alpha, seed=seed) if can_pass else None,
    )


def _three(row: Sequence[float]) -> Three:
    passed, failed, neither = map(float, row)
    return passed, failed, neither
