"""Error rates of `stats.inheritance`, by simulation through its public interface, and its speed.

    python benchmarks/inherited_taste.py --data COPY_OF_THE_AUTHORS_REPOSITORY

Draws a reward model, its base and other bases whose correlation is known and counts how often the
95% interval holds it, false alarms where there is nothing to find, and power. On every fourth
simulation of 82 words or fewer the same scores are given to bootstraps that draw whole word
families and rank anew (percentile, basic, BCa): they are what the interval was chosen against. Each
rate has its 99% Clopper-Pearson interval beside it.

A score is a taste of the word and noise from prompt to prompt: `icc` is the share of the variance
that a word keeps over prompts. Of the variance of a model's taste the share `human` is common to
all models; the rest of a base's is its own, and `planted` is the correlation that its reward model
has with it beyond `human`. Word frequency, which goes with length, raises all scores.

With `--data` published scores of the nouns are taken too: those of one reward model, and in place
of log-probabilities those of others whose word families have changed places.
"""

from __future__ import annotations

import argparse
import json
import math
import multiprocessing
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import numpy.typing as npt
from scipy import stats as scipy_stats

from valuebias.candidates import Candidates
from valuebias.lexicons.files import load_lexicon
from valuebias.prompts import Valence, select
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats.inheritance import inheritance

Array = npt.NDArray[Any]
LEVEL = 0.95
FACTORS = [p.factors for p in select("positive")]
ADJECTIVE = np.unique([f["adjective"] for f in FACTORS], return_inverse=True)[1]
DRAWS = 399
FEW = 82
FREQUENCY = 0.5
LENGTH = -0.5


@dataclass(frozen=True)
class World:
    """How scores are drawn. ``spellings`` is the most that a word family has; ``slope`` the spread
    of the planted correlation over prompts, ``shared_slope`` that over adjectives; ``step`` rounds
    scores as bf16 does."""

    words: int = 263
    others: int = 3
    planted: float = 0.0
    icc: float = 0.8
    human: float = 0.5
    spellings: int = 1
    slope: float = 0.0
    shared_slope: float = 0.0
    step: float = 0.0
    covariates: bool = True
    published: Valence | None = None  # the valence, where published scores are taken

    @property
    def shared(self) -> float:
        """The human share; alone with its base a model that inherits nothing shares nothing."""
        return self.human if self.others else 0.0

    def draw(self, rng: np.random.Generator) -> tuple[Array, list[Array], Array, dict[str, Array]]:
        """Scores of the reward model and of the bases, its own first; families; covariates."""
        if self.published:
            return exchanged(rng, *published(self.published), self.others)
        sizes = rng.integers(1, self.spellings + 1, self.words)
        names = np.repeat(np.arange(self.words), sizes)[: self.words]

        def normal(*shape: int) -> Array:
            """What the spellings of one family mostly have in common."""
            if self.spellings == 1:
                return rng.standard_normal((*shape, self.words))
            of_family = rng.standard_normal((*shape, self.words))[..., names]
            return math.sqrt(0.8) * of_family + math.sqrt(0.2) * rng.standard_normal(
                (*shape, self.words)
            )

        n = len(FACTORS)
        human, own, frequency = normal(), normal(1 + self.others), normal()
        length = LENGTH * frequency + math.sqrt(1 - LENGTH**2) * normal()
        of_prompt = self.slope * rng.standard_normal(n)
        of_prompt = of_prompt + self.shared_slope * rng.standard_normal(3)[ADJECTIVE]
        taken = ((self.planted + of_prompt) / math.sqrt(1 - self.shared))[:, None]
        tastes = [
            math.sqrt(self.shared) * human
            + taken * own[0]
            + np.sqrt(np.maximum(1 - self.shared - taken**2, 0)) * normal()
        ]
        tastes += [math.sqrt(self.shared) * human + math.sqrt(1 - self.shared) * u for u in own]
        scores = []
        for taste in tastes:
            noise = math.sqrt(1 - self.icc) * rng.standard_normal((n, self.words))
            values = math.sqrt(self.icc) * taste + noise + FREQUENCY * frequency
            scores.append(np.round(values / self.step) * self.step if self.step else values)
        covariates = {"frequency": frequency, "length": length} if self.covariates else {}
        return scores[0], scores[1:], names, covariates

    def truth(self, icc: float | None = None) -> float:
        """The partial Spearman correlation, or difference of such, on the average prompt."""
        if self.published:
            return 0.0
        spread = math.hypot(self.slope, self.shared_slope)
        nodes, weights = np.polynomial.hermite_e.hermegauss(3)
        own = [self._partial(self.shared + self.planted + spread * z, icc) for z in nodes]
        found = float(weights @ own / weights.sum())
        return found - self._partial(self.shared, icc) if self.others else found

    def _partial(self, latent: float, icc: float | None) -> float:
        total = 1 + FREQUENCY**2
        scores = (latent * (self.icc if icc is None else icc) + FREQUENCY**2) / total
        beside = FREQUENCY / math.sqrt(total)
        pearson = np.eye(4)
        for (i, j), r in {
            (0, 1): scores,
            (0, 2): beside,
            (1, 2): beside,
            (0, 3): LENGTH * beside,
            (1, 3): LENGTH * beside,
            (2, 3): LENGTH,
        }.items():
            pearson[i, j] = pearson[j, i] = r
        spearman = 6 / math.pi * np.arcsin(pearson / 2)  # of normal variables (Pearson 1907)
        inverse = np.linalg.inv(spearman if self.covariates else spearman[:2, :2])
        return float(-inverse[0, 1] / math.sqrt(inverse[0, 0] * inverse[1, 1]))


