"""Loading: where files come from, what is refused and how, adapters, the hub's cache, devices."""

from __future__ import annotations

import builtins
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from huggingface_hub import constants, errors
from safetensors.torch import load_file, save_file

from support.models import build_config, build_tokenizer, save_language_model, save_reward_model
from valuebias.candidates import Candidates
from valuebias.errors import ModelError, SpecError
from valuebias.models import device, files
from valuebias.models.fingerprint import fingerprint
from valuebias.models.loading import load_language_model, load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec

WORDS = Candidates.words(["love", "freedom", "a happy life", "power"])
CPU = Settings(device="cpu")


def load(path: Path | str, settings: Settings = CPU) -> RewardModel:
    return load_reward_model(parse_spec(str(path)), settings)


def edit(path: Path, name: str, **changes: Any) -> None:
    content = json.loads((path / name).read_text()) | changes
    (path / name).write_text(json.dumps(content))


def save_adapter(path: Path, base: Path, *, target: tuple[str, ...] = ("q_proj", "v_proj")) -> Path:
    """A LoRA adapter with a head of its own, as trl's RewardTrainer saves one; its base's path is
    relative to the adapter."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(5)
    model = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    lora = LoraConfig(task_type="SEQ_CLS", r=4, target_modules=list(target))
    with warnings.catch_warnings():  # peft asks transformers for what it has renamed
        warnings.simplefilter("ignore")
        adapted = get_peft_model(model, lora)
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.2)
    adapted.save_pretrained(str(path))
    edit(path, "adapter_config.json", base_model_name_or_path=os.path.relpath(base, path))
    return path


def test_an_adapter_goes_onto_its_base(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    base = save_language_model(tmp_path / "base")
    adapter = save_adapter(tmp_path / "adapters" / "step-10", base)
    monkeypatch.chdir("/")
    model = load(adapter)
    assert model.name == "step-10"
    assert model.provenance["adapter"]

    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification

    torch.manual_seed(99)
    plain = AutoModelForSequenceClassification.from_pretrained(base, num_labels=1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peft = PeftModel.from_pretrained(plain, adapter).eval()
    values = model.score_prompt(GREATEST, WORDS)
    for value, ids in zip(
        values, model.chat.conversations(GREATEST.text, WORDS.responses), strict=True
    ):
        with torch.inference_mode():
            assert value == pytest.approx(peft(torch.tensor([ids])).logits.item(), abs=2e-5)


def test_an_adapter_may_change_the_head_of_a_reward_model(tmp_path: Path) -> None:
    base = save_reward_model(tmp_path / "base")
    adapter = save_adapter(tmp_path / "adapter", base, target=("q_proj",))
    weights = load_file(adapter / "adapter_model.safetensors")
    key = next(name for name in weights if name.endswith("score.weight"))
    plain = load(base).score_prompt(GREATEST, WORDS)
    weights = {n: torch.zeros_like(t) if "lora" in n else t for n, t in weights.items()}
    weights[key] = load_file(base / "model.safetensors")["score.weight"] * 2
    save_file(weights, adapter / "adapter_model.safetensors")
    np.testing.assert_allclose(load(adapter).score_prompt(GREATEST, WORDS), plain * 2, atol=1e-5)


def test_adapters_without_head_or_base_are_refused(tmp_path: Path) -> None:
    base = save_language_model(tmp_path / "base")
    adapter = save_adapter(tmp_path / "adapter", base)
    weights = load_file(adapter / "adapter_model.safetensors")
    lora = {name: tensor for name, tensor in weights.items() if "score" not in name}
    save_file(lora, adapter / "adapter_model.safetensors")
    with pytest.raises(ModelError, match=r"not a reward model.*would be random"):
        load(adapter)
    save_file({"base_model.model.score.weight": torch.ones(1, 32)}, adapter / "x.safetensors")
    edit(adapter, "adapter_config.json", base_model_name_or_path="../gone")
    with pytest.raises(ModelError, match=r"this adapter not found. Seen: \.\./gone"):
        load(adapter)
    edit(adapter, "adapter_config.json", base_model_name_or_path=None)
    with pytest.raises(ModelError, match="does not name its base"):
        load(adapter)
    other = save_adapter(tmp_path / "second", base)
    edit(adapter, "adapter_config.json", base_model_name_or_path="../second")
    with pytest.raises(ModelError, match="itself an adapter"):
        load(adapter)
    (other / "adapter_model.safetensors").rename(other / "adapter_model.bin")
    with pytest.raises(ModelError, match="lacks adapter_model"):
        load(other)


def test_an_adapter_on_the_wrong_base(tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", save_language_model(tmp_path / "base"))
    wrong = save_language_model(tmp_path / "wrong", hidden_size=64)
    edit(adapter, "adapter_config.json", base_model_name_or_path=str(wrong))
    with pytest.raises(ModelError, match="does not fit its base"):
        load(adapter)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / "model")
    (path / "model.safetensors").rename(path / "pytorch_model.bin")
    with pytest.raises(ModelError, match=r"pickled.*pytorch_model\.bin.*safetensors"):
        load(path)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: (p / "model.safetensors").unlink(), "lacks safetensors weights"),
        (lambda p: (p / "model.safetensors").write_bytes(b"abc"), "not a readable safetensors"),
        (lambda p: _truncate(p / "model.safetensors"), "transformers cannot load|not a readable"),
        (lambda p: edit(p, "config.json", model_type="nonesuch"), "cannot load the model"),
        (
            lambda p: edit(p, "config.json", quantization_config={"quant_method": "awq"}),
            "quantised checkpoint.*awq",
        ),
        (lambda p: edit(p, "config.json", hidden_size=48), "cannot load the model|lacks weights"),
        (lambda p: edit(p, "config.json", num_hidden_layers=3), "lacks weights.*layers.2"),
        (lambda p: edit(p, "config.json", num_hidden_layers=1), "does not use.*layers.1"),
        (lambda p: [f.unlink() for f in p.glob("tokenizer*")], "no tokenizer"),
        (lambda p: (p / "tokenizer.json").write_text("{"), "no tokenizer"),
        (lambda p: _index(p), "lacks safetensors weights.*model-00002"),
    ],
    ids=[
        *("no-weights", "not-safetensors", "cut-off", "unknown-type", "quantised", "wrong-size"),
        *("too-few-layers", "too-many-layers", "no-tokenizer", "bad-tokenizer", "missing-shard"),
    ],
)
def test_spoilt_models_are_refused(
    spoil: Callable[[Path], object], message: str, tmp_path: Path
) -> None:
    path = save_reward_model(tmp_path / "model")
    spoil(path)
    with pytest.raises(ModelError, match=message):
        load(path)


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _index(path: Path) -> None:
    shard = "model-00001-of-00002.safetensors"
    (path / "model.safetensors").rename(path / shard)
    names = {"a": shard, "b": "model-00002-of-00002.safetensors"}
    (path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": names}))


def test_sharded_weights_load(tmp_path: Path) -> None:
    from transformers import LlamaForSequenceClassification

    path = save_reward_model(tmp_path / "model")
    plain = load(path).score_prompt(GREATEST, WORDS)
    model = LlamaForSequenceClassification.from_pretrained(path)
    (path / "model.safetensors").unlink()
    model.save_pretrained(path, max_shard_size="20KB")
    assert (path / "model.safetensors.index.json").is_file()
    np.testing.assert_array_equal(load(path).score_prompt(GREATEST, WORDS), plain)


def _save_bert(path: Path, classifier: bool = True) -> Path:
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    tokenizer = build_tokenizer()
    labels: dict[str, Any] = {"num_labels": 1}
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=32, **labels,
    )  # fmt: skip
    torch.manual_seed(0)
    model = BertForSequenceClassification(config)
    for weight in model.parameters():  # as initialised, all responses get nearly one reward
        if weight.ndim == 2:
            torch.nn.init.normal_(weight, std=0.3)
    (model if classifier else BertModel(config)).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def test_encoders_are_scored_whole(tmp_path: Path) -> None:
    from transformers import BertForSequenceClassification

    path = _save_bert(tmp_path / "bert")
    loaded = load(path)
    found = loaded.score_prompt(GREATEST, WORDS)
    assert loaded.searcher.rung == "full"
    assert loaded.provenance["head"] == "classifier"
    model = BertForSequenceClassification.from_pretrained(path).eval()
    with torch.inference_mode():
        own = [
            model(input_ids=torch.tensor([ids])).logits.item()
            for ids in loaded.chat.conversations(GREATEST.text, WORDS.responses)
        ]
    np.testing.assert_allclose(found, own, atol=1e-5)


def test_an_encoder_without_its_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="head"):
        load(_save_bert(tmp_path / "bert", classifier=False))


REMOTE = """
import os, pathlib
pathlib.Path(os.environ["RAN"]).touch()
from transformers import LlamaConfig, LlamaForSequenceClassification

