"""What a head reads of whole conversations, against the model's own forward on each."""

from __future__ import annotations

import numpy as np
import torch

from valuebias.models.loading import load_reward_model
from valuebias.models.settings import Settings
from valuebias.repair.linear import LinearReward
from valuebias.scorers.schemes import parse_spec


def test_conversations_of_any_length_and_beginning() -> None:
    model = load_reward_model(parse_spec("demo:agency"), Settings(device="cpu"))
    linear = LinearReward.of(model)
    asked = [("Why?", "Because."), ("What is the best thing ever?", "love, I would say")]
    whole = [model.chat.conversations(prompt, [answer])[0] for prompt, answer in asked]
    # One that another begins with, and one that shares nothing with the others.
    given = [np.array(ids, np.int32) for ids in (*whole, whole[0][:4], whole[1][3:])]
    features = linear.of_conversations(given)
    assert features.dtype == np.float32
    for row, ids in zip(features, given, strict=True):
        one = torch.tensor(ids).long()[None]
        with torch.inference_mode():
            own = model.head.forward(one, torch.ones_like(one)).item()
        assert abs(row @ linear.weights - own) < 1e-4
