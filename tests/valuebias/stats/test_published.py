"""The effect on the published scores of ten public reward models, against known figures.

Set VALUEBIAS_PUBLISHED_DATA to a copy of the authors' repository.
"""

from __future__ import annotations

import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import snowballstemmer

import valuebias_suites
from support import naive_effect
from valuebias.candidates import Candidates
from valuebias.declarations.margins import load_margins
from valuebias.lexicons.files import load_lexicon
from valuebias.prompts import Valence, select
from valuebias.questions import Declared
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats import Outcome, judge, pair, single
from valuebias.stats.crossed import half_width

pytestmark = pytest.mark.skipif(
    not os.environ.get("VALUEBIAS_PUBLISHED_DATA"), reason="needs VALUEBIAS_PUBLISHED_DATA"
)

# Positive and negative, computed with another implementation: every spelling counted alike, and on
# positive prompts every word family.
BY_SPELLING = {
    "LxzGordon_URM-LLaMa-3.1-8B": (0.026, 0.349),
    "RLHFlow_ArmoRM-Llama3-8B-v0.1": (0.115, 0.296),
    "Ray2333_GRM-Llama3-8B-rewardmodel-ft": (-0.020, 0.105),
    "Ray2333_GRM-Llama3.2-3B-rewardmodel-ft": (0.047, 0.181),
    "Ray2333_GRM-gemma2-2B-rewardmodel-ft": (0.004, 0.370),
    "Skywork_Skywork-Reward-Gemma-2-27B-v0.2": (0.003, 0.377),
    "Skywork_Skywork-Reward-Gemma-2-27B": (-0.028, 0.248),
    "Skywork_Skywork-Reward-Llama-3.1-8B-v0.2": (0.064, 0.324),
    "nicolinho_QRM-Gemma-2-27B": (-0.002, 0.303),
    "nicolinho_QRM-Llama3.1-8B": (-0.064, 0.283),
}
BY_FAMILY = dict(
    zip(
        BY_SPELLING,
        (-0.076, 0.018, -0.093, -0.001, -0.054, -0.073, -0.105, -0.035, -0.088, -0.154),
        strict=True,
    )
)
BY_WORD = {
    ("Skywork_Skywork-Reward-Gemma-2-27B-v0.2", "positive"): (-0.137, 0.143),
    ("RLHFlow_ArmoRM-Llama3-8B-v0.1", "positive"): (-0.022, 0.251),
    ("LxzGordon_URM-LLaMa-3.1-8B", "negative"): (0.223, 0.476),
}


@pytest.fixture(scope="module")
def root() -> Path:
    return Path(os.environ["VALUEBIAS_PUBLISHED_DATA"])


@pytest.fixture(scope="module")
def lexicon(root):
    return load_lexicon("nouns", root / "data/corpora/dict_big2_nouns.csv")


@pytest.fixture(scope="module")
def data(root, lexicon):
    """(model, valence) -> values, sides, families."""

    def read(model, valence):
        folder = root / "data/reward_model_scores/dict_big2_nouns"
        recorded = RecordedScores.from_file(folder / f"big2_rewards_{model}.csv")
        found = lexicon.select("agency~communion", recorded.responses)
        words = Candidates.words([recorded.responses[i] for i in found.columns])
        return recorded.score(select(valence), words).values, found.in_a, found.families

    return read


@pytest.fixture(scope="module")
def stems(root, lexicon):
    """The families that the figures were computed with: Snowball's stems, without rules for
    derivational relatives."""
    file = f"big2_rewards_{next(iter(BY_SPELLING))}.csv"
    recorded = RecordedScores.from_file(root / "data/reward_model_scores/dict_big2_nouns" / file)
    words = lexicon.select("agency~communion", recorded.responses).words
    return np.array(snowballstemmer.stemmer("english").stemWords([w.casefold() for w in words]))


def factors(valence):
    return [prompt.factors for prompt in select(valence)]


@pytest.mark.parametrize("model", BY_SPELLING)
def test_the_ten_models(model, data, stems):
    for valence, expected in zip(("positive", "negative"), BY_SPELLING[model], strict=True):
        values, in_a, _ = data(model, valence)
        effect = single(values, in_a, stems)
        assert effect.by_spelling == pytest.approx(expected, abs=6e-4)
        if valence == "positive":
            assert effect.estimate == pytest.approx(BY_FAMILY[model], abs=6e-4)
        # One scorer's interval is symmetric on Fisher's scale, about the same half width.
        half = half_width(effect.parts, 0.05)
        on_z = np.arctanh([effect.low, effect.estimate, effect.high])
        assert np.diff(on_z) * (1 - effect.estimate**2) == pytest.approx([half, half], rel=1e-9)
        assert effect.n_words == (104, 159)
        assert sum(effect.n_families) == 176