class OwnConfig(LlamaConfig):
    model_type = "own-llama"

class OwnModel(LlamaForSequenceClassification):
    pass
"""


def test_a_models_own_code_runs_only_if_allowed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = tmp_path / "ran"
    monkeypatch.setenv("RAN", str(ran))
    monkeypatch.setattr(builtins, "input", lambda *_: pytest.fail("asked on the terminal"))
    path = save_reward_model(tmp_path / "model")
    (path / "own.py").write_text(REMOTE)
    classes = {"AutoModelForSequenceClassification": "own.OwnModel"}
    edit(path, "config.json", auto_map=classes)
    others = Settings(device="cpu", trust_remote_code=("some/other-model",))
    assert load(path, others).head.name == "score"  # by transformers' own class
    assert not ran.exists()
    allowed = Settings(device="cpu", trust_remote_code=(str(path),))
    assert load(path, allowed).head.name == "score"
    assert ran.exists()
    spec = parse_spec(str(path))
    assert fingerprint(spec, allowed) != fingerprint(spec, CPU)


def test_a_model_that_needs_its_own_code_says_how_to_allow_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    monkeypatch.setattr(builtins, "input", lambda *_: pytest.fail("asked on the terminal"))
    path = save_reward_model(tmp_path / "model")
    (path / "own.py").write_text(REMOTE)
    classes = {"AutoConfig": "own.OwnConfig", "AutoModelForSequenceClassification": "own.OwnModel"}
    edit(path, "config.json", model_type="own-llama", auto_map=classes)
    with pytest.raises(ModelError, match=r"read that code.*--valuebias-trust-remote-code=ID"):
        load(path)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("file", "classes"),
    [
        ("config.json", {"AutoModelForSequenceClassification": "org/code--own.OwnModel"}),
        ("tokenizer_config.json", {"AutoTokenizer": [None, "org/code--own.OwnTokenizer"]}),
    ],
)
def test_code_in_another_repository_is_refused_before_it_runs(
    hub: Callable[..., str],
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    classes: dict[str, Any],
) -> None:
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    code = tmp_path / "code"
    code.mkdir()
    (code / "own.py").write_text(REMOTE)
    hub("org/code", code)
    edit(folder, file, auto_map=classes)
    hub("org/name", folder)
    for spec in (str(folder), "org/name"):
        allowed = Settings(device="cpu", offline=True, trust_remote_code=(spec,))
        for use in (load, lambda spec, settings: fingerprint(parse_spec(spec), settings)):
            with pytest.raises(ModelError, match="lies in another repository") as told:
                use(spec, allowed)
        assert "org/code--own.Own" in str(told.value.seen)
        assert "Copy own.py and what it imports from org/code into" in told.value.remedy
        assert load(spec, replace(allowed, trust_remote_code=())).head.name == "score"
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., str]:
    """Put a model into the hub's local cache, as a download leaves it; returns its commit."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    files.hub_config.cache_clear()

    def put(repo: str, source: Path, commit: str = "0" * 39 + "1", ref: str = "main") -> str:
        root = tmp_path / "hub" / ("models--" + repo.replace("/", "--"))
        (root / "refs").mkdir(parents=True, exist_ok=True)
        (root / "refs" / ref).write_text(commit)
        shutil.copytree(source, root / "snapshots" / commit)
        files.hub_config.cache_clear()
        return commit

    return put


