"""Head families against plain readings of the published forward passes, and how one is chosen."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from support import published
from support.models import build_tokenizer, save_language_model, save_reward_model
from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.checkpoint import Checkpoint, Placement
from valuebias.models.files import ModelFiles
from valuebias.models.heads import find
from valuebias.models.heads.backbone import before_first_pad, last_non_pad
from valuebias.models.heads.gated import PATTERNS
from valuebias.models.loading import load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST, PAPER_PROMPTS
from valuebias.scorers.schemes import parse_spec

WORDS = Candidates.words(["love", "freedom", "a happy life", "power", "the winner takes it all"])
Save = Callable[[Path], Path]
Reward = Callable[[Path, Sequence[int]], float]

CASES: dict[str, tuple[str, Save, Reward]] = {
    "armorm": ("armorm", published.save_armorm, published.armorm_reward),
    "qrm-llama3": (
        "qrm",
        partial(published.save_qrm, matrix=True, dropout=False),
        published.qrm_reward,
    ),
    "qrm-llama3.1-v2": (
        "qrm",
        partial(published.save_qrm, matrix=False, dropout=False),
        published.qrm_reward,
    ),
    "qrm-gemma": (
        "qrm",
        partial(published.save_qrm, matrix=False, dropout=True, family="gemma2"),
        published.qrm_reward,
    ),
    "urm": ("urm", published.save_urm, published.urm_reward),
    "grm-linear": (
        "grm",
        partial(published.save_grm, layer_type="linear"),
        published.grm_reward,
    ),
    "grm-mlp": ("grm", partial(published.save_grm, layer_type="mlp"), published.grm_reward),
    "nemotron": (
        "first-logit",
        partial(published.save_first_logit, valuebias_head="first-logit"),
        published.first_logit_reward,
    ),
}


def load(path: Path) -> RewardModel:
    return load_reward_model(parse_spec(str(path)), Settings(device="cpu"))


@pytest.mark.parametrize("case", CASES)
def test_rewards_are_those_of_the_published_forward(case: str, tmp_path: Path) -> None:
    name, save, reward = CASES[case]
    path = save(tmp_path / "model")
    model = load(path)
    assert model.head.name == name
    assert model.provenance["rung"]
    prompt = PAPER_PROMPTS[-1]
    conversations = model.chat.conversations(prompt.text, WORDS.responses)
    expected = [reward(path, ids) for ids in conversations]
    values = model.score_prompt(prompt, WORDS)
    np.testing.assert_allclose(values, expected, rtol=2e-4, atol=2e-4)
    assert np.ptp(expected) > 0.05


@pytest.mark.parametrize("case", ["armorm", "qrm-llama3.1-v2"])
def test_a_response_that_is_the_pad_token_is_read_as_published(case: str, tmp_path: Path) -> None:
    _, save, reward = CASES[case]
    path = save(tmp_path / "model")
    model = load(path)
    frame = model.chat.frame(GREATEST.text)
    pad = model.tokenizer.pad_token_id
    ids = [*frame.prefix, pad, *frame.tail]
    values = model.searcher.run(frame.prefix, [[pad, *frame.tail], [300, *frame.tail]])
    assert values[0] == pytest.approx(reward(path, ids), rel=2e-4, abs=2e-4)


def test_gates_read_at_the_published_ids(tmp_path: Path) -> None:
    path = published.save_armorm(tmp_path / "model")
    _edit(path, gating_token_pattern=None)
    head = load_head(path)
    llama3 = PATTERNS["llama"]
    ids = [128000, *llama3, 9, 9, *llama3, 7, 128009]
    assert head.reads(ids) == {"last": len(ids) - 1, "gate": 8}
    with pytest.raises(ModelError, match=r"lacks the tokens that the armorm gate reads at.*128009"):
        head.reads([1, 2, 3])


def test_the_rules_of_the_last_position() -> None:
    assert last_non_pad([5, 6, 7], 0) == 2
    assert last_non_pad([5, 6, 0, 0], 0) == 1
    assert last_non_pad([5, 0, 6, 0], 0) == 2
    assert last_non_pad([0, 0], 0) == 0
    assert last_non_pad([5, 6, 0], None) == 2
    assert before_first_pad([5, 6, 7], 0) == 2
    assert before_first_pad([5, 0, 6, 0], 0) == 0
    assert before_first_pad([0, 5, 6], 0) == 2
    assert before_first_pad([5, 6], None) == 1


@pytest.mark.parametrize("pad", [0, 7, None])
def test_plain_heads_read_where_the_class_reads(pad: int | None, tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / "model")
    _edit(path, pad_token_id=pad)
    head = load_head(path)
    for ids in ([5, 6, 7], [5, 6, 7, 7], [5, 7, 6, 0], [9, 8]):
        given = torch.tensor([ids])
        with torch.inference_mode():
            hidden = head.backbone(given).last_hidden_state[0]
            reads = {k: hidden[i][None] for k, i in head.reads(ids).items()}
            own = head.forward(given, torch.ones_like(given))
            assert head.rewards(reads).item() == pytest.approx(own.item(), abs=1e-6)


def test_first_logit_is_known_by_name_or_declaration(tmp_path: Path) -> None:
    named = published.save_first_logit(tmp_path / "Llama-3.1-Nemotron-70B-Reward-HF")
    assert find(_open(named)).name == "first-logit"
    other = published.save_first_logit(tmp_path / "some-lm")
    assert find(_open(other)).name == "score"
    with pytest.raises(ModelError, match='"valuebias_head": "first-logit"'):
        load(other)


def test_a_declared_family_must_exist(tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / "model")
    _edit(path, valuebias_head="secod")
    with pytest.raises(
        ModelError,
        match=r"unknown head family in the config's valuebias_head. Seen: secod.*first-logit",
    ):
        load(path)


def test_several_labels_need_a_rule(tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / "model", num_labels=3)
    with pytest.raises(ModelError, match=r"gives 3 labels.*LABEL_0.*\[0, 0, 1\]"):
        load(path)
    for bad in ([1, 2], [0, 0, 0], ["a", 1, 2], 5, [float("inf"), 0, 0]):
        _edit(path, valuebias_weights=bad)
        with pytest.raises(ModelError, match="do not fit the model's labels"):
            load(path)
    weights = [0.3, 0.0, -0.5]
    _edit(path, valuebias_weights=weights)
    model = load(path)
    score = load_file(path / "model.safetensors")["score.weight"].double()
    for row, ids in enumerate(model.chat.conversations(GREATEST.text, WORDS.responses)):
        hidden = published.hidden_states(path, ids)
        expected = torch.tensor(weights).double() @ (score @ hidden[-1])
        value = model.score_prompt(GREATEST, WORDS)[row]
        assert value == pytest.approx(expected.item(), rel=1e-4, abs=1e-4)


def test_a_head_tensor_that_is_missing_is_named(tmp_path: Path) -> None:
    path = published.save_grm(tmp_path / "model", "mlp")
    _drop(path, "v_head.summary.2.bias")
    with pytest.raises(ModelError, match=r"lacks weights its head needs. Seen: v_head.summary.2"):
        load(path)
    path = published.save_urm(tmp_path / "urm")
    _drop(path, "weights.fc.4.weight")
    with pytest.raises(ModelError, match=r"weights\.fc\.4\.weight"):
        load(path)


def test_gated_heads_must_fit_together(tmp_path: Path) -> None:
    path = published.save_qrm(tmp_path / "model", matrix=False, dropout=False)
    _edit(path, num_quantiles=6)
    with pytest.raises(ModelError, match=r"has inconsistent shapes.*\(35, 32\)"):
        load(path)


def test_an_unknown_kind_of_gate_must_state_its_pattern(tmp_path: Path) -> None:
    path = published.save_armorm(tmp_path / "model")
    _edit(path, gating_token_pattern=None, model_type="mistral")
    with pytest.raises(ModelError, match="gating_token_pattern"):
        load(path)


def test_adapters_on_other_heads_are_refused(tmp_path: Path) -> None:
    base = published.save_urm(tmp_path / "base")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    config = {"peft_type": "LORA", "base_model_name_or_path": str(base)}
    (adapter / "adapter_config.json").write_text(json.dumps(config))
    save_file({"base_model.model.x": torch.ones(1)}, adapter / "adapter_model.safetensors")
    with pytest.raises(ModelError, match="adapter on this kind"):
        load(adapter)


PLUGIN = '''
import torch

class Negated:
    """A third party's head: the plain one with its sign turned."""

    name = "negated"

    def __init__(self, inner):
        self.inner = inner
        self.backbone = inner.backbone

    def reads(self, ids):
        return self.inner.reads(ids)

    def rewards(self, hidden):
        return -self.inner.rewards(hidden)

    def forward(self, input_ids, attention_mask):
        return -self.inner.forward(input_ids, attention_mask)


