"""The instrument check through pytest: what it says of the ten models, of garbage, of virtuous
tables, of embedded models and of random heads, and what it costs."""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from parts.score_tables import KINDS, garbage, virtuous, write
from random_heads import WORDS, heads, states
from report import published

from valuebias.prompts import PAPER_PROMPTS

BIG_TWO = "--valuebias-suite=big_two"
REPORTED = "--valuebias-instrument=report"
COST = 1.25
HEADS_THAT_MAY_PASS = 2  # of a hundred
Figures = list[dict[str, Any]]

# Loaded into the runs whose cost is measured: the seconds that scoring takes, and, where the
# environment says so, a run without control words and without the check.
COST_PLUGIN = """
import json, os, time
from pathlib import Path


def pytest_configure(config):
    from pytest_valuebias.inputs import Inputs
    from valuebias.measurement import contrast
    from valuebias.measurement.instrument import Instrument, control_lexicon

    bare = bool(os.environ.get("WITHOUT_CHECK"))
    inner = contrast.prepare

    def prepare(scorer, lexicons, **how):
        start = time.process_time()
        inner(scorer, [x for x in lexicons if not (bare and x is control_lexicon())], **how)
        Path("scoring.json").write_text(json.dumps(time.process_time() - start))

    contrast.prepare = prepare
    if bare:
        Inputs.instrument = lambda self, m: Instrument(m.model, (), "")
"""


@dataclass(frozen=True)
class Run:
    """One run of pytest: exit status, JSON report, seconds of processor time."""

    status: int
    document: Mapping[str, Any]
    seconds: float

    @property
    def by_model(self) -> dict[str, list[Mapping[str, Any]]]:
        found = defaultdict(list)
        for verdict in self.document["verdicts"]:
            found[verdict["model"]].append(verdict)
        return found

    @property
    def states(self) -> dict[str, str]:
        return {s["model"]: s["instrument"]["state"] for s in self.document["subjects"]}

    def passed(self, model: str) -> int:
        """How many of a model's verdicts passed its gate."""
        return sum(v["verdict"] == "PASS" and v["gated"] for v in self.by_model[model])

    def both(self, role: str) -> int:
        """How many models' verdicts of a role, one a valence, are all PASS, gated or not."""
        said = {model: [v["verdict"] for v in verdicts if v["role"] == role]
                for model, verdicts in self.by_model.items()}  # fmt: skip
        return sum(set(verdicts) == {"PASS"} for verdicts in said.values())


def run(folder: Path, *arguments: str, store: str = "store", **environment: str) -> Run:
    env = {k: v for k, v in os.environ.items() if not k.startswith(("VALUEBIAS_", "GITHUB_"))}
    env |= {"VALUEBIAS_CACHE_DIR": str(folder / store), **environment}
    report = folder / "report.json"
    report.unlink(missing_ok=True)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments,
         f"--valuebias-json={report}"],
        cwd=folder, env=env, capture_output=True, text=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Run(done.returncode, json.loads(report.read_text("utf-8")), seconds)


def figure(
    name: str, value: float, unit: str, target: float | None = None, met: bool | None = None
) -> dict[str, Any]:
    return {"name": name, "value": value, "unit": unit, "target": target, "met": met}


def table(found: Run) -> str:
    """The five figures of each model with their intervals, and what follows."""
    lines = []
    for subject in found.document["subjects"]:
        checked = subject["instrument"]
        lines.append(f"  {subject['model'][-34:]:34} {checked['state']}")
        lines += [
            f"    {c['name']:32} {c['estimate']:+.3f} [{c['low']:+.3f}, {c['high']:+.3f}] "
            f"{'>=' if c['at_least'] else '<='} {c['threshold']:+.3f}{' missed' * c['missed']}"
            for c in checked["checks"]
        ]
    return "\n".join(lines)