def test_a_hub_model_loads_from_the_cache(hub: Callable[..., str], tmp_path: Path) -> None:
    local = save_reward_model(tmp_path / "model")
    commit = hub("org/name", local)
    offline = Settings(device="cpu", offline=True)
    model = load("org/name", offline)
    assert (model.name, model.provenance["revision"]) == ("org/name", commit)
    expected = load(local).score_prompt(GREATEST, WORDS)
    np.testing.assert_array_equal(model.score_prompt(GREATEST, WORDS), expected)
    hub("org/name", save_reward_model(tmp_path / "newer", seed=1), "0" * 39 + "2", "v2")
    spec, newer = parse_spec("org/name"), parse_spec("org/name@v2")
    assert fingerprint(spec, offline) == model.fingerprint
    assert fingerprint(newer, offline) != model.fingerprint
    assert load("org/name@v2", offline).provenance["revision"].endswith("2")


def test_a_hub_adapter_finds_its_hub_base(hub: Callable[..., str], tmp_path: Path) -> None:
    base = save_language_model(tmp_path / "base")
    adapter = save_adapter(tmp_path / "adapter", base)
    expected = load(adapter).score_prompt(GREATEST, WORDS)
    edit(adapter, "adapter_config.json", base_model_name_or_path="org/base")
    hub("org/base", base)
    hub("org/adapter", adapter)
    model = load("org/adapter", Settings(device="cpu", offline=True))
    np.testing.assert_array_equal(model.score_prompt(GREATEST, WORDS), expected)


