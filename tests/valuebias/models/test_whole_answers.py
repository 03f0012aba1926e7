"""Whole answers, scored exactly: against the model's own forward on each conversation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from valuebias.candidates import Candidates
from valuebias.errors import ScoresError
from valuebias.models.loading import load_language_model, load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings
from valuebias.prompts import ANSWERS
from valuebias.scorers.schemes import parse_spec

WORDS = Candidates.words(["love", "power", "companionship", "zeal"])


@pytest.fixture(scope="module")
def rewarding() -> RewardModel:
    return load_reward_model(parse_spec("demo:agency"), Settings(device="cpu"))


@pytest.mark.parametrize("name", ["work_best_first", "work_best_middle", "work_best_last"])
def test_an_answer_is_scored_as_its_text(rewarding: RewardModel, name: str) -> None:
    prompt = ANSWERS.find(name)
    assert prompt is not None
    values = rewarding.score_prompt(prompt, WORDS)
    texts = [prompt.framed(word) for word in WORDS.responses]
    for value, ids in zip(values, rewarding.chat.conversations(prompt.text, texts), strict=True):
        whole = torch.tensor([ids])
        with torch.inference_mode():
            own = rewarding.head.forward(whole, torch.ones_like(whole)).item()
        assert value == pytest.approx(own, abs=1e-4)


def test_what_stands_before_the_word_is_part_of_the_prefix(rewarding: RewardModel) -> None:
    begins, ends = (ANSWERS.find(f"work_best_{place}") for place in ("first", "last"))
    assert begins is not None
    assert ends is not None
    for prompt, text in ((begins, ""), (ends, "Please let us have more")):
        prefix, tails, _ = rewarding.layout(prompt, WORDS)
        frame = rewarding.chat.frame(prompt.text)
        before = rewarding.tokenizer.decode(prefix[len(frame.prefix) :]).strip()
        assert before == text
        assert prefix[: len(frame.prefix)] == list(frame.prefix)
        # It does not depend on which words there are.
        alone, *_ = rewarding.layout(prompt, Candidates.words(["love"]))
        assert alone == prefix
    assert max(map(len, tails)) < 8


def test_tokens_and_spellings_stand_in_no_frame(rewarding: RewardModel) -> None:
    prompt = ANSWERS.prompts[0]
    token = Candidates(("love",), (7,), injection="token")
    with pytest.raises(ScoresError, match="a frame of whole answers holds texts"):
        rewarding.score_prompt(prompt, token)
    language = load_language_model(parse_spec("demo:agency", load_as="llm"), Settings(device="cpu"))
    with pytest.raises(ScoresError, match="Ask whole answers of a reward model"):
        language.score_prompt(prompt, Candidates.words(["love"], "spellings"))
    # The log-probability of a whole turn, which a DPO reward is made of, is one.
    turns = language.score_prompt(prompt, Candidates.words(["love", "power"], "turn"))
    own = language.score_prompt(
        ANSWERS.prompts[0].__class__(prompt.id, prompt.text),
        Candidates.words([prompt.framed(word) for word in ("love", "power")], "turn"),
    )
    np.testing.assert_allclose(turns, own, atol=1e-5)