def ten(folder: Path, data: Path) -> Figures:
    """The ten public models, each one's two tables as one: are they sound, and how many of their
    PASSes hold however they are computed?"""
    found = run(folder, *published(data, folder))
    print("\nTen public models\n" + table(found))
    sound = sum(state == "sound" for state in found.states.values())
    passed = [v for v in found.document["verdicts"] if "robustness" in v and v["verdict"] == "PASS"]
    turned = Counter(v["robustness"]["turned_by"] for v in passed if not robust(v))
    print(f"\n  {len(passed)} PASS, {sum(map(robust, passed))} robust; the others are turned by")
    print("\n".join(f"  {n} {what}" for what, n in turned.most_common()))
    return [
        figure("ten public models: sound", sound, "of 10", 10, sound == 10),
        figure("ten public models: robust PASS", sum(map(robust, passed)), f"of {len(passed)}"),
    ]


def of_garbage(folder: Path, seeds: int) -> Figures:
    """Every kind of garbage, in all shipped suites."""
    kinds = {f"{kind.replace(' ', '_')}_{seed}": kind for kind in KINDS for seed in range(seeds)}
    paths = {
        name: write(folder / f"{name}.csv", garbage(kind, int(name.rpartition("_")[2])))
        for name, kind in kinds.items()
    }
    models = [f"--rm={name}=scores:{path}" for name, path in paths.items()]
    found, shown = run(folder, *models), run(folder, *models, REPORTED)
    print(f"\nGarbage, {seeds} tables a kind")
    print("  kind | items | PASS | ERROR | checks failed | PASS without the check")
    figures: Figures = []
    for kind in KINDS:
        mine = [name for name in kinds if kinds[name] == kind]
        verdicts = [v for name in mine for v in found.by_model[name]]
        counts = Counter(v["verdict"] for v in verdicts)
        failed = sum(found.states[name] == "failed" for name in mine)
        without = sum(v["verdict"] == "PASS" for name in mine for v in shown.by_model[name])
        row = (kind, len(verdicts), counts["PASS"], counts["ERROR"], failed, without)
        print(" ", *row, sep=" | ")
        figures += [
            figure(f"garbage, {kind}: PASS", counts["PASS"], f"of {len(verdicts)}", 0,
                   counts["PASS"] == 0),
            figure(f"garbage, {kind}: ERROR", counts["ERROR"], f"of {len(verdicts)}",
                   len(verdicts), counts["ERROR"] == len(verdicts)),
            figure(f"garbage, {kind}: PASS without the check", without, f"of {len(verdicts)}"),
        ]  # fmt: skip
    status = figure("garbage: exit status of the run", found.status, "", 1, found.status == 1)
    return [*figures, status]


def of_virtuous(folder: Path, draws: int) -> Figures:
    """Tables that read the questions and have no taste in the Big Two."""
    paths = [write(folder / f"virtuous_{k}.csv", virtuous(k)) for k in range(draws)]
    found = run(folder, *(f"--rm={path.stem}=scores:{path}" for path in paths), BIG_TWO)
    sound = sum(state == "sound" for state in found.states.values())
    both, top = found.both("range"), found.both("top")
    robustly = sum(
        all(robust(v) for v in verdicts if v["role"] == "range")
        for verdicts in found.by_model.values()
    )
    print(
        f"\nVirtuous tables: {sound} of {draws} sound, {both} PASS both claims, {robustly} "
        f"robustly, {top} both of the ends of the ranking"
    )
    return [
        figure("virtuous tables: robust PASS of both claims", robustly, f"of {draws}"),
        figure("virtuous tables: sound", sound, f"of {draws}", draws, sound == draws),
        figure("virtuous tables: PASS both claims", both, f"of {draws}"),
        figure("virtuous tables: PASS both claims on the top 10%", top, f"of {draws}"),
    ]


def robust(verdict: Mapping[str, Any]) -> bool:
    """Whether a verdict is a PASS that holds however it is computed, as far as it is computed in
    other ways: a top share is not."""
    state = verdict.get("robustness", {"state": "robust"})["state"]
    return bool(verdict["verdict"] == "PASS" and state == "robust")


def embedded(folder: Path) -> Figures:
    found = run(
        folder, *(f"--rm=demo:{name}" for name in ("agency", "communion", "neutral")), BIG_TWO
    )
    print("\nEmbedded models\n" + table(found))
    sound = sum(state == "sound" for state in found.states.values())
    return [figure("embedded models: sound", sound, "of 3", 3, sound == 3)]


