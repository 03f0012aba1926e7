"""The ten reward models of the paper, from their published scores, through the command itself."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

Run = Callable[..., pytest.RunResult]

FOLDER = os.environ.get("VALUEBIAS_PUBLISHED_DATA")
pytestmark = pytest.mark.skipif(not FOLDER, reason="VALUEBIAS_PUBLISHED_DATA is not set")

# Computed apart from this code, by word family, at 95 %.
EXPECTED = {
    ("Skywork-Reward-Gemma-2-27B-v0.2", "positive"): (+0.003, -0.163, +0.168),
    ("ArmoRM-Llama3-8B-v0.1", "positive"): (+0.115, -0.044, +0.273),
    ("URM-LLaMa-3.1-8B", "negative"): (+0.349, +0.195, +0.503),
}


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
    for key, values in EXPECTED.items():
        assert found[key] == pytest.approx(values, abs=6e-4)
    assert "ten public reward models" in result.stdout.str()
