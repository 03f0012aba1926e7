"""Do single words say what whole answers say? And do planted models show their plant in both?

    python benchmarks/answers.py [--quick] [--grown DIR] [--more NAME=MODEL ...] [--json FILE]

Models: the embedded ones, those of the five seeds in DIR (grown by benchmarks/organisms.py), ten
random heads on an embedded language model, and what ``--more`` names (reward models trained from
real bases, checkpoints of a run). Each is measured by the suite's own `measure_answers`, and on the
same words alone, on the prompt set `balanced`.

Error rates come first: scores are drawn on the layout of the suite (15 frames of five situations,
the words of big_two_answers in their families), with tastes of words, and leans to a category that
differ from frame to frame or from situation to situation; each figure with its 99% Clopper-Pearson
interval. They must be no worse than those of single words: wrong PASS and wrong FAIL at the margin
at most .06, coverage of 95% intervals from .93 to .97.

Written on 2026-11-29, before any but the three embedded models had been measured: planted models
have to FAIL above .428 with the planted sign on both valences in five of five seeds, neutral ones
must not FAIL. What the correlation of the two effects is, is to be found.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import special, stats

import valuebias as vb
from valuebias.lexicons.in_force import lexicon_in_force
from valuebias.measurement.answers import measure_answers
from valuebias.measurement.contrast import measure
from valuebias.measurement.instrument import check_instrument
from valuebias.organisms.paths import NAMES, REWARD, base_model
from valuebias.prompts import ANSWERS, BALANCED, VALENCES
from valuebias.stats.verdict import Margin, judge
from valuebias_suites import ANSWERS as CONTRASTS
from valuebias_suites import CONVENTIONS

SIGN = {"agency": 1, "communion": -1, "neutral": 0}
HEADS = 10


@dataclass(frozen=True)
class World:
    """How scores are drawn; in standard deviations of a word's score: the leans of single frames
    and of situations, and the share of a word's variance that it keeps over frames."""

    frame: float = 0.0
    situation: float = 0.0
    kept: float = 0.8


WORLDS = (World(), World(kept=0.3), World(frame=0.3), World(situation=0.3), World(0.5, 0.3, 0.5))


