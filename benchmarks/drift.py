"""Error rates of `stats.trajectory`, `stats.gap` and `stats.quantities`, by simulation, and speed.

    python benchmarks/drift.py

Draws one or two training runs whose effects at ten checkpoints are known, and counts how often the
95% simultaneous band holds all of them, how often "narrowed", "closed" and "not closed" PASS where
they are just not true, how often they PASS where they are, and how often the interval of the area
under the gap, or of a slope over amounts of data, holds the true one. Each rate has its 99%
Clopper-Pearson interval beside it.

A score is a taste of the word, noise from prompt to prompt, and the category's shift, which gives
the effect. From one checkpoint to the next all words' tastes and noise keep the correlation `lag`;
`human` is the share of tastes that both runs have in common.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from zlib import crc32

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from valuebias.prompts import select
from valuebias.stats.drift import drift
from valuebias.stats.effect import Term
from valuebias.stats.gap import closed, gap, not_closed
from valuebias.stats.quantities import quantities
from valuebias.stats.trajectory import trajectory
from valuebias.stats.verdict import Margin, Outcome, judge

Array = npt.NDArray[Any]
LEVEL = 0.95
CHECKPOINTS = 10
STEPS = tuple(range(0, 1000 * CHECKPOINTS, 1000))
FACTORS = [p.factors for p in select("positive")]
ADJECTIVE = np.unique([f["adjective"] for f in FACTORS], return_inverse=True)[1]
DELTA = 0.2


def line(first: float, last: float) -> tuple[float, ...]:
    """A straight way from one effect to another."""
    return tuple(np.linspace(first, last, CHECKPOINTS))


def fading(first: float, last: float, half_life: float = 1.5) -> tuple[float, ...]:
    """A way that comes near its end early."""
    return tuple(last + (first - last) * 0.5 ** (np.arange(CHECKPOINTS) / half_life))


@dataclass(frozen=True)
class World:
    """How runs are drawn. ``effects`` are one run's, or where ``gaps`` the gaps of two. `slope` is
    the spread of the effect over prompts, on the scale of a score, ``shared_slope`` that over
    adjectives, both kept over training by ``lag``; ``spellings`` the most a word family has;
    ``step`` rounds scores as bf16 does."""

    effects: tuple[float, ...] = line(0.3, 0.3)
    gaps: bool = False
    words: int = 263
    lag: float = 0.9
    icc: float = 0.8
    human: float = 0.5
    slope: float = 0.0
    shared_slope: float = 0.0
    spellings: int = 1
    step: float = 0.0
    counted: tuple[str, ...] = ("coverage",)
    wrong: tuple[str, ...] = ()  # claims that are not true here
    true: tuple[str, ...] = ()  # claims that are

    def draw(self, rng: np.random.Generator) -> tuple[list[Array], Array, Array]:
        """Each run's scores (checkpoints, prompts, words), in_a, and families."""
        sizes = rng.integers(1, self.spellings + 1, self.words)
        names = np.repeat(np.arange(self.words), sizes)[: self.words]
        # No family spans both categories.
        in_a = np.isin(names, rng.permutation(names[-1] + 1)[: int(0.4 * (names[-1] + 1))])
        common = self._tastes(rng, names)
        runs = []
        for sign in (1.0, -1.0) if self.gaps else (1.0,):
            own = self._tastes(rng, names)
            share = self.human if self.gaps else 0.0
            taste = math.sqrt(share) * common + math.sqrt(1 - share) * own
            noise = self._kept(rng, len(FACTORS), self.words)
            slopes = self.slope * self._kept(rng, len(FACTORS))
            slopes = slopes + self.shared_slope * self._kept(rng, 3)[:, ADJECTIVE]
            effects = sign * np.array(self.effects) / (2 if self.gaps else 1)
            spread = 2 + self.slope**2 + self.shared_slope**2
            shift = scipy_stats.norm.ppf((1 + effects) / 2) * math.sqrt(spread)
            values = math.sqrt(self.icc) * taste[:, None] + math.sqrt(1 - self.icc) * noise
            values = values + (shift[:, None] + slopes)[..., None] * in_a
            runs.append(np.round(values / self.step) * self.step if self.step else values)
        return runs, in_a, names

    def _kept(self, rng: np.random.Generator, *shape: int) -> Array:
        """(checkpoints, *shape): standard normal, each like the one before it."""
        fresh = rng.standard_normal((CHECKPOINTS, *shape))
        for t in range(1, CHECKPOINTS):
            fresh[t] = self.lag * fresh[t - 1] + math.sqrt(1 - self.lag**2) * fresh[t]
        return fresh

    def _tastes(self, rng: np.random.Generator, names: Array) -> Array:
        """(checkpoints, words); the spellings of a family mostly have one."""
        if self.spellings == 1:
            return self._kept(rng, len(names))
        of_family = self._kept(rng, len(names))[:, names]
        return math.sqrt(0.8) * of_family + math.sqrt(0.2) * self._kept(rng, len(names))