def test_a_model_that_is_not_cached_offline(hub: Callable[..., str]) -> None:
    with pytest.raises(
        ModelError, match=r"not in the local cache, and offline.*org/absent"
    ) as told:
        load("org/absent", Settings(device="cpu", offline=True))
    assert "by the offline option (--valuebias-offline" in str(told.value)
    assert told.value.remedy.endswith("(hf download), or leave the offline option out.")


@pytest.mark.parametrize("name", ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"])
def test_a_variable_that_asks_for_offline_is_named(
    hub: Callable[..., str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for other in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "1")
    with pytest.raises(ModelError, match=f"offline was asked for by {name}. ") as told:
        load("org/absent", CPU)
    assert told.value.remedy.endswith(f"or unset {name}.")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (errors.RepositoryNotFoundError, "model not found on the hub, or it is private"),
        (errors.GatedRepoError, "accept its licence"),
        (errors.RevisionNotFoundError, "unknown revision"),
        (errors.LocalEntryNotFoundError, "local cache, and the hub cannot be reached.*network"),
        (errors.HfHubHTTPError, r"request for this model failed.*HfHubHTTPError"),
        (ConnectionError, r"request for this model failed.*ConnectionError"),
    ],
)
def test_what_the_hub_refuses(
    error: type[Exception], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    def refuse(*_: object, **__: object) -> str:
        raise error.__new__(error)  # some want the library's response object

    files.hub_config.cache_clear()
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", refuse)
    with pytest.raises(ModelError, match=message):
        load("org/name@main")


def test_an_unreachable_hub_is_asked_once(
    hub: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import huggingface_hub

    inner = huggingface_hub.hf_hub_download
    asked = []

    def unreachable(repo: str, name: str, *, local_files_only: bool, **options: Any) -> str:
        asked.append(local_files_only)
        return inner(repo, name, local_files_only=True, **options)

    hub("org/adapter", save_adapter(tmp_path / "adapter", save_language_model(tmp_path / "base")))
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", unreachable)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with pytest.raises(ModelError, match="not in the local cache, and the hub cannot be reached"):
        files.hub_config("org/absent", None, offline=False)
    assert asked == [False, True]  # the second is a look into the cache
    assert files.hub_config("org/adapter", None, offline=False).name == "adapter_config.json"
    assert asked == [False, True] * 2


def test_recorded_scores_are_no_model() -> None:
    spec = ModelSpec("x", "scores", "/x.csv", None, "scores:/x.csv")
    with pytest.raises(ModelError, match="cannot be loaded as a model"):
        load_reward_model(spec, CPU)


def test_a_reward_model_is_no_language_model(tmp_path: Path) -> None:
    tied = save_reward_model(tmp_path / "rm", "gemma2", tie_word_embeddings=True)
    with pytest.raises(ModelError, match=r"not a language model: it has a reward head.*--rm"):
        load_language_model(parse_spec(str(tied)), CPU)


def test_a_reward_adapter_is_no_language_model(tmp_path: Path) -> None:
    adapter = save_adapter(tmp_path / "adapter", save_language_model(tmp_path / "base"))
    with pytest.raises(ModelError, match=r"not a language model: it has a reward head"):
        load_language_model(parse_spec(str(adapter)), CPU)


def test_a_language_models_adapter_is_merged(tmp_path: Path) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    base = save_language_model(tmp_path / "base")
    lora = LoraConfig(task_type="CAUSAL_LM", r=4, target_modules=["q_proj"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        adapted = get_peft_model(AutoModelForCausalLM.from_pretrained(base), lora).eval()
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.normal_(0, 0.3)
    adapted.save_pretrained(str(tmp_path / "adapter"))
    model = load_language_model(parse_spec(str(tmp_path / "adapter")), CPU)
    vocabulary = model.vocabulary()
    opened, _ = model.chat.opening(GREATEST.text)
    with torch.inference_mode():
        own = adapted(torch.tensor([opened])).logits[0, -1].log_softmax(-1)
    np.testing.assert_allclose(
        model.score_prompt(GREATEST, vocabulary), own[list(vocabulary.token_ids or ())], atol=1e-4
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(dtype="float8"), "unknown precision"),
        (Settings(device="tpu"), "unknown device"),
        (Settings(device="cuda:x"), "unknown device"),
    ],
)
def test_settings_that_do_not_exist(settings: Settings, message: str, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match=message):
        load(save_reward_model(tmp_path / "model"), settings)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_without_a_gpu(tmp_path: Path) -> None:
    assert device.resolve(Settings()) == ("cpu", "float32")
    assert device.resolve(Settings(device="cuda")) == ("cuda", "bfloat16")
    with pytest.raises(ModelError, match="torch does not see this device"):
        load(save_reward_model(tmp_path / "model"), Settings(device="cuda"))


def test_a_cpu_build_is_told_from_its_version_file() -> None:
    text = "__version__ = '2.13.0{}'\ncuda: Optional[str] = {}\nhip: Optional[str] = {}\n"
    assert device._is_cpu_build(text.format("+cpu", "None", "None"))
    assert not device._is_cpu_build(text.format("+cu130", "'13.0'", "None"))
    assert not device._is_cpu_build(text.format("+rocm", "None", "'7.0'"))


def test_fingerprints_follow_what_decides_the_scores(tmp_path: Path) -> None:
    one = save_reward_model(tmp_path / "one")
    spec = parse_spec(str(one))
    base = fingerprint(spec, CPU)
    copy = tmp_path / "copy"
    shutil.copytree(one, copy)
    assert fingerprint(parse_spec(str(copy)), CPU) == base
    seen = {base}
    for settings, role in ((Settings(device="cpu", dtype="bfloat16"), "rm"), (CPU, "llm")):
        seen.add(fingerprint(replace(spec, load_as=role), settings))  # type: ignore[arg-type]
    edit(copy, "config.json", valuebias_weights=[2.0])
    seen.add(fingerprint(parse_spec(str(copy)), CPU))
    template = one / "chat_template.jinja"
    template.write_text(template.read_text() + " ")
    seen.add(fingerprint(spec, CPU))
    save_reward_model(tmp_path / "one", seed=1)
    seen.add(fingerprint(spec, CPU))
    (one / "README.md").write_text("not a weight")
    assert fingerprint(spec, CPU) in seen
    assert len(seen) == 6


def test_an_adapters_fingerprint_holds_its_base(tmp_path: Path) -> None:
    base = save_language_model(tmp_path / "base")
    adapter = parse_spec(str(save_adapter(tmp_path / "adapter", base)))
    before = fingerprint(adapter, CPU)
    save_language_model(base, seed=1)
    assert fingerprint(adapter, CPU) != before


def test_digests_of_large_files_are_remembered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import valuebias.models.fingerprint as module

    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "_LARGE", 10)
    monkeypatch.setattr(module, "_digests", {})
    file = tmp_path / "weights"
    file.write_bytes(b"x" * 100)
    first = module.file_digest(file)
    monkeypatch.setattr(module, "_digests", {})
    monkeypatch.setattr(hashlib, "file_digest", lambda *_: pytest.fail("read again"))
    assert module.file_digest(file) == first
    assert (tmp_path / "cache" / "digests.json").is_file()
    monkeypatch.undo()
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", "/dev/null")  # nowhere to remember: still right
    monkeypatch.setattr(module, "_LARGE", 10)
    monkeypatch.setattr(module, "_digests", {})
    file.write_bytes(b"y" * 100)
    assert module.file_digest(file) != first


def test_the_label_is_the_models_name(tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / "model")
    assert load(f"release-2={path}").name == "release-2"


def test_build_config_follows_the_tokenizer() -> None:
    tokenizer = build_tokenizer()
    assert build_config("llama", tokenizer).pad_token_id == tokenizer.pad_token_id
