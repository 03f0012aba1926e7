"""The regulariser of generalizable reward models: the base's own language head, kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from support.models import save_language_model
from support.preferences import rows
from valuebias.models.settings import Settings
from valuebias.training import Recipe
from valuebias.training.model import Base, build
from valuebias.training.pairs import prepare
from valuebias.training.row_forms import preference
from valuebias.training.trainer import BradleyTerryTrainer, Collator, arguments


@pytest.fixture(params=["llama", "gemma2"])
def grm(request: pytest.FixtureRequest, recipe: Recipe, tmp_path: Path) -> Recipe:
    """Gemma 2 ties its embeddings, scales them and caps its logits; Llama does none of it."""
    options: dict[str, Any]
    options = {"final_logit_softcapping": 3.0} if request.param == "gemma2" else {}
    base = save_language_model(tmp_path / "base", request.param, **options)
    return replace(recipe, base=str(base), regularizer="text", lora_dropout=0.0)


def test_text_is_as_likely_as_the_base_finds_it_and_gradients_reach_the_hidden_states(
    grm: Recipe, tmp_path: Path
) -> None:
    base = Base.find(grm.base, Settings(device="cpu"))
    given = [preference(row, "", grm.data) for row in rows(4)]
    pairs = prepare(grm, given, base.writer(grm)).pairs
    torch.manual_seed(0)
    model, head, pad = build(grm, base, pairs)
    assert head is not None
    batch = Collator(pad)(pairs)
    model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    kept = head._hidden
    assert kept is not None
    kept.retain_grad()
    got = head.log_probability(batch["input_ids"], batch["attention_mask"], batch["response"])

    causal = AutoModelForCausalLM.from_pretrained(grm.base, dtype=torch.float32)
    for i, pair in enumerate(pairs):
        ids = torch.from_numpy(pair.chosen).long()
        log_p = causal(input_ids=ids[None]).logits[0].log_softmax(-1)
        tokens = range(pair.response, len(ids))
        assert got[i].item() == pytest.approx(
            sum(log_p[t - 1, ids[t]].item() for t in tokens), rel=1e-4
        )

    got.sum().backward()
    assert kept.grad is not None
    reached = kept.grad.abs().sum(-1) > 0
    for i, pair in enumerate(pairs):
        before = torch.zeros(reached.shape[1], dtype=torch.bool)
        before[pair.response - 1 : len(pair.chosen) - 1] = True
        assert torch.equal(reached[i], before)
    assert not reached[len(pairs) :].any(), "the rejected responses have no text loss"
    trained = {name for name, p in model.named_parameters() if p.grad is not None}
    assert trained
    assert all("lora_" in name for name in trained)


def test_the_weight_takes_from_one_loss_what_it_gives_the_other(
    grm: Recipe, tmp_path: Path
) -> None:
    base = Base.find(grm.base, Settings(device="cpu"))
    given = [preference(row, "", grm.data) for row in rows(4)]
    losses = {}
    for weight in (0.0, 0.25, 1.0):
        recipe = replace(grm, text_weight=weight)
        pairs = prepare(recipe, given, base.writer(recipe)).pairs
        torch.manual_seed(0)
        model, head, pad = build(recipe, base, pairs)
        args = arguments(recipe, tmp_path, cpu=True)
        trainer = BradleyTerryTrainer(
            model, args, pairs, recipe, pad=pad, stated={}, text_head=head
        )
        losses[weight] = trainer.compute_loss(model, Collator(pad)(pairs)).item()
    assert losses[0.25] == pytest.approx(0.75 * losses[0.0] + 0.25 * losses[1.0], rel=1e-6)
    assert losses[1.0] > 2 * losses[0.0]