class Family:
    name = "negated"

    def claims(self, checkpoint):
        return checkpoint.config.get("model_type") == "qwen3"

    def load(self, checkpoint, placement):
        from valuebias.models.heads.score import ScoreFamily

        return Negated(ScoreFamily().load(checkpoint, placement))
'''


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Put a package with entry points on the path, as pip would."""

    def put(name: str, entry: str, code: str = PLUGIN) -> None:
        site = tmp_path / "site"
        meta = site / f"{name}-1.0.dist-info"
        meta.mkdir(parents=True)
        (meta / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        (meta / "entry_points.txt").write_text(f"[valuebias.heads]\n{entry}\n")
        (site / f"{name}.py").write_text(code)
        monkeypatch.syspath_prepend(str(site))
        monkeypatch.delitem(sys.modules, name, raising=False)

    return put


def test_a_third_party_adds_a_head_by_entry_point(
    install: Callable[..., None], tmp_path: Path
) -> None:
    path = save_reward_model(tmp_path / "model", "qwen3")
    plain = load(path).score_prompt(GREATEST, WORDS)
    install("negating_heads", "negated = negating_heads:Family")
    model = load(path)
    assert model.provenance["head"] == "negated"
    np.testing.assert_array_equal(model.score_prompt(GREATEST, WORDS), -plain)
    assert load(save_reward_model(tmp_path / "other")).head.name == "score"


def test_two_third_parties_that_claim_one_model(
    install: Callable[..., None], tmp_path: Path
) -> None:
    path = save_reward_model(tmp_path / "model", "qwen3")
    install("first_heads", "one = first_heads:Family")
    install("second_heads", "two = second_heads:Family")
    with pytest.raises(ModelError, match="two installed packages claim"):
        load(path)


def test_a_broken_third_party_is_named(install: Callable[..., None], tmp_path: Path) -> None:
    install("broken_heads", "mine = broken_heads:Family", "import nothing_of_that_name")
    with pytest.raises(ModelError, match=r"'mine' of an installed package.*broken_heads:Family"):
        load(save_reward_model(tmp_path / "model"))


def test_a_language_model_is_no_reward_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"not a reward model.*would be random.*score.weight"):
        load(save_language_model(tmp_path / "lm"))


def test_an_mlp_head_is_not_loaded_into_a_linear_one(tmp_path: Path) -> None:
    """INF-ORM's form: score is a Sequential."""
    path = save_reward_model(tmp_path / "model")
    tensors = load_file(path / "model.safetensors")
    weight = tensors.pop("score.weight")
    mlp = {
        "score.0.weight": torch.eye(32),
        "score.0.bias": torch.zeros(32),
        "score.2.weight": weight,
    }
    save_file({**tensors, **mlp}, path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"lacks the reward head.*holds instead score\.0\.bias"):
        load(path)


def test_weights_that_nothing_uses_are_refused(tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / "model")
    tensors = load_file(path / "model.safetensors")
    extra = {"mean_buffer": torch.zeros(1)}
    save_file({**tensors, **extra}, path / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ModelError, match=r"weights that its class does not use. Seen: mean_buffer"):
        load(path)


def _open(path: Path) -> Checkpoint:
    return Checkpoint.open(ModelFiles(path.name, path))


def load_head(path: Path) -> Any:
    checkpoint = _open(path)
    return find(checkpoint).load(checkpoint, Placement(torch.float32, torch.device("cpu")))


def _edit(path: Path, **changes: Any) -> None:
    config = json.loads((path / "config.json").read_text()) | changes
    if config.get("gating_token_pattern") is None:
        config.pop("gating_token_pattern", None)
    (path / "config.json").write_text(json.dumps(config))


def _drop(path: Path, name: str) -> None:
    tensors = load_file(path / "model.safetensors")
    del tensors[name]
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})


def test_the_test_tokenizers_turn_is_found() -> None:
    assert published.turn_ids(build_tokenizer())[0] == 4
