"""Real pretrained models, on few words: SmolLM2-135M-Instruct (a chat template, no BOS) and Gemma 3
270M (BOS, no template, 262,144 tokens), in the folder that VALUEBIAS_REAL_MODELS names.

The whole vocabularies and suites are in test_whole.py, a session of its own (nox -s real).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import valuebias as vb
from valuebias.lexicons.files import starter
from valuebias.models.loading import load_language_model, load_reward_model
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec

FOLDER = os.environ.get("VALUEBIAS_REAL_MODELS")
pytestmark = pytest.mark.skipif(FOLDER is None, reason="VALUEBIAS_REAL_MODELS is not set")

CUE = "\nAnswer:"
MODELS = {"smollm2": "", "gemma3": CUE}
WORDS = tuple(
    word
    for category in ("agency", "communion")
    for word in list(starter("big_two").categories[category])[:60:2]
)
PROMPTS = (GREATEST, next(p for p in vb.PAPER_PROMPTS if p.valence == "negative"))


@pytest.fixture(scope="module")
def real() -> Path:
    assert FOLDER is not None
    return Path(FOLDER)


@pytest.fixture(scope="module", params=MODELS)
def language(request: pytest.FixtureRequest, real: Path) -> Any:
    name = request.param
    spec = parse_spec(str(real / name), load_as="llm")
    return load_language_model(spec, Settings(device="cpu", answer_cue=MODELS[name]))


def test_a_language_model_is_exact(language: Any) -> None:
    words = vb.Candidates.words(WORDS)
    scores = language.score(PROMPTS, words)
    assert scores.values.shape == (2, 60)
    model, chat = language.model, language.chat
    for prompt, row in zip(PROMPTS, scores.values, strict=True):
        opened, _ = chat.opening(prompt.text + language.answer_cue)
        for word in (0, 17, 59):
            (tail,) = chat.continuations(prompt.text + language.answer_cue, [WORDS[word]])
            with torch.inference_mode():
                logits = model(torch.tensor([[*opened, *tail]])).logits[0].float()
            log_p = logits[len(opened) - 1 : -1].log_softmax(-1)
            own = log_p[range(len(tail)), tail].sum().item()
            assert row[word] == pytest.approx(own, abs=2e-3)


def test_spellings_add_up_the_probabilities_of_each(language: Any) -> None:
    together = language.score([GREATEST], vb.Candidates.words(["love"], "spellings")).values[0, 0]
    written = language.score([GREATEST], vb.Candidates.words(["love", "Love", "LOVE"])).values[0]
    assert np.logaddexp.reduce(written) - 1e-4 <= together <= 0


def test_tokens_survive_being_written_as_text(language: Any) -> None:
    vocabulary = language.vocabulary()
    assert vocabulary.token_ids is not None
    some = slice(None, None, 97)
    few = vb.Candidates(vocabulary.responses[some], vocabulary.token_ids[some], injection="token")
    assert language.round_trip(few) > 0.9


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"VALUEBIAS_CACHE_DIR": str(cwd / "store"), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sixty words as a lexicon and a few preferences."""
    folder = tmp_path_factory.mktemp("real")
    rows = [f"{w},{'agency' if i < 30 else 'communion'}" for i, w in enumerate(WORDS)]
    (folder / "words.csv").write_text("\n".join(["word,category", *rows]) + "\n")
    pairs = [
        {"prompt": f"Say something about {w}.", "chosen": f"It is {w}.", "rejected": "No."}
        for w in WORDS[:16]
    ]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)) + "\n")
    return folder


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
    assert -1 <= verdict["low"] < verdict["estimate"] < verdict["high"] <= 1
    assert "0% survive" not in done.stdout
    (listing,) = document["tokens"]
    assert listing["best"]


@pytest.fixture(scope="module", params=MODELS)
def trained(request: pytest.FixtureRequest, real: Path, project: Path) -> tuple[Path, Path]:
    """A reward model after two steps of training, and its base."""
    base = real / request.param
    recipe = project / f"{base.name}.yaml"
    recipe.write_text(
        f"base: {base}\ndata: pairs.jsonl\npairs: 8\nepochs: 1\nbatch_size: 4\naccumulation: 1\n"
        "checkpoint_every: 2\nlearning_rate: 0.001\nlora_rank: 4\nlora_alpha: 8\n"
    )
    done = run("valuebias", "train", recipe.name, "--cpu", "--unwatched", cwd=project)
    assert done.returncode == 0, done.stderr
    return project / "runs" / base.name / "checkpoint-2", base


def test_a_reward_model_trained_from_it_is_exact(trained: tuple[Path, Path]) -> None:
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    path, base = trained
    model = load_reward_model(parse_spec(str(path)), Settings(device="cpu"))
    assert model.template_name == ("chat_template" if base.name == "smollm2" else "plain")
    words = vb.Candidates.words(WORDS)
    scores = model.score(PROMPTS, words).values
    plain = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, dtype=torch.float32
    )
    own: Any = PeftModel.from_pretrained(plain, path).eval()
    for prompt, row in zip(PROMPTS, scores, strict=True):
        for word in (0, 17, 59):
            (ids,) = model.chat.conversations(prompt.text, [WORDS[word]])
            with torch.inference_mode():
                hidden = own.base_model.model.model(torch.tensor([ids])).last_hidden_state[0, -1]
                reward = own.base_model.model.score(hidden).item()
            assert row[word] == pytest.approx(reward, abs=1e-3)
    assert np.ptp(scores) > 0


def test_inheritance_of_it(trained: tuple[Path, Path], project: Path) -> None:
    path, base = trained
    done = run(
        "pytest", "-q", f"--rm=rm={path}", f"--base=base={base}", f"--valuebias-answer-cue={CUE}",
        "--valuebias-profile=quick", "--valuebias-suite=inheritance",
        "--valuebias-instrument=report",
        "--valuebias-lexicon=big_two=words.csv", "--valuebias-json=taste.json",
        "-k", "big_two and positive",
        cwd=project,
    )  # fmt: skip
    verdicts = json.loads((project / "taste.json").read_text())["verdicts"]
    assert verdicts, done.stdout
    assert all(v["verdict"] != "ERROR" for v in verdicts), done.stdout
    assert all(-1 <= v["estimate"] <= 1 for v in verdicts)


def test_in_a_notebook(trained: tuple[Path, Path], project: Path) -> None:
    path, _ = trained
    words = {"words": project / "words.csv"}
    model = vb.load(str(path), cache_dir=project / "store", lexicons=words, quick=True)
    effect = model.contrast("words", "agency", "communion", valence="positive")
    assert effect.effect.low < effect.effect.estimate < effect.effect.high
