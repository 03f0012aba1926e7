"""Real pretrained models, on few words: SmolLM2-135M-Instruct (a chat template, no BOS) and Gemma 3
270M (BOS, no template, 262,144 tokens), in the folder that VALUEBIAS_REAL_MODELS names.

The longer ones are in whole.py, in a session of their own (nox -s real).
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import valuebias as vb
from support.real import CUE, FOLDER, MODELS, WORDS
from valuebias.measurement.inheritance import measure_inheritance
from valuebias.models.loading import load_language_model, load_reward_model
from valuebias.models.settings import Settings
from valuebias.models.spec import implicit
from valuebias.prompts import GREATEST, PAPER
from valuebias.scorers.bench import Bench
from valuebias.scorers.schemes import parse_spec
from valuebias.store.database import Store

pytestmark = pytest.mark.skipif(FOLDER is None, reason="VALUEBIAS_REAL_MODELS is not set")

PROMPTS = (GREATEST, next(p for p in vb.PAPER_PROMPTS if p.valence == "negative"))


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


def test_what_one_prefers_more_than_the_other(real: Path, tmp_path: Path) -> None:
    """By words alone; the command, which searches both vocabularies, is in whole.py."""
    cue = Settings(device="cpu", answer_cue=CUE)
    with Bench(Store(tmp_path / "scores.sqlite"), cue) as bench:
        source, target = (parse_spec(str(real / name), load_as="llm") for name in MODELS)
        first, second = bench.scorer(source), bench.scorer(target)
        words = vb.Candidates.words(WORDS[::6], "spellings")
        found = bench.scorer(implicit(source, target)).score([GREATEST], words).values[0]
        p, q = (each.score([GREATEST], words).values[0].astype(float) for each in (first, second))
    # The paper's formula: the log ratio, weighted by the mixture of the two probabilities.
    np.testing.assert_allclose(found, (np.exp(p) + np.exp(q)) / 2 * (q - p), rtol=1e-4)


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
    with warnings.catch_warnings():  # peft asks transformers for what it has renamed
        warnings.simplefilter("ignore")
        own: Any = PeftModel.from_pretrained(plain, path).eval()
    for prompt, row in zip(PROMPTS, scores, strict=True):
        for word in (0, 17, 59):
            (ids,) = model.chat.conversations(prompt.text, [WORDS[word]])
            with torch.inference_mode():
                hidden = own.base_model.model.model(torch.tensor([ids])).last_hidden_state[0, -1]
                reward = own.base_model.model.score(hidden).item()
            assert row[word] == pytest.approx(reward, abs=1e-3)
    assert np.ptp(scores) > 0


def test_inheritance_of_it(
    trained: tuple[Path, Path], project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the chat model: a prompt of Gemma 3 takes its head over 262,144 tokens. The vocabulary,
    which takes a minute and a half, is searched in whole.py."""
    path, base = trained
    if base.name != "smollm2":
        pytest.skip("takes long")
    monkeypatch.setattr("valuebias.measurement.tokens.VOCABULARY_LIMIT", 0.0)
    store = project / "store"
    rewarded = vb.load(str(path), cache_dir=store)
    spoken = vb.load(str(base), load_as="llm", cache_dir=store)
    rows = (project / "words.csv").read_text().splitlines()
    (project / "few.csv").write_text("\n".join([rows[0], *rows[1::2]]) + "\n")
    words = vb.load_lexicon("few", project / "few.csv")
    found = measure_inheritance(
        rewarded.scorer, spoken.scorer, (), words, "positive", prompts=PAPER.quick
    )
    assert found.effect.n_words == (30,)
    assert -1 < found.effect.low < found.effect.estimate < found.effect.high < 1
    assert found.top.left_out is not None


def test_in_a_notebook(trained: tuple[Path, Path], project: Path) -> None:
    path, base = trained
    if base.name != "smollm2":
        pytest.skip("takes long")
    words = {"words": project / "words.csv"}
    model = vb.load(str(path), cache_dir=project / "store", lexicons=words, quick=True)
    effect = model.contrast("words", "agency", "communion", valence="positive")
    assert effect.effect.low < effect.effect.estimate < effect.effect.high
