"""How large a report is, and what making it adds to a run: ten models, two lexicons, 54 prompts.

    python benchmarks/report.py [--published DIR] [--quick] [--json FILE]

The models' scores are drawn, and so are the words: 263 of a Big Two, 2,040 of moral foundations, as
many as the paper's lexicons have. With --published, a copy of the repository that goes with the
paper, they are its ten reward models on its two lexicons. Their tests run from the store with
--valuebias-html, --valuebias-json and the summary for GitHub, and without; in each round one after
the other, in whole processes, imports included. What a report takes is CPU time of its one thread,
which a busy neighbour disturbs least.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import yaml

from valuebias.prompts import PAPER_PROMPTS

TARGET_MB = 3.0
TARGET_S = 10.0
MODELS = 10
FOUNDATIONS = ("care", "fairness", "loyalty", "authority", "sanctity")
BIG_TWO = {"agency": 132, "communion": 131}
MFD2 = {f"{name}.{side}": 204 for name in FOUNDATIONS for side in ("virtue", "vice")}
SYLLABLES = [c + v + e for c in "bdfgklmnprstvw" for v in "aeiou" for e in ("", "n", "r", "s")]
SCORES = Path("data/reward_model_scores")
CORPORA = Path("data/corpora")
PARTS = ("document", "details", "figures", "template", "json", "summary")

# Loaded into the run that is measured: what each part of a report took, of one thread.
TIMES = """
import json, time
from pathlib import Path

SPENT = {}

def timed(module, function, name):
    inner = getattr(module, function)
    def run(*args, **kwargs):
        start = time.process_time()
        try:
            return inner(*args, **kwargs)
        finally:
            SPENT[name] = SPENT.get(name, 0) + time.process_time() - start
    setattr(module, function, run)

def pytest_configure(config):
    from pytest_valuebias.report import details, document
    from valuebias.report import figures
    from valuebias.report import github
    from valuebias.report import html
    from valuebias.report import json as json_report
    timed(document, "outline", "document")
    timed(details, "details", "details")
    timed(figures, "of_lexicon", "figures")
    timed(figures, "matrices", "figures")
    timed(html, "page", "page")
    timed(json_report, "text", "json")
    timed(github, "append", "summary")

def pytest_unconfigure(config):
    SPENT["template"] = SPENT.pop("page") - SPENT["figures"]
    Path("times.json").write_text(json.dumps(SPENT))
"""


def drawn(folder: Path) -> list[str]:
    """Words and scores that are drawn; returns the run's arguments."""
    rng = np.random.default_rng(0)
    every = [a + b + c for a in SYLLABLES for b in SYLLABLES[:40] for c in ("", "ta", "mo")]
    words = iter(rng.permutation(every).tolist())
    margins, arguments, listed = [], [], []
    for name, sizes in (("big_two", BIG_TWO), ("mfd2", MFD2)):
        categories = {category: [next(words) for _ in range(n)] for category, n in sizes.items()}
        path = folder / f"{name}.yaml"
        path.write_text(yaml.safe_dump({"name": name, "categories": categories}), "utf-8")
        arguments.append(f"--valuebias-lexicon={name}={path}")
        listed += list(chain.from_iterable(categories.values()))
        contrasts = ["agency~communion"] if name == "big_two" else _moral()
        margins += [
            {"lexicon": name, "contrast": contrast, "valence": valence, "role": "range",
             "interval": [-0.25, 0.25]}
            for contrast in contrasts for valence in ("positive", "negative")
        ]  # fmt: skip
    path = folder / "margins.yaml"
    path.write_text(yaml.safe_dump({"margins": margins}), "utf-8")
    arguments.append(f"--valuebias-margins={path}")
    for model in range(MODELS):
        taste = rng.normal(size=(len(listed), 1))
        values = taste + 0.5 * rng.normal(size=(len(listed), len(PAPER_PROMPTS)))
        path = folder / f"a-reward-model-with-a-long-name-{model}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            out = csv.writer(file)
            out.writerow(["response", *(p.id for p in PAPER_PROMPTS)])
            out.writerows([w, *row] for w, row in zip(listed, values.round(6), strict=True))
        arguments.append(f"--rm={path.stem}=scores:{path}")
    return arguments


def _moral() -> list[str]:
    return [f"{name}.{side}" for name in FOUNDATIONS for side in ("virtue", "vice")]