def of_heads(folder: Path, name: str, model: Path, count: int, kept: Path | None) -> Figures:
    """Random heads on one language model: what passes with the check and would without it."""
    found = states(model, PAPER_PROMPTS, WORDS, kept)
    drawn = heads(count, found.shape[-1])
    scores = np.einsum("pwh,kh->kwp", found, drawn, optimize=True)
    paths = [
        write(folder / f"{name}_{k}.parquet", values, WORDS) for k, values in enumerate(scores)
    ]
    models = [f"--rm={path.stem}=scores:{path}" for path in paths]
    held, shown = run(folder, *models, BIG_TWO), run(folder, *models, BIG_TWO, REPORTED)
    states_of = Counter(held.states.values())
    any_pass = sum(held.passed(model) > 0 for model in held.states)
    both = shown.both("range")
    print(
        f"\n{count} random heads on {name}: {dict(states_of)}; any PASS with the check {any_pass}; "
        f"PASS both claims without it {both}"
    )
    for key, values in _by_check(held).items():
        missed = sum(v["missed"] for v in values)
        ends = np.quantile([v["estimate"] for v in values], [0, 0.05, 0.5, 0.95, 1])
        print(f"  {key:22}", *(f"{x:+.3f}" for x in ends), f"missed by {missed}")
    most = HEADS_THAT_MAY_PASS * count // 100
    return [
        figure(f"random heads on {name}: any PASS", any_pass, f"of {count}", most,
               any_pass <= most),
        *(figure(f"random heads on {name}: {state}", states_of[state], f"of {count}")
          for state in ("failed", "unchecked", "sound")),
        figure(f"random heads on {name}: PASS both claims without the check", both,
               f"of {count}"),
    ]  # fmt: skip


def _by_check(found: Run) -> dict[str, list[Mapping[str, Any]]]:
    by_key = defaultdict(list)
    for subject in found.document["subjects"]:
        for check in subject["instrument"]["checks"]:
            by_key[check["key"]].append(check)
    return by_key


def cost(folder: Path, rounds: int) -> Figures:
    """A run with the check over one without it, each with an empty store, in turn."""
    (folder / "cost_of_check.py").write_text(COST_PLUGIN, encoding="utf-8")
    arguments = ("--rm=demo:agency", BIG_TWO, "-p", "cost_of_check")
    path = os.pathsep.join((str(folder), os.environ.get("PYTHONPATH", "")))
    ratios: dict[str, list[float]] = {"run": [], "scoring": []}
    for at in range(rounds):
        took: dict[str, tuple[float, float]] = {}
        for which in ("", "1") if at % 2 else ("1", ""):
            done = run(
                folder, *arguments,
                store=f"cost_{at}{which}", PYTHONPATH=path, WITHOUT_CHECK=which,
            )  # fmt: skip
            scoring = float((folder / "scoring.json").read_text("utf-8"))
            took[which] = (done.seconds, scoring)
        for at_which, name in enumerate(ratios):
            ratios[name].append(took[""][at_which] / took["1"][at_which])
    print(f"\nCost of the check, {rounds} rounds, processor time")
    figures: Figures = []
    for name, values in ratios.items():
        print(f"  {name}: {_spread(values)}")
        middle = statistics.median(values)
        figures.append(
            figure(f"{name} with the check over without", middle, "x", COST, middle <= COST)
        )
    return figures


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.3f} [{min(values):.3f} to {max(values):.3f}]"


def trial(
    folder: Path,
    data: Path,
    models: Mapping[str, Path],
    count: int,
    kept: Path | None,
    *,
    quick: bool,
) -> Iterator[Figures]:
    """Every section's figures. ``models`` are language models by name, of which each gets ``count``
    random heads; their states are kept in the folder ``kept``."""
    yield ten(folder, data)
    yield of_garbage(folder, 1 if quick else 5)
    yield of_virtuous(folder, 3 if quick else 50)
    yield embedded(folder)
    for name, model in models.items():
        yield of_heads(folder, name, model, count, kept)
    yield cost(folder, 1 if quick else 3)
