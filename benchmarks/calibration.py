"""Error rates of the statistics, by simulation through their public interface.

    python benchmarks/calibration.py --data COPY_OF_THE_AUTHORS_REPOSITORY

Draws scores whose true effect is known, asks `single`, `pair` and `family` about them and counts:
false alarms where there is no effect, wrong PASS and wrong FAIL where the effect lies on the edge
of the margin, the coverage of the interval, and power. The paper's own tests, `stats.paper`, are
asked about the same scores. Each figure has its 99% Clopper-Pearson interval beside it.

The scores of a word are a taste shared by all models, a model's own, and noise from prompt to
prompt: `icc` is the share of the variance that a word keeps over prompts, `rho` the correlation of
two models' tastes. A slope is a lean to category A that differs from prompt to prompt, or, shared,
from adjective to adjective.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from valuebias.candidates import Candidates
from valuebias.errors import StatisticsError
from valuebias.lexicons.files import load_lexicon
from valuebias.prompts import select
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats import (
    Effect,
    Facets,
    Margin,
    Outcome,
    Term,
    controlled,
    family,
    judge,
    outside,
    pair,
    single,
)
from valuebias.stats.paper.anova import anova
from valuebias.stats.paper.ranks import cells, median_ranks

Array = npt.NDArray[Any]
ALPHA = 0.05
PROMPTS = 27
FAMILIES = (4, 6)
FACTORS = {valence: [p.factors for p in select(valence)] for valence in ("positive", "negative")}
ADJECTIVE = np.array(
    [list(dict.fromkeys(f["adjective"] for f in FACTORS["positive"])).index(f["adjective"])
     for f in FACTORS["positive"]]
)  # fmt: skip


@dataclass(frozen=True)
class World:
    """How scores are drawn; lengths in standard deviations of a word's score.

    ``effect`` raises category A in the first model (of a family: in all its models). ``base`` is
    the share of a word's variance that models of one base have in common, ``own`` the spread of a
    model's own preference for category A. ``step`` rounds scores as bf16 does. With ``facet`` so
    many families are a facet, whose tastes correlate by ``facet_r``; families have from one word to
    ``forms``.
    """

    words: int = 263
    icc: float = 0.8
    rho: float = 0.7
    slope: float = 0.0
    shared_slope: float = 0.0
    base: float = 0.0
    own: float = 0.0
    step: float = 0.0
    effect: float = 0.0
    other: float = 0.0
    frequency: float = 0.0
    facet: int = 0
    facet_r: float = 0.25
    forms: int = 1

    @property
    def in_a(self) -> Array:
        return np.arange(self.words) < round(self.words * 104 / 263)

    @property
    def families(self) -> Array:
        """Each word's family: of one word, or of one word to ``forms`` in turn."""
        sizes = np.resize(np.arange(1, self.forms + 1), self.words)
        family = np.repeat(np.arange(self.words), sizes)[: self.words]
        return 2 * family + self.in_a  # none has words on both sides

    @property
    def facets(self) -> Array | None:
        """Each word's facet, of ``facet`` families of one side; None where there are none."""
        if not self.facet:
            return None
        names = self.families
        numbers = np.empty(self.words, dtype=np.intp)
        for side in (self.in_a, ~self.in_a):
            within = np.unique(names[side], return_inverse=True)[1] // self.facet
            numbers[side] = 2 * within + self.in_a[side]
        return numbers.astype(str)

    def _tastes(self, rng: np.random.Generator, shape: tuple[int, ...] = ()) -> Array:
        """Word tastes of variance one (..., words): of families and of facets in their shares, and
        of a family's words a tenth each their own."""
        taste = rng.standard_normal((*shape, self.words))
        if self.forms > 1:
            family = np.unique(self.families, return_inverse=True)[1]
            of_family = rng.standard_normal((*shape, self.words))[..., family]
            taste = math.sqrt(0.9) * of_family + math.sqrt(0.1) * taste
        if (facets := self.facets) is not None:
            facet = np.unique(facets, return_inverse=True)[1]
            lean = rng.standard_normal((*shape, self.words))[..., facet]
            taste = math.sqrt(self.facet_r) * lean + math.sqrt(1 - self.facet_r) * taste
        return taste

    def draw(self, rng: np.random.Generator, models: int, first: int) -> Array:
        """Scores (models, prompts, words); ``first`` models are of the first base."""
        side = self.in_a
        of_base = np.repeat([0, 1], [first, models - first])
        parts = (
            (self.rho, self._tastes(rng)),
            (self.base, self._tastes(rng, (2,))[of_base]),
            (1 - self.rho - self.base, self._tastes(rng, (models,))),
        )
        word = sum(math.sqrt(share) * part for share, part in parts)
        noise = rng.standard_normal((models, PROMPTS, self.words))
        values = math.sqrt(self.icc) * word[:, None] + math.sqrt(1 - self.icc) * noise
        lean = self.slope * rng.standard_normal((models, PROMPTS))
        lean = lean + self.shared_slope * rng.standard_normal((models, 3))[:, ADJECTIVE]
        lean = lean + self.own * rng.standard_normal((models, 1))
        lean = lean + np.where(of_base == 0, self.effect, self.other)[:, None]
        values = values + lean[:, :, None] * side
        return np.round(values / self.step) * self.step if self.step else values

    def truth(self, effect: float) -> float:
        """The rank-biserial correlation that a lean of this size has on the average prompt."""
        spread = math.sqrt(2 + self.slope**2 + self.shared_slope**2 + self.own**2)
        return float(2 * scipy_stats.norm.cdf(effect / spread) - 1)


