"""What the paper's tests say of its published scores when the words' labels say nothing.

    python benchmarks/relabelled.py --data DIR [--quick] [--json FILE]

DIR is as for published.py. The nouns' labels change places at random, word families together, so
that no category means anything; then two of the ten models are compared, as the released code
does it and as this tool does. An honest test finds a difference in one draw of twenty. Also: how
alike the words' ranks are from prompt to prompt, and what the ANOVA says of pure noise.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from calibration import ALPHA, FACTORS, PROMPTS, Array, World, interval, published

from valuebias.stats import pair
from valuebias.stats.crossed import ranks
from valuebias.stats.paper.anova import anova
from valuebias.stats.paper.ranks import MedianRanks, cells, median_ranks

Both = Mapping[str, tuple[Mapping[str, Array], Array, Array]]
Rate = tuple[float, float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--quick", action="store_true", help="50 draws")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    draws = 50 if arguments.quick else 1000
    rng = np.random.default_rng(0)
    both = {valence: published(arguments.data, valence) for valence in FACTORS}
    found = {"draws": draws, "alike": alike(both), **alarms(both, rng, draws), **noise(rng, draws)}
    show(found)
    if arguments.json:
        arguments.json.write_text(json.dumps(found, indent=1))


def alike(both: Both) -> dict[str, list[float]]:
    """By valence, the lowest and highest intraclass correlation (consistency, one prompt) of the
    words' ranks over the prompts of one model."""
    return {
        valence: [f([consistency(ranks(v)) for v in models.values()]) for f in (min, max)]
        for valence, (models, _, _) in both.items()
    }


def consistency(values: Array) -> float:
    """ICC(C,1) of (prompts, words): McGraw and Wong (1996), two-way, words the subjects."""
    k, n = values.shape
    words, prompts, grand = values.mean(axis=0), values.mean(axis=1), values.mean()
    between = k * ((words - grand) ** 2).sum() / (n - 1)
    rest = values - words - prompts[:, None] + grand
    error = (rest**2).sum() / ((n - 1) * (k - 1))
    return float((between - error) / (between + (k - 1) * error))


def alarms(both: Both, rng: np.random.Generator, draws: int) -> dict[str, Rate]:
    models, names, in_a = both["positive"]
    groups = np.unique(names, return_inverse=True)[1]
    hits = dict.fromkeys(("Welch on prompts", "ANOVA F(1,208)", "this tool"), 0)
    for _ in range(draws):
        of_a = rng.choice(groups.max() + 1, len(np.unique(groups[in_a])), replace=False)
        side = np.isin(groups, of_a)
        one, two = rng.choice(sorted(models), 2, replace=False)
        medians = of_two(
            [np.concatenate([both[v][0][m] for v in FACTORS]) for m in (one, two)], side
        )
        hits["Welch on prompts"] += cells(medians, draws=1)[0].p < ALPHA
        hits["ANOVA F(1,208)"] += anova(medians).terms[-1].p < ALPHA
        effect = pair(models[one], models[two], side, names, prompts=FACTORS["positive"])
        hits["this tool"] += effect.p < ALPHA
    return {name: rate(n, draws) for name, n in hits.items()}


def noise(rng: np.random.Generator, draws: int) -> dict[str, Rate]:
    """Scores without any persistence: every prompt another draw of words, as the tests assume."""
    world, hits = World(icc=0.0), {"Welch, pure noise": 0, "ANOVA, pure noise": 0}
    for _ in range(draws):
        scores = [np.concatenate([world.draw(rng, 1, 1)[0] for _ in FACTORS]) for _ in range(2)]
        medians = of_two(scores, world.in_a)
        hits["Welch, pure noise"] += cells(medians, draws=1)[0].p < ALPHA
        hits["ANOVA, pure noise"] += anova(medians).terms[-1].p < ALPHA
    return {name: rate(n, draws) for name, n in hits.items()}


def of_two(scores: Sequence[Array], side: Array) -> MedianRanks:
    return median_ranks(
        {f"m{i}": values for i, values in enumerate(scores)},
        {"m0": "first", "m1": "second"},
        np.where(side, "agency", "communion").tolist(),
        [v for v in FACTORS for _ in range(PROMPTS)],
    )


def rate(n: int, draws: int) -> Rate:
    return n / draws, *interval(n, draws)


def show(found: Mapping[str, Any]) -> None:
    for valence, (low, high) in found["alike"].items():
        print(f"ranks of the words over the {valence} prompts: ICC {low:.2f} to {high:.2f}")
    print(f"\nfalse alarms at .05, {found['draws']} draws [99% interval]\n")
    for name, value in found.items():
        if isinstance(value, tuple):
            print(f"| {name} | {value[0]:.3f} [{value[1]:.3f}, {value[2]:.3f}] |")


if __name__ == "__main__":
    main()