@pytest.mark.parametrize("model", BY_SPELLING)
def test_the_ten_models_as_the_plugin_sees_them(model, data, lexicon):
    """Prompts of one adjective lean alike, which the interval of independent prompts misses."""
    margins = load_margins(valuebias_suites.MARGINS)
    for valence in ("positive", "negative"):
        values, in_a, families = data(model, valence)
        effect = single(values, in_a, families, prompts=factors(valence))
        naive = naive_effect.effect([[(1, values)]], in_a, families, factors(valence))
        assert effect.estimate == pytest.approx(naive.estimate, abs=1e-9)
        assert np.array(effect.parts) == pytest.approx(np.array(naive.parts), rel=1e-6)
        assert (effect.low, effect.high) == pytest.approx(naive.interval, abs=1e-6)
        independent = single(values, in_a, families)
        wider = half_width(effect.parts, 0.05) - half_width(independent.parts, 0.05)
        assert -2e-3 < wider < 0.13
        margin = margins.margin_for(lexicon, "agency~communion", valence, "range")
        assert margin is not None
        assert judge(effect, margin).outcome is not Outcome.FAIL


@pytest.mark.parametrize(("model", "valence"), BY_WORD)
def test_by_word_for_comparison(model, valence, data):
    effect = single(*data(model, valence), cluster="word")
    # Every spelling a family: CR1 and CR2 are one. What is left is the t of each part and rounding.
    low, high = BY_WORD[model, valence]
    assert -5e-4 < half_width(effect.parts, 0.05) - (high - low) / 2 < 1e-3


def test_siblings_differ_within_a_paired_interval(data, stems):
    new, old = (f"Skywork_Skywork-Reward-Gemma-2-27B{v}" for v in ("-v0.2", ""))
    values, in_a, families = data(new, "positive")
    effect = pair(values, data(old, "positive")[0], in_a, families)
    assert effect.by_spelling == pytest.approx(0.003 + 0.028, abs=2e-3)
    by_stem = pair(values, data(old, "positive")[0], in_a, stems)
    assert by_stem.estimate == pytest.approx(-0.073 + 0.105, abs=2e-3)
    assert effect.low < 0 < effect.high
    singles = [single(*data(model, "positive")).se for model in (new, old)]
    assert effect.se < min(singles)  # the words are the same


def test_the_margins_are_those_the_script_computes(root, lexicon, tmp_path):
    script = Path(__file__).parents[3] / "benchmarks" / "panel.py"
    done = subprocess.run(
        [sys.executable, script, "--data", root, "--quick", "--json", tmp_path / "figures.json"],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "0 FAIL; " in done.stdout  # no model is shown to lie outside what the others predict
    figures = {f["name"]: f for f in json.loads((tmp_path / "figures.json").read_text())}
    margins = load_margins(valuebias_suites.MARGINS)
    valences: tuple[Valence, ...] = ("positive", "negative")
    roles: tuple[Declared, ...] = ("range", "shift")
    for valence, role in itertools.product(valences, roles):
        margin = margins.margin_for(lexicon, "agency~communion", valence, role)
        assert margin is not None
        name = f"panel dict_big2_nouns.csv agency~communion {valence} {role}"
        assert margin.low == figures[f"{name} low"]["value"]
        assert margin.high == figures[f"{name} high"]["value"]


@pytest.mark.parametrize("valence", ["positive", "negative"])
def test_how_much_models_differ_beyond_sampling_error_from_pairs_alone(data, lexicon, valence):
    """Half of what squared differences have above their own sampling variance, over all pairs of
    models: by loops and by paired intervals, without the covariance of ten models."""
    ten = [data(model, valence) for model in BY_SPELLING]
    _, in_a, families = ten[0]
    above = []
    for (x, *_), (y, *_) in itertools.combinations(ten, 2):
        found = naive_effect.effect([[(1, x), (-1, y)]], in_a, families, factors(valence))
        above.append((found.estimate**2 - found.se**2) / 2)
    between = max(float(np.mean(above)), 0.0) ** 0.5
    mean = np.mean([naive_effect.rank_biserial(x, in_a, families) for x, *_ in ten])
    margins = load_margins(valuebias_suites.MARGINS)
    margin = margins.margin_for(lexicon, "agency~communion", valence, "range")
    assert margin is not None
    assert (margin.low + margin.high) / 2 == pytest.approx(mean, abs=1e-3)
    (told,) = map(float, re.findall(r"between models (\.\d+)", margin.source))
    assert told == pytest.approx(between, abs=0.006)
