"""Tiny checkpoints with the tensor names of published reward models, and plain readings of the
published forward passes, in double precision, to compare the head adapters with.

Each ``save_*`` writes a checkpoint as its authors publish it; each ``*_reward`` reads one
conversation's reward off the files alone, step by step, with none of the adapters' code.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from support.models import FAMILIES, build_config, build_tokenizer

OBJECTIVES, QUANTILES, GATE = 5, 7, 12
Tensors = dict[str, torch.Tensor]


def save(
    path: Path,
    head: Tensors,
    config: dict[str, Any],
    *,
    family: str = "llama",
    language_head: bool = False,
    seed: int = 0,
) -> Path:
    """A decoder under ``model.``, the head's tensors beside it, config and tokenizer."""
    import transformers

    tokenizer = build_tokenizer()
    torch.manual_seed(seed)
    kind = "ForCausalLM" if language_head else "Model"
    model = getattr(transformers, FAMILIES[family][0] + kind)(
        build_config(family, tokenizer, tie_word_embeddings=False)
    )
    prefix = "" if language_head else "model."
    state = {prefix + name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    path.mkdir(parents=True)
    save_file({**state, **head}, path / "model.safetensors", metadata={"format": "pt"})
    saved = model.config.to_dict() | config
    (path / "config.json").write_text(json.dumps(saved))
    tokenizer.save_pretrained(path)
    return path


def turn_ids(tokenizer: Any) -> list[int]:
    """The test tokenizer's ids between the end of a prompt and the response."""
    text = "<|im_end|>\n<|im_start|>assistant\n"
    return list(tokenizer(text, add_special_tokens=False)["input_ids"])


def hidden_states(path: Path, ids: Sequence[int]) -> torch.Tensor:
    """The decoder's last hidden states (length, hidden), by transformers' own class in float64."""
    from transformers import AutoModel

    model = AutoModel.from_pretrained(path, dtype=torch.float64, attn_implementation="eager").eval()
    with torch.inference_mode():
        return model(torch.tensor([list(ids)])).last_hidden_state[0]


def _read(path: Path) -> tuple[Tensors, dict[str, Any]]:
    tensors = {k: v.double() for k, v in load_file(path / "model.safetensors").items()}
    return tensors, json.loads((path / "config.json").read_text())


def _gate_position(ids: Sequence[int], pattern: Sequence[int]) -> int:
    found = [i for i in range(len(ids)) if list(ids[i : i + len(pattern)]) == list(pattern)]
    return found[-1]


def _old_last(ids: Sequence[int], pad: int) -> int:
    """argmax of (ids == pad), minus one, modulo the length."""
    first = next((i for i, token in enumerate(ids) if token == pad), 0)
    return (first - 1) % len(ids)


def save_armorm(path: Path, **config: Any) -> Path:
    torch.manual_seed(1)
    sizes = [32, GATE, GATE, GATE, OBJECTIVES]
    head = {"gating.logit_scale": torch.tensor([1.4])}
    for i in range(4):
        head[f"gating.layers.{i}.weight"] = torch.randn(sizes[i + 1], sizes[i])
        head[f"gating.layers.{i}.bias"] = torch.randn(sizes[i + 1])
    head["regression_layer.weight"] = torch.randn(OBJECTIVES, 32)
    head["reward_transform_matrix"] = torch.eye(OBJECTIVES) - 0.1 * torch.rand(
        OBJECTIVES, OBJECTIVES
    )
    return save(
        path,
        head,
        {
            "architectures": ["LlamaForRewardModelWithGating"],
            "auto_map": {"AutoModelForSequenceClassification": "modeling_custom.Gated"},
            "num_objectives": OBJECTIVES,
            "gating_temperature": 10,
            "gating_hidden_dim": GATE,
            "gating_n_hidden": 3,
            "gating_token_pattern": turn_ids(build_tokenizer()),
            **config,
        },
    )


def armorm_reward(path: Path, ids: Sequence[int]) -> float:
    tensors, config = _read(path)
    hidden = hidden_states(path, ids)
    rewards = tensors["regression_layer.weight"] @ hidden[_old_last(ids, config["pad_token_id"])]
    x = hidden[_gate_position(ids, config["gating_token_pattern"])]
    for i in range(4):
        x = tensors[f"gating.layers.{i}.weight"] @ x + tensors[f"gating.layers.{i}.bias"]
        if i < 3:
            x = x.clamp(min=0)
    gate = (x / config["gating_temperature"]).softmax(0) * tensors["gating.logit_scale"][0]
    return float((gate * (rewards @ tensors["reward_transform_matrix"])).sum())


def save_qrm(path: Path, *, matrix: bool, dropout: bool, family: str = "llama") -> Path:
    """Older checkpoints have a transform matrix; QRM-Gemma has dropout between its layers, which
    moves their indices."""
    torch.manual_seed(2)
    step = 4 if dropout else 3
    linear = [0, step, 2 * step, 3 * step - (1 if dropout else 0)]
    sizes = [32, GATE, GATE, GATE, OBJECTIVES]
    head = {"gating.logit_scale": torch.tensor([0.8])}
    for k, i in enumerate(linear):
        head[f"gating.layers.{i}.weight"] = torch.randn(sizes[k + 1], sizes[k]) / 20
        if k < 3:
            head[f"gating.layers.{i + 2}.weight"] = torch.rand(GATE) + 0.5
            head[f"gating.layers.{i + 2}.bias"] = torch.randn(GATE)
            head[f"gating.layers.{i + 2}.running_mean"] = torch.randn(GATE)
            head[f"gating.layers.{i + 2}.running_var"] = torch.rand(GATE) / 20 + 0.01
            head[f"gating.layers.{i + 2}.num_batches_tracked"] = torch.tensor(3)
    head[f"gating.layers.{linear[3]}.bias"] = torch.randn(OBJECTIVES)
    head["regression_layer.weight"] = torch.randn(OBJECTIVES * QUANTILES, 32)
    if matrix:
        head["reward_transform_matrix"] = torch.eye(OBJECTIVES) - 0.1 * torch.rand(
            OBJECTIVES, OBJECTIVES
        )
    return save(
        path,
        head,
        {
            "architectures": ["LlamaForRewardModelWithGating"],
            "num_objectives": OBJECTIVES,
            "num_quantiles": QUANTILES,
            "gating_temperature": 5.0,
            "gating_token_pattern": turn_ids(build_tokenizer()),
        },
        family=family,
    )


def qrm_reward(path: Path, ids: Sequence[int]) -> float:
    tensors, config = _read(path)
    hidden = hidden_states(path, ids)
    last = hidden[_old_last(ids, config["pad_token_id"])]
    quantiles = (tensors["regression_layer.weight"] @ last).reshape(OBJECTIVES, QUANTILES)
    rewards = quantiles.mean(1)
    if "reward_transform_matrix" in tensors:
        rewards = rewards @ tensors["reward_transform_matrix"]
    x = hidden[_gate_position(ids, config["gating_token_pattern"])][None]
    numbers = sorted(
        {int(key.split(".")[2]) for key in tensors if key.startswith("gating.layers.")}
    )
    for number in numbers:
        layer = {
            key.rsplit(".", 1)[1]: tensor
            for key, tensor in tensors.items()
            if key.startswith(f"gating.layers.{number}.")
        }
        if "running_mean" in layer:
            norm = torch.nn.BatchNorm1d(GATE).double().eval()
            layer["num_batches_tracked"] = layer["num_batches_tracked"].long()
            norm.load_state_dict(layer)
            x = norm(x).detach()
        else:
            x = x @ layer["weight"].T + layer.get("bias", 0)
            if number != numbers[-1]:
                x = torch.nn.ReLU()(x)
    gate = (x[0] / config["gating_temperature"]).softmax(0) * tensors["gating.logit_scale"][0]
    return float((gate * rewards).sum())


def save_urm(path: Path) -> Path:
    torch.manual_seed(3)
    head = {"score.weight": torch.randn(2 * OBJECTIVES, 32)}
    for i, size in ((0, 32), (2, 32), (4, OBJECTIVES)):
        head[f"weights.fc.{i}.weight"] = torch.randn(size, 32) / 4
        head[f"weights.fc.{i}.bias"] = torch.randn(size)
    labels = {str(i): f"LABEL_{i}" for i in range(2 * OBJECTIVES)}
    architecture = "LlamaForSequenceClassificationWithNormal_Weights"
    return save(path, head, {"architectures": [architecture], "id2label": labels})


def urm_reward(path: Path, ids: Sequence[int]) -> float:
    tensors, _ = _read(path)
    last = hidden_states(path, ids)[-1]
    logits = (tensors["score.weight"] @ last).reshape(OBJECTIVES, 2)
    x = last
    for i in (0, 2, 4):
        x = tensors[f"weights.fc.{i}.weight"] @ x + tensors[f"weights.fc.{i}.bias"]
        if i < 4:
            x = torch.nn.SELU()(x)
    return float(sum(logits[k, 0] * x[k] for k in range(OBJECTIVES)))


def save_grm(path: Path, layer_type: str) -> Path:
    torch.manual_seed(4)
    if layer_type == "linear":
        head = {"v_head.summary.weight": torch.randn(1, 32), "v_head.summary.bias": torch.ones(1)}
    else:
        head = {
            "v_head.summary.0.weight": torch.randn(16, 32),
            "v_head.summary.0.bias": torch.randn(16),
            "v_head.summary.2.weight": torch.randn(1, 16),
            "v_head.summary.2.bias": torch.ones(1),
        }
    config = {"architectures": ["LlamaForCausalLM"], "vhead_layer_type": layer_type}
    return save(path, head, config, language_head=True)


def grm_reward(path: Path, ids: Sequence[int]) -> float:
    tensors, config = _read(path)
    x = hidden_states(path, ids)[-1]
    if config["vhead_layer_type"] == "linear":
        return float(tensors["v_head.summary.weight"][0] @ x + tensors["v_head.summary.bias"][0])
    x = torch.relu(tensors["v_head.summary.0.weight"] @ x + tensors["v_head.summary.0.bias"])
    return float(tensors["v_head.summary.2.weight"][0] @ x + tensors["v_head.summary.2.bias"][0])


def save_first_logit(path: Path, **config: Any) -> Path:
    return save(path, {}, {"architectures": ["LlamaForCausalLM"], **config}, language_head=True)


def first_logit_reward(path: Path, ids: Sequence[int]) -> float:
    """generate(max_new_tokens=1, output_scores=True), then scores[0][0][0]."""
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32).eval()
    generated = model.generate(
        torch.tensor([list(ids)]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=1,
        do_sample=False,
        return_dict_in_generate=True,
        output_scores=True,
    )
    return float(generated.scores[0][0][0])
