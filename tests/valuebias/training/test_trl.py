"""The same model, data and seed in TRL's RewardTrainer: the same losses and gradients."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from support.preferences import rows
from valuebias.models.settings import Settings
from valuebias.training import Recipe
from valuebias.training.model import Base, build
from valuebias.training.pairs import prepare
from valuebias.training.row_forms import preference
from valuebias.training.trainer import BradleyTerryTrainer, arguments

trl = pytest.importorskip("trl", reason="TRL is not installed")

STEPS = 20
MARGINS = (0.0, "data")


def tape(trainer: Any) -> list[dict[str, torch.Tensor]]:
    """The gradients of every step, before they are clipped and used."""
    from transformers import TrainerCallback

    steps: list[dict[str, torch.Tensor]] = []

    class Tape(TrainerCallback):
        def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **kw: Any) -> None:
            steps.append(
                {
                    name: p.grad.clone()
                    for name, p in kw["model"].named_parameters()
                    if p.grad is not None
                }
            )

    trainer.add_callback(Tape())
    return steps


@pytest.mark.filterwarnings("ignore")  # TRL's and datasets' own
@pytest.mark.parametrize("margin", MARGINS)
def test_losses_and_gradients_agree_over_twenty_steps(
    recipe: Recipe, tmp_path: Path, margin: Any
) -> None:
    from datasets import Dataset

    recipe = replace(
        recipe,
        epochs=1,
        lora_dropout=0.0,
        margin=margin,
        centring=0.01 if margin == "data" else 0.0,
        log_every=1,
        checkpoint_every=1000,
        learning_rate=1e-3,
    )
    content = [{**row, "margin": 0.1 * (i % 4)} for i, row in enumerate(rows(8 * STEPS))]
    base = Base.find(recipe.base, Settings(device="cpu"))
    given = [preference(row, "", recipe.data) for row in content]
    prepared = prepare(recipe, given, base.writer(recipe))
    order = [given.index(p) for p in _in_order(recipe, given)]

    def conversation(row: dict[str, Any], side: str) -> list[dict[str, str]]:
        return [
            {"role": "user", "content": row["prompt"]},
            {"role": "assistant", "content": row[side]},
        ]

    theirs_data = Dataset.from_list(
        [
            {
                "chosen": conversation(content[i], "chosen"),
                "rejected": conversation(content[i], "rejected"),
                **({"margin": content[i]["margin"]} if margin == "data" else {}),
            }
            for i in order
        ]
    )

    torch.manual_seed(0)
    model, _, pad = build(recipe, base, prepared.pairs)
    args = arguments(recipe, tmp_path / "ours", cpu=True)
    ours = BradleyTerryTrainer(model, args, prepared.pairs, recipe, pad=pad, stated={})
    our_gradients = tape(ours)
    (tmp_path / "ours").mkdir(exist_ok=True)
    ours.train()

    torch.manual_seed(0)
    model, _, _ = build(recipe, base, prepared.pairs)
    config = trl.RewardConfig(
        output_dir=str(tmp_path / "theirs"),
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation,
        num_train_epochs=1,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup,
        max_grad_norm=recipe.max_grad_norm,
        weight_decay=0.0,
        optim="adamw_torch",
        max_length=recipe.max_length,
        center_rewards_coefficient=recipe.centring or None,
        seed=recipe.seed,
        data_seed=recipe.seed,
        logging_steps=1,
        save_strategy="no",
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        disable_tqdm=True,
        report_to=[],
    )
    theirs = trl.RewardTrainer(
        model=model, args=config, train_dataset=theirs_data, processing_class=base.tokenizer
    )
    their_gradients = tape(theirs)
    theirs.train()

    for mine, row in zip(prepared.pairs, theirs.train_dataset, strict=True):
        assert mine.chosen.tolist() == row["chosen_ids"]
        assert mine.rejected.tolist() == row["rejected_ids"]
    losses = [
        [line["loss"] for line in trainer.state.log_history if "loss" in line]
        for trainer in (ours, theirs)
    ]
    assert len(losses[0]) == len(our_gradients) == len(their_gradients) == STEPS
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)
    assert losses[0][0] != pytest.approx(losses[0][-1], abs=1e-3), "it learns"
    for gradients, other in zip(our_gradients, their_gradients, strict=True):
        assert gradients.keys() == other.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, other[name], rtol=0, atol=1e-6)


def _in_order(recipe: Recipe, given: list[Any]) -> list[Any]:
    import random

    order = list(range(len(given)))
    random.Random(recipe.seed).shuffle(order)
    return [given[i] for i in order]