def exchanged(
    rng: np.random.Generator, models: Sequence[Array], words: Sequence[str], names: Array, k: int
) -> tuple[Array, list[Array], Array, dict[str, Array]]:
    """One model's scores, and 1 + k other models' with word families exchanged.

    A family takes the scores of any other, over again where it has more spellings: exchanged among
    those of its own size it would keep what they have in common, and nouns without a plural score
    higher.
    """
    chosen = rng.choice(len(models), 2 + k, replace=False)
    columns = [np.flatnonzero(names == name) for name in np.unique(names)]
    source = np.arange(len(names))
    for mine, other in zip(columns, rng.permutation(len(columns)), strict=True):
        source[mine] = np.resize(columns[other], len(mine))
    length = np.array([len(word) for word in words], dtype=float)
    values, *bases = (models[i] for i in chosen)
    return values, [base[:, source] for base in bases], names, {"length": length}


@cache
def published(valence: Valence) -> tuple[list[Array], tuple[str, ...], Array]:
    """The ten reward models' scores of the nouns, the nouns, and their families."""
    data = Path(os.environ["VALUEBIAS_PUBLISHED_DATA"])
    lexicon = load_lexicon("nouns", data / "data/corpora/dict_big2_nouns.csv")
    models = []
    for file in sorted((data / "data/reward_model_scores/dict_big2_nouns").glob("*.csv")):
        recorded = RecordedScores.from_file(file)
        found = lexicon.select("agency~communion", recorded.responses)
        words = tuple(recorded.responses[i] for i in found.columns)
        models.append(recorded.score(select(valence), Candidates.words(words)).values)
    return models, words, np.asarray(found.families)


