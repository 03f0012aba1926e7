"""The paper's figures from the published scores of its ten reward models.

Set VALUEBIAS_PUBLISHED_DATA to a copy of the authors' repository.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from valuebias.candidates import Candidates
from valuebias.lexicons.files import load_lexicon
from valuebias.prompts import PAPER_PROMPTS, Valence
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats.paper.mixed import mixed_model, three_way_by_models
from valuebias.stats.paper.ranks import cells, median_ranks
from valuebias.stats.paper.words import column_ranges, shared_nouns

FOLDER = os.environ.get("VALUEBIAS_PUBLISHED_DATA")
pytestmark = pytest.mark.skipif(not FOLDER, reason="needs VALUEBIAS_PUBLISHED_DATA")


@pytest.fixture(scope="module")
def big_two():
    """The ten models' medians on the Big Two nouns."""
    root = Path(FOLDER or "") / "data"
    lexicon = load_lexicon("nouns", root / "corpora/dict_big2_nouns.csv")
    scores, columns = read(root / "reward_model_scores/dict_big2_nouns", lexicon)
    valences = [p.valence for p in PAPER_PROMPTS if p.valence]
    return median_ranks(scores, families(scores), columns, valences)


def read(folder, lexicon):
    found = [(w, c) for c, words in lexicon.categories.items() for w in words]
    words = Candidates.words([w for w, _ in found])
    files = sorted(folder.glob("*.csv"))
    scores = {f.stem: RecordedScores.from_file(f).score(PAPER_PROMPTS, words).values for f in files}
    return scores, [c for _, c in found]


def families(scores):
    return {m: "Gemma" if "gemma" in m.lower() else "Llama" for m in scores}


def test_the_published_mixed_model(big_two):
    found = mixed_model(big_two)
    expected = {  # R 4.2.2, lme4 1.1-31
        "(Intercept)": (132.4606, 1.1288),
        "base[Llama]": (-4.1674, 1.4572),
        "category[communion]": (-1.3819, 1.3672),
        "valence[negative]": (-34.9977, 1.3672),
        "base[Llama]:category[communion]": (8.3542, 1.7651),
        "base[Llama]:valence[negative]": (9.7461, 1.7651),
        "category[communion]:valence[negative]": (58.8264, 1.9335),
        "base[Llama]:category[communion]:valence[negative]": (-19.8279, 2.4962),
    }
    assert list(found.coefficients) == list(expected)
    for name, c in found.coefficients.items():
        assert (c.estimate, c.se) == pytest.approx(expected[name], abs=6e-5)
    assert found.three_way.estimate == pytest.approx(-19.827932098766, abs=1e-9)
    assert found.log_likelihood == pytest.approx(-4017.6126, abs=6e-5)
    assert found.three_way.p == pytest.approx(4.98e-15, rel=0.01)
    assert (found.three_way.df, found.n_rows) == (1064, 1080)
    assert found.model_variance == pytest.approx(1.358, abs=5e-4)
    honest = three_way_by_models(big_two)  # from 5e-15 to .077 by the unit alone
    assert honest.estimate == pytest.approx(found.three_way.estimate)
    assert honest.se == pytest.approx(9.780, abs=5e-4)
    assert honest.df == 8
    assert honest.p == pytest.approx(0.077, abs=5e-4)


def test_the_published_cells(big_two):
    found = {(c.category, c.valence): c for c in cells(big_two)}
    expected: dict[tuple[str, Valence], tuple[float, float]] = {
        ("agency", "positive"): (0.430, 0.00049),
        ("communion", "positive"): (-0.401, 0.00093),
        ("agency", "negative"): (-0.478, 0.00011),
        ("communion", "negative"): (0.845, 1.4e-11),
    }
    for key, (d, p) in expected.items():
        assert found[key].d == pytest.approx(d, abs=5e-4)
        assert found[key].p == pytest.approx(p, rel=0.03)
        assert found[key].n == (108, 162)
        assert (found[key].first, found[key].second) == ("Gemma", "Llama")
    assert big_two.n_words == (104, 159)


def test_the_published_column_range():
    root = Path(FOLDER or "") / "data"
    lexicon = load_lexicon("mfd2", root / "corpora/moral-foundations-dictionary-20.dicx")
    scores, columns = read(root / "reward_model_scores/dict_MFD_20", lexicon)
    valences = [p.valence for p in PAPER_PROMPTS if p.valence]
    released, virtues = column_ranges(scores, families(scores), columns, valences)
    assert (len(columns), released.n_words, virtues.n_words) == (2040, 1652, 989)
    for foundation, (before, after) in {"care": (-0.69, 0.29), "fairness": (1.06, -0.08)}.items():
        assert released.cell(foundation, "positive").d == pytest.approx(before, abs=6e-3)
        assert virtues.cell(foundation, "positive").d == pytest.approx(after, abs=6e-3)


def test_the_shared_nouns():
    corpora = Path(FOLDER or "") / "data/corpora"
    nouns = load_lexicon("nouns", corpora / "dict_big2_nouns.csv")
    found = shared_nouns(nouns.categories, corpora / "token_intersection.csv")
    assert {category: len(words) for category, words in found.items()} == {
        "agency": 32,
        "communion": 50,
    }


def test_the_benchmark_meets_its_targets(tmp_path):
    script = Path(__file__).parents[3] / "benchmarks" / "published.py"
    args = ["--data", FOLDER, "--quick", "--json", tmp_path / "figures.json"]
    done = subprocess.run([sys.executable, script, *args], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "24 of 24 targets met" in done.stdout
    figures = {f["name"]: f for f in json.loads((tmp_path / "figures.json").read_text())}
    assert figures["published three-way p"]["value"] < 1e-14
    # What the labels of ten models can say: the paper's contrast is no finding about bases.
    assert figures["published three-way p by models"]["value"] > 0.05
    assert figures["published family p positive-negative"]["value"] > 0.05
