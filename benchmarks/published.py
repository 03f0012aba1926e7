"""The paper's own figures beside ours, on its published scores of ten reward models.

    python benchmarks/published.py --data DIR [--quick] [--json FILE]

DIR is a copy of the repository that goes with "Reward Models Inherit Value Biases from Pretraining"
(config/, data/). The left figure is what the released code computes, reproduced by
`valuebias.stats.paper`; the right one answers the same question with models and word families for
the sample. Targets are the figures that R (lme4) or the authors' own code gives for these files.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from valuebias.candidates import Candidates
from valuebias.errors import ValueBiasError
from valuebias.lexicons.files import load_lexicon
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.paper import PaperTests, paper_tests
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.prompts import PAPER_PROMPTS
from valuebias.scorers.bench import Bench
from valuebias.scorers.recorded import RecordedScores
from valuebias.scorers.schemes import parse_spec
from valuebias.stats import Family, family
from valuebias.stats.paper.ranks import VALENCES, WHY
from valuebias.stats.paper.words import FOUNDATIONS, column_ranges, shared_nouns
from valuebias.store.database import Store

SCORES = Path("data/reward_model_scores")
CORPORA = Path("data/corpora")
GEMMA, LLAMA = "Gemma", "Llama"

# R 4.2.2 with lme4 1.1-31: estimate and standard error.
COEFFICIENTS = {
    "(Intercept)": (132.4606, 1.1288),
    "base[Llama]": (-4.1674, 1.4572),
    "category[communion]": (-1.3819, 1.3672),
    "valence[negative]": (-34.9977, 1.3672),
    "base[Llama]:category[communion]": (8.3542, 1.7651),
    "base[Llama]:valence[negative]": (9.7461, 1.7651),
    "category[communion]:valence[negative]": (58.8264, 1.9335),
    "base[Llama]:category[communion]:valence[negative]": (-19.8279, 2.4962),
}
LOG_LIKELIHOOD = -4017.6126
D = {
    ("agency", "positive"): 0.430,
    ("communion", "positive"): -0.401,
    ("agency", "negative"): -0.478,
    ("communion", "negative"): 0.845,
}
MODELS_P = 0.077
SHARED = {"agency": 32, "communion": 50}
COLUMN_RANGE = {"care": (-0.69, 0.29), "fairness": (1.06, -0.08)}


@dataclass(frozen=True)
class Figure:
    """One number; ``target`` is what it must equal, within ``tolerance``."""

    name: str
    value: float
    unit: str
    target: float | None = None
    tolerance: float = 0.0

    def as_json(self) -> dict[str, object]:
        met = None if self.target is None else abs(self.value - self.target) <= self.tolerance
        return {
            "name": f"published {self.name}",
            "value": self.value,
            "unit": self.unit,
            "target": self.target,
            "met": met,
        }


def base_of(model: str) -> str:
    """The base family; the names of all ten say it."""
    return GEMMA if "gemma" in model.lower() else LLAMA


def big_two(data: Path) -> PaperTests:
    """The paper's tests on the Big Two nouns, and ours."""
    lexicon = load_lexicon("big_two", data / CORPORA / "dict_big2_nouns.csv")
    models: list[ModelSpec] = []
    for file in files(data, "dict_big2_nouns"):
        models.append(parse_spec(f"{file.stem.split('_', 3)[-1]}=scores:{file}"))
    bases = {model.label: base_of(model.label) for model in models}
    with (
        tempfile.TemporaryDirectory() as folder,
        Bench(Store(Path(folder) / "scores.sqlite"), Settings()) as bench,
    ):
        return paper_tests([bench.scorer(s) for s in models], lexicon, bases)


def files(data: Path, folder: str) -> list[Path]:
    """The ten models' tables of scores."""
    found = sorted((data / SCORES / folder).glob("*_rewards_*.csv"))
    if not found:
        raise SystemExit(f"There are no scores in {data / SCORES / folder}: --data is wrong.")
    return found


