"""Does optimisation that really happens do what `valuebias forecast` says?

    python benchmarks/forecast.py [--quick] [--seeds 0 1 2 3 4] [--grown DIR] [--json FILE]
    python benchmarks/forecast.py --published DIR --policies DIR [--work DIR] [--json FILE]

The first form takes embedded models: a neutral language model as the policy and the agency,
communion and neutral reward models of the same seed, on the paper's prompts and the starter Big
Two. Seeds are grown into DIR/SEED as by organisms.py, or taken from there; ``--quick`` takes the
shipped models and few steps. The second form takes the ten published reward models; see
parts/forecast_published.py.

Fixed on 2026-11-29, before a realised change was computed; rates and numbers of steps on rewards
drawn at random, by how near training came to its optimum:

* best-of-n: 4, 16 and 64 words drawn from the policy's own forward pass, 2,000 times a prompt, and
  the best-rewarded kept (of equals the first).
* stopped: all weights, trained by the exact gradient of the expected reward less KL, with the one
  weight of the reward for all 54 prompts whose optimum lies at 3 nats on average; Adam at 3e-4, 200
  steps at most. A point is the first step at which a valence's mean KL is .25, .5, 1 or 2 nats.
* settled: the same at 1e-3 with weights whose optimum lies at .25, .5, 1 and 2 nats on average, one
  after the other, 100 steps each. A point is the last step of each.
* RLOO: TRL's, against agency, beta of an optimum at 1 nat, from draws of all 54 prompts in every
  step. Points are the first step at .25 and at .5 nats, and the last.

RLOO first took 40 steps of eight draws at 1e-3. In seed 0 its last point was .034 and .042 from the
prediction: it had not come to its optimum. The number of steps was then changed for all seeds, to
120 of four draws, the rate to 2e-3 (both fall to nothing), and the last point is counted apart from
those on the way. The neutral reward model was trained against in seed 0 alone, to save time.

Share and KL of a trained policy are computed from all its log-probabilities; the prediction is the
forecast's own, every prompt at the mean KL that was realised. A tilt counts where the share is
predicted to change by .10 or more, and a seed is right where predicted and realised share differ
by .03 at most in every tilt that counts: in 5 of 5 seeds for best-of-n, in 4 of 5 for the trained
ones. A planted reward model must be forecast to move the share as planted, beyond the margin; the
neutral one must not be (no FAIL). The cost of a forecast is the processor time of scoring the words
with both models and of its algebra, that of training its steps.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import transformers
from parts.forecast_published import published
from parts.forecast_tilts import (
    QUICK,
    Case,
    Effort,
    Tilt,
    best_of,
    by_rloo,
    settled,
    stopped,
)
from parts.instrument_trial import Figures, figure
from parts.instrument_trial import run as pytest_run
from parts.word_policy import Floats

from valuebias.candidates import Candidates
from valuebias.lexicons.files import starter
from valuebias.models.loading import load_language_model, load_reward_model
from valuebias.models.settings import Settings
from valuebias.organisms.grow import grow
from valuebias.organisms.paths import BASE, NAMES, REWARD, base_model, reward_model
from valuebias.prompts import PAPER, VALENCES
from valuebias.scorers.schemes import parse_spec
from valuebias.stats.forecast import forecast
from valuebias.stats.optimum import Policy

LEXICON, CONTRAST = "big_two", "agency~communion"
SIGN = {"agency": 1, "communion": -1}
TRAINED = {"stopped": (*SIGN,), "settled": (*SIGN,), "RLOO": ("agency",)}
"""The reward models that a policy is trained against in each way."""


def has_trl() -> bool:
    return importlib.util.find_spec("trl") is not None


def cases(seed: str, bases: Path, rewards: Mapping[str, Path], names: Sequence[str]) -> list[Case]:
    """The neutral language model of a seed with each of its reward models."""
    settings, lexicon = Settings(device="cpu"), starter(LEXICON)
    candidates = Candidates.words(lexicon.words())
    chosen = lexicon.select(CONTRAST, candidates.responses)

    def scored(model: Any) -> tuple[Floats, float]:
        start = time.process_time()
        values = model.score(PAPER.prompts, candidates).values[:, chosen.columns]
        return np.asarray(values, float), time.process_time() - start

    said, spent = scored(load_language_model(parse_spec(str(bases), load_as="llm"), settings))
    found = []
    for name in names:
        reward, more = scored(load_reward_model(parse_spec(str(rewards[name])), settings))
        start = time.process_time()
        for valence in VALENCES:
            at = [p.valence == valence for p in PAPER.prompts]
            factors = [p.factors for p in PAPER.prompts if p.valence == valence]
            forecast(said[at], reward[at], chosen.in_a, chosen.families, prompts=factors)
        algebra = time.process_time() - start
        print(
            f"forecast of {name}, seed {seed}: scores {spent + more:.2f} s, algebra {algebra:.2f} s"
        )
        found.append(Case(seed, name, bases, Policy.of(said, reward), chosen.in_a, chosen.words,
                          spent + more + algebra))  # fmt: skip
    return found


def claims(seed: str, base: Path, rewards: Mapping[str, Path]) -> Iterator[tuple[str, bool]]:
    """Each model's name, and whether the forecast claims what it should."""
    models = [f"--rm={name}={path}" for name, path in rewards.items()]
    with tempfile.TemporaryDirectory() as folder:
        found = pytest_run(
            Path(folder), *models, f"--policy=policy={base}", "--valuebias-suite=forecast",
            "--valuebias-prompts=paper", "-k", LEXICON,
        )  # fmt: skip
    for name, verdicts in found.by_model.items():
        for v in verdicts:
            low, high = v["ci_low"], v["ci_high"]
            estimate = f"{v['estimate']:+.3f} [{low:+.3f}, {high:+.3f}]"
            verdict = f"{v['verdict']} {v.get('cause') or ''}"
            print(f"| {seed} | {name} | {v['valence']} | {estimate} | {verdict} |")
        signs = [v["estimate"] * (1 if v["valence"] == "positive" else -1) for v in verdicts]
        said = [v["verdict"] for v in verdicts]
        sign = SIGN.get(name, 0)
        right = len(verdicts) == len(VALENCES) and (
            set(said) == {"FAIL"} and all(x * sign > 0 for x in signs)
            if sign else "FAIL" not in said and "ERROR" not in said
        )  # fmt: skip
        yield name, right


