"""What an effect is computed from: scorers' scores on sets of prompts, with weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.stats.crossed import Factors


@dataclass(frozen=True)
class Term:
    """One scorer on one set of prompts, and its weight in a contrast.

    ``values`` is (prompts, words), higher is preferred. ``prompts`` holds each prompt's factors;
    without them prompts count as independent draws; ``ids`` their names in messages. Terms with the
    same ``group`` were scored on the same prompts, in the same order.
    """

    values: npt.NDArray[Any]
    weight: float = 1.0
    prompts: Factors | None = None
    group: str = ""
    ids: tuple[str, ...] = ()


def grouped(terms: Sequence[Term]) -> dict[str, list[Term]]:
    """The terms by group. Raises StatisticsError unless those of a group share words and prompts,
    and weights are finite and not zero."""
    groups: dict[str, list[Term]] = {}
    for term in terms:
        groups.setdefault(term.group, []).append(term)
    for group in groups.values():
        shapes = {term.values.shape for term in group}
        if len(shapes) > 1:
            raise StatisticsError(
                "the scorers were not scored on the same words and prompts",
                seen=" and ".join(map(str, sorted(shapes))),
                remedy="Take the words and prompts that all have, in one order.",
            )
        asked = [None if t.prompts is None else [dict(f) for f in t.prompts] for t in group]
        if any(a != asked[0] or (a is not None and len(a) != len(group[0].values)) for a in asked):
            raise StatisticsError(
                "prompts and factors do not describe the same prompts",
                seen=f"{len(group[0].values)} prompts, factors of "
                + " and ".join("none" if a is None else str(len(a)) for a in asked),
                remedy="Give each scorer's factors in the order of its prompts, the same for all.",
            )
    if not groups or not all(math.isfinite(t.weight) and t.weight for t in terms):
        raise StatisticsError(
            "a contrast needs a scorer, and finite weights other than zero",
            seen=[t.weight for t in terms],
            remedy="Give at least one Term(values, weight).",
        )
    return groups
