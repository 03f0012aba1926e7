"""Reward models of four families: loaded from disk, scored as their class scores, resumable."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from support.llama2c import convert, convert_tokenizer
from support.llama2c import save_reward_model as save_stories
from support.models import CHATML, FAMILIES, build_tokenizer, save_reward_model
from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.loading import load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST, PAPER_PROMPTS, Prompt
from valuebias.scorers.schemes import parse_spec

WORDS = Candidates.words(["love", "freedom", "a happy life", "power", "the winner takes it all"])


def load(path: Path, **settings: Any) -> RewardModel:
    return load_reward_model(parse_spec(str(path)), Settings(device="cpu", **settings))


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> RewardModel:
    return load(save_reward_model(tmp_path_factory.mktemp("models") / "llama"))


def own_rewards(path: Path, prompt: str, responses: list[str]) -> list[float]:
    """One by one, the way a model card does it."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    model = AutoModelForSequenceClassification.from_pretrained(path, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(path)
    rewards = []
    for response in responses:
        messages = [{"role": "user", "content": prompt}, {"role": "assistant", "content": response}]
        inputs = tokenizer.apply_chat_template(messages, return_tensors="pt", return_dict=True)
        assert isinstance(inputs, Mapping)
        with torch.inference_mode():
            rewards.append(model(**inputs).logits[0, 0].item())
    return rewards


@pytest.mark.parametrize("family", FAMILIES)
def test_words_score_as_the_class_itself_does(family: str, tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / family, family)
    model = load(path)
    prompts = PAPER_PROMPTS[::20]
    scores = model.score(prompts, WORDS)
    expected = [own_rewards(path, p.text, list(WORDS.responses)) for p in prompts]
    np.testing.assert_allclose(scores.values, expected, atol=2e-5)
    assert model.name == family
    assert scores.provenance["template"] == "chat_template"
    assert scores.provenance["bos"] == "template"
    assert scores.provenance["head"] == "score"
    assert scores.provenance["injection"] == "text"
    assert scores.provenance["dtype"] == "float32"
    assert scores.provenance["rung"]


@pytest.mark.parametrize("pad", ["<pad>", "</s>", "<|im_end|>"])
def test_tokens_are_put_in_directly_whatever_the_pad_token(pad: str, tmp_path: Path) -> None:
    """With pad = end of turn the class reads before it; the vocabulary does not hold the pad."""
    path = save_reward_model(tmp_path / "m", tokenizer=build_tokenizer(pad_token=pad))
    model = load(path)
    vocabulary = model.vocabulary()
    assert vocabulary.token_ids is not None
    frame = model.chat.frame(GREATEST.text)
    some = list(range(0, len(vocabulary), 40))
    values = model.score_prompt(GREATEST, vocabulary)
    for row in some:
        ids = torch.tensor([[*frame.prefix, vocabulary.token_ids[row], *frame.tail]])
        own = model.head.forward(ids, torch.ones_like(ids)).item()
        assert values[row] == pytest.approx(own, abs=2e-5)
    assert model.tokenizer.pad_token_id not in vocabulary.token_ids
    assert "control tokens" in model.provenance["left_out"]


def test_responses_with_the_same_ids_are_scored_once(tmp_path: Path) -> None:
    trimming = build_tokenizer(CHATML.replace("m['content']", "m['content'] | trim"))
    model = load(save_reward_model(tmp_path / "m", tokenizer=trimming))
    candidates = Candidates.words(["love", " love", "power", "love\n"])
    _, tails, owner = model.layout(GREATEST, candidates)
    assert len(tails) == 2
    assert owner.tolist() == [0, 0, 1, 0]
    seen: dict[int, float] = {}

    def on_chunk(rows: Any, values: Any) -> None:
        seen.update(zip(rows.tolist(), values.tolist(), strict=True))

    values = model.score_prompt(GREATEST, candidates, on_chunk=on_chunk)
    assert values[0] == values[1] == values[3] != values[2]
    assert seen == dict(enumerate(values.tolist()))


