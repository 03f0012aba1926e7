"""Preflight: models that must not be measured, each refused by what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from support.models import CHATML, build_tokenizer, save_reward_model
from valuebias.errors import ModelError
from valuebias.models import preflight
from valuebias.models.loading import load_reward_model
from valuebias.models.reward import RewardModel
from valuebias.models.settings import Settings
from valuebias.prompts import GREATEST
from valuebias.scorers.schemes import parse_spec
from valuebias.search.head import Head


def load(path: Path, **settings: Any) -> RewardModel:
    return load_reward_model(parse_spec(str(path)), Settings(device="cpu", **settings))


def unchecked(path: Path) -> RewardModel:
    return load_reward_model(parse_spec(str(path)), Settings(device="cpu"), preflight=False)


def set_weights(path: Path, name: str, value: float) -> None:
    tensors = load_file(path / "model.safetensors")
    tensors[name].fill_(value)
    save_file(tensors, path / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize("family", ["llama", "gemma2"])
def test_sound_models_pass_in_any_precision(dtype: str, family: str, tmp_path: Path) -> None:
    assert load(save_reward_model(tmp_path / "model", family), dtype=dtype).provenance["rung"]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_rewards_that_are_not_finite(value: float, tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / "model")
    set_weights(path, "score.weight", value)
    with pytest.raises(ModelError, match=r"rewards are not finite. Seen: (nan|inf|-inf).*float32"):
        load(path)


def test_a_head_of_zeros_gives_constant_rewards(tmp_path: Path) -> None:
    path = save_reward_model(tmp_path / "model")
    set_weights(path, "score.weight", 0.0)
    with pytest.raises(ModelError, match=r"8 different responses.*Seen: 0, spread 0"):
        load(path)


def test_a_pad_token_that_ends_the_prompt(tmp_path: Path) -> None:
    """The older rule takes the position before the first pad: with pad = end of turn that is the
    prompt's."""
    from support.published import save_armorm

    path = save_armorm(tmp_path / "model")
    config = json.loads((path / "config.json").read_text())
    config["pad_token_id"] = build_tokenizer().convert_tokens_to_ids("<|im_end|>")
    (path / "config.json").write_text(json.dumps(config))
    with pytest.raises(ModelError, match=r"inside the prompt.*response begins at.*pad_token_id"):
        load(path)


def test_a_template_that_ends_in_pads_only(tmp_path: Path) -> None:
    """Everything after the prompt is the pad token: the last other token is the prompt's."""
    tokenizer = build_tokenizer(CHATML)
    path = save_reward_model(tmp_path / "model", tokenizer=tokenizer)
    model = unchecked(path)
    with pytest.raises(ModelError, match="read inside the prompt"):
        preflight.check(_with_head(model, _Fixed(model.head, reads=0)), torch.float32)


class _Wrapped:
    """A head that behaves badly in one way."""

    def __init__(self, inner: Head, **ways: Any) -> None:
        self._inner = inner
        self._ways = ways
        self.name = inner.name
        self.backbone = inner.backbone

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        return self._inner.reads(ids)

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        return self._inner.rewards(hidden)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self._inner.forward(input_ids, attention_mask)


class _Fixed(_Wrapped):
    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        return {"last": self._ways["reads"]}


class _BatchBound(_Wrapped):
    """Reads the last column, padding or not: what a wrong pooling does."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        return self._inner.forward(input_ids, torch.ones_like(attention_mask))


class _Random(_Wrapped):
    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        rewards = self._inner.forward(input_ids, attention_mask)
        return rewards + self._ways["size"] * torch.rand_like(rewards)


def _with_head(model: RewardModel, head: Head) -> RewardModel:
    return RewardModel(
        head,
        model.tokenizer,
        model.chat,
        name="m",
        fingerprint="f",
        chunk_memory=1 << 28,
        origin={},
    )


def test_rewards_that_hang_on_the_batch(tmp_path: Path) -> None:
    model = unchecked(save_reward_model(tmp_path / "model", pad_token_id=None))
    with pytest.raises(ModelError, match=r"depend on the batch.*a difference of.*allowed"):
        preflight.check(_with_head(model, _BatchBound(model.head)), torch.float32)


def test_rewards_that_differ_when_asked_again(tmp_path: Path) -> None:
    model = unchecked(save_reward_model(tmp_path / "model"))
    conversations = model.chat.conversations(GREATEST.text, preflight.PROBES.responses)
    alone = [model.head.forward(torch.tensor([c]), torch.ones(1, len(c))) for c in conversations]
    spread = float(max(alone) - min(alone))
    torch.manual_seed(0)  # less than rounding may do to a batch, more than to the same input
    noisy = _Random(model.head, size=spread * 9e-4)
    with pytest.raises(ModelError, match=r"a different reward when asked again.*dropout"):
        preflight.check(_with_head(model, noisy), torch.float32)


def test_buffers_that_were_never_filled(tmp_path: Path) -> None:
    model = unchecked(save_reward_model(tmp_path / "model"))
    model.head.backbone.rotary_emb.inv_freq.fill_(float("nan"))  # type: ignore[union-attr, operator]
    with pytest.raises(ModelError, match=r"buffer of the loaded model is not finite.*inv_freq"):
        preflight.check(model, torch.float32)
