"""A model spread over devices by accelerate: on a CPU, over its memory and the disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from transformers.integrations import accelerate

from support.models import save_language_model, save_reward_model
from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models import loading
from valuebias.models.fingerprint import fingerprint
from valuebias.models.language import LanguageModel
from valuebias.models.loading import load_language_model, load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec

PLAIN, SPREAD = Settings(device="cpu"), Settings(device="map", dtype="float32")
WORDS = Candidates.words([f"{a} {b}" for a in "abcde" for b in ("love", "power", "a free life")])


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for the embedding and a layer; accelerate leaves the others on the disk."""
    monkeypatch.setattr(accelerate, "accelerate_max_memory", lambda _: {"cpu": 120_000})


@pytest.mark.parametrize("family", ["llama", "gemma2"])
@pytest.mark.parametrize(
    ("save", "load"),
    [(save_reward_model, load_reward_model), (save_language_model, load_language_model)],
)
@pytest.mark.usefixtures("little_memory")
def test_scores_are_those_of_the_model_on_one_device(
    tmp_path: Path,
    family: str,
    save: Callable[..., Path],
    load: Callable[..., RewardModel | LanguageModel],
) -> None:
    spec = parse_spec(str(save(tmp_path / "model", family, num_hidden_layers=4)))
    plain, spread = load(spec, PLAIN), load(spec, SPREAD)
    backbone = spread.head.backbone
    assert any(parameter.is_meta for parameter in backbone.parameters())  # hooks move them in
    assert spread.provenance["device"] == "cpu, layers moved in when they run"
    assert spread.provenance["rung"]
    expected = plain.score_prompt(GREATEST, WORDS)
    np.testing.assert_allclose(spread.score_prompt(GREATEST, WORDS), expected, atol=2e-5)


def test_where_all_fits_it_lies_on_one_device_under_an_address_of_its_own(tmp_path: Path) -> None:
    spec = parse_spec(str(save_reward_model(tmp_path / "model")))
    spread = load_reward_model(spec, SPREAD)
    assert spread.provenance["device"] == "cpu"
    expected = load_reward_model(spec, PLAIN).score_prompt(GREATEST, WORDS)
    np.testing.assert_array_equal(spread.score_prompt(GREATEST, WORDS), expected)
    assert spread.fingerprint == fingerprint(spec, SPREAD) != fingerprint(spec, PLAIN)


def test_accelerate_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "find_spec", lambda name: None)
    spec = parse_spec(str(save_reward_model(tmp_path / "model")))
    with pytest.raises(ModelError, match=r"not installed.*device=map.*pip install accelerate"):
        load_reward_model(spec, SPREAD)