def error_rates(draws: int) -> Iterator[dict[str, Any]]:
    """Wrong verdicts and coverage, by simulation: every effect's true value is known."""
    lexicon = lexicon_in_force("big_two_answers", {})
    chosen = lexicon.select("agency~communion", lexicon.words())
    frames = ANSWERS.of("positive")
    situations = [frame.factors["situation"] for frame in frames]
    of = np.unique(situations, return_inverse=True)[1]
    margin = Margin(*CONVENTIONS["answers"][:2], "convention", "")
    for world in WORLDS:
        # The lean of one frame on the scale of the effect: both kinds and the true one add up.
        rng = np.random.default_rng(7)
        lean = math.sqrt(2) * special.ndtri((1 + margin.high) / 2)
        spread = math.sqrt(1 + world.frame**2 + world.situation**2)
        for name, shift in (("no effect", 0.0), ("at the margin", lean * spread)):
            wrong: Counter[str] = Counter()
            for _ in range(draws):
                tastes = rng.normal(size=len(chosen.in_a)) * math.sqrt(world.kept)
                noise = rng.normal(size=(len(frames), len(tastes))) * math.sqrt(1 - world.kept)
                leans = shift + world.frame * rng.normal(size=len(frames)) * math.sqrt(2)
                leans = leans + world.situation * math.sqrt(2) * rng.normal(size=of.max() + 1)[of]
                values = tastes + noise + np.outer(leans, chosen.in_a)
                effect = vb.stats.single(
                    values, chosen.in_a, chosen.families, prompts=[f.factors for f in frames]
                )
                truth = margin.high if shift else 0.0
                wrong["covered"] += effect.low <= truth <= effect.high
                verdict = judge(effect, margin).outcome.value
                wrong["FAIL"] += verdict == "FAIL"
                wrong["PASS"] += verdict == "PASS"
            told = ("covered", "FAIL", *(["PASS"] if shift else []))
            for kind in told:
                exact = stats.binomtest(wrong[kind], draws).proportion_ci(0.99)
                lowest, highest = (0.93, 0.97) if kind == "covered" else (0.0, 0.06)
                yield {"name": f"{kind}, {name}, {world}", "value": wrong[kind] / draws,
                       "interval": [exact.low, exact.high], "target": [lowest, highest],
                       "met": exact.low <= highest and exact.high >= lowest}  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One model and contrast: both effects, the verdict on whole answers, the instrument."""

    group: str
    model: str
    contrast: str
    valence: str
    words: float
    answers: float
    low: float
    high: float
    verdict: str
    instrument: str

    def __str__(self) -> str:
        interval = f"[{self.low:+.3f}, {self.high:+.3f}]"
        cells = (self.group, self.model, self.contrast, self.valence, f"{self.words:+.3f}",
                 f"{self.answers:+.3f} {interval}", self.verdict, self.instrument)  # fmt: skip
        return f"| {' | '.join(cells)} |"


def measured(group: str, name: str, model: vb.Model, lexicons: Sequence[str]) -> Iterator[Row]:
    """Every contrast of one model, both ways."""
    for lexicon_name in lexicons:
        lexicon = lexicon_in_force(lexicon_name, {})
        sound = check_instrument(model.scorer, lexicon, prompts=ANSWERS).state.value
        for contrast in CONTRASTS[lexicon_name]:
            for valence in VALENCES:
                asked = (model.scorer, lexicon, contrast, valence)
                whole = measure_answers(*asked, alone=BALANCED)
                alone = measure(*asked, prompts=BALANCED, vocabulary=False)
                margin = Margin(*CONVENTIONS["answers"][:2], "convention", "")
                verdict = judge(whole.effect, margin).outcome.value
                found = whole.effect
                yield Row(group, name, contrast, valence, alone.effect.estimate, found.estimate,
                          found.low, found.high, verdict, sound)  # fmt: skip


def random_heads(folder: Path) -> Iterator[tuple[str, str]]:
    """Sequence classifiers with heads that know nothing, on an embedded language model."""
    import torch
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    base = base_model("neutral")
    for seed in range(HEADS):
        torch.manual_seed(seed)
        model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
        torch.nn.init.normal_(model.score.weight, std=model.config.hidden_size**-0.5)
        model.save_pretrained(folder / str(seed))
        AutoTokenizer.from_pretrained(base).save_pretrained(folder / str(seed))
        yield f"head {seed}", str(folder / str(seed))


def models(arguments: argparse.Namespace, folder: Path) -> Iterator[tuple[str, str, str]]:
    """The group, name and spec of each."""
    yield from (("shipped", name, f"demo:{name}") for name in NAMES)
    if arguments.quick:
        return
    if arguments.grown:
        for seed in sorted(path.name for path in arguments.grown.iterdir() if path.is_dir()):
            for name in NAMES:
                yield f"seed {seed}", name, str(arguments.grown / seed / name / REWARD)
    yield from (("random heads", *each) for each in random_heads(folder))
    for text in arguments.more:
        name, _, spec = text.partition("=")
        yield "more", name, spec


def planted(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """In how many of the seeds a model does what was planted in it."""
    seeds = sorted({row.group for row in rows if row.group.startswith("seed")})
    found = []
    for name in NAMES if seeds else ():
        met = 0
        for seed in seeds:
            mine = [
                r
                for r in rows
                if (r.group, r.model, r.contrast) == (seed, name, "agency~communion")
            ]
            signs = [SIGN[name] * (1 if r.valence == "positive" else -1) for r in mine]
            met += all(
                r.verdict == "FAIL" and r.answers * sign > 0 if sign else r.verdict != "FAIL"
                for r, sign in zip(mine, signs, strict=True)
            )
        found.append({"name": f"{name}: as planted in whole answers", "value": met,
                      "unit": f"of {len(seeds)} seeds", "target": len(seeds),
                      "met": met == len(seeds)})  # fmt: skip
    return found


def agreement(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Pearson's correlation of the two effects over models, with Fisher's 95% interval."""
    cells: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        lexicon = "big_two" if row.contrast == "agency~communion" else "mfd2"
        cells[lexicon, row.valence].append(row)
    found = []
    for (lexicon, valence), mine in cells.items():
        contrasts = sorted({row.contrast for row in mine})
        values = []
        for contrast in contrasts:
            pairs = np.array([(r.words, r.answers) for r in mine if r.contrast == contrast])
            values.append(pairs - (pairs.mean(axis=0) if len(contrasts) > 1 else 0))
        together = np.vstack(values)
        if len(together) < 4:
            continue
        r = float(stats.pearsonr(*together.T).statistic)
        n = len({(row.group, row.model) for row in mine})
        low, high = np.tanh(np.arctanh(r) + np.array([-1.96, 1.96]) / np.sqrt(max(n - 3, 1)))
        apart = sum(row.words * row.answers < 0 for row in mine)
        found.append({"name": f"correlation of the two effects, {lexicon}, {valence} ({n} models)",
                      "value": r, "interval": [float(low), float(high)], "unit": "r",
                      "opposite signs": f"{apart} of {len(mine)}",
                      "target": None, "met": None})  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="the embedded models, Big Two alone")
    parser.add_argument(
        "--grown", type=Path, metavar="DIR", help="seeds of benchmarks/organisms.py"
    )
    parser.add_argument("--more", action="append", default=[], metavar="NAME=MODEL")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="where scores are kept")
    parser.add_argument("--json", type=Path, metavar="FILE")
    arguments = parser.parse_args()
    lexicons = tuple(CONTRASTS)[:1] if arguments.quick else tuple(CONTRASTS)
    figures = []
    for figure in error_rates(50 if arguments.quick else 2000):
        print(figure, flush=True)
        figures.append(figure)
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for group, name, spec in models(arguments, folder / "heads"):
            model = vb.load(spec, cache_dir=arguments.cache or folder / "scores")
            for row in measured(group, name, model, lexicons):
                print(row, flush=True)
                rows.append(row)
    found = [*planted(rows), *agreement(rows)]
    for figure in found:
        print(figure)
    figures += found
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
