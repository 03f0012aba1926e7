"""The public API: which names there are, what they cost to import, and what they do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import valuebias as vb
from support.models import save_language_model, save_reward_model
from support.schema import problems
from support.scores import write_scores
from valuebias.candidates import Vocabulary
from valuebias.errors import LexiconError, ModelError, ReportError, SpecError, StatisticsError
from valuebias.models.spec import LoadAs

NAMES = {
    "Candidates", "Cause", "Judgement", "Lexicon", "MeasuredEffect", "Model", "Outcome",
    "PAPER_PROMPTS", "Prompt", "Scorer", "Scores", "ValueBiasError", "compare", "forecast",
    "load", "load_lexicon", "load_ratings", "report",
}  # fmt: skip
QUESTION = ("big_two", "agency", "communion")


def test_the_names_are_these() -> None:
    assert set(vb.__all__) == NAMES == set(dir(vb))
    for name in vb.__all__:
        found = getattr(vb, name)
        assert name == "PAPER_PROMPTS" or found.__doc__, name
        assert vars(vb)[name] is found, "kept after its first use"
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = vb.nothing


def test_importing_it_imports_nothing_else() -> None:
    code = (
        "import sys, valuebias; "
        "found = [m for m in sys.modules if m.startswith('valuebias.')]; "
        "assert not found, found; "
        "assert 'numpy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("first", ["import valuebias.report.html", "from valuebias import report"])
def test_the_report_package_never_takes_the_functions_place(first: str) -> None:
    code = f"{first}; import valuebias; assert callable(valuebias.report), valuebias.report"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.fixture
def agency(tmp_path: Path) -> vb.Model:
    path = write_scores(tmp_path / "agency.csv", shift=1.2, lexicons=("big_two",))
    return vb.load(f"scores:{path}", cache_dir=tmp_path)


@pytest.fixture
def even(tmp_path: Path) -> vb.Model:
    path = write_scores(tmp_path / "even.csv", lexicons=("big_two",), noise=3)
    return vb.load(f"scores:{path}", name="even", cache_dir=tmp_path)


def test_an_effect_is_one_line_and_a_table(agency: vb.Model) -> None:
    effect = agency.contrast(*QUESTION, valence="positive")
    line = repr(effect)
    assert line.startswith("<agency.csv: agency~communion, positive prompts: +.")
    assert len(line) < 100
    assert effect.interval[0] < effect.estimate < effect.interval[1]
    html = effect._repr_html_()
    assert html.count("<tr>") == 2
    assert "<svg" in html
    assert "NO MARGIN" in html
    with pytest.raises(StatisticsError, match="has no truth value"):
        bool(effect)


def test_a_judgement_says_why(agency: vb.Model, even: vb.Model) -> None:
    failed = agency.contrast(*QUESTION, valence="positive").judge(-0.276, 0.276)
    assert (failed.outcome, failed.cause) == (vb.Outcome.FAIL, vb.Cause.OUTSIDE)
    assert repr(failed).startswith("<FAIL: the 90% interval")
    passed = even.contrast(*QUESTION, valence="positive").judge(-0.4, 0.4)
    assert passed.outcome == "PASS"
    assert "PASS" in passed._repr_html_()
    effect = even.contrast(*QUESTION, valence="positive")
    assert effect.judge(low=-0.5).outcome == effect.judge(high=0.5).outcome == "PASS"
    with pytest.raises(StatisticsError, match="needs a bound"):
        effect.judge()
    with pytest.raises(StatisticsError, match="gates nothing"):
        effect.judge(high=1.0)
    with pytest.raises(StatisticsError, match="has no truth value"):
        assert passed


def test_two_models_are_compared(agency: vb.Model, even: vb.Model) -> None:
    shift = vb.compare(agency, even, *QUESTION, valence="positive")
    assert shift.estimate > 0.3
    turned = vb.compare(even, agency, *QUESTION, valence="positive")
    assert turned.estimate == pytest.approx(-shift.estimate, abs=1e-12)
    assert "agency.csv minus even" in repr(shift)


def test_scores_become_a_frame(agency: vb.Model) -> None:
    words = vb.load_lexicon  # a function, not loaded before its first use
    assert callable(words)
    scores = agency.score(prompts="paper", words=["love", "freedom"])
    frame = scores.to_frame()
    assert list(frame.columns) == ["prompt", "valence", "response", "token_id", "score"]
    assert len(frame) == 54 * 2
    row = frame[(frame.prompt == "worst_ever_one") & (frame.response == "freedom")]
    at = [p.id for p in vb.PAPER_PROMPTS].index("worst_ever_one")
    assert row.score.item() == scores.values[at, 1]
    with pytest.raises(SpecError, match="sequence of strings"):
        agency.score("love")


def test_what_was_asked_wrong_is_said(agency: vb.Model, tmp_path: Path) -> None:
    with pytest.raises(LexiconError, match="unknown valence"):
        agency.contrast(*QUESTION, valence="both")  # type: ignore[arg-type]
    with pytest.raises(LexiconError, match="no such category"):
        agency.contrast("big_two", "agency", "care", valence="positive")
    with pytest.raises(LexiconError, match="unknown lexicon"):
        agency.contrast("bigtwo", "agency", "communion", valence="positive")
    with pytest.raises(SpecError, match="empty model spec"):
        vb.load(" ")
    with pytest.raises(SpecError, match="needs its tokenizer"):
        vb.load(object())
    with pytest.raises(ModelError, match="not a transformers model"):
        vb.load(object(), object())
    base = tmp_path / "b.json"
    base.write_text("{}")
    with pytest.raises(SpecError, match="baseline"):
        vb.load(f"baseline:{base}")


def test_the_report_is_the_one_that_tests_write(
    agency: vb.Model, even: vb.Model, tmp_path: Path
) -> None:
    effects = [agency.contrast(*QUESTION, valence=v) for v in ("positive", "negative")]
    shift = vb.compare(agency, even, *QUESTION, valence="positive")
    judged = [e.judge(-0.276, 0.276) for e in effects]
    page, data = tmp_path / "r.html", tmp_path / "r.json"
    document = vb.report([*judged, shift], html=page, json=data)
    assert problems(document) == []
    assert json.loads(data.read_text()) == document
    assert document["outcome"] == "FAIL"
    assert [r["verdict"] for r in document["verdicts"]][2] == "NO MARGIN"
    # Ranks are drawn of the model that was asked on both valences, and of no other.
    assert [r["subject"] for r in document["ranks"]] == ["agency.csv"]
    assert "agency.csv minus even" in page.read_text()
    with pytest.raises(ReportError, match="nothing to report"):
        vb.report([])


@pytest.mark.parametrize("kind", ["rm", "llm"])
def test_a_model_in_memory_gives_what_its_folder_gives(kind: LoadAs, tmp_path: Path) -> None:
    import torch
    from transformers import (
        AutoModelForCausalLM,
        AutoModelForSequenceClassification,
        AutoTokenizer,
    )

    save = save_reward_model if kind == "rm" else save_language_model
    folder = save(tmp_path / "model")
    load = AutoModelForSequenceClassification if kind == "rm" else AutoModelForCausalLM
    model = load.from_pretrained(folder, dtype=torch.float32).train()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    mine = vb.load(model, tokenizer, name="mine")
    assert not model.training
    assert mine.name == "mine"
    stored = vb.load(
        str(folder), load_as=kind, device="cpu", dtype="float32", cache_dir=tmp_path / "store"
    )
    words = ["freedom", "love", "common good"]
    here, there = (m.score(words, prompts=vb.PAPER_PROMPTS[:3]).values for m in (mine, stored))
    np.testing.assert_array_equal(here, there)
    assert mine.top_tokens(3).best == stored.top_tokens(3).best
    if kind == "rm":  # a language model refuses tokens that are part of a character
        scorers, asked = (mine.scorer, stored.scorer), vb.PAPER_PROMPTS[:1]
        one, other = (scorer.score(asked, Vocabulary("text")) for scorer in scorers)
        assert one.candidates == other.candidates
        np.testing.assert_array_equal(one.values, other.values)
    assert mine.scorer.token_counts(words) == stored.scorer.token_counts(words)
    assert mine.scorer.left_out(vb.PAPER_PROMPTS[:1], vb.Candidates.words(words)) is None
    before = mine.fingerprint
    theta, model.config.rope_theta = getattr(model.config, "rope_theta", None), 7.0
    assert vb.load(model, tokenizer).fingerprint != before
    model.config.rope_theta = theta
    model.train()
    with pytest.raises(ModelError, match=r"changed after it was loaded.*mine in training mode"):
        mine.score(words)
    model.eval()
    mine.score(words)
    with torch.no_grad():
        next(model.parameters()).add_(1)
    with pytest.raises(ModelError, match=r"changed after it was loaded.*mine, other weights"):
        mine.score(words)
    again = vb.load(model, tokenizer)
    assert again.fingerprint != before
