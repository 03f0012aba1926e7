"""Language models: natural-log probabilities of tokens and words, against transformers' own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from support.models import build_tokenizer, save_language_model
from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.language import LanguageModel
from valuebias.models.loading import load_language_model
from valuebias.models.settings import Settings
from valuebias.models.spec import parse_spec
from valuebias.prompts import GREATEST, PAPER_PROMPTS, Prompt
from valuebias.search import TooSlow

WORDS = Candidates.words(["love", "freedom", "a happy life", "power", "winner", "lo"])


def load(path: Path, **settings: Any) -> LanguageModel:
    return load_language_model(parse_spec(str(path)), Settings(device="cpu", **settings))


def own_log_probability(path: Path, opened: list[int], tail: list[int]) -> float:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float64).eval()
    total = 0.0
    for i, token in enumerate(tail):
        with torch.inference_mode():
            logits = model(torch.tensor([[*opened, *tail[:i]]])).logits[0, -1]
        total += float(logits.log_softmax(-1)[token])
    return total


@pytest.mark.parametrize("family", ["llama", "gemma2"])
@pytest.mark.parametrize("template", [True, False], ids=["template", "raw"])
def test_words_by_the_chain_rule(family: str, template: bool, tmp_path: Path) -> None:
    tokenizer = build_tokenizer() if template else build_tokenizer(None)
    path = save_language_model(tmp_path / "lm", family, tokenizer=tokenizer)
    model = load(path)
    values = model.score([GREATEST], WORDS).values[0]
    if template:
        messages = [{"role": "user", "content": GREATEST.text}]
        text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        separator = ""
    else:
        text, separator = GREATEST.text, " "
    opened = tokenizer(text, add_special_tokens=False)["input_ids"]
    for value, word in zip(values, WORDS.responses, strict=True):
        tail = tokenizer(separator + word, add_special_tokens=False)["input_ids"]
        assert value == pytest.approx(own_log_probability(path, opened, tail), abs=2e-3)
    assert model.template_name == ("chat_template" if template else "raw")


def test_the_vocabulary_is_one_distribution(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    everything = Candidates(
        tuple(f"t{i}" for i in range(len(model.tokenizer))),
        tuple(range(len(model.tokenizer))),
        injection="token",
    )
    values = model.score(PAPER_PROMPTS[:2], everything).values
    np.testing.assert_allclose(np.exp(values.astype(float)).sum(1), 1.0, atol=1e-5)
    text = model.vocabulary()
    assert text.token_ids is not None
    np.testing.assert_array_equal(
        model.score([GREATEST], text).values[0],
        model.score([GREATEST], everything).values[0][list(text.token_ids)],
    )
    assert "control tokens" in model.provenance["left_out"]
    assert 0 < model.round_trip(text) < 1


def test_a_word_of_one_token_has_its_tokens_probability(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    token = model.chat.continuations(GREATEST.text, [" thing"])[0]
    assert len(token) == 1
    word = model.score([GREATEST], Candidates.words([" thing"])).values[0, 0]
    single = Candidates((" thing",), tuple(token), injection="token")
    assert word == model.score([GREATEST], single).values[0, 0]


def test_chunks_and_resuming(tmp_path: Path) -> None:
    path = save_language_model(tmp_path / "lm")
    whole = load(path).score_prompt(GREATEST, WORDS)
    model = load(path, chunk_memory=30_000)
    chunks: list[int] = []
    rows = model.score_prompt(GREATEST, WORDS, on_chunk=lambda i, v: chunks.extend(i.tolist()))
    assert sorted(chunks) == list(range(len(WORDS)))
    np.testing.assert_allclose(rows, whole, atol=1e-4)
    done = np.array([True, False, True, False, True, True])
    rest = model.score_prompt(GREATEST, WORDS, done=done)
    np.testing.assert_array_equal(rest[~done], rows[~done])
    assert np.isnan(model.score_prompt(GREATEST, WORDS, done=np.ones(6, dtype=bool))).all()
    with pytest.raises(TooSlow):
        model.score_prompt(GREATEST, WORDS, time_limit=0.0)


def test_a_response_without_a_token(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    with pytest.raises(ModelError, match="no token of its own"):
        model.score_prompt(GREATEST, Candidates.words(["love", ""]))


def test_a_prompt_too_long_for_the_model(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    with pytest.raises(ModelError, match="longer than the model can read"):
        model.score_prompt(Prompt("long", "why " * 300), WORDS)
    long = Candidates.words(["love", "why " * 300])
    with pytest.raises(ModelError, match="longer than the model can read"):
        model.score_prompt(GREATEST, long)


def test_log_probabilities_that_are_not_finite(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"))
    model.model.model.norm.weight.fill_(float("nan"))
    with pytest.raises(ModelError, match="not finite"):
        model.score_prompt(GREATEST, WORDS)


def test_bfloat16_weights_give_float32_log_probabilities(tmp_path: Path) -> None:
    model = load(save_language_model(tmp_path / "lm"), dtype="bfloat16")
    values = model.score([GREATEST], model.vocabulary()).values
    assert values.dtype == np.float32
    assert np.isfinite(values).all()
