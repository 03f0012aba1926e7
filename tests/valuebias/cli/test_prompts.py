"""`--prompts` of the commands, and of `valuebias.load`: what is asked, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

import valuebias as vb
from support.documents import CHECKOUT
from support.models import save_reward_model
from support.scores import write_scores
from valuebias.cli.main import main
from valuebias.declarations.prompts import load_prompts
from valuebias.errors import ReportError, ScoresError, SpecError
from valuebias.prompts import BALANCED, PAPER, PromptSet
from valuebias.scorers.recorded_file import read_scores

GERMAN = CHECKOUT / "examples" / "lexicon_in_german" / "prompts_de.yaml"
QUESTION = ("big_two", "agency", "communion")


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)


def table(name: str, prompts: PromptSet, noise: int | None = None) -> str:
    return f"scores:{write_scores(Path(name).absolute(), prompts=prompts.prompts, noise=noise)}"


def test_search_records_all_of_a_set(capsys: pytest.CaptureFixture[str]) -> None:
    """A live model, asked in German; what is written is read back under the same set alone."""
    rm = save_reward_model(Path("rm").absolute())
    Path("words.txt").write_text("love\npower\nduty\n")
    asked = ["--rm", str(rm), "--candidates", "words.txt", "--prompts", str(GERMAN)]
    assert main(["search", *asked, "--out", "all.csv"]) == 0
    german = load_prompts(GERMAN)
    scores = read_scores(Path("all.csv"), "all", german)
    assert scores.prompts == german.prompts
    assert "54 prompts" in capsys.readouterr().out
    assert main(["search", *asked, "--prompt", "beste_ever_one", "--out", "one.csv"]) == 0
    one = read_scores(Path("one.csv"), "one", german)
    assert one.prompts == german.prompts[:1]
    assert one.values.tolist() == scores.values[:1].tolist()
    assert (
        main(["search", *asked[:-1], "paper", "--prompt", "beste_ever_one", "--out", "o.csv"]) == 2
    )
    assert "such as greatest_ever_one" in capsys.readouterr().err


def test_search_needs_a_prompt_or_a_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["search", "--rm", "demo:agency", "--out", "o.csv"]) == 2
    assert "no prompt was given" in capsys.readouterr().err
    arguments = ["search", "--rm", "demo:agency", "--prompts", "none.yaml", "--out", "o.csv"]
    assert main(arguments) == 2
    assert "neither the name of a prompt set nor a file" in capsys.readouterr().err


def test_compare_asks_the_set(capsys: pytest.CaptureFixture[str]) -> None:
    models = [table("a.csv", BALANCED), table("b.csv", BALANCED, noise=1)]
    asked = ["compare", *models, "--suite", "big_two", "--prompts", "balanced"]
    assert main(asked) == 0
    assert "27 prompts (balanced)" in " ".join(capsys.readouterr().out.split())
    assert main(asked[:-2]) == 1  # the paper's prompts were not recorded
    assert "name the prompt set" in " ".join(capsys.readouterr().out.split())


def test_a_model_in_a_notebook_is_asked_its_set(tmp_path: Path) -> None:
    model = vb.load(table("a.csv", BALANCED), prompts="balanced")
    effect = model.contrast(*QUESTION, valence="positive")
    assert effect.measurement.prompts == BALANCED
    assert effect.measurement.effect.n_prompts == 27
    assert "27 prompts (balanced)" in effect.measurement.rests_on
    quick = model.contrast(*QUESTION, valence="positive", quick=True)
    assert quick.measurement.effect.n_prompts == 6
    assert quick.judge(-0.9, 0.9).outcome == "INCONCLUSIVE"
    assert model.score(["love"], "balanced").values.shape == (54, 1)
    assert model.score(["love"]).prompts == (BALANCED.lead,)
    assert model.top_tokens(2).prompt == BALANCED.lead
    document = vb.report([effect, quick])
    assert document["prompt_set"]["name"] == "balanced"
    assert [p["id"] for p in document["prompts"]] == [p.id for p in BALANCED.prompts]
    other = vb.load(table("b.csv", PAPER), name="b")
    with pytest.raises(ReportError, match="one prompt set"):
        vb.report([effect, other.contrast(*QUESTION, valence="positive")])
    with pytest.raises(ScoresError, match="has no score for 21 of 27 prompts"):
        vb.load(table("b.csv", PAPER), name="c", prompts="balanced").contrast(
            *QUESTION, valence="positive"
        )
    with pytest.raises(SpecError, match="neither the name of a prompt set nor a file"):
        vb.load("demo:agency", prompts=tmp_path / "none.yaml")


def test_a_set_of_ones_own_is_found_by_its_ids() -> None:
    german = load_prompts(GERMAN)
    model = vb.load(table("de.csv", german), prompts=GERMAN)
    assert model.prompts == german
    scores = model.score(["love", "power"], ["kostbarste_ever_single", "beste_ever_one"])
    assert [p.id for p in scores.prompts] == ["kostbarste_ever_single", "beste_ever_one"]
    assert vb.load("demo:agency", prompts=german).prompts is german
