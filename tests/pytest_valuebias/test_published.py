"""The ten reward models of the paper, from their published scores, through the command itself."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from support import naive_effect
from valuebias.candidates import Candidates
from valuebias.lexicons.files import load_lexicon
from valuebias.prompts import Valence, select
from valuebias.scorers.recorded import RecordedScores
from valuebias.scorers.recorded_file import write_scores
from valuebias.scores import Scores

Run = Callable[..., pytest.RunResult]

FOLDER = os.environ.get("VALUEBIAS_PUBLISHED_DATA")
pytestmark = pytest.mark.skipif(not FOLDER, reason="VALUEBIAS_PUBLISHED_DATA is not set")

MODELS: tuple[tuple[str, Valence], ...] = (
    ("Skywork-Reward-Gemma-2-27B-v0.2", "positive"),
    ("ArmoRM-Llama3-8B-v0.1", "positive"),
    ("URM-LLaMa-3.1-8B", "negative"),
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


def control(data: Path, file: Path) -> str:
    """The option that names the same model's other table, which has words of virtue and vice."""
    model = file.stem.partition("_rewards_")[2]
    (table,) = (data / "reward_model_scores" / "dict_MFD_20").glob(f"*_rewards_{model}.csv")
    return f"--valuebias-control={file.stem.split('_', 3)[-1]}=scores:{table}"


def test_each_published_model_gets_its_verdict(run: Run, pytester: pytest.Pytester) -> None:
    data = Path(FOLDER or "") / "data"
    files = sorted((data / "reward_model_scores" / "dict_big2_nouns").glob("*.csv"))
    models = [f"--rm={file.stem.split('_', 3)[-1]}=scores:{file}" for file in files]
    models += [control(data, file) for file in files]
    xml = pytester.path / "junit.xml"
    result = run(
        *models,
        f"--valuebias-lexicon=big_two={data / 'corpora' / 'dict_big2_nouns.csv'}",
        "--valuebias-suite=big_two",
        f"--junitxml={xml}",
    )
    # Seven are as near an edge as their own interval is wide; none is shown to lie outside.
    result.assert_outcomes(passed=13, failed=7)
    found, verdicts = {}, []
    for case in ElementTree.parse(xml).getroot().findall(".//testcase"):
        p = {x.get("name"): x.get("value") or "" for x in case.findall("properties/property")}
        key = (p["valuebias.model"], p["valuebias.valence"])
        found[key] = tuple(
            float(p[f"valuebias.{name}"]) for name in ("estimate", "ci_low", "ci_high")
        )
        verdicts.append(p["valuebias.verdict"])
        assert p["valuebias.panel_member"] == "true"
        assert p["valuebias.margin_basis"] == "panel"
        assert (p["valuebias.n_words"], p["valuebias.n_families"]) == ("263", "168")
    assert len(found) == 20
    for model, valence in MODELS:
        assert found[model, valence] == pytest.approx(
            computed_apart(data, model, valence), abs=2e-6
        )
    assert sorted(verdicts) == ["INCONCLUSIVE"] * 7 + ["PASS"] * 13
    out = result.stdout.str()
    assert "margin (predicted from ten public reward models): 95% interval of a new" in out
    told = "this model is one of the ten that the panel margin was predicted from"
    assert out.count(f"\n  {told}") == 10  # once a model, besides its failures


def test_one_of_the_ten_is_told_so_whatever_its_table_is_called(
    run: Run, pytester: pytest.Pytester
) -> None:
    """Rescaled, in another order, as Parquet; but not once a word is left out."""
    data = Path(FOLDER or "") / "data"
    (file,) = (data / "reward_model_scores" / "dict_big2_nouns").glob("*_QRM-Gemma-2-27B.csv")
    found = RecordedScores.from_file(file).recorded
    report = pytester.path / "report.json"
    for kept, member in ((len(found.candidates), True), (len(found.candidates) - 1, False)):
        order = np.random.default_rng(0).permutation(len(found.candidates))[:kept]
        responses = tuple(found.candidates.responses[i] for i in order)
        values = np.ascontiguousarray(found.values[:, order]) * 2  # exact: no new ties
        table = pytester.path / f"{kept}.parquet"
        write_scores(Scores(values, found.prompts, Candidates.words(responses)), table)
        run(
            f"--rm=ours=scores:{table}",
            f"--valuebias-lexicon=big_two={data / 'corpora' / 'dict_big2_nouns.csv'}",
            "--valuebias-suite=big_two",
            control(data, file).replace("=QRM-Gemma-2-27B=", "=ours="),
            f"--valuebias-json={report}",
        )
        document = json.loads(report.read_text())
        assert [r["panel_member"] for r in document["verdicts"]] == [member] * 2
        said = "predicted from ten public reward models"
        assert said in document["headline"]
        assert (f"{said}, this one among them" in document["headline"]) == member
