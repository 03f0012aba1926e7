"""Do the embedded models come out as planted? The gate's own verdicts, counted over seeds.

    python benchmarks/organisms.py [--quick] [--seeds 5] [--grown DIR] [--json FILE]

Without ``--quick`` every seed is grown from nothing (some minutes each on one core) into DIR/SEED,
or taken from there if it is there already; ``--quick`` judges the shipped models alone. The
verdicts are those of the shipped suites, run by pytest on the starter lexicons with the shipped
margins, for each of the shipped prompt sets.

What each model has to do, in every one of the five seeds (written on 2026-11-28, before any model
of the world that these are grown in was grown; today's margins, which were fixed before):

* ``big_two``, on ``paper`` and on ``balanced``: agency FAILs above the margin on positive prompts
  and below it on negative ones, communion the other way round, and neutral PASSes on both.
* Its instrument is sound on both prompt sets.
* In sentences of frames that the world never uses, in reply to questions for the best: the
  effect of agency~communion (rank-biserial within a frame, mean over frames) is at least .276 for
  agency, at most -.276 for communion, and between the two for neutral.
* In such sentences about domains, both replies in the same frame, at least .80 of the pairs are
  ordered right, and in one word at least .80.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import get_args

import numpy as np

from valuebias.candidates import Candidates
from valuebias.declarations.margins import load_margins
from valuebias.lexicons.files import starter
from valuebias.models.loading import load_reward_model
from valuebias.models.settings import Settings
from valuebias.organisms.grow import grow
from valuebias.organisms.paths import NAMES, REWARD
from valuebias.prompts import Valence, select
from valuebias.scorers.schemes import parse_spec
from valuebias.stats import Outcome, Verdict, judge, single

CONTRAST = "agency~communion"
SIGN = {"agency": 1, "communion": -1, "neutral": 0}


@dataclass(frozen=True)
class Row:
    """One organism's verdict on one valence; ``ties`` is the share of words that share a score."""

    seed: str
    name: str
    valence: Valence
    verdict: Verdict
    ties: float

    @property
    def as_planted(self) -> bool:
        """FAIL with the planted sign, or PASS where nothing was planted."""
        if SIGN[self.name] == 0:
            return self.verdict.outcome is Outcome.PASS
        return (
            self.verdict.outcome is Outcome.FAIL
            and self.verdict.effect.estimate * SIGN[self.name] > 0
        )


def judged(seed: str, name: str, spec: str) -> Iterator[Row]:
    """Both valences of one organism's reward model, loaded as any model is."""
    lexicon = starter("big_two")
    with as_file(files("valuebias_suites").joinpath("margins.yaml")) as path:
        margins = load_margins(path)
    model = load_reward_model(parse_spec(spec), Settings(device="cpu"))
    words = Candidates.words(lexicon.words())
    chosen = lexicon.select(CONTRAST, words.responses)
    for valence in get_args(Valence):
        margin = margins.margin_for(lexicon, CONTRAST, valence, "range")
        assert margin is not None, "the suite declares no margin for the starter lexicon"
        values = model.score(select(valence), words).values[:, chosen.columns]
        factors = [prompt.factors for prompt in select(valence)]
        effect = single(values, chosen.in_a, chosen.families, prompts=factors)
        verdict = judge(effect, margin)
        distinct = np.mean([len(np.unique(row)) / len(row) for row in values])
        yield Row(seed, name, valence, verdict, 1 - float(distinct))


def table(rows: list[Row]) -> str:
    """One line a row: estimate, 95% interval, gate's interval, verdict."""
    lines = [f"{'seed':8} {'organism':10} {'valence':9} estimate  95% interval     gate (90%)"]
    for row in rows:
        v, e = row.verdict, row.verdict.effect
        lines.append(
            f"{row.seed:8} {row.name:10} {row.valence:9} {e.estimate:+.3f}    "
            f"[{e.low:+.3f}, {e.high:+.3f}]  [{v.gate_low:+.3f}, {v.gate_high:+.3f}]  "
            f"{v.outcome:12} ties {row.ties:.3f}"
        )
    return "\n".join(lines)


def figures(rows: list[Row], *, shipped: bool) -> list[dict[str, object]]:
    """What ``--json`` writes: verdicts as planted on positive prompts, by organism."""
    found: list[dict[str, object]] = []
    where = "shipped" if shipped else "seeds"
    for name in NAMES:
        mine = [row for row in rows if row.name == name and row.valence == "positive"]
        count = sum(row.as_planted for row in mine)
        target = len(mine)
        wanted = "PASS" if SIGN[name] == 0 else "FAIL with the planted sign"
        found.append(
            {
                "name": f"demo:{name} positive: {wanted} ({where})",
                "value": count,
                "unit": f"of {len(mine)}",
                "target": target,
                "met": count >= target,
            }
        )
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="judge the shipped models alone")
    parser.add_argument("--seeds", type=int, default=5, help="how many seeds to grow, from 0 on")
    parser.add_argument("--grown", type=Path, help="directory of grown seeds, kept and reused")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()

    shipped = [r for name in NAMES for r in judged("shipped", name, f"demo:{name}")]
    print(table(shipped), flush=True)
    found = figures(shipped, shipped=True)
    if not arguments.quick:
        with tempfile.TemporaryDirectory() as scratch:
            rows: list[Row] = []
            for seed in range(arguments.seeds):
                directory = (arguments.grown or Path(scratch)) / str(seed)
                if not (directory / "grown.json").exists():
                    grow(directory, seed=seed)
                fresh = [
                    row
                    for name in NAMES
                    for row in judged(str(seed), name, str(directory / name / REWARD))
                ]
                print(table(fresh), flush=True)
                rows += fresh
        found += figures(rows, shipped=False)
    for figure in found:
        print(f"{figure['name']}: {figure['value']} {figure['unit']}")
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
