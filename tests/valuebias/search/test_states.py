"""The hidden states that a head reads, by the search's own path."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.models import save_reward_model
from valuebias.candidates import Candidates
from valuebias.errors import SearchError
from valuebias.models.loading import load_reward_model
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec

WORDS = ("love", "freedom", "a much longer answer than the others", "peace")


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_the_head_of_what_it_reads_is_the_reward(family: str, tmp_path: Path) -> None:
    folder = save_reward_model(tmp_path / "rm", family)
    spec = parse_spec(str(folder))
    model: Any = load_reward_model(spec, Settings(device="cpu"), preflight=False)
    candidates = Candidates.words(WORDS)
    prefix, tails, owner = model.layout(GREATEST, candidates)
    states = model.searcher.states(prefix, tails)[owner]
    weights = model.head.model.score.weight[0].numpy()
    rewards = model.score_prompt(GREATEST, candidates)
    np.testing.assert_allclose(states @ weights, rewards, atol=1e-5)
    assert np.ptp(rewards) > 0


def test_a_head_that_reads_before_the_candidate_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_reward_model(tmp_path / "rm")
    model = load_reward_model(parse_spec(str(folder)), Settings(device="cpu"), preflight=False)
    prefix, tails, _ = model.layout(GREATEST, Candidates.words(WORDS))
    monkeypatch.setattr(type(model.head), "reads", lambda self, ids: {"first": 0})
    with pytest.raises(SearchError, match="does not read one position"):
        model.searcher.states(prefix, tails)