def report_big_two(found: PaperTests, data: Path) -> Iterator[Figure]:
    print(f"Big Two nouns: {' and '.join(map(str, found.medians.n_words))} words, 10 models\n")
    for problem in found.problems.items():
        if problem[0] != "anova":
            raise SystemExit(f"{problem[0]}: {problem[1]}")
    print(f"{'Gemma minus Llama':24}{'paper d':>9}{'Welch p':>10}   ours: rank-biserial, p")
    for cell in found.cells:
        key = (cell.category, cell.valence)
        ours = found.honest[cell.valence]
        print(
            f"{' '.join(key):24}{cell.d:+9.3f}{cell.p:10.2g}   {ours.estimate:+.3f} "
            f"[{ours.low:+.3f}, {ours.high:+.3f}], {ours.p:.3f}"
        )
        yield Figure(f"d {' '.join(key)}", cell.d, "d", D[key], 5e-4)
        yield Figure(f"Welch p {' '.join(key)}", cell.p, "p")
        yield Figure(f"permutation p {' '.join(key)}", cell.perm_p, "p")
    assert found.mixed is not None
    assert found.by_models is not None
    print(f"\n{'mixed model':52}{'estimate':>10}{'SE':>9}")
    for name, c in found.mixed.coefficients.items():
        print(f"{name:52}{c.estimate:+10.4f}{c.se:9.4f}")
        estimate, se = COEFFICIENTS[name]
        yield Figure(f"mixed model {name}", c.estimate, "ranks", estimate, 6e-5)
        yield Figure(f"mixed model {name} SE", c.se, "ranks", se, 6e-5)
    llf = found.mixed.log_likelihood
    print(f"{'REML log-likelihood':52}{llf:+10.4f}")
    yield Figure("mixed model REML log-likelihood", llf, "log", LOG_LIKELIHOOD, 6e-5)
    three, own = found.mixed.three_way, found.by_models
    print(f"\nthree-way contrast, the paper's p:      t({three.df}) {three.t:+.3f}, {three.p:.1e}")
    print(f"the same with models for the sample:    t({own.df}) {own.t:+.3f}, {own.p:.3f}")
    yield Figure("three-way p", three.p, "p")
    yield Figure("three-way p by models", own.p, "p", MODELS_P, 5e-4)
    for name, ours in found.honest.items():
        print(
            f"ours, {name:18} {ours.estimate:+.3f} [{ours.low:+.3f}, {ours.high:+.3f}], p "
            f"{ours.p:.3f} (models {ours.p_models:.3f}, words {ours.p_words:.3f}, "
            f"both {ours.p_both:.3f})"
        )
        yield Figure(f"family {name}", ours.estimate, "rank-biserial")
        yield Figure(f"family p {name}", ours.p, "p")
    shared = shared_nouns(found.lexicon.categories, data / CORPORA / "token_intersection.csv")
    counts = {category: len(words) for category, words in shared.items()}
    print(f"\nnouns that are tokens of both: {sum(counts.values())} {counts}")
    for category, count in counts.items():
        yield Figure(f"shared nouns {category}", count, "words", SHARED[category])


def report_mfd2(data: Path) -> Iterator[Figure]:
    """The column range with vice and without, and our family comparison of each virtue."""
    lexicon = load_lexicon("mfd2", data / CORPORA / "moral-foundations-dictionary-20.dicx")
    entries = [(word, c) for c, words in lexicon.categories.items() for word in words]
    candidates = Candidates.words([word for word, _ in entries])
    scores = {
        file.stem.split("_", 3)[-1]: RecordedScores.from_file(file)
        .score(PAPER_PROMPTS, candidates)
        .values
        for file in files(data, "dict_MFD_20")
    }
    bases = {model: base_of(model) for model in scores}
    valences = [VALENCES[p.valence == "negative"] for p in PAPER_PROMPTS]
    released, virtues = column_ranges(scores, bases, [c for _, c in entries], valences)
    print(
        f"\nMFD2: the released code takes {released.n_words} words, with vice; "
        f"{virtues.n_words} are virtues\n"
    )
    print(f"{'Gemma minus Llama':24}{'released d':>11}{'virtues d':>11}   ours: virtues, p")
    for valence in VALENCES:
        rows = [i for i, v in enumerate(valences) if v == valence]
        for foundation in FOUNDATIONS:
            pair = [r.cell(foundation, valence) for r in (released, virtues)]
            ours = _family(lexicon, foundation, scores, candidates.responses, rows)
            print(
                f"{foundation + ' ' + valence:24}{pair[0].d:+11.2f}{pair[1].d:+11.2f}   "
                f"{ours.estimate:+.3f} [{ours.low:+.3f}, {ours.high:+.3f}], {ours.p:.3f}"
            )
            known = COLUMN_RANGE if valence == "positive" else {}
            targets = known.get(foundation, (None, None))
            for cell, kind, target in zip(pair, ("released", "virtues"), targets, strict=True):
                name = f"MFD2 {kind} d {foundation} {valence}"
                yield Figure(name, cell.d, "d", target, 6e-3)
            yield Figure(f"MFD2 family p {foundation} {valence}", ours.p, "p")


def _family(
    lexicon: Lexicon,
    foundation: str,
    scores: dict[str, np.ndarray],
    responses: tuple[str, ...],
    rows: list[int],
) -> Family:
    found = lexicon.select(f"{foundation}.virtue", responses)
    sides = [
        [values[np.ix_(rows, found.columns)] for m, values in scores.items() if base_of(m) == base]
        for base in (GEMMA, LLAMA)
    ]
    factors = [PAPER_PROMPTS[i].factors for i in rows]
    return family(sides[0], sides[1], found.in_a, found.families, prompts=factors)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="copy of the authors' repository")
    parser.add_argument("--quick", action="store_true", help="Big Two only")
    parser.add_argument("--json", type=Path, metavar="FILE")
    args = parser.parse_args()
    print(f"The paper's tests are reproductions only: {WHY}.\n")
    figures = list(report_big_two(big_two(args.data), args.data))
    if not args.quick:
        figures += report_mfd2(args.data)
    judged = [f.as_json() for f in figures]
    held = [f for f in judged if f["met"] is not None]
    missed = [f for f in held if not f["met"]]
    print(f"\n{len(held) - len(missed)} of {len(held)} targets met")
    for figure in missed:
        print(f"  missed: {figure['name']}: {figure['value']} against {figure['target']}")
    if args.json:
        args.json.write_text(json.dumps(judged, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except ValueBiasError as e:
        raise SystemExit(str(e)) from None
