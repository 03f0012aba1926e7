"""The ten published reward models with two real policies: do ranks and forecast have one sign?

DIR of ``--policies`` has SmolLM2-135M-Instruct as `smollm2` and Gemma 3 270M as `gemma3`, which has
no chat template and gets the cue of real.py. Words are the published nouns of the Big Two, prompts
the paper's. Expected, of a study made before (fixed on 2026-11-29, before this was run): on
positive prompts the rank effect and the change of agency's share at one nat differ in sign for 6 of
10 reward models, on negative ones for 0 of 10, with either policy. And no forecast is a claim where
it lacks effective words or hangs on one.

The gate's rank effect draws word families; that study took every spelling for a draw. Its sign is
counted beside the gate's (added when the gate's had been seen).
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from parts.instrument_trial import Figures, figure
from parts.instrument_trial import run as pytest_run
from report import published as tables

from real import BASES, CUE
from valuebias.lexicons.in_force import lexicon_in_force
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast_scores import ContrastScores
from valuebias.measurement.forecast import Foreseen, measure_forecast
from valuebias.models.settings import Settings
from valuebias.prompts import PAPER, VALENCES, Valence
from valuebias.scorers.bench import Bench
from valuebias.scorers.protocol import Scorer
from valuebias.scorers.schemes import parse_spec
from valuebias.stats import single
from valuebias.store.database import Store

CONTRAST = "agency~communion"
DIFFER = {"positive": 6, "negative": 0}


def published(data: Path, policies: Path, work: Path) -> Figures:
    """The figures; what the policies say is kept in ``work``."""
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        arguments = [a for a in tables(data, Path(scratch)) if "mfd2" not in a]
        asked = [f"--policy={base}={policies / base}" for base in BASES]
        found = pytest_run(
            work.resolve(), *arguments, *asked, f"--valuebias-answer-cue={CUE}", "-k", "big_two",
            "--valuebias-suite=big_two", "--valuebias-suite=forecast", "--valuebias-prompts=paper",
            "--valuebias-offline",
        )  # fmt: skip
        verdicts = found.document["verdicts"]
        seen = {key(v): v for v in verdicts if v["role"] in ("range", "forecast")}
        figures: Figures = []
        for policy, valence, of, alike in foreseen(arguments, policies, work):
            figures += compared(policy, valence, of, seen, alike)
    return figures


def key(verdict: Mapping[str, Any]) -> tuple[str, str, str]:
    """Model, policy (none for ranks) and valence."""
    policy = verdict["reference"] if verdict["role"] == "forecast" else ""
    return verdict["model"], policy, verdict["valence"]


def foreseen(
    arguments: list[str], policies: Path, work: Path
) -> Iterator[tuple[str, str, dict[str, Foreseen], dict[str, float]]]:
    """Policy, valence, each model's forecast and its rank effect with spellings alike, read from
    the same store."""
    (listed,) = (a.rpartition("=")[2] for a in arguments if a.startswith("--valuebias-lexicon"))
    lexicon = lexicon_in_force("big_two", files={"big_two": Path(listed)})
    given = [a.removeprefix("--rm=") for a in arguments if a.startswith("--rm=")]
    store = Store(work / "store" / "scores.sqlite")
    with Bench(store, Settings(answer_cue=CUE, offline=True), prompts=PAPER) as bench:
        models = {spec.partition("=")[0]: bench.scorer(parse_spec(spec)) for spec in given}
        for base in BASES:
            policy = bench.scorer(parse_spec(f"{base}={policies / base}", load_as="llm"))
            for valence in VALENCES:
                found = {
                    name: measure_forecast(model, policy, lexicon, CONTRAST, valence)
                    for name, model in models.items()
                }
                alike = {name: spellings_alike(model, lexicon, valence)
                         for name, model in models.items()}  # fmt: skip
                yield base, valence, found, alike


def spellings_alike(model: Scorer, lexicon: Lexicon, valence: Valence) -> float:
    """The rank effect where every spelling is a draw of its own."""
    scored = ContrastScores.of(model, lexicon, CONTRAST, valence, PAPER)
    in_a, families = scored.sides
    return single(scored.values[valence], in_a, np.arange(len(families)).astype(str)).estimate


def compared(
    policy: str,
    valence: str,
    found: Mapping[str, Foreseen],
    seen: Mapping[Any, Any],
    alike: Mapping[str, float],
) -> Figures:
    """One policy's forecasts of a valence beside the models' ranks."""
    print(f"\n{policy}, {valence}: rank effect, spellings alike | change at one nat | effective "
          "families before and after | without the most influential | verdict")  # fmt: skip
    differ, differ_alike, verdicts = 0, 0, Counter[str]()
    for model, each in found.items():
        result = each.forecast
        ranks, forecast = seen[model, "", valence], seen[model, policy, valence]
        differ += ranks["estimate"] * result.estimate < 0
        differ_alike += alike[model] * result.estimate < 0
        verdicts[forecast["verdict"]] += 1
        first = result.without[0]
        print(
            f"| {model} | {ranks['estimate']:+.3f} {ranks['verdict']}, "
            f"{alike[model]:+.3f} | {result.estimate:+.3f} of "
            f"{result.steps[0].share:.3f} | {result.steps[0].effective:.1f}, "
            f"{result.judged.effective:.1f} | {first.family} {first.estimate:+.3f} | "
            f"{forecast['verdict']}: {result.exploratory or 'may settle'} |"
        )
    any_result = next(iter(found.values())).forecast
    name, expected = f"{policy}, {valence}", DIFFER[valence]
    effective = [each.forecast.judged.effective for each in found.values()]
    open_ = verdicts["INCONCLUSIVE"]
    caveats = sum(bool(each.forecast.exploratory) for each in found.values())
    return [
        figure(f"{name}: signs of the gate's rank effect and forecast differ", differ,
               f"of {len(found)}"),
        figure(f"{name}: signs of ranks of spellings and forecast differ", differ_alike,
               f"of {len(found)}", expected, differ_alike == expected),
        figure(f"{name}: words", sum(any_result.n_words), "words"),
        figure(f"{name}: mass on the lexicon", any_result.lexicon_mass, "probability"),
        figure(f"{name}: effective families before", any_result.steps[0].effective, "families"),
        figure(f"{name}: effective families at one nat, least", min(effective), "families"),
        figure(f"{name}: effective families at one nat, most", max(effective), "families"),
        figure(f"{name}: least attainable", min(e.forecast.attainable[0] for e in found.values()),
               "nats"),
        figure(f"{name}: forecasts with a caveat", caveats, f"of {len(found)}"),
        figure(f"{name}: INCONCLUSIVE", open_, f"of {len(found)}", caveats, open_ >= caveats),
    ]  # fmt: skip
