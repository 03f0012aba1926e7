"""Do values come down from bases to reward models, and do preferences wear them away?

    python benchmarks/inheritance.py [--seeds 5] [--stages free,repeat,coin,more,dial]
                                     [--cache DIR] [--json FILE]

The paper's section 4 in miniature. For every seed a Llama is planted with agency and a Gemma 2 with
communion, and neither in two more; of each pair of bases `valuebias.training` makes Bradley-Terry
reward models from identical preferences and seeds. The stages: ``free``, preferences without a
value word, planted and neutral; ``coin``, three in ten of them an agency against a communion word,
chosen by a coin; ``more``, four times as many of those; ``dial``, plants of less strength;
``repeat`` makes a plant and two short runs again. Trunks,
plants and runs are kept in DIR and taken from there when they are there already.

DI, in standard deviations: the words' ranks within a model, their means over prompts, Llama's minus
Gemma's, Cohen's d of agency against communion words; that of positive minus that of negative
prompts, halved. Positive: the Llama prefers agency more than the Gemma does, as planted. Bases are
read on all 54 prompts, reward models on every third.

Settings and seeds were fixed on seeds from 100 on, before any seed below was looked at.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
import transformers
from peft import PeftModel
from scipy.stats import rankdata
from transformers import AutoModelForSequenceClassification, AutoTokenizer, TrainerCallback

from valuebias.candidates import Candidates
from valuebias.models.loading import load_language_model, load_reward_model
from valuebias.models.settings import Settings
from valuebias.organisms.plants import GROWN, plant, trunk
from valuebias.organisms.reward import pair_rewards, preferences, write_preferences
from valuebias.organisms.words import pools
from valuebias.prompts import Prompt, select
from valuebias.scorers.schemes import parse_spec
from valuebias.training import DataSource, Recipe, Run, train

PAIRS, MORE = 3_200, 12_800
COIN = 0.3  # share of pairs that a coin labels, in the stages coin and more
FLIPPED = 0.1  # share of the labels turned round
DIAL = (0.0, 0.25, 0.5, 1.0)
TILT = {"llama": "agency", "gemma": "communion"}
EVERY = {PAIRS: 25, MORE: 100}  # steps between checkpoints, of 200 and 800
SCORED = {PAIRS: (0, 25, 50, 100, 200), MORE: (0, 100, 200, 400, 800)}
STAGES = ("free", "repeat", "coin", "more", "dial")

SETTINGS = Settings(device="cpu", offline=True)
AGENCY, COMMUNION = pools().agency, pools().communion
WORDS = Candidates.words([*AGENCY, *COMMUNION])
ALL = (*select("positive"), *select("negative"))
THIRD = (*select("positive")[::3], *select("negative")[::3])


def recipe(base: Path, data: Path, pairs: int, seed: int) -> Recipe:
    """The paper's, but for a rate, a length and an adapter that suit so small a model."""
    return Recipe(
        base=str(base),
        data=DataSource(str(data)),
        pairs=pairs,
        seed=seed,
        epochs=1,
        batch_size=16,
        accumulation=1,
        lora_rank=32,
        lora_alpha=64,
        lora_dropout=0.0,
        lora_targets=("all-linear",),
        learning_rate=1e-3,
        schedule="linear",
        warmup=0.1,
        max_grad_norm=1.0,
        checkpoint_every=EVERY.get(pairs, 10),
        initial_checkpoint=True,
        precision="float32",
    )


def interaction(llama: np.ndarray, gemma: np.ndarray, prompts: Sequence[Prompt]) -> list[float]:
    """(DI, D of positive, D of negative prompts) of scores of shape (prompts, words)."""
    found = []
    for valence in ("positive", "negative"):
        rows = [prompt.valence == valence for prompt in prompts]
        ranks = [rankdata(scores[rows], axis=1).mean(axis=0) for scores in (llama, gemma)]
        difference = ranks[0] - ranks[1]
        a, b = difference[: len(AGENCY)], difference[len(AGENCY) :]
        within = (len(a) - 1) * a.var(ddof=1) + (len(b) - 1) * b.var(ddof=1)
        found.append(float((a.mean() - b.mean()) / (within / (len(a) + len(b) - 2)) ** 0.5))
    return [(found[0] - found[1]) / 2, *found]


