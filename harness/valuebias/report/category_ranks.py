"""Files of category ranks in the document, and the table and lines that terminal and page show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict


class RanksAt(TypedDict):
    """One checkpoint of a run: both categories' median ranks, and the first less the second."""

    step: int
    ranks: list[float]
    difference: float


class RunRanks(TypedDict):
    """One run."""

    run: str
    base: str | None
    checkpoints: list[RanksAt]


class GapAt(TypedDict):
    """One checkpoint that two runs have in common: the first's difference less the second's."""

    step: int
    gap: float


class RankGap(TypedDict):
    """Two runs, and the steps at which they have changed places."""

    first: str
    second: str
    checkpoints: list[GapAt]
    turns: list[int]


class RankedFile(TypedDict):
    """Median ranks of two categories over training runs: shown, and held against nothing."""

    name: str
    sides: list[str]
    reason: str
    said: dict[str, str]
    repeated: int
    runs: list[RunRanks]
    gaps: list[RankGap]


@dataclass(frozen=True)
class Column:
    """One run, or one run less another, by step."""

    heading: str
    values: dict[int, float]

    def cell(self, step: int) -> str:
        return f"{self.values[step]:+.1f}" if step in self.values else ""


def columns(file: RankedFile) -> list[Column]:
    """The runs by their number in the file, then each two of them."""
    number = _numbers(file)
    listed = [
        Column(number[r["run"]], {at["step"]: at["difference"] for at in r["checkpoints"]})
        for r in file["runs"]
    ]
    return listed + [
        Column(_heading(gap, number), {at["step"]: at["gap"] for at in gap["checkpoints"]})
        for gap in file["gaps"]
    ]


def steps(file: RankedFile) -> list[int]:
    """All steps of the runs, in order."""
    return sorted({at["step"] for run in file["runs"] for at in run["checkpoints"]})


def about(file: RankedFile) -> str:
    """What the figures are, and what else the file says."""
    first, second = file["sides"]
    said = "".join(f"; {name.replace('_', ' ')}: {text}" for name, text in file["said"].items())
    n = file["repeated"]
    left = f"; {n:,} repeated row{'' if n == 1 else 's'} left out" if n else ""
    return (
        f"median rank of {first} less that of {second} (1 is preferred, so below zero {first} is), "
        f"and that of one run less another's (below zero, the first prefers {first} more)"
        f"{said}{left}"
    )


def key(file: RankedFile) -> list[str]:
    """The runs with their numbers."""
    return [
        f"{number}: {run['run']}" + (f" (base {run['base']})" if run["base"] else "")
        for number, run in enumerate(file["runs"], 1)
    ]


def ends(file: RankedFile) -> list[str]:
    """Each two runs: the gap at their first and last common step, and where they change places."""
    number = _numbers(file)
    return [f"{_heading(gap, number)}: {_ends(gap)}" for gap in file["gaps"]]


def _ends(gap: RankGap) -> str:
    first, last = gap["checkpoints"][0], gap["checkpoints"][-1]
    said = f"{last['gap']:+.1f} at step {last['step']:,}"
    if first is last:
        return said
    return f"{first['gap']:+.1f} at step {first['step']:,}, {said}; {_turned(gap['turns'])}"


def _turned(turns: Sequence[int]) -> str:
    if not turns:
        return "their order is the same throughout"
    at = ", ".join(f"{step:,}" for step in turns)
    return f"their order reverses at step{'s' * (len(turns) > 1)} {at}"


def _numbers(file: RankedFile) -> dict[str, str]:
    return {run["run"]: str(number) for number, run in enumerate(file["runs"], 1)}


def _heading(gap: RankGap, number: dict[str, str]) -> str:
    return f"{number[gap['first']]} less {number[gap['second']]}"
