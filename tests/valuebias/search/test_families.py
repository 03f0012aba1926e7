"""Every sequence-classification family of transformers, from a tiny configuration: each is scored
as its own forward does, on the top rung or on a lower one that says why. None silently wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from transformers import CONFIG_MAPPING, AutoModelForSequenceClassification, PretrainedConfig
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING_NAMES as FAMILIES,
)

from valuebias.search import RUNGS, Searcher

torch.set_num_threads(1)

# One size for whatever a family calls it; a family takes the names its configuration has.
SIZES: dict[str, Any] = {
    **dict.fromkeys(("hidden_size", "n_embd", "d_model", "word_embed_proj_dim"), 64),
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers"), 4),
    **dict.fromkeys(("num_attention_heads", "n_head", "n_heads", "num_heads"), 4),
    **dict.fromkeys(("encoder_attention_heads", "decoder_attention_heads"), 4),
    **dict.fromkeys(("encoder_layers", "decoder_layers"), 2),
    **dict.fromkeys(("intermediate_size", "n_inner", "ffn_dim", "d_ff"), 96),
    **dict.fromkeys(("encoder_ffn_dim", "decoder_ffn_dim"), 96),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "max_seq_len"), 512),
    **dict.fromkeys(("head_dim", "d_kv", "v_head_dim", "qk_head_dim"), 16),
    **dict.fromkeys(("q_lora_rank", "kv_lora_rank", "query_pre_attn_scalar"), 16),
    **dict.fromkeys(("qk_rope_head_dim", "qk_nope_head_dim", "rotary_dim"), 8),
    **dict.fromkeys(("num_experts", "num_local_experts", "n_routed_experts"), 4),
    **dict.fromkeys(("n_group", "topk_group", "first_k_dense_replace", "n_shared_experts"), 1),
    **dict.fromkeys(("attention_dropout", "hidden_dropout", "dropout", "resid_pdrop"), 0.0),
    **dict.fromkeys(("embd_pdrop", "attn_pdrop", "hidden_dropout_prob"), 0.0),
    "attention_probs_dropout_prob": 0.0,
    "num_key_value_heads": 2,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "sliding_window": 9,
    "vocab_size": 256,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "num_labels": 1,
    **dict.fromkeys(("linear_key_head_dim", "linear_value_head_dim"), 16),
    **dict.fromkeys(("linear_num_key_heads", "linear_num_value_heads"), 2),
    "attention_window": 16,
    "attention_types": [[["global", "local"], 2]],
}
WRAPPERS = {"text_config", "vision_config", "encoder", "decoder"}
ALSO_WHERE_UNSET = ("pad_token_id", "num_key_value_heads", "num_experts_per_tok", "head_dim")


def families(names: str) -> frozenset[str]:
    return frozenset(names.split())


# The rung each family is known to reach. One that builds no more, or falls lower, fails its test;
# the rest either has no tiny form (wrappers, encoder-decoders) or is new, and must only be right.
SHARED_PREFIX = families(
    """
    arcee axk1 biogpt ctrl deepseek_v2 deepseek_v3 diffllama exaone4 gemma gemma2
    gemma3_text glm glm4 gpt-sw3 gpt2 gpt_bigcode gpt_neox gpt_oss helium hunyuan_v1_dense
    hunyuan_v1_moe jetmoe llama minicpm3 ministral ministral3 mistral mistral4 mixtral nemotron
    olmo olmo2 olmo3 opt persimmon phi phi3 phimoe qwen2 qwen2_moe qwen3 qwen3_moe seed_oss
    smollm3 stablelm starcoder2
    """
)
PREFIX_CACHE = families(
    """
    bloom doge falcon gpt_neo gptj minimax mpt qwen3_5_text qwen3_next
    """
)
FULL = families(
    """
    albert bert big_bird camembert canine convbert data2vec-text deberta deberta-v2
    distilbert electra ernie eurobert flaubert fnet gte ibert jamba jina_embeddings_v3
    layoutlm longformer markuplm megatron-bert mobilebert modernbert modernbert-decoder
    mpnet mra nomic_bert nystromformer openai-gpt rembert roberta roberta-prelayernorm
    roformer tapas ultrabert xlm xlm-roberta xlm-roberta-xl yoso
    """
)

_rng = np.random.default_rng(0)
PREFIX = _rng.integers(5, 200, 21).tolist()
TAILS = [[int(token), 7, 9] for token in [*_rng.integers(5, 200, 11), 0]]
TAILS += [[int(token), 4, 7, 9] for token in _rng.integers(5, 200, 3)]


class Plain:
    """The linear score at the rightmost token that is not padding."""

    name = "score"

    def __init__(self, model: Any) -> None:
        self.model = model
        self.backbone: torch.nn.Module = getattr(model, model.base_model_prefix)

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        return {"last": max((i for i, token in enumerate(ids) if token != 0), default=0)}

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        score = getattr(self.model, "score", None) or self.model.classifier
        return F.linear(hidden["last"].float(), score.weight.float(), score.bias)[:, 0]

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        out = self.model(input_ids=input_ids, attention_mask=attention_mask)
        logits: torch.Tensor = out.logits[:, 0].float()
        return logits


def build(family: str) -> Any:
    """A tiny model of the family with random weights whose own forward works; None if none does."""
    if family not in CONFIG_MAPPING or WRAPPERS & set(CONFIG_MAPPING[family].sub_configs):
        return None  # wrappers of several models have no tiny form in common
    for leave in (
        (),
        ("head_dim",),
        ("head_dim", "qk_head_dim"),
        ("layer_types", "sliding_window"),
    ):
        try:
            config = configuration(family, leave)
            with torch.device("meta"):
                shape = AutoModelForSequenceClassification.from_config(config)
            if sum(parameter.numel() for parameter in shape.parameters()) > 8e6:
                return None
            torch.manual_seed(0)
            model = AutoModelForSequenceClassification.from_config(config).eval().float()
            model.config.use_cache = False
            for parameter in model.parameters():
                if parameter.ndim == 2:
                    parameter.data.normal_(0, 0.08)
            if np.isfinite(one_by_one(model)).all():
                return model
        except Exception:
            continue
    return None


def configuration(family: str, leave: Sequence[str]) -> PretrainedConfig:
    kind = CONFIG_MAPPING[family]
    defaults = kind()
    wanted = {
        name: size
        for name, size in SIZES.items()
        if name not in leave
        and hasattr(defaults, name)
        and (getattr(defaults, name) is not None or name in ALSO_WHERE_UNSET)
    }
    return kind(**{k: v for k, v in wanted.items() if kind.attribute_map.get(k) not in wanted})


def one_by_one(model: Any) -> Any:
    with torch.inference_mode():
        rows = [torch.tensor([[*PREFIX, *tail]]) for tail in TAILS]
        return torch.cat(
            [
                model(input_ids=row, attention_mask=torch.ones_like(row)).logits[0, :1]
                for row in rows
            ]
        ).numpy()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_each_family_is_exact_or_on_a_lower_rung_that_says_why(family: str) -> None:
    model = build(family)
    if model is None:
        assert family not in SHARED_PREFIX | PREFIX_CACHE | FULL, "its tiny form builds no more"
        pytest.skip("no tiny form of this family builds")
    searcher = Searcher(Plain(model), chunk_memory=1 << 28)
    values = searcher.run(PREFIX, TAILS)
    expected = one_by_one(model)
    np.testing.assert_allclose(values, expected, atol=1e-5 + 1e-4 * expected.std(), rtol=0)
    assert len(searcher.notes) == RUNGS.index(searcher.rung)  # one reason for each rung left
    if family in SHARED_PREFIX:
        assert searcher.rung == "shared-prefix", searcher.notes
    elif family in PREFIX_CACHE:
        assert searcher.rung != "full", searcher.notes


def test_the_known_families_are_still_offered() -> None:
    known = SHARED_PREFIX | PREFIX_CACHE | FULL
    assert len(known & set(FAMILIES)) > 0.8 * len(known)
    assert len(SHARED_PREFIX) >= 40