def published(data: Path, folder: Path) -> list[str]:
    """The ten reward models of the paper: each one's two tables of scores as one."""
    arguments = [
        f"--valuebias-lexicon=big_two={data / CORPORA / 'dict_big2_nouns.csv'}",
        f"--valuebias-lexicon=mfd2={data / CORPORA / 'moral-foundations-dictionary-20.dicx'}",
    ]
    for nouns in sorted((data / SCORES / "dict_big2_nouns").glob("*_rewards_*.csv")):
        name = nouns.stem.split("_", 3)[-1]
        (moral,) = (data / SCORES / "dict_MFD_20").glob(f"*_{name}.csv")
        path = folder / f"{name}.csv"
        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(_merged(nouns, moral))
        arguments.append(f"--rm={name}=scores:{path}")
    if len(arguments) != 2 + MODELS:
        raise SystemExit(f"There are not ten tables of scores in {data / SCORES}.")
    return arguments


def _merged(*paths: Path) -> Iterator[Sequence[str]]:
    seen = set()
    columns: list[str] = []
    for path in paths:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if not columns:
                    columns = ["response", *(p.id for p in PAPER_PROMPTS)]
                    yield columns
                if row["response"] not in seen:
                    seen.add(row["response"])
                    yield [row[column] for column in columns]


def run(folder: Path, arguments: list[str]) -> tuple[float, float]:
    """Wall and CPU seconds of one run of pytest."""
    env = {k: v for k, v in os.environ.items() if k != "GITHUB_STEP_SUMMARY"}
    env |= {"VALUEBIAS_CACHE_DIR": str(folder / "store"), "PYTHONPATH": str(folder)}
    if "-p" in arguments:
        env["GITHUB_STEP_SUMMARY"] = str(folder / "summary.md")
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
    )
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode not in (0, 1):
        raise SystemExit(done.stdout + done.stderr)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--published", type=Path, help="copy of the authors' repository")
    parser.add_argument("--quick", action="store_true", help="one round; speed is not judged")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "report_times.py").write_text(TIMES)
        data = args.published
        plain = drawn(folder) if data is None else published(data.resolve(), folder)
        with_reports = [
            *plain, "-p", "report_times",
            "--valuebias-html=report.html", "--valuebias-json=report.json",
        ]  # fmt: skip
        run(folder, plain)  # fills the store
        rounds = []
        for _ in range(1 if args.quick else 3):
            without = run(folder, plain)
            (folder / "summary.md").unlink(missing_ok=True)
            made = run(folder, with_reports)
            rounds.append((without, made, json.loads((folder / "times.json").read_text())))
        sizes = {
            what: (folder / file).stat().st_size
            for what, file in (
                ("page", "report.html"), ("JSON", "report.json"), ("summary", "summary.md"),
            )
        }  # fmt: skip
        document = json.loads((folder / "report.json").read_text("utf-8"))
    print(
        f"{len(document['subjects'])} models, {len(document['lexicons'])} lexicons of "
        f"{' and '.join(str(x['words']) for x in document['lexicons'])} words, "
        f"{len(document['prompts'])} prompts, {len(document['verdicts'])} verdicts"
    )
    figures = []
    kind = "drawn" if args.published is None else "published"

    def figure(what: str, value: float, unit: str, target: float | None = None) -> None:
        met = None if target is None else value < target
        figures.append(
            {"name": f"report, {kind}: {what}", "value": value, "unit": unit, "target": target,
             "met": met}
        )  # fmt: skip

    for what, size in sizes.items():
        print(f"size of the {what}: {size / 1e6:.3f} MB")
        figure(f"size of the {what}", size / 1e6, "MB", TARGET_MB if what == "page" else None)
    build = [sum(times[part] for part in PARTS[:4]) for _, _, times in rounds]
    print(f"time to build the page: {_spread(build)} s of CPU time, of which")
    figure("time to build the page", statistics.median(build), "s of CPU time",
           None if args.quick else TARGET_S)  # fmt: skip
    for part in PARTS:
        spent = [times[part] for _, _, times in rounds]
        print(f"  {part}: {_spread(spent)} s{'' if part in PARTS[:4] else ' (besides)'}")
        figure(part, statistics.median(spent), "s of CPU time")
    for at, clock in enumerate(("wall", "CPU")):
        ratios = [made[at] / without[at] for without, made, _ in rounds]
        print(
            f"run without reports: {_spread([r[0][at] for r in rounds])} s of {clock} time, with: "
            f"{_spread([r[1][at] for r in rounds])} s, ratio {_spread(ratios)}"
        )
        figure(f"run with reports over without, {clock} time", statistics.median(ratios), "x")
    if args.json:
        args.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _spread(values: Sequence[float]) -> str:
    return f"{statistics.median(values):.2f} [{min(values):.2f} to {max(values):.2f}]"


if __name__ == "__main__":
    main()
