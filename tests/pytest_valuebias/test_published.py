"""The ten reward models of the paper, from their published scores, through the command itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support import naive_effect
from valuebias.candidates import Candidates
from valuebias.lexicons.files import load_lexicon
from valuebias.prompts import Valence, select
from valuebias.scorers.recorded import RecordedScores

Run = Callable[..., pytest.RunResult]

FOLDER = os.environ.get("VALUEBIAS_PUBLISHED_DATA")
pytestmark = pytest.mark.skipif(not FOLDER, reason="VALUEBIAS_PUBLISHED_DATA is not set")

MODELS: tuple[tuple[str, Valence, float], ...] = (
    ("Skywork-Reward-Gemma-2-27B-v0.2", "positive", +0.003),
    ("ArmoRM-Llama3-8B-v0.1", "positive", +0.115),
    ("URM-LLaMa-3.1-8B", "negative", +0.349),
)


def computed_apart(root: Path, model: str, valence: Valence) -> tuple[float, float, float]:
    """The interval by word family, prompts of one adjective being no independent draws."""
    (file,) = (root / "reward_model_scores" / "dict_big2_nouns").glob(f"*_{model}.csv")
    recorded = RecordedScores.from_file(file)
    lexicon = load_lexicon("nouns", root / "corpora" / "dict_big2_nouns.csv")
    words = lexicon.select("agency~communion", recorded.responses)
    asked = Candidates.words([recorded.responses[i] for i in words.columns])
    values = recorded.score(select(valence), asked).values
    factors = [prompt.factors for prompt in select(valence)]
    found = naive_effect.effect([[(1, values)]], words.in_a, words.families, factors)
    return found.estimate, *found.interval


def test_each_published_model_gets_its_verdict(run: Run, pytester: pytest.Pytester) -> None:
    data = Path(FOLDER or "") / "data"
    files = sorted((data / "reward_model_scores" / "dict_big2_nouns").glob("*.csv"))
    models = [f"--rm={file.stem.split('_', 3)[-1]}=scores:{file}" for file in files]
    xml = pytester.path / "junit.xml"
    result = run(
        *models,
        f"--valuebias-lexicon=big_two={data / 'corpora' / 'dict_big2_nouns.csv'}",
        "--valuebias-suite=big_two",
        f"--junitxml={xml}",
    )
    result.assert_outcomes(passed=20)
    found = {}
    for case in ElementTree.parse(xml).getroot().findall(".//testcase"):
        p = {x.get("name"): x.get("value") or "" for x in case.findall("properties/property")}
        key = (p["valuebias.model"], p["valuebias.valence"])
        found[key] = tuple(
            float(p[f"valuebias.{name}"]) for name in ("estimate", "ci_low", "ci_high")
        )
        assert p["valuebias.verdict"] == "PASS"  # each is a part of the range it is held against
        assert p["valuebias.margin_basis"] == "panel"
        assert (p["valuebias.n_words"], p["valuebias.n_families"]) == ("263", "176")
    assert len(found) == 20
    for model, valence, estimate in MODELS:
        assert found[model, valence] == pytest.approx(
            computed_apart(data, model, valence), abs=2e-6
        )
        assert found[model, valence][0] == pytest.approx(estimate, abs=6e-4)
    assert "ten public reward models" in result.stdout.str()
