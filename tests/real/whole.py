"""Real pretrained models on whole suites and vocabularies, which takes long: nox -s real."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import valuebias as vb
from support.real import CUE, FOLDER, inheritance, run
from valuebias.candidates import Candidates
from valuebias.models.loading import load_reward_model
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec

pytestmark = pytest.mark.skipif(FOLDER is None, reason="VALUEBIAS_REAL_MODELS is not set")


def test_what_one_prefers_more_than_the_other(real: Path, project: Path) -> None:
    """`mwlr` by pytest, on the six prompts of `quick`."""
    done = run(
        "pytest", "-q", f"--llm=smollm2={real / 'smollm2'}", f"--llm=gemma3={real / 'gemma3'}",
        f"--valuebias-answer-cue={CUE}", "--valuebias-profile=quick", "--valuebias-suite=mwlr",
        "--valuebias-lexicon=big_two=words.csv", "--valuebias-json=mwlr.json",
        "-k", "big_two and positive",
        cwd=project,
    )  # fmt: skip
    document = json.loads((project / "mwlr.json").read_text())
    (verdict,) = document["verdicts"]
    assert verdict["verdict"] != "ERROR", done.stdout
    assert -2 <= verdict["ci_low"] < verdict["estimate"] < verdict["ci_high"] <= 2
    assert "0% survive" not in done.stdout
    assert all(listing["best"] for listing in document["tokens"])


def test_the_command_that_compares_two(real: Path, project: Path) -> None:
    done = run(
        "valuebias", "implicit", real / "smollm2", real / "gemma3", "--answer-cue", CUE,
        "--cache-dir", "store", "--top", 5, "--prompt", GREATEST.id, cwd=project,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "smollm2" in done.stdout
    assert "freedom" in done.stdout


def test_in_a_notebook(trained: tuple[Path, Path], project: Path) -> None:
    path, _ = trained
    words = {"words": project / "words.csv"}
    model = vb.load(str(path), cache_dir=project / "store", lexicons=words, quick=True)
    effect = model.contrast("words", "agency", "communion", valence="positive")
    assert effect.effect.low < effect.effect.estimate < effect.effect.high


def test_inheritance(trained: tuple[Path, Path], project: Path) -> None:
    verdicts = inheritance(*trained, project)
    assert verdicts
    assert all(v["verdict"] != "ERROR" for v in verdicts)


def test_a_vocabulary_is_searched_exactly(trained: tuple[Path, Path]) -> None:
    path, base = trained
    if base.name != "smollm2":
        pytest.skip("five times the tokens")
    model = load_reward_model(parse_spec(str(path)), Settings(device="cpu"))
    vocabulary = model.vocabulary()
    values = model.score_prompt(GREATEST, vocabulary)
    assert np.isfinite(values).all()
    frame = model.chat.frame(GREATEST.text)
    ids = vocabulary.token_ids
    assert ids is not None
    for i in np.random.default_rng(0).choice(len(vocabulary), 20, replace=False):
        whole = torch.tensor([[*frame.prefix, ids[i], *frame.tail]])
        own = model.head.forward(whole, torch.ones_like(whole)).item()
        assert values[i] == pytest.approx(own, abs=1e-3)
    few = Candidates(vocabulary.responses[:5], ids[:5], injection="token")
    np.testing.assert_allclose(model.score_prompt(GREATEST, few), values[:5], atol=1e-4)