@dataclass
class Counts:
    """What came out of the simulations of a cell."""

    sims: int = 0
    alarms: int = 0
    covered: int = 0
    estimates: float = 0.0
    of_ceiling: float = 0.0
    bootstrap: dict[str, list[int]] = field(default_factory=dict)

    def add(self, other: Counts) -> None:
        for name in ("sims", "alarms", "covered", "estimates", "of_ceiling"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name, (hits, runs) in other.bootstrap.items():
            mine = self.bootstrap.setdefault(name, [0, 0])
            mine[0], mine[1] = mine[0] + hits, mine[1] + runs


def planned() -> dict[str, World]:
    """All cells by name."""
    found = {
        f"{words} words, {others} other bases, planted {planted}": World(words, others, planted)
        for words in (82, 263)
        for others in (0, 3)
        for planted in (0.0, 0.4)
    }
    for planted in (0.1, 0.2):
        found[f"263 words, 3 other bases, planted {planted}"] = World(planted=planted)
    found |= {
        "82 words, 0 other bases, planted 0.8": World(82, 0, 0.8),
        "263 words, 1 other base, planted 0.0": World(others=1),
        "263 words, ICC 0.4, planted 0.4": World(planted=0.4, icc=0.4),
        "263 words, ties as in bf16, planted 0.4": World(planted=0.4, step=0.125),
        "263 words, no covariates, planted 0.4": World(planted=0.4, covariates=False),
        "20 words, 0 other bases, planted 0.0": World(20, 0),
        "20 words, 0 other bases, planted 0.4": World(20, 0, 0.4),
        "20 words, 3 other bases, planted 0.0": World(20),
    }
    for planted in (0.0, 0.4):
        found[f"263 spellings, 1 to 4 a family, planted {planted}"] = World(
            planted=planted, spellings=4
        )
        found[f"263 words, slopes .15 over prompts, planted {planted}"] = World(
            planted=planted, human=0.3, slope=0.15
        )
        found[f"263 words, slopes .15 over adjectives, planted {planted}"] = World(
            planted=planted, human=0.3, shared_slope=0.15
        )
    for valence in ("positive", "negative"):
        for others in (0, 3):
            name = f"published scores, {valence}, {others} other bases, families exchanged"
            found[name] = World(others=others, published=valence)
    return found


def simulate(job: tuple[str, World, int, int]) -> tuple[str, Counts]:
    """Some simulations of a cell; the same draws whatever the number of processes."""
    name, world, part, sims = job
    rng = np.random.default_rng([part, crc32(name.encode())])
    counts, truth = Counts(sims=sims), world.truth()
    factors = [p.factors for p in select(world.published)] if world.published else FACTORS
    for i in range(sims):
        values, (base, *others), families, covariates = world.draw(rng)
        found = inheritance(
            values, base, families, others=others, covariates=covariates, prompts=factors
        )
        counts.alarms += found.p < 1 - LEVEL
        counts.covered += found.low <= truth <= found.high
        counts.estimates += found.estimate
        counts.of_ceiling += found.of_ceiling or 0.0
        if i % 4 == 0 and world.words <= FEW:
            intervals = bootstrap(rng, found.estimate, values, base, others, families, covariates)
            for form, (low, high) in intervals.items():
                hits = counts.bootstrap.setdefault(form, [0, 0])
                hits[0] += low <= truth <= high
                hits[1] += 1
    return name, counts


def bootstrap(
    rng: np.random.Generator,
    estimate: float,
    values: Array,
    base: Array,
    others: Sequence[Array],
    families: Array,
    covariates: Mapping[str, Array],
) -> dict[str, tuple[float, float]]:
    """Intervals from draws of whole word families, all words ranked anew in each."""
    family = np.unique(families, return_inverse=True)[1].reshape(-1)
    count = int(family.max()) + 1
    drawn = rng.multinomial(count, np.full(count, 1 / count), DRAWS)
    without = np.ones((count, count)) - np.eye(count)
    times = np.concatenate([drawn, without])[:, family].astype(float)
    found = np.zeros(len(times))
    beside = _Beside.of(times, [_midranks(times, c) for c in covariates.values()])
    for p in range(len(values)):
        x = _left(times, values[p], beside)
        for weight, other in ((1.0, base), *((-1 / len(others), o) for o in others)):
            y = _left(times, other[p], beside)
            found += weight * (times * x * y).sum(axis=1) / len(values)
    draws, lone = np.sort(found[:DRAWS]), found[DRAWS:]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    moved = lone.mean() - lone
    bent = float((moved**3).sum() / (6 * (moved**2).sum() ** 1.5))
    centre = float(scipy_stats.norm.ppf(np.clip((draws < estimate).mean(), 0.001, 0.999)))
    z = centre + scipy_stats.norm.ppf([tail, 1 - tail])
    shares = scipy_stats.norm.cdf(centre + z / (1 - bent * z))
    bca_low, bca_high = np.quantile(draws, shares)
    return {
        "percentile": (low, high),
        "basic": (2 * estimate - high, 2 * estimate - low),
        "BCa": (bca_low, bca_high),
    }


def _midranks(times: Array, values: Array) -> Array:
    """(draws, words): each word's midrank where words are there several times or not at all."""
    below = (values[:, None] < values) + 0.5 * (values[:, None] == values)
    return times @ below


@dataclass(frozen=True)
class _Beside:
    """Covariates' midranks (draws, words, covariates), centred, and what gives a fit's slopes."""

    columns: Array
    fit: Array

    @classmethod
    def of(cls, times: Array, ranks: Sequence[Array]) -> _Beside:
        columns = np.stack([np.ones(times.shape), *ranks], axis=-1)
        weighted = (times[..., None] * columns).transpose(0, 2, 1)
        return cls(columns, np.linalg.solve(weighted @ columns, weighted))


def _left(times: Array, values: Array, beside: _Beside) -> Array:
    """(draws, words): midranks beside the covariates' midranks, at length one."""
    ranks = _midranks(times, values)
    ranks -= (beside.columns @ (beside.fit @ ranks[..., None]))[..., 0]
    return ranks / np.sqrt((times * ranks**2).sum(axis=1, keepdims=True))


def figures(name: str, world: World, counts: Counts) -> list[dict[str, Any]]:
    """A cell's figures with their targets."""
    rows = [("coverage", counts.covered, counts.sims, ".93 to .97")]
    what = "power" if world.planted else "false alarms"
    rows.append((what, counts.alarms, counts.sims, None if world.planted else "<= .05"))
    rows += [(f"coverage, {form}", *hits, None) for form, hits in counts.bootstrap.items()]
    found = []
    for what, hits, runs, target in rows:
        low, high = _interval(hits, runs)
        met = {"<= .05": low <= 0.05, ".93 to .97": low <= 0.97 and high >= 0.93}
        found.append(
            {
                "name": f"{name} | {what}",
                "value": hits / runs,
                "interval_99": [low, high],
                "unit": f"share of {runs} simulations",
                "target": target and f"{target} within its 99% interval",
                "met": met[target] if target else None,
            }
        )
    if world.published:
        return found
    of_latent = world.truth(icc=1.0)
    for what, value in (
        (f"mean estimate (true {world.truth():.3f})", counts.estimates),
        (f"mean share of the ceiling (of lasting tastes {of_latent:.3f})", counts.of_ceiling),
    ):
        found.append({"name": f"{name} | {what}", "value": value / counts.sims})
    return found


def _interval(hits: int, runs: int) -> tuple[float, float]:
    """The 99% Clopper-Pearson interval of a rate."""
    low = scipy_stats.beta.ppf(0.005, hits, runs - hits + 1) if hits else 0.0
    high = scipy_stats.beta.ppf(0.995, hits + 1, runs - hits) if hits < runs else 1.0
    return float(low), float(high)


def speed() -> dict[str, Any]:
    """54 prompts, 322 words, three other bases, two covariates; the median of nine, one thread."""
    rng = np.random.default_rng(0)
    taste = rng.standard_normal(322)
    scores = [taste + rng.standard_normal((54, 322)) for _ in range(5)]
    beside = {name: rng.standard_normal(322) for name in ("frequency", "length")}
    times = []
    for _ in range(9):
        start = time.process_time()
        inheritance(scores[0], scores[1], np.arange(322), others=scores[2:], covariates=beside)
        times.append(time.process_time() - start)
    name = "54 prompts x 322 words, 3 other bases | CPU time"
    return {"name": name, "value": float(np.median(times)), "unit": "s"}


def show(figure: Mapping[str, Any]) -> None:
    """Print a figure, a line each."""
    low, high = figure.get("interval_99", (math.nan, math.nan))
    between = "" if math.isnan(low) else f"[{low:.4f}, {high:.4f}]"
    met = {True: "met", False: "MISSED", None: ""}[figure.get("met")]
    print(f"{figure['value']:7.4f} {between:16} {met:6} {figure['name']}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="copy of the authors' repository")
    parser.add_argument("--sims", type=int, default=1000, help="simulations a cell (1000)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--only", default="", help="cells whose name holds this")
    parser.add_argument("--quick", action="store_true", help="48 simulations a cell")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    sims, size = (48 if args.quick else args.sims), 40
    if args.data:
        os.environ["VALUEBIAS_PUBLISHED_DATA"] = str(args.data.resolve())
    wanted = {
        name: world
        for name, world in planned().items()
        if args.only in name and (args.data or not world.published)
    }
    if not wanted:
        parser.error(f"no cell holds {args.only!r}")
    jobs = [
        (name, world, part, min(size, sims - part * size))
        for name, world in wanted.items()
        for part in range(math.ceil(sims / size))
    ]
    found = [speed()]
    show(found[0])
    totals = {name: Counts() for name in wanted}
    with multiprocessing.Pool(args.jobs) as pool:
        for name, counts in pool.imap_unordered(simulate, jobs):
            totals[name].add(counts)
            if totals[name].sims == sims:
                done = figures(name, wanted[name], totals[name])
                found += done
                for figure in done:
                    show(figure)
    missed = [figure["name"] for figure in found if figure.get("met") is False]
    print(f"{len(found)} figures, {len(missed)} missed")
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