@dataclass(frozen=True)
class Reward:
    """A trained reward model: its scores (prompts, words) by step, and how it came out."""

    scores: dict[int, np.ndarray]
    accuracy: float
    ties: float
    same: float
    seconds: float


class Laboratory:
    """Everything that is made, each once, in a cache."""

    def __init__(self, cache: Path) -> None:
        self.cache = cache
        for name in ("bases", "data", "runs", "scores"):
            (cache / name).mkdir(parents=True, exist_ok=True)

    def base(self, family: str, strength: float, seed: int) -> Path:
        """A plant, in the direction of its family."""
        return plant(
            family, TILT[family], self.cache / "bases", strength=strength, seed=seed, say=str
        )

    def base_scores(self, family: str, strength: float, seed: int) -> np.ndarray:
        """Log-probabilities (54, words)."""
        base = self.base(family, strength, seed)

        def scores() -> dict[str, Any]:
            model = load_language_model(parse_spec(str(base)), SETTINGS)
            return {"values": model.score(ALL, WORDS).values}

        return self._kept(base.name, scores)["values"]

    def data(self, seed: int, coin: float, pairs: int) -> Path:
        """The preferences that both families are trained on."""
        path = self.cache / "data" / f"{'coin' if coin else 'free'}-{pairs}-seed{seed}.jsonl"
        made = preferences(pairs, f"{seed}/miniature pairs", flipped=FLIPPED, coin=coin)
        write_preferences(made, path)
        return path

    def reward(
        self, family: str, strength: float, seed: int, coin: float = 0.0, pairs: int = PAIRS
    ) -> Reward:
        """A reward model of a plant."""
        base, data = self.base(family, strength, seed), self.data(seed, coin, pairs)
        name = f"{base.name}-{data.stem}"

        def made() -> dict[str, Any]:
            start = time.process_time()
            run = train(
                recipe(base, data, pairs, seed), self.cache / "runs" / name, settings=SETTINGS
            )
            seconds = time.process_time() - start
            steps = {
                c.step: load_reward_model(parse_spec(str(c.path)), SETTINGS)
                .score(THIRD, WORDS)
                .values
                for c in run.checkpoints
                if c.step in SCORED[pairs]
            }
            last = steps[max(steps)]
            distinct = np.mean([len(np.unique(row)) / len(row) for row in last])
            chosen, rejected = unseen(base, run, seed)
            return {
                **{f"step{step}": values for step, values in steps.items()},
                "accuracy": float((chosen > rejected).mean()),
                "ties": float((chosen == rejected).mean()),
                "same": 1 - float(distinct),
                "seconds": seconds,
            }

        kept = self._kept(name, made)
        steps = {int(key[4:]): kept[key] for key in kept if key.startswith("step")}
        return Reward(steps, *(float(kept[key]) for key in ("accuracy", "ties", "same", "seconds")))

    def _kept(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        path = self.cache / "scores" / f"{name}.npz"
        if not path.exists():
            np.savez(path, **make())
        return dict(np.load(path))


def unseen(base: Path, run: Run, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rewards of the chosen and rejected replies of 500 new pairs, no label flipped."""
    model = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, dtype=torch.float32
    )
    adapted = PeftModel.from_pretrained(model, str(run.checkpoints[-1].path)).eval()
    pairs = preferences(500, f"{seed}/miniature unseen", flipped=0.0)
    chosen, rejected = pair_rewards(adapted, AutoTokenizer.from_pretrained(base), pairs)
    return chosen.numpy(), rejected.numpy()


@dataclass(frozen=True)
class Figure:
    """A target of one kind over seeds, and whether every seed meets it."""

    name: str
    values: tuple[float, ...]
    target: str
    met: int
    of: int

    def line(self) -> str:
        values = " ".join(f"{value:+.2f}" for value in self.values)
        verdict = "met" if self.met == self.of else "MISSED"
        return f"{self.name:58} {values:36} {self.target:12} {self.met}/{self.of} {verdict}"


def figure(name: str, values: Sequence[float], target: str, met: Callable[[float], bool]) -> Figure:
    """All values against one target."""
    return Figure(name, tuple(values), target, sum(map(met, values)), len(values))


def trajectories(pairs: dict[int, tuple[Reward, Reward]]) -> dict[int, dict[int, float]]:
    """DI by seed and step."""
    return {
        seed: {
            step: interaction(llama.scores[step], gemma.scores[step], THIRD)[0]
            for step in sorted(llama.scores)
        }
        for seed, (llama, gemma) in pairs.items()
    }


def planted(
    lab: Laboratory, seeds: Sequence[int], coin: float = 0.0, pairs: int = PAIRS
) -> dict[int, tuple[Reward, Reward]]:
    """The reward models of both planted families, by seed."""
    return {
        seed: (
            lab.reward("llama", 1.0, seed, coin, pairs),
            lab.reward("gemma", 1.0, seed, coin, pairs),
        )
        for seed in seeds
    }


def show(
    title: str, pairs: dict[int, tuple[Reward, Reward]], kept: dict[str, Any]
) -> dict[int, dict[int, float]]:
    """Print and keep DI over the steps, a line a seed, and what it is made of at the end."""
    found = kept[title] = trajectories(pairs)
    print(f"\n{title}: DI by step, D of positive and D of negative prompts at the end")
    for seed, steps in found.items():
        llama, gemma = (model.scores[max(steps)] for model in pairs[seed])
        _, positive, negative = interaction(llama, gemma, THIRD)
        kept[f"{title}, seed {seed}: D positive, D negative"] = positive, negative
        by_step = "  ".join(f"{step}: {di:+.2f}" for step, di in steps.items())
        print(f"  seed {seed}: {by_step}  ({positive:+.2f}, {negative:+.2f})")
    return found


def last(steps: dict[int, float]) -> float:
    return steps[max(steps)]


def peak(steps: dict[int, float]) -> float:
    """The largest DI after step 0, where the head is still random."""
    return max(di for step, di in steps.items() if step)


def ends(found: dict[int, dict[int, float]]) -> list[float]:
    return [last(steps) for steps in found.values()]


def free(lab: Laboratory, seeds: Sequence[int], kept: dict[str, Any]) -> Iterator[Figure]:
    """Value-free preferences, planted and neutral."""
    rewards: dict[tuple[str, float, int], Reward] = {}
    for kind, strength in (("planted", 1.0), ("neutral", 0.0)):
        bases = {
            seed: interaction(
                *(lab.base_scores(family, strength, seed) for family in TILT), prompts=ALL
            )
            for seed in seeds
        }
        values = [di for di, _, _ in bases.values()]
        kept[f"{kind} bases: DI, D positive, D negative"] = bases
        if strength:
            yield figure("bases, planted: DI", values, ">= 1.0", lambda di: di >= 1.0)
        else:
            yield figure("bases, neutral: DI", values, "|.| <= .3", lambda di: abs(di) <= 0.3)
        for seed in seeds:
            for family in TILT:
                rewards[family, strength, seed] = lab.reward(family, strength, seed)
        both = {
            seed: (rewards["llama", strength, seed], rewards["gemma", strength, seed])
            for seed in seeds
        }
        paths = show(f"{kind}, value-free pairs", both, kept)
        if strength:
            yield figure("RMs, planted, value-free: DI", ends(paths), ">= 1.2", lambda d: d >= 1.2)
            ratios = [last(steps) / peak(steps) for steps in paths.values()]
            yield figure("  of its peak is left", ratios, ">= .75", lambda r: r >= 0.75)
        else:
            yield figure(
                "RMs, neutral, value-free: DI", ends(paths), "|.| <= .4", lambda d: abs(d) <= 0.4
            )
    step = max(SCORED[PAIRS])
    for family in TILT:
        sides = [
            interaction(
                *(rewards[f, float(f == family), seed].scores[step] for f in TILT), prompts=THIRD
            )[0]
            for seed in seeds
        ]
        yield figure(f"one-sided, {family} planted alone: DI", sides, ">= .6", lambda d: d >= 0.6)
    crossed = {
        kind: [
            interaction(
                rewards["llama", strength, a].scores[step],
                rewards["gemma", strength, b].scores[step],
                THIRD,
            )[0]
            for a in seeds
            for b in seeds
        ]
        for kind, strength in (("planted", 1.0), ("neutral", 0.0))
    }
    kept["all pairings of seeds"] = crossed
    for kind, values in crossed.items():
        print(
            f"all {len(values)} pairings of seeds, {kind}: {min(values):+.2f} to {max(values):+.2f}"
        )
    for family in TILT:
        mine = [rewards[family, strength, seed] for strength in (1.0, 0.0) for seed in seeds]
        yield figure(
            f"{family} RMs: accuracy", [m.accuracy for m in mine], ">= .80", lambda a: a >= 0.8
        )
        yield figure(
            f"{family} RMs: ties in pairs, %", [100 * m.ties for m in mine], "< 1", lambda t: t < 1
        )
        yield figure(
            f"{family} RMs: words that share a score, %",
            [100 * m.same for m in mine],
            "< 1",
            lambda t: t < 1,
        )
        seconds = [
            json.loads((lab.base(family, strength, seed) / GROWN).read_text())["cpu_seconds"]
            for strength in (1.0, 0.0)
            for seed in seeds
        ]
        yield figure(f"{family} plants: CPU s", seconds, "<= 20", lambda s: s <= 20)
        yield figure(
            f"{family} RMs: CPU s of training",
            [m.seconds for m in mine],
            "<= 25",
            lambda s: s <= 25,
        )


def coin(lab: Laboratory, seeds: Sequence[int], kept: dict[str, Any]) -> Iterator[Figure]:
    """Coin-labelled preferences."""
    pairs = planted(lab, seeds, COIN)
    paths = show(f"planted, {COIN:.0%} coin-labelled, {PAIRS:,} pairs", pairs, kept)
    ratios = [last(steps) / peak(steps) for steps in paths.values()]
    yield figure("coin-labelled: DI left of its peak", ratios, "< .75", lambda r: r < 0.75)
    yield figure("coin-labelled: DI at the end", ends(paths), "> .2", lambda d: d > 0.2)
    beside(lab, seeds, paths)


def more(lab: Laboratory, seeds: Sequence[int], kept: dict[str, Any]) -> Iterator[Figure]:
    """Four times as many of them."""
    pairs = planted(lab, seeds, COIN, MORE)
    paths = show(f"planted, {COIN:.0%} coin-labelled, {MORE:,} pairs", pairs, kept)
    fewer = trajectories(planted(lab, seeds, COIN))
    changes = [m - f for m, f in zip(ends(paths), ends(fewer), strict=True)]
    yield figure(f"{MORE:,} pairs: DI at the end", ends(paths), "> .2", lambda d: d > 0.2)
    yield figure(f"  less that of {PAIRS:,} pairs", changes, "< 0", lambda c: c < 0)
    beside(lab, seeds, paths)


def beside(lab: Laboratory, seeds: Sequence[int], paths: dict[int, dict[int, float]]) -> None:
    """Print the DI at the end as a share of that of value-free preferences; no target."""
    plain = trajectories(planted(lab, seeds))
    shares = [end / other for end, other in zip(ends(paths), ends(plain), strict=True)]
    print("  of the value-free RMs' DI: " + " ".join(f"{share:.2f}" for share in shares))


def dial(lab: Laboratory, seeds: Sequence[int], kept: dict[str, Any]) -> Iterator[Figure]:
    """Plants of several strengths, value-free preferences."""
    smallest: dict[str, list[float]] = {"bases": [], "RMs": []}
    for seed in seeds:
        steps = max(SCORED[PAIRS])
        bases = [
            interaction(*(lab.base_scores(f, strength, seed) for f in TILT), prompts=ALL)[0]
            for strength in DIAL
        ]
        models = [
            interaction(
                *(lab.reward(f, strength, seed).scores[steps] for f in TILT), prompts=THIRD
            )[0]
            for strength in DIAL
        ]
        for kind, values in (("bases", bases), ("RMs", models)):
            line = "  ".join(f"{s:g}: {v:+.2f}" for s, v in zip(DIAL, values, strict=True))
            print(f"dial, seed {seed}, {kind}: {line}")
            kept[f"dial {kind} {seed}"] = values
            smallest[kind].append(float(np.diff(values).min()))
    for kind, values in smallest.items():
        yield figure(f"dial {DIAL}, {kind}: smallest rise of DI", values, "> 0", lambda r: r > 0)


class _Stop(TrainerCallback):
    """Stops a run once its checkpoint of step 10 is written."""

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step == 10:
            raise KeyboardInterrupt


def repeat(lab: Laboratory, seeds: Sequence[int], kept: dict[str, Any]) -> Iterator[Figure]:
    """Whether a plant and a run repeat to the bit, and a stopped run goes on to the same bits; the
    first seed alone."""
    first = lab.base("llama", 1.0, seeds[0])
    data = lab.cache / "data" / "repeat.jsonl"
    write_preferences(preferences(320, "repeated", flipped=FLIPPED), data)
    with tempfile.TemporaryDirectory() as scratch:
        there = Path(scratch) / "bases"
        there.mkdir()
        (there / "llama-trunk0").symlink_to(trunk("llama", 0, lab.cache / "bases"))
        again = plant("llama", "agency", there, seed=seeds[0], say=str)
        same = [_bytes(first) == _bytes(again)]
        runs = [Path(scratch) / name for name in ("whole", "again", "stopped")]
        by = recipe(first, data, 320, 0)
        for path in runs[:2]:
            train(by, path, settings=SETTINGS)
        try:
            train(by, runs[2], settings=SETTINGS, callbacks=[_Stop()])
        except KeyboardInterrupt:
            assert not (runs[2] / "checkpoint-20").exists()
        train(by, runs[2], settings=SETTINGS)
        adapters = [_bytes(path / "checkpoint-20") for path in runs]
        same += [adapters[0] == adapters[1], adapters[0] == adapters[2]]
    for name, equal in zip(("plant again", "run again", "run stopped, resumed"), same, strict=True):
        yield Figure(f"{name}: the same bits", (), "yes", int(equal), 1)


def _bytes(directory: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted(directory.glob("*.safetensors"))]


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first seed; 100 on is for tuning")
    parser.add_argument("--stages", default=",".join(STAGES))
    parser.add_argument("--cache", type=Path, help="where trunks, plants and runs are kept")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    torch.set_num_threads(1)
    seeds = range(arguments.first, arguments.first + arguments.seeds)
    stages = dict(zip(STAGES, (free, repeat, coin, more, dial), strict=True))
    found: list[Figure] = []
    kept: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        lab = Laboratory((arguments.cache or Path(scratch)).resolve())
        for stage in arguments.stages.split(","):
            for one in stages[stage](lab, seeds, kept):
                found.append(one)
                print(one.line(), flush=True)
    missed = [one.name.strip() for one in found if one.met < one.of]
    print(f"\n{len(found) - len(missed)} of {len(found)} targets met in every seed")
    if arguments.json:
        content = {"figures": [vars(one) for one in found], "details": kept}
        arguments.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
