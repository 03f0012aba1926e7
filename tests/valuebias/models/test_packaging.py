"""One model in many packagings: the same numbers, or a refusal that says what was lost."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from support.models import CHATML, build_tokenizer, save_language_model
from support.packaged import CPU, address, edit, load, rewards
from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.loading import load_language_model
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec


def shard(folder: Path, *, change: float = 1.0) -> dict[str, str]:
    """The model a second time, in two shards with an index."""
    weights = load_file(folder / "model.safetensors")
    names = sorted(weights)
    parts = {"model-00001-of-00002.safetensors": names[:5]}
    parts["model-00002-of-00002.safetensors"] = names[5:]
    for file, held in parts.items():
        save_file({name: weights[name] * change for name in held}, folder / file)
    placed = {name: file for file, held in parts.items() for name in held}
    (folder / "model.safetensors.index.json").write_text(
        json.dumps({"metadata": {}, "weight_map": placed})
    )
    return placed


# Which files are the model


def test_shards_alone_are_the_model(folder: Path, expected: Any) -> None:
    shard(folder)
    (folder / "model.safetensors").unlink()
    np.testing.assert_array_equal(rewards(folder), expected)


def test_an_index_whose_shards_are_gone_is_left_over(folder: Path, expected: Any) -> None:
    before = address(folder)
    for file in set(shard(folder).values()):
        (folder / file).unlink()
    np.testing.assert_array_equal(rewards(folder), expected)
    assert address(folder) == before


def test_two_sets_of_weights_are_refused(folder: Path) -> None:
    shard(folder, change=-1.0)
    with pytest.raises(ModelError, match="two sets of weights") as refused:
        load(folder)
    assert "out of date" in refused.value.remedy


def test_a_whole_model_with_an_adapter_beside_it_is_refused(folder: Path) -> None:
    save_file({"lora": torch.ones(1)}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    with pytest.raises(ModelError, match="a whole model and an adapter"):
        load(folder)


def test_an_index_names_no_file_elsewhere(folder: Path) -> None:
    placed = shard(folder)
    (folder / "model.safetensors").unlink()
    content = {"weight_map": dict.fromkeys(placed, "../model.safetensors")}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))
    with pytest.raises(ModelError, match="outside its directory"):
        load(folder)


def test_empty_tensors_are_named(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    weights["score.weight"] = torch.empty(0)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelError, match=r"ZeRO-3.*score.weight of shape \(0,\)"):
        load(folder)


def test_no_quantization_is_none(folder: Path, expected: Any) -> None:
    edit(folder / "config.json", quantization_config=None)
    np.testing.assert_array_equal(rewards(folder), expected)


# Adapters


def save_adapter(path: Path, base: Path, tokenizer: Any, **lora: Any) -> Path:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    rows = lora.pop("rows", None)
    if rows:
        model.resize_token_embeddings(rows, mean_resizing=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = get_peft_model(
            model, LoraConfig(task_type="SEQ_CLS", r=4, target_modules=["q_proj"])
        )
        adapted.save_pretrained(str(path), save_embedding_layers=bool(rows))
        adapted.config.pad_token_id = model.config.pad_token_id = tokenizer.pad_token_id
        whole: Any = adapted
        merged = whole.merge_and_unload()
    merged.save_pretrained(path.parent / "merged")
    edit(path / "adapter_config.json", base_model_name_or_path=f"../{base.name}")
    for each in (path, path.parent / "merged"):
        tokenizer.save_pretrained(each)
    return path


def test_an_adapter_that_lost_its_pad_id_asks_for_it(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(CHATML.replace("<|im_end|>\n", "{{ eos_token }}"), pad_token="</s>")
    base = save_language_model(tmp_path / "base", tokenizer=tokenizer, pad_token_id=None)
    adapter = save_adapter(tmp_path / "adapter", base, tokenizer)
    with pytest.raises(ModelError, match="does not say which id it was padded with") as refused:
        load(adapter)
    assert f'{{"pad_token_id": {tokenizer.pad_token_id}}}' in refused.value.remedy
    before = address(adapter)
    (adapter / "valuebias.json").write_text(f'{{"pad_token_id": {tokenizer.pad_token_id}}}')
    as_merged = rewards(tmp_path / "merged")
    np.testing.assert_allclose(rewards(adapter), as_merged, atol=1e-5)
    (adapter / "valuebias.json").write_text('{"pad_token_id": null}')
    assert np.abs(rewards(adapter) - as_merged).max() > 0.01
    assert address(adapter) != before


def test_an_adapter_with_a_larger_vocabulary_fits(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    base = save_language_model(tmp_path / "base", tokenizer=tokenizer)
    adapter = save_adapter(tmp_path / "adapter", base, tokenizer, rows=len(tokenizer) + 3)
    np.testing.assert_allclose(rewards(adapter), rewards(tmp_path / "merged"), atol=1e-5)
    weights = load_file(adapter / "adapter_model.safetensors")
    short = {n: t[:, :3].contiguous() if "lora_A" in n else t for n, t in weights.items()}
    save_file(short, adapter / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"size mismatch for .*lora_A"):
        load(adapter)


def test_a_quantised_base_is_called_the_base(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    base = save_language_model(tmp_path / "base", tokenizer=tokenizer)
    adapter = save_adapter(tmp_path / "adapter", base, tokenizer)
    edit(base / "config.json", quantization_config={"quant_method": "unknown-method"})
    with pytest.raises(
        ModelError, match="the base of adapter is a quantised checkpoint of a method"
    ):
        load(adapter)


@pytest.mark.parametrize("adapted", [False, True], ids=["whole", "adapter"])
def test_a_value_head_in_a_file_of_its_own_is_read(tmp_path: Path, adapted: bool) -> None:
    from peft import LoraConfig, get_peft_model

    base = save_language_model(tmp_path / "base")
    folder = base
    model: Any = load_language_model(parse_spec(str(base), load_as="llm"), CPU).model
    if adapted:
        folder = tmp_path / "adapter"
        lora = LoraConfig(task_type="CAUSAL_LM", r=2, target_modules=["q_proj"])
        with warnings.catch_warnings():  # peft asks transformers for what it has renamed
            warnings.simplefilter("ignore")
            model = get_peft_model(model, lora)
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter.data)
        model.save_pretrained(str(folder))
        edit(folder / "adapter_config.json", base_model_name_or_path="../base")
        model = model.merge_and_unload()
    torch.manual_seed(1)
    head = {"v_head.summary.weight": torch.randn(1, 32), "v_head.summary.bias": torch.ones(1)}
    save_file(head, folder / "value_head.safetensors")
    scorer = load(folder)
    ids = scorer.chat.conversations(GREATEST.text, ["love"])[0]
    with torch.inference_mode():
        decoder: Any = model.get_decoder()
        hidden = decoder(torch.tensor([ids])).last_hidden_state[0, -1]
    value = hidden @ head["v_head.summary.weight"][0] + 1
    assert scorer.score_prompt(GREATEST, Candidates.words(["love"]))[0] == pytest.approx(
        value.item(), abs=1e-4
    )
    before = address(folder)
    save_file({n: -t for n, t in head.items()}, folder / "value_head.safetensors")
    assert address(folder) != before


# Code


def test_a_models_own_code_is_part_of_its_address(folder: Path) -> None:
    code = folder / "modeling_my.py"
    code.write_text("SIGN = 1\n")
    trusted = address(folder, trust_remote_code=(str(folder),))
    untrusted = address(folder)
    code.write_text("SIGN = -1\n")
    assert address(folder, trust_remote_code=(str(folder),)) != trusted
    assert address(folder) == untrusted


def test_the_code_of_an_adapters_base_is_part_of_its_address(tmp_path: Path) -> None:
    tokenizer = build_tokenizer()
    base = save_language_model(tmp_path / "base", tokenizer=tokenizer)
    adapter = save_adapter(tmp_path / "adapter", base, tokenizer)
    code = base / "modeling_my.py"
    code.write_text("SIGN = 1\n")
    trusted = address(adapter, trust_remote_code=(str(adapter),))
    code.write_text("SIGN = -1\n")
    assert address(adapter, trust_remote_code=(str(adapter),)) != trusted


def test_a_head_packages_code_is_part_of_the_address(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = address(folder)
    package = tmp_path / "site"
    (package / "some_heads").mkdir(parents=True)
    (package / "some_heads" / "__init__.py").write_text("")
    code = package / "some_heads" / "sign.py"
    code.write_text("SIGN = 1\n")
    info = package / "some_heads-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-heads\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[valuebias.heads]\nmy = some_heads.sign:Family\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(package)])
    installed = address(folder)
    code.write_text("SIGN = -1\n")
    assert len({before, installed, address(folder)}) == 3