@dataclass
class Counts:
    """Of each thing counted, how often it was so and of how many."""

    sims: int = 0
    hits: dict[str, list[int]] = field(default_factory=dict)

    def count(self, what: str, hit: bool, of: int = 1) -> None:
        mine = self.hits.setdefault(what, [0, 0])
        mine[0] += hit
        mine[1] += of

    def add(self, other: Counts) -> None:
        self.sims += other.sims
        for what, (hits, of) in other.hits.items():
            mine = self.hits.setdefault(what, [0, 0])
            mine[0], mine[1] = mine[0] + hits, mine[1] + of


@dataclass(frozen=True)
class Cells:
    """Final gaps by amount of data, each seed's its own: ``spreads`` by amount, the smallest
    first."""

    spreads: tuple[float, ...]
    seeds: int = 3


def planned() -> dict[str, World | Cells]:
    """All cells by name."""
    at = DELTA
    found: dict[str, World | Cells] = {
        f"one run, {words} words, lag {lag}": World(words=words, lag=lag)
        for words, lag in ((82, 0.9), (263, 0.5), (263, 0.9), (263, 0.99))
    }
    found |= {
        "one run, .0 to .6": World(line(0.0, 0.6)),
        "one run, ties as in bf16": World(step=0.25),
        "one run, 1 to 4 spellings a family": World(spellings=4),
        "one run, slopes .3 over prompts": World(slope=0.3),
        "one run, slopes .3 over adjectives": World(shared_slope=0.3),
        "two runs, gap .3 throughout": World(
            line(0.3, 0.3), True, wrong=("narrowed",), counted=("coverage", "area")
        ),
        "two runs, gap .3 throughout, 82 words": World(
            line(0.3, 0.3), True, words=82, wrong=("narrowed",)
        ),
        "two runs, no gap": World(line(0, 0), True, wrong=("narrowed",), true=("closed",)),
        "two runs, .3 to -.3": World(line(0.3, -0.3), True, wrong=("narrowed", "not closed")),
        "two runs, .5 to .1": World(
            line(0.5, 0.1), True, counted=("coverage", "area"), true=("narrowed",)
        ),
        "two runs, .5 to -.1": World(
            line(0.5, -0.1), True, counted=("coverage", "area"), true=("narrowed",)
        ),
        "two runs, .5 fading to .0": World(
            fading(0.5, 0.0), True, counted=("coverage", "area"), true=("narrowed", "closed")
        ),
        "two runs, .5 fading to .0, 82 words": World(
            fading(0.5, 0.0), True, words=82, counted=("area",), true=("narrowed", "closed")
        ),
        f"two runs, {at} throughout, the boundary": World(
            line(at, at), True, wrong=("closed", "not closed")
        ),
        f"two runs, .0 but {at} at the end": World(
            (*([0.0] * (CHECKPOINTS - 1)), at), True, lag=0.99, wrong=("closed",)
        ),
        f"two runs, .6 but {at} at the end": World(
            (*([0.6] * (CHECKPOINTS - 1)), at), True, lag=0.99, wrong=("not closed",)
        ),
        "two runs, .6 to .45": World(line(0.6, 0.45), True, true=("not closed",)),
        "3 seeds of 4 amounts": Cells((1.0, 1.0, 1.0, 1.0)),
        "3 seeds of 2 amounts, spread 1 to 3": Cells((1.0, 3.0)),
        "3 seeds of 4 amounts, spread 3 to 1": Cells((3.0, 2.0, 1.0, 1.0)),
        "5 seeds of 4 amounts, spread 3 to 1": Cells((3.0, 2.0, 1.0, 1.0), 5),
    }
    return found


def simulate(job: tuple[str, World | Cells, int, int]) -> tuple[str, Counts]:
    """Some simulations of a cell; the same draws whatever the number of processes."""
    name, world, part, sims = job
    rng = np.random.default_rng([part, crc32(name.encode())])
    counts = Counts(sims=sims)
    for _ in range(sims):
        if isinstance(world, Cells):
            seeds_of(rng, world, counts)
        else:
            runs_of(rng, world, counts)
    return name, counts


def runs_of(rng: np.random.Generator, world: World, counts: Counts) -> None:
    """One draw of one or two runs."""
    runs, in_a, names = world.draw(rng)
    seed = int(rng.integers(2**31))
    if not world.gaps:
        terms = [[Term(values, 1.0, FACTORS)] for values in runs[0]]
        path = trajectory(STEPS, terms, in_a, names, seed=seed)
    else:
        first, second = (list(zip(STEPS, run, strict=True)) for run in runs)
        found = gap(first, second, in_a, names, prompts=FACTORS, seed=seed)
        path = found.trajectory
        said = {
            "narrowed": judge(found.narrowing, Margin.below(0)).outcome,
            "closed": closed(found, DELTA).outcome,
            "not closed": not_closed(found, DELTA).outcome,
        }
        for claim in world.wrong:
            counts.count(f"wrongly {claim}", said[claim] is Outcome.PASS)
        for claim in world.true:
            counts.count(f"rightly {claim}", said[claim] is Outcome.PASS)
            counts.count(f"wrongly denied: {claim}", said[claim] is Outcome.FAIL)
        if "area" in world.counted:
            counts.count("area given", found.area is not None)
            if found.area is not None:
                low, high = found.area.low, found.area.high
                truth = true_area(world.effects)
                counts.count("coverage of the area", low <= truth <= high)
                counts.count("area, below", truth < low)
                counts.count("area, above", truth > high)
    if "coverage" in world.counted:
        held = [
            low <= truth <= high
            for low, truth, high in zip(path.low, world.effects, path.high, strict=True)
        ]
        counts.count("coverage of the band", all(held))
        single = [e.low <= t <= e.high for e, t in zip(path.effects, world.effects, strict=True)]
        counts.count("all single intervals hold", all(single))


