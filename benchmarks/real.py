"""The paper's sections 3 and 4 on two real pretrained models and reward models trained from them.

    python benchmarks/real.py --models DIR --preferences FILE --work DIR [--quick] [--json FILE]

DIR has SmolLM2-135M-Instruct as `smollm2` and Gemma 3 270M as `gemma3`; the preferences are JSONL
(also gzipped) with ``chosen`` and ``rejected`` transcripts. From each base, a Bradley-Terry reward
model is trained on the same 1,000 pairs, once a seed, by `valuebias train`; the gate's own suites
then say what the bases prefer (`logprobs`), what one prefers more than the other (`mwlr`), what the
reward models prefer (`big_two`, with the instrument check), what training changed (`drift`, with
the gap between the bases) and what came down (`inheritance`). Everything is kept in ``--work``: the
same command goes on where it was stopped, and asks nothing twice.

Settings were fixed on 2026-11-29, before anything below was run: pairs of at most 600 characters a
side, so that all fit; a learning rate for 63 steps instead of the paper's 10,000, else its recipe.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import run as call
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import yaml
from parts.instrument_trial import figure
from parts.instrument_trial import run as pytest_run

BASES = ("smollm2", "gemma3")
CUE = "\nAnswer:"
"""After the question, for the base that has no chat template."""
LONGEST = 600
"""Characters of a transcript, at most."""
HELD_OUT = 100
RECIPE = {
    "epochs": 1,
    "batch_size": 8,
    "accumulation": 2,
    "max_length": 256,
    "lora_rank": 32,
    "lora_alpha": 64,
    "learning_rate": 2e-4,
    "schedule": "linear",
    "warmup": 0.1,
    "initial_checkpoint": True,
    "precision": "float32",
}
Figures = list[dict[str, Any]]


@dataclass(frozen=True)
class Study:
    """Where things are, and how much is asked."""

    models: Path
    work: Path
    pairs: int = 1000
    every: int = 21
    seeds: tuple[int, ...] = (0, 1)
    lexicons: tuple[str, ...] = ("big_two", "mfd2")
    profile: str = "ci"

    @property
    def runs(self) -> list[tuple[str, int]]:
        return [(base, seed) for seed in self.seeds for base in BASES]

    def run(self, base: str, seed: int) -> Path:
        return self.work / "runs" / f"{base}-{seed}"

    def last(self, base: str, seed: int) -> Path:
        steps = [int(p.name.rpartition("-")[2]) for p in self.run(base, seed).glob("checkpoint-*")]
        return self.run(base, seed) / f"checkpoint-{max(steps)}"

    def ask(self, name: str, *arguments: str) -> Mapping[str, Any]:
        """The JSON report of a run of pytest, kept by its name."""
        kept = self.work / f"{name}.json"
        if not kept.exists():
            print(f"asking: {name}", flush=True)
            folder = self.work / "asked"
            folder.mkdir(exist_ok=True)
            done = pytest_run(
                folder, f"--valuebias-profile={self.profile}", f"--valuebias-answer-cue={CUE}",
                "--valuebias-offline", *arguments,
            )  # fmt: skip
            kept.write_text(json.dumps(done.document | {"seconds": done.seconds}), "utf-8")
        found: Mapping[str, Any] = json.loads(kept.read_text("utf-8"))
        return found


def write_preferences(study: Study, source: Path) -> None:
    """Pairs to train on, and others that no run sees."""
    if (study.work / "unseen.jsonl").exists():
        return
    opened: Callable[..., Any] = gzip.open if source.suffix == ".gz" else open
    with opened(source, "rt", encoding="utf-8") as file:
        rows = [json.loads(line) for line in file]
    rows = [r for r in rows if all(_usable(r[side]) for side in ("chosen", "rejected"))]
    random.Random(0).shuffle(rows)
    if len(rows) < study.pairs + HELD_OUT:
        raise SystemExit(f"{source} has {len(rows)} pairs of at most {LONGEST} characters")
    for name, chosen in (
        ("preferences", rows[: study.pairs]),
        ("unseen", rows[study.pairs : study.pairs + HELD_OUT]),
    ):
        (study.work / f"{name}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in chosen), "utf-8"
        )


def _usable(transcript: str) -> bool:
    """Whether it is short enough and ends with a response that is not empty."""
    return len(transcript) <= LONGEST and bool(transcript.rpartition("Assistant:")[2].strip())


def train(study: Study, base: str, seed: int) -> None:
    """Train one reward model, or go on with it."""
    if (study.run(base, seed) / "finished.json").exists():
        return
    recipe = study.work / f"{base}-{seed}.yaml"
    content = {"base": str(study.models / base), "data": str(study.work / "preferences.jsonl"),
               "seed": seed, "checkpoint_every": study.every, **RECIPE}  # fmt: skip
    recipe.write_text(yaml.safe_dump(content), "utf-8")
    print(f"training: {base}, seed {seed}", flush=True)
    out = study.run(base, seed)
    done = call(
        [sys.executable, "-m", "valuebias", "train", str(recipe), "--out", str(out), "--cpu",
         "--unwatched", "--offline"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)


def accuracy(study: Study, base: str, seed: int) -> float:
    """Share of the unseen pairs whose chosen side gets the higher reward."""
    import torch

    from valuebias.models.loading import load_reward_model
    from valuebias.models.settings import Settings
    from valuebias.scorers.schemes import parse_spec
    from valuebias.training.model import Base
    from valuebias.training.preferences import read_preferences
    from valuebias.training.recipe import DataSource, Recipe

    settings = Settings(device="cpu", offline=True)
    recipe = Recipe(
        str(study.models / base), DataSource(str(study.work / "unseen.jsonl")), max_length=512
    )
    writer = Base.find(recipe.base, settings).writer(recipe)
    model = load_reward_model(parse_spec(str(study.last(base, seed))), settings)
    right = []
    for pair in read_preferences(recipe).pairs:
        written = writer.write(pair)
        assert written is not None
        with torch.inference_mode():
            chosen, rejected = (
                model.head.forward(ids, torch.ones_like(ids)).item()
                for ids in (torch.tensor([side]) for side in written[0])
            )
        right.append(chosen > rejected)
    return sum(right) / len(right)


def verdicts(document: Mapping[str, Any]) -> Figures:
    """A row a verdict: estimate with its 95% interval, and what the gate says."""
    return [
        {
            "name": f"{v['suite']} {v['role']}, {v['contrast']}, {v['valence']}, {v['title']}",
            "value": v["estimate"],
            "interval": [v["ci_low"], v["ci_high"]],
            "unit": v["unit"],
            "verdict": v["verdict"],
            "target": None,
            "met": None,
        }
        for v in document["verdicts"]
        if "estimate" in v
    ]


def instruments(document: Mapping[str, Any]) -> Figures:
    """A row a check of every model."""
    rows: Figures = []
    for subject in document["subjects"]:
        for check in (subject["instrument"] or {}).get("checks", ()):
            rows.append({
                "name": f"instrument, {check['name']}, {subject['title']}",
                "value": check["estimate"], "interval": [check["low"], check["high"]],
                "unit": "", "verdict": "missed" if check["missed"] else "met",
                "target": check["threshold"], "met": None,
            })  # fmt: skip
    return rows


def ask_all(study: Study) -> Figures:
    """Everything that is measured, the cheapest first."""
    finals = [f"--rm={base}-{seed}={study.last(base, seed)}" for base, seed in study.runs]
    found: Figures = []
    for base, seed in study.runs:
        found.append(figure(f"unseen pairs ordered right, {base}-{seed}",
                            accuracy(study, base, seed), "share"))  # fmt: skip
    models = study.ask("models", *finals, "--valuebias-suite=big_two",
                       "--valuebias-instrument=report")  # fmt: skip
    found += instruments(models) + verdicts(models)
    bases = [f"--base={base}-{seed}={study.models / base}" for base, seed in study.runs]
    found += verdicts(study.ask("inheritance", *finals, *bases, "--valuebias-suite=inheritance",
                                "--valuebias-instrument=report", "-k", "big_two"))  # fmt: skip
    runs = [f"--valuebias-checkpoints={base}-{seed}={study.run(base, seed)}"
            for base, seed in study.runs]  # fmt: skip
    found += verdicts(study.ask("drift", *runs, "--valuebias-suite=drift", "-k", "big_two",
                                "--valuebias-instrument=report"))  # fmt: skip
    llms = [f"--llm={base}={study.models / base}" for base in BASES]
    for lexicon in study.lexicons:
        found += verdicts(study.ask(f"bases-{lexicon}", *llms, "-k", lexicon))
    return found


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    for row in rows:
        low, high = row.get("interval", (None, None))
        interval = "" if low is None else f"[{low:+.3f}, {high:+.3f}]"
        print(f"{row['value']:+.3f} {interval:20} {row.get('verdict', ''):12} {row['name']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--models", type=Path, required=True, metavar="DIR")
    parser.add_argument("--preferences", type=Path, required=True, metavar="FILE")
    parser.add_argument("--work", type=Path, required=True, metavar="DIR")
    parser.add_argument("--jobs", type=int, default=2, help="runs that train at once (2)")
    parser.add_argument("--quick", action="store_true", help="two steps, one seed, six prompts")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    study = Study(args.models.resolve(), args.work.resolve())
    if args.quick:
        study = Study(study.models, study.work, 32, 1, (0,), ("big_two",), "quick")
    study.work.mkdir(parents=True, exist_ok=True)
    write_preferences(study, args.preferences)
    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda run: train(study, *run), study.runs))
    rows = ask_all(study)
    show(rows)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
