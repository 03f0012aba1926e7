"""Quantised checkpoints: loaded where their library is there, and called what they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from support.gguf_file import save_gguf
from support.models import save_language_model, save_reward_model
from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.fingerprint import fingerprint
from valuebias.models.language import LanguageModel
from valuebias.models.loading import load_language_model, load_reward_model
from valuebias.models.quantised import quantisation
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec

WORDS = Candidates.words(["love", "freedom", "a happy life", "power"], "spellings")
CPU = Settings(device="cpu")


def load(path: Path) -> LanguageModel:
    return load_language_model(parse_spec(str(path), load_as="llm"), CPU)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_language_model(tmp_path_factory.mktemp("gguf") / "lm")


def test_a_gguf_file_is_the_model_that_it_was_made_from(folder: Path) -> None:
    pytest.importorskip("gguf")
    whole = load(folder)
    model = load(save_gguf(folder, folder.parent / "whole.gguf"))
    assert model.template_name == "chat_template"
    assert "(GGUF F32, repeats to " in model.provenance["dtype"]
    expected = whole.score_prompt(GREATEST, WORDS)
    np.testing.assert_allclose(model.score_prompt(GREATEST, WORDS), expected, atol=2e-5)
    coarse = load(save_gguf(folder, folder.parent / "q8.gguf", quantised=True))
    assert "(GGUF Q8_0, repeats to " in coarse.provenance["dtype"]
    apart = np.abs(coarse.score_prompt(GREATEST, WORDS) - expected)
    assert 1e-4 < apart.max() < 0.5
    assert len({whole.fingerprint, model.fingerprint, coarse.fingerprint}) == 3


def test_a_gguf_file_is_no_reward_model_and_says_when_it_is_cut_off(folder: Path) -> None:
    pytest.importorskip("gguf")
    file = save_gguf(folder, folder.parent / "cut.gguf")
    with pytest.raises(ModelError, match="no reward head that can be read") as refused:
        load_reward_model(parse_spec(str(file)), CPU)
    assert "--llm or --base" in refused.value.remedy
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(ModelError, match="not a readable GGUF file"):
        load(file)
    with pytest.raises(ModelError, match="not a readable GGUF file"):
        load_language_model(
            parse_spec(str(file), load_as="llm"), Settings(device="cpu", answer_cue="\nAnswer:")
        )
    with pytest.raises(ModelError, match="not a readable GGUF file"):
        fingerprint(
            parse_spec(str(file), load_as="llm"), Settings(device="cpu", answer_cue="\nAnswer:")
        )


def test_a_four_bit_checkpoint_is_scored_and_called_one(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")
    from transformers import AutoModelForSequenceClassification, BitsAndBytesConfig

    plain = save_reward_model(tmp_path / "rm", hidden_size=64, intermediate_size=128)
    config = BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4")
    model = AutoModelForSequenceClassification.from_pretrained(plain, quantization_config=config)
    folder = tmp_path / "nf4"
    model.save_pretrained(folder)
    for file in [*plain.glob("tok*"), plain / "chat_template.jinja"]:
        shutil.copy(file, folder)
    loaded = load_reward_model(parse_spec(str(folder)), CPU)
    assert "(bitsandbytes nf4, repeats to " in loaded.provenance["dtype"]
    words = Candidates.words(WORDS.responses)
    exact = load_reward_model(parse_spec(str(plain)), CPU).score_prompt(GREATEST, words)
    apart = np.abs(loaded.score_prompt(GREATEST, words) - exact)
    assert 1e-3 < apart.max() < 0.3 * np.ptp(exact)


def test_weights_that_a_config_calls_quantised_and_are_not_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("valuebias.models.quantised.find_spec", lambda module: object())
    folder = save_reward_model(tmp_path / "rm")
    config = json.loads((folder / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match="says that it is quantised, and its weights are not"):
        load_reward_model(parse_spec(str(folder)), CPU)


@pytest.mark.parametrize(
    ("stated", "named"),
    [
        ({"quant_method": "gptq", "bits": 4}, "gptq 4-bit"),
        ({"quant_method": "bitsandbytes", "_load_in_8bit": True}, "bitsandbytes 8-bit"),
        ({"quant_method": "compressed-tensors", "format": "pack"}, "compressed-tensors pack"),
        (None, ""),
    ],
)
def test_names(stated: object, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valuebias.models.quantised.find_spec", lambda module: object())
    assert quantisation({"quantization_config": stated}, "m") == named


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("valuebias.models.quantised.find_spec", lambda module: None)
    config = {"quantization_config": {"quant_method": "awq", "bits": 4}}
    with pytest.raises(ModelError, match="not installed") as refused:
        quantisation(config, "m")
    assert "pip install gptqmodel" in refused.value.remedy
    with pytest.raises(ModelError, match="not supported"):
        quantisation({"quantization_config": {"quant_method": "own"}}, "m")