def true_area(gaps: tuple[float, ...]) -> float:
    """Area under |gap|, straight between checkpoints, as a share of the first."""
    fine = np.linspace(0, CHECKPOINTS - 1, 20_001)
    heights = np.abs(np.interp(fine, np.arange(CHECKPOINTS), gaps))
    return float(heights.mean() / abs(gaps[0]))


def seeds_of(rng: np.random.Generator, cells: Cells, counts: Counts) -> None:
    """One draw of final gaps, which more data do not change."""
    gaps = {
        13_000 * 2**i: spread * rng.standard_normal(cells.seeds)
        for i, spread in enumerate(cells.spreads)
    }
    found = quantities(gaps)
    for what, trend in (("slope", found.slope), ("contrast", found.contrast)):
        counts.count(f"coverage of the {what}", trend.low <= 0 <= trend.high)


def figures(name: str, counts: Counts) -> list[dict[str, Any]]:
    """A cell's figures with their targets."""
    found = []
    for what, (hits, of) in counts.hits.items():
        low, high = _interval(hits, of)
        target, met = None, None
        if what.startswith("coverage"):
            target, met = ".93 to .97", low <= 0.97 and high >= 0.93
        elif what.startswith("wrongly"):
            target, met = "<= .05", low <= 0.05
        found.append(
            {
                "name": f"{name} | {what}",
                "value": hits / max(of, 1),
                "interval_99": [low, high],
                "unit": f"share of {of} simulations",
                "target": target and f"{target} within its 99% interval",
                "met": met,
            }
        )
    return found


def _interval(hits: int, runs: int) -> tuple[float, float]:
    """The 99% Clopper-Pearson interval of a rate."""
    low = scipy_stats.beta.ppf(0.005, hits, runs - hits + 1) if hits else 0.0
    high = scipy_stats.beta.ppf(0.995, hits + 1, runs - hits) if hits < runs else 1.0
    return float(low), float(high)


def speed() -> list[dict[str, Any]]:
    """Ten checkpoints, 54 prompts, 322 words; the median of five, one thread."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((2, 54, 322))
    taste = rng.standard_normal((CHECKPOINTS, 2, 1, 322)) + rng.standard_normal((2, 1, 322))
    first, second = ([(s, taste[t, r] + noise[r]) for t, s in enumerate(STEPS)] for r in (0, 1))
    in_a, factors = np.arange(322) < 150, [p.factors for p in select("positive")] * 2
    found = []
    for what, act in (
        ("drift", lambda: drift(first, in_a, np.arange(322), prompts=factors)),
        ("gap", lambda: gap(first, second, in_a, np.arange(322), prompts=factors)),
    ):
        times = []
        for _ in range(5):
            start = time.process_time()
            act()
            times.append(time.process_time() - start)
        name = f"{what}, 10 checkpoints x 54 prompts x 322 words | CPU time"
        value = float(np.median(times))
        found.append({"name": name, "value": value, "unit": "s", "target": "< 1", "met": value < 1})
    return found


def show(figure: Mapping[str, Any]) -> None:
    """Print a figure, a line each."""
    low, high = figure.get("interval_99", (math.nan, math.nan))
    between = "" if math.isnan(low) else f"[{low:.4f}, {high:.4f}]"
    met = {True: "met", False: "MISSED", None: ""}[figure.get("met")]
    print(f"{figure['value']:7.4f} {between:16} {met:6} {figure['name']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sims", type=int, default=1000, help="simulations a cell (1000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--only", default="", help="cells whose name holds this")
    parser.add_argument("--quick", action="store_true", help="40 simulations a cell")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    sims, size = (40 if args.quick else args.sims), 40
    wanted = {name: world for name, world in planned().items() if args.only in name}
    if not wanted:
        parser.error(f"no cell holds {args.only!r}")
    jobs = [
        (name, world, part, min(size, sims - part * size))
        for name, world in wanted.items()
        for part in range(math.ceil(sims / size))
    ]
    found = speed()
    for figure in found:
        show(figure)
    totals = {name: Counts() for name in wanted}
    with multiprocessing.Pool(args.jobs) as pool:
        for name, counts in pool.imap_unordered(simulate, jobs):
            totals[name].add(counts)
            if totals[name].sims == sims:
                done = figures(name, totals[name])
                found += done
                for figure in done:
                    show(figure)
    missed = [figure["name"] for figure in found if figure.get("met") is False]
    print(f"{len(found)} figures, {len(missed)} missed")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