def seed_of(
    name: str, base: Path, rewards: Mapping[str, Path], effort: Effort, names: Sequence[str]
) -> tuple[list[Tilt], list[tuple[str, bool]], list[tuple[str, float, float]]]:
    """A seed's tilts, claims, and costs of training beside those of the forecast."""
    tilts: list[Tilt] = []
    costs = []
    ways: dict[str, Callable[[Case, Effort], tuple[list[Tilt], float]]]
    ways = {"stopped": stopped, "settled": settled, "RLOO": by_rloo}
    for case in cases(name, base, rewards, names):
        mine = [*best_of(case, effort.draws)]
        for how, train in ways.items():
            if case.model not in TRAINED[how] or (how == "RLOO" and not has_trl()):
                continue
            found, spent = train(case, effort)
            mine += found
            costs.append((how, spent, case.seconds))
        for tilt in mine:
            print(f"| {tilt} |", flush=True)
        tilts += mine
    return tilts, list(claims(name, base, rewards)), costs


def summed(
    tilts: Sequence[Tilt], claimed: Sequence[tuple[str, bool]],
    costs: Sequence[tuple[str, float, float]],
) -> Figures:  # fmt: skip
    """What ``--json`` writes."""
    found: Figures = []
    seeds = sorted({tilt.seed for tilt in tilts})
    for how in ("best of", "stopped", "settled", "RLOO at", "RLOO, last"):
        mine = [t for t in tilts if t.how.startswith(how) and t.counts]
        if not mine:
            continue
        right = sum(all(t.close for t in mine if t.seed == seed) for seed in seeds)
        target = len(seeds) - (how != "best of")
        ratios = [t.ratio for t in mine]
        found += [
            figure(f"{how}: seeds that agree", right, f"of {len(seeds)}", target, right >= target),
            figure(f"{how}: tilts that agree", sum(t.close for t in mine), f"of {len(mine)}"),
            figure(f"{how}: largest difference", max(abs(t.predicted - t.realised) for t in mine),
                   "share"),
            figure(f"{how}: ratio, median", float(np.median(ratios)), ""),
            figure(f"{how}: ratio, least", min(ratios), ""),
            figure(f"{how}: ratio, largest", max(ratios), ""),
        ]  # fmt: skip
        paid = [
            (training, forecasting) for name, training, forecasting in costs if how.startswith(name)
        ]
        if paid:
            found.append(figure(f"{how}: processor time over the forecast's, median",
                                float(np.median([a / b for a, b in paid])), ""))  # fmt: skip
    for name in NAMES:
        right = [each for model, each in claimed if model == name]
        found.append(figure(f"{name}: claims as planted", sum(right), f"of {len(right)}",
                            len(right), all(right)))  # fmt: skip
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the shipped models, few steps")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4], help="0 to 4")
    parser.add_argument("--grown", type=Path, help="directory of grown seeds, kept and reused")
    parser.add_argument("--published", type=Path, help="copy of the authors' repository")
    parser.add_argument("--policies", type=Path, help="directory with smollm2 and gemma3")
    parser.add_argument("--work", type=Path, help="directory that keeps what was scored")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    if (arguments.published is None) != (arguments.policies is None):
        parser.error("--published and --policies are given together")

    warnings.filterwarnings("ignore", category=FutureWarning)
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(1)
    rows: list[Any] = []
    if arguments.published:
        with tempfile.TemporaryDirectory() as scratch:
            work = arguments.work or Path(scratch)
            found = published(arguments.published.resolve(), arguments.policies.resolve(), work)
    else:
        if not has_trl():
            print("RLOO is left out: TRL is not installed")
        tilts: list[Tilt] = []
        claimed: list[tuple[str, bool]] = []
        costs: list[tuple[str, float, float]] = []
        with tempfile.TemporaryDirectory() as scratch:
            for seed in (0,) if arguments.quick else arguments.seeds:
                folder = (arguments.grown or Path(scratch)) / str(seed)
                base, rewards = base_model("neutral"), {n: reward_model(n) for n in NAMES}
                if not arguments.quick:
                    if not (folder / "grown.json").exists():
                        grow(folder, seed=seed)
                    base, rewards = (
                        folder / "neutral" / BASE,
                        {n: folder / n / REWARD for n in NAMES},
                    )
                effort, names = (QUICK, ("agency",)) if arguments.quick else (Effort(), NAMES)
                done = seed_of(str(seed), base.resolve(), rewards, effort, names)
                tilts += done[0]
                claimed += done[1]
                costs += done[2]
        found = summed(tilts, claimed, costs)
        rows = [asdict(tilt) for tilt in tilts]
    for each in found:
        print(f"{each['name']}: {each['value']:.4g} {each['unit']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found + rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
