"""One model in many packagings: the same numbers, or a refusal that says what was lost."""

from __future__ import annotations

import json
import shutil
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from support.models import CHATML, build_tokenizer, save_language_model, save_reward_model
from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.fingerprint import fingerprint
from valuebias.models.loading import load_language_model, load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.settings import PAIR, PLAIN, Settings, parse_template
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec

WORDS = Candidates.words(["love", "freedom", "a happy life", "power"])
CPU = Settings(device="cpu")
ENDS_IN_EOS = CHATML.replace("<|im_end|>\n", "{{ eos_token }}")


def load(path: Path, **settings: Any) -> RewardModel:
    return load_reward_model(parse_spec(str(path)), Settings(device="cpu", **settings))


def rewards(path: Path, **settings: Any) -> Any:
    return load(path, **settings).score_prompt(GREATEST, WORDS)


def address(path: Path, load_as: Any = "rm", **settings: Any) -> str:
    return fingerprint(parse_spec(str(path), load_as=load_as), Settings(device="cpu", **settings))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def drop(path: Path, *keys: str) -> None:
    kept = {k: v for k, v in json.loads(path.read_text()).items() if k not in keys}
    path.write_text(json.dumps(kept))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_reward_model(tmp_path_factory.mktemp("plain") / "model")


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy to package otherwise."""
    return Path(shutil.copytree(saved, tmp_path / "model"))


@pytest.fixture(scope="module")
def expected(saved: Path) -> Any:
    return rewards(saved)


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


# Formats


@pytest.fixture
def lost(folder: Path) -> Path:
    """The model without its template."""
    (folder / "chat_template.jinja").unlink()
    return folder


def test_a_lost_template_is_not_replaced(lost: Path) -> None:
    with pytest.raises(ModelError, match="the format of its conversations is not known") as refused:
        load(lost)
    for way in ("--valuebias-template=plain", "pair", "Jinja", '"valuebias_template"'):
        assert way in refused.value.remedy


def test_a_declared_format_is_used_and_part_of_the_address(
    lost: Path, expected: Any, tmp_path: Path
) -> None:
    template = tmp_path / "chat.jinja"
    template.write_text(CHATML)
    declared = parse_template(str(template))
    np.testing.assert_array_equal(rewards(lost, template=declared), expected)
    plain = load(lost, template=PLAIN)
    assert plain.template_name == "plain"
    ids = plain.chat.conversations("Why?", ["love"])[0]
    assert plain.tokenizer.decode(ids).endswith("User: Why?\n\nAssistant: love")
    addresses = {address(lost, template=t) for t in ("", PLAIN, PAIR, declared)}
    assert len(addresses) == 4
    edit(lost / "config.json", valuebias_template="plain")
    np.testing.assert_array_equal(
        rewards(lost), plain.score_prompt(GREATEST, WORDS), err_msg="stated in config.json"
    )
    edit(lost / "config.json", valuebias_template="vicuna")
    with pytest.raises(ModelError, match="not a known format"):
        load(lost)


def test_what_a_template_makes_unused_is_no_part_of_the_address(folder: Path) -> None:
    assert address(folder, template=PLAIN) == address(folder)
    assert address(folder, "llm", answer_cue="\nAnswer:") == address(folder, "llm")
    (folder / "chat_template.jinja").unlink()
    assert address(folder, "llm", answer_cue="\nAnswer:") != address(folder, "llm")


@pytest.mark.parametrize("given", ["nowhere.jinja", ""])
def test_a_format_is_a_name_or_a_file(given: str) -> None:
    with pytest.raises(ValueError, match="must be plain or pair, or the file of a Jinja"):
        parse_template(given)


def save_encoder(path: Path, labels: int) -> Path:
    """A tiny BERT with two types of tokens and a tokenizer that lowers case."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    letters = [chr(i) for i in range(33, 127) if not chr(i).isupper()]
    tokens = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *letters, *(f"##{each}" for each in letters)]
    backend = Tokenizer(models.WordPiece({t: i for i, t in enumerate(tokens)}, unk_token="[UNK]"))
    backend.normalizer = normalizers.BertNormalizer(lowercase=True)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    from tokenizers import decoders

    backend.decoder = decoders.WordPiece()
    PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        unk_token="[UNK]",
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(path)
    torch.manual_seed(3)
    config = BertConfig(
        vocab_size=len(tokens), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, max_position_embeddings=256, num_labels=labels,
        initializer_range=0.5,
    )  # fmt: skip
    BertForSequenceClassification(config).save_pretrained(path)
    return path


def test_an_encoder_reads_pairs_as_transformers_gives_them(tmp_path: Path) -> None:
    model = load(save_encoder(tmp_path / "bert", 1), template=PAIR)
    given = model.score_prompt(GREATEST, WORDS)
    tokenizer, classifier = model.tokenizer, model.head._model  # type: ignore[attr-defined]
    with torch.inference_mode():
        for value, word in zip(given, WORDS.responses, strict=True):
            encoded = tokenizer(GREATEST.text, word, return_tensors="pt")
            assert encoded["token_type_ids"].sum() > 0
            assert value == pytest.approx(classifier(**encoded).logits.item(), abs=1e-5)
    cased = model.score_prompt(GREATEST, Candidates.words(["Love", "LOVE"]))
    np.testing.assert_array_equal(cased, given[[0, 0]])


def test_a_classifier_of_two_labels_is_called_one(tmp_path: Path) -> None:
    folder = save_encoder(tmp_path / "bert", 2)
    drop(folder / "config.json", "id2label", "label2id")
    with pytest.raises(ModelError, match="gives 2 labels, and nothing states which"):
        load(folder)


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
        merged = adapted.merge_and_unload()
    merged.save_pretrained(path.parent / "merged")
    edit(path / "adapter_config.json", base_model_name_or_path=f"../{base.name}")
    for each in (path, path.parent / "merged"):
        tokenizer.save_pretrained(each)
    return path


def test_an_adapter_that_lost_its_pad_id_asks_for_it(tmp_path: Path) -> None:
    tokenizer = build_tokenizer(ENDS_IN_EOS, pad_token="</s>")
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
    with pytest.raises(ModelError, match="the base of adapter is a quantised checkpoint"):
        load(adapter)


@pytest.mark.parametrize("adapted", [False, True], ids=["whole", "adapter"])
def test_a_value_head_in_a_file_of_its_own_is_read(tmp_path: Path, adapted: bool) -> None:
    from peft import LoraConfig, get_peft_model

    base = save_language_model(tmp_path / "base")
    folder = base
    model = load_language_model(parse_spec(str(base), load_as="llm"), CPU).model
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
        hidden = model.model(torch.tensor([ids])).last_hidden_state[0, -1]
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


# Dates


@pytest.mark.parametrize(
    "call",
    [
        "{{ strftime_now('%d %b %Y') }}",
        "{% set now = strftime_now %}{{ now('%d %b %Y') }}",
        "{% macro day() %}{{ strftime_now('%d') }} Jul 2024{% endmacro %}{{ day() }}",
        "{% set form = '%-d' %}{{ strftime_now(form) }} Jul 2024",
    ],
)
def test_the_day_is_the_same_whatever_asks_for_it(call: str) -> None:
    from valuebias.models.chat import Chat

    named = build_tokenizer(None)
    named.chat_template = {"default": f"Today is {call}.\n{CHATML}", "tool_use": CHATML}
    assert "Today is 26 Jul 2024." in Chat(named).frame("Why?").before
