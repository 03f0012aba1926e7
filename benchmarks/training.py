"""What a training step costs, against a bare transformers Trainer on the same model and pairs.

    python benchmarks/training.py [--quick] [--json FILE]

The bare Trainer gets the same LoRA model and the same ready batches, and computes the
Bradley-Terry loss in three lines; it writes no metrics. Both train in turn in one process, round by
round; a figure is the median ratio of processor time a step, with its range over rounds.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch.nn.functional import logsigmoid
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    set_seed,
)

from valuebias.models.settings import Settings
from valuebias.organisms.paths import base_model
from valuebias.organisms.reward import preferences
from valuebias.training.model import Base, build
from valuebias.training.pairs import Prepared, prepare
from valuebias.training.recipe import DataSource, Recipe
from valuebias.training.row_forms import Preference
from valuebias.training.trainer import BradleyTerryTrainer, Collator, Pairs, arguments

TARGET = 1.1


class Bare(Trainer):
    """The least that trains a reward model."""

    loss_is_scaled_for_ga = False

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        logits = model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        ).logits
        chosen, rejected = logits.squeeze(-1).chunk(2)
        return -logsigmoid(chosen - rejected).mean()


class Clock(TrainerCallback):
    """Processor seconds of every step but the first two, which warm up."""

    def __init__(self) -> None:
        self.steps: list[float] = []
        self._start = 0.0

    def on_step_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        self._start = time.process_time()

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if state.global_step > 2:
            self.steps.append(time.process_time() - self._start)


def seconds_a_step(
    kind: str, recipe: Recipe, base: Base, prepared: Prepared, folder: Path
) -> float:
    """Mean processor seconds of a step."""
    set_seed(0)
    model, _, pad = build(recipe, base, prepared.pairs)
    args = arguments(recipe, folder, cpu=True)
    args.save_strategy = "no"  # type: ignore[assignment]
    clock = Clock()
    trainer: Trainer
    if kind == "ours":
        trainer = BradleyTerryTrainer(
            model, args, prepared.pairs, recipe, pad=pad, stated=base.stated, callbacks=[clock]
        )
    else:
        trainer = Bare(
            model=model,
            args=args,
            data_collator=Collator(pad),
            train_dataset=Pairs(prepared.pairs),
            callbacks=[clock],
        )
        trainer.remove_callback(PrinterCallback)
    trainer.train()
    return statistics.mean(clock.steps)


def llama_512(folder: Path) -> Path:
    """A random Llama of width 512 with the embedded tokenizer."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(base_model("agency"))
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=512,
        intermediate_size=1376,
        num_hidden_layers=8,
        num_attention_heads=8,
        num_key_value_heads=8,
        max_position_embeddings=1024,
        pad_token_id=tokenizer.pad_token_id,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--quick", action="store_true", help="few steps; figures are not judged")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    rounds, steps = (2, 5) if options.quick else (5, 14)
    figures = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        cases: dict[str, Callable[[], Path]] = {
            "embedded base": lambda: Path(base_model("agency")),
            "random Llama, width 512": lambda: llama_512(folder / "llama-512"),
        }
        for title, make in cases.items():
            recipe = Recipe(str(make()), DataSource("made up"), epochs=1)
            base = Base.find(recipe.base, Settings(device="cpu"))
            prepared = prepare(recipe, pairs(16 * steps), base.writer(recipe))
            ratios, bare, ours = [], [], []
            for turn in range(rounds):
                kinds = ("bare", "ours") if turn % 2 else ("ours", "bare")
                took = {
                    kind: seconds_a_step(kind, recipe, base, prepared, folder / "out")
                    for kind in kinds
                }
                ratios.append(took["ours"] / took["bare"])
                bare.append(took["bare"])
                ours.append(took["ours"])
            figures.append(
                {
                    "name": f"a training step against a bare Trainer's, {title}",
                    "value": round(statistics.median(ratios), 3),
                    "range": [round(min(ratios), 3), round(max(ratios), 3)],
                    "seconds": {
                        "ours": round(statistics.median(ours), 4),
                        "bare": round(statistics.median(bare), 4),
                    },
                    "target": None if options.quick else TARGET,
                    "met": None if options.quick else statistics.median(ratios) <= TARGET,
                }
            )
            print(json.dumps(figures[-1]), flush=True)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1))


def pairs(n: int) -> list[Preference]:
    """Pairs of the embedded models' world."""
    made = preferences(n, "benchmark", flipped=0.0)
    return [
        Preference(
            (("user", pair.question),),
            (("assistant", pair.chosen),),
            (("assistant", pair.rejected),),
            f"pair {i}",
        )
        for i, pair in enumerate(made, start=1)
    ]


if __name__ == "__main__":
    main()