@dataclass(frozen=True)
class Cell:
    """One question about one world; ``name`` is its row in the table."""

    name: str
    question: str  # single, pair, family, controlled or regression
    world: World
    kind: str = "null"  # null, edge, effect
    published: str = ""  # the valence, where words of the published scores are relabelled


@dataclass
class Counts:
    """What came out of the simulations of a cell."""

    sims: int = 0
    alarms: int = 0
    covered: int = 0
    passes: int = 0
    fails: int = 0
    paper: dict[str, list[int]] = field(default_factory=dict)

    def add(self, other: Counts) -> None:
        for name in ("sims", "alarms", "covered", "passes", "fails"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, (hits, runs) in other.paper.items():
            mine = self.paper.setdefault(name, [0, 0])
            mine[0], mine[1] = mine[0] + hits, mine[1] + runs


def planned() -> list[Cell]:
    """All cells, the slow ones first."""
    null = {
        f"{w} words, ICC {icc}": World(words=w, icc=icc)
        for w in (82, 263, 963)
        for icc in (0.8, 0.92)
    }
    null |= {
        "263 words, ties as in bf16": World(step=0.125),
        "263 words, prompt slopes .3": World(slope=0.3),
        "263 words, slopes .3, half shared in an adjective": World(
            slope=0.3 * math.sqrt(0.5), shared_slope=0.3 * math.sqrt(0.5)
        ),
        "263 words, slopes .3, all shared in an adjective": World(shared_slope=0.3),
        "82 words, slopes .3, half shared in an adjective": World(
            words=82, slope=0.3 * math.sqrt(0.5), shared_slope=0.3 * math.sqrt(0.5)
        ),
    }
    found = [Cell(n, q, w) for n, w in null.items() for q in ("single", "pair", "family")]
    tastes = {
        "263 words, models' own taste .2": World(own=0.2, rho=0.6, icc=0.9),
        "263 words, bases' own words": World(base=0.15, rho=0.6, icc=0.9),
        "263 words, both": World(base=0.15, own=0.2, rho=0.6, icc=0.9),
    }
    found += [Cell(n, "family", w) for n, w in tastes.items()]
    found += [
        Cell(f"published scores, {v}, labels by family", q, World(), published=v)
        for v in ("positive", "negative")
        for q in ("single", "pair", "family")
    ]
    found += [
        Cell(f"263 words, d = {d}", q, World(effect=d, own=own), kind="effect")
        for d in (0.2, 0.4, 0.8)
        for q, own in (("single", 0.0), ("pair", 0.0), ("family", 0.1))
    ]
    for name, world in {
        "on the margin, 263 words": World(effect=0.4),
        "on the margin, 82 words": World(words=82, effect=0.6),
        "on the margin, 263 words, slopes .3, half shared": World(
            effect=0.4, slope=0.3 * math.sqrt(0.5), shared_slope=0.3 * math.sqrt(0.5)
        ),
        "on the margin, 263 words, ties": World(effect=0.4, step=0.125),
    }.items():
        found += [Cell(name, q, world, kind="edge") for q in ("single", "pair")]
    shared = {"slope": 0.3 * math.sqrt(0.5), "shared_slope": 0.3 * math.sqrt(0.5)}
    for name, world in {
        "263 words, facets of 5, r .25": World(facet=5),
        "263 words, facets of 10, r .25": World(facet=10),
        "263 words, families of 1 to 4": World(forms=4),
        "263 words, families of 1 to 4, facets of 5, r .25": World(forms=4, facet=5),
        "263 words, facets of 10 without correlation": World(facet=10, facet_r=0.0),
    }.items():
        for question in ("single", "pair"):
            found.append(Cell(name, question, world))
            edge = replace(world, effect=0.4)
            found.append(Cell(f"on the margin, {name}", question, edge, kind="edge"))
    edge = World(facet=5, effect=0.4, **shared)
    found.append(Cell("on the margin, 263 words, facets of 5, slopes .3", "single", edge, "edge"))
    found.append(
        Cell("on the margin, 263 words, own taste .2", "family", World(effect=0.4, own=0.2), "edge")
    )
    found += [
        Cell("263 words, frequency .4 controlled", "controlled", World(frequency=0.4)),
        Cell(
            "263 words, frequency .4 controlled, d = 0.4",
            "controlled",
            World(frequency=0.4, effect=0.4),
            kind="effect",
        ),
    ]
    found += [
        Cell(
            f"no further from zero than d = {old}, on the margin",
            "regression",
            World(effect=new, other=old),
            kind="edge",
        )
        for new, old in ((0.4, 0.0), (0.4, 0.2), (-0.5, 0.3))
    ]
    return sorted(found, key=lambda c: -(c.world.words * (10 if c.question == "family" else 1)))


def simulate(job: tuple[Cell, int, int, Path | None]) -> tuple[Cell, Counts]:
    """Some simulations of a cell; the same draws whatever the number of processes."""
    cell, part, sims, data = job
    rng = np.random.default_rng([part, crc32(f"{cell.name}|{cell.question}".encode())])
    counts = Counts(sims=sims)
    for i in range(sims):
        first, second, side, names, factors = _scores(cell, rng, data)
        facets = None if cell.world.facets is None else Facets(cell.world.facets)
        try:
            if cell.question == "single":
                effect = single(first[0], side, names, prompts=factors, facets=facets)
            elif cell.question == "controlled":
                effect = _controlled(cell.world, rng, first[0], side, names, factors, counts)
            elif cell.question == "regression":
                new, old = ([Term(side_[0], 1.0, factors)] for side_ in (first, second))
                effect = outside(new, old, side, names)
            elif cell.question == "pair":
                effect = pair(first[0], second[0], side, names, prompts=factors, facets=facets)
            else:
                effect = family(first, second, side, names, prompts=factors).effect
        except StatisticsError as error:  # nothing simulated here may be refused
            raise SystemExit(f"{cell}: {error}") from None
        truth = _truth(cell)
        counts.alarms += effect.p < ALPHA
        counts.covered += effect.low <= truth <= effect.high
        if cell.kind == "edge":
            try:
                margin = Margin(truth - 0.9, truth)
                if cell.question == "regression":
                    margin = Margin.below(truth)
                outcome = judge(effect, margin, alpha=ALPHA).outcome
            except StatisticsError:
                continue
            counts.passes += outcome is Outcome.PASS
            counts.fails += outcome is Outcome.FAIL
        if cell.question == "pair" and cell.kind == "null" and not cell.published and i % 4 == 0:
            _paper(cell.world, rng, counts.paper)
    return cell, counts


def _truth(cell: Cell) -> float:
    world = cell.world
    if cell.kind == "null":
        return 0.0
    if cell.question == "regression":
        new, old = world.truth(world.effect), world.truth(world.other)
        return max(min(0.0, old) - new, new - max(0.0, old))
    if cell.question == "controlled":  # scaled as in _controlled; the ranks are not linear
        return math.nan
    return world.truth(world.effect)


def _controlled(
    world: World,
    rng: np.random.Generator,
    values: Array,
    side: Array,
    names: Array,
    factors: Any,
    counts: Counts,
) -> Effect:
    """The effect beside a frequency that raises scores; counts what is found without it."""
    frequency = rng.standard_normal(len(side)) + 0.8 * side
    values = world.frequency * frequency + math.sqrt(1 - world.frequency**2) * values
    hits = counts.paper.setdefault("not controlled", [0, 0])
    hits[0] += single(values, side, names, prompts=factors).p < ALPHA
    hits[1] += 1
    covariates = {"frequency": frequency}
    return controlled([Term(values, 1.0, factors)], side, names, covariates)


def _scores(
    cell: Cell, rng: np.random.Generator, data: Path | None
) -> tuple[Sequence[Array], Sequence[Array], Array, Array, Any]:
    """Scores of the first and the second side's models, sides, word families, prompt factors."""
    k = FAMILIES if cell.question == "family" else (1, 1)
    if not cell.published:
        values = cell.world.draw(rng, sum(k), k[0])
        side = cell.world.in_a
        return values[: k[0]], values[k[0] :], side, cell.world.families, FACTORS["positive"]
    assert data is not None
    models, names, in_a = published(data, cell.published)
    groups = np.unique(names, return_inverse=True)[1]
    of_a = rng.choice(groups.max() + 1, len(np.unique(groups[in_a])), replace=False)
    side = np.isin(groups, of_a)
    if cell.question == "family":
        first = [v for n, v in models.items() if "gemma" in n.lower()]
        second = [v for n, v in models.items() if "gemma" not in n.lower()]
        return first, second, side, names, FACTORS[cell.published]
    one, two = rng.choice(len(models), 2, replace=False)
    values = list(models.values())
    return [values[one]], [values[two]], side, names, FACTORS[cell.published]


@cache
def published(data: Path, valence: str) -> tuple[Mapping[str, Array], Array, Array]:
    """The ten models' scores of the nouns, the nouns' families and their true sides."""
    lexicon = load_lexicon("nouns", data / "data/corpora/dict_big2_nouns.csv")
    models = {}
    for file in sorted((data / "data/reward_model_scores/dict_big2_nouns").glob("*.csv")):
        recorded = RecordedScores.from_file(file)
        found = lexicon.select("agency~communion", recorded.responses)
        words = Candidates.words([recorded.responses[i] for i in found.columns])
        models[file.stem] = recorded.score(select(valence), words).values
    return models, found.families, found.in_a


def _paper(world: World, rng: np.random.Generator, found: dict[str, list[int]]) -> None:
    """What the paper's tests say of two models that do not differ, on prompts of both valences."""
    scores, side = world.draw(rng, 2, 1), world.in_a
    both = np.stack([scores, world.draw(rng, 2, 1)], axis=1)  # (models, valences, prompts, words)
    medians = median_ranks(
        {f"m{i}": both[i].reshape(-1, len(side)) for i in range(2)},
        {"m0": "first", "m1": "second"},
        np.where(side, "agency", "communion").tolist(),
        [v for v in FACTORS for _ in range(PROMPTS)],
    )
    welch = cells(medians, draws=1)[0].p
    three_way = anova(medians).terms[-1].p
    for name, p in (
        ("paper mode: Welch on prompts", welch),
        ("paper mode: ANOVA F(1,208)", three_way),
    ):
        hits = found.setdefault(name, [0, 0])
        hits[0] += p < ALPHA
        hits[1] += 1


def interval(hits: int, runs: int) -> tuple[float, float]:
    """The 99% Clopper-Pearson interval of a rate."""
    low = scipy_stats.beta.ppf(0.005, hits, runs - hits + 1) if hits else 0.0
    high = scipy_stats.beta.ppf(0.995, hits + 1, runs - hits) if hits < runs else 1.0
    return float(low), float(high)


def figures(cell: Cell, counts: Counts) -> list[dict[str, Any]]:
    """A cell's figures with their targets."""
    rows: list[tuple[str, int, Callable[[float, float, float], bool] | None, str]] = []

    most = 0.06 if cell.world.facet and cell.kind == "edge" else 0.05

    def small(rate: float, low: float, high: float) -> bool:
        return low <= most

    target = f"<= .{round(100 * most):02d} within its 99% interval"

    def covers(rate: float, low: float, high: float) -> bool:
        return low <= 0.97 and high >= 0.93

    if cell.kind == "null":
        rows.append(("false alarms", counts.alarms, small, target))
    if cell.kind == "edge":
        rows.append(("wrong PASS", counts.passes, small, target))
        rows.append(("wrong FAIL", counts.fails, small, target))
    if cell.kind == "effect":
        least = {("single", 0.4): 0.90, ("pair", 0.4): 0.95}.get((cell.question, cell.world.effect))
        rows.append(
            ("power", counts.alarms, least and (lambda rate, *_: rate >= least), f">= {least}")
        )
    if not math.isnan(_truth(cell)) and cell.question != "regression":
        rows.append(("coverage", counts.covered, covers, ".93 to .97"))
    found = []
    for what, hits, test, target in rows:
        rate = hits / counts.sims
        low, high = interval(hits, counts.sims)
        found.append(
            {
                "name": f"{cell.name} | {cell.question} | {what}",
                "value": rate,
                "interval_99": [low, high],
                "unit": f"share of {counts.sims} simulations",
                "target": target if test else None,
                "met": test(rate, low, high) if test else None,
            }
        )
    for name, (hits, runs) in counts.paper.items():
        found.append(
            {
                "name": f"{cell.name} | {name} | false alarms",
                "value": hits / runs,
                "interval_99": list(interval(hits, runs)),
                "unit": f"share of {runs} simulations",
                "target": None,
                "met": None,
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="copy of the authors' repository")
    parser.add_argument("--sims", type=int, default=4000, help="simulations a cell (4000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--only", default="", help="cells whose row or question holds this")
    parser.add_argument("--quick", action="store_true", help="100 simulations a cell")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    sims = 100 if args.quick else args.sims
    wanted = [
        cell
        for cell in planned()
        if args.only in f"{cell.name}|{cell.question}" and (args.data or not cell.published)
    ]
    if not wanted:
        parser.error(f"no cell holds {args.only!r}")
    size = 100
    jobs = [
        (cell, part, min(size, sims - part * size), args.data)
        for cell in wanted
        for part in range(math.ceil(sims / size))
    ]
    start = time.monotonic()
    totals = {cell: Counts() for cell in wanted}
    with multiprocessing.Pool(args.jobs) as pool:
        for cell, counts in pool.imap_unordered(simulate, jobs):
            totals[cell].add(counts)
            if totals[cell].sims == sims:
                show(figures(cell, totals[cell]))
    found = [figure for cell in wanted for figure in figures(cell, totals[cell])]
    missed = [figure["name"] for figure in found if figure["met"] is False]
    print(f"{len(found)} figures, {len(missed)} missed, {(time.monotonic() - start) / 60:.1f} min")
    for name in missed:
        print(f"MISSED {name}")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


def show(found: Sequence[Mapping[str, Any]]) -> None:
    """Print figures as they come, a line each."""
    for figure in found:
        low, high = figure["interval_99"]
        met = {True: "met", False: "MISSED", None: ""}[figure["met"]]
        print(f"{figure['value']:.4f} [{low:.4f}, {high:.4f}] {met:6} {figure['name']}", flush=True)


if __name__ == "__main__":
    main()