def test_scoring_resumes_to_the_same_bits(llama: RewardModel) -> None:
    whole = llama.score_prompt(GREATEST, WORDS)
    done = np.zeros(len(WORDS), dtype=bool)
    done[[0, 3]] = True
    chunks: list[int] = []
    rest = llama.score_prompt(
        GREATEST, WORDS, done=done, on_chunk=lambda rows, _: chunks.extend(rows.tolist())
    )
    assert set(np.flatnonzero(~done)) <= set(chunks)
    computed = ~np.isnan(rest)
    assert computed[~done].all()
    np.testing.assert_array_equal(rest[computed], whole[computed])
    everything = np.ones(len(WORDS), dtype=bool)
    assert np.isnan(llama.score_prompt(GREATEST, WORDS, done=everything)).all()


def test_the_prefix_does_not_hang_on_the_candidates(llama: RewardModel) -> None:
    alike = Candidates.words(["free", "freedom", "freely"])
    prefix, _, _ = llama.layout(GREATEST, alike)
    assert prefix == list(llama.chat.frame(GREATEST.text).prefix)
    single, tails, _ = llama.layout(GREATEST, Candidates.words([""]))
    assert len(tails[0]) >= 1
    assert single == prefix[: len(single)]


def test_round_trip_is_the_share_of_ids_that_survive(llama: RewardModel) -> None:
    tokenizer = llama.tokenizer
    candidates = llama.vocabulary()
    assert candidates.token_ids is not None
    frame = llama.chat.frame(GREATEST.text)
    kept = [
        tokenizer(frame.before + text + frame.after, add_special_tokens=False)["input_ids"]
        == [*frame.prefix, token, *frame.tail]
        for text, token in zip(candidates.responses, candidates.token_ids, strict=True)
    ]
    assert llama.round_trip(candidates) == pytest.approx(np.mean(kept))
    assert 0 < np.mean(kept) < 1


def test_a_conversation_too_long_for_the_model_is_refused(llama: RewardModel) -> None:
    long = Prompt("long", "why " * 300)
    with pytest.raises(ModelError, match=r"longer than the model can read.*of 256"):
        llama.score_prompt(long, WORDS)


def test_a_tokenizer_that_is_not_the_models(tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / "m", vocab_size=300)
    with pytest.raises(ModelError, match=r"no embedding for. Seen: id \d+, of 300"):
        load(path)


def test_the_head_is_float32_under_a_bfloat16_model(tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / "m")
    model = load(path, dtype="bfloat16")
    assert next(model.head.backbone.parameters()).dtype == torch.bfloat16
    values = model.score_prompt(GREATEST, model.vocabulary())
    rounded = torch.from_numpy(values).bfloat16().float().numpy()
    assert (values != rounded).mean() > 0.9
    stored = load_file(path / "model.safetensors")["score.weight"][0]
    states = torch.eye(len(stored), dtype=torch.bfloat16)
    assert torch.equal(model.head.rewards({"last": states}), stored)  # not as bfloat16 rounds it
    exact = load(path).score_prompt(GREATEST, model.vocabulary())
    assert np.corrcoef(values, exact)[0, 1] > 0.99
    assert model.provenance["dtype"] == "bfloat16"


def test_stories_is_converted_right(real_data: Path) -> None:
    folder = real_data / "models" / "stories260K"
    model = convert(folder / "stories260K.bin")
    tokenizer = convert_tokenizer(folder / "tok512.bin")
    text = "Once upon a time, there was a little girl named Lily. She loved to play outside."
    inputs = tokenizer(text, return_tensors="pt")
    assert tokenizer.decode(inputs["input_ids"][0], skip_special_tokens=True) == text
    with torch.inference_mode():
        assert model(**inputs, labels=inputs["input_ids"]).loss.item() < 0.7


def test_stories_with_a_fitted_head_scores(real_data: Path, tmp_path: Path) -> None:
    folder = save_stories(real_data / "models" / "stories260K", tmp_path / "stories")
    plain = Settings(device="cpu", template="plain")
    model = load_reward_model(parse_spec(str(folder)), plain)
    assert model.template_name == "plain"
    assert model.provenance["bos"] == "tokenizer"
    values = model.score([GREATEST], WORDS).values
    assert np.isfinite(values).all()
    assert len(model.vocabulary()) == 509
