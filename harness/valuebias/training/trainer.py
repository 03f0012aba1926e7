"""transformers' Trainer with the Bradley-Terry loss, and complete checkpoints only.

What Trainer writes for resuming (optimizer.pt, scheduler.pt, rng_state.pth) are pickles.
transformers 5.23 reads all three back with ``torch.load(weights_only=True)``, which builds
tensors, numbers and plain containers and calls nothing else; for rng_state.pth it also allows the
numpy functions that rebuild an array. Such a file from a stranger can therefore make a run wrong,
but runs no code. Its training_args.bin is a pickle of arbitrary objects, which nothing reads back:
it is not written here. Reading any of these files with ``weights_only=False`` is not safe; scoring
a checkpoint reads its safetensors and JSON alone.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from valuebias.errors import TrainingError
from valuebias.models.files import STATED
from valuebias.models.heads.backbone import quiet
from valuebias.training import run_directory
from valuebias.training.objective import bradley_terry, text_loss
from valuebias.training.pairs import TokenPair
from valuebias.training.recipe import Recipe
from valuebias.training.text_head import TextHead

_SUMS = ("accuracy", "margin", "reward", "text_loss")


class Pairs(Dataset[TokenPair]):
    """A run's pairs, as torch wants them."""

    def __init__(self, pairs: Sequence[TokenPair]) -> None:
        self._pairs = pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, index: int) -> TokenPair:
        return self._pairs[index]


class Collator:
    """Pairs padded on the right: all chosen conversations, then all rejected ones."""

    def __init__(self, pad: int) -> None:
        self._pad = pad

    def __call__(self, pairs: Sequence[TokenPair]) -> dict[str, torch.Tensor]:
        sides = [*(pair.chosen for pair in pairs), *(pair.rejected for pair in pairs)]
        ids = [torch.from_numpy(side).long() for side in sides]
        ones = [torch.ones(len(side), dtype=torch.long) for side in sides]
        return {
            "input_ids": pad_sequence(ids, batch_first=True, padding_value=self._pad),
            "attention_mask": pad_sequence(ones, batch_first=True),
            "margin": torch.tensor([pair.margin for pair in pairs], dtype=torch.float32),
            "response": torch.tensor([pair.response for pair in pairs]),
        }


def arguments(recipe: Recipe, directory: Path, *, cpu: bool) -> TrainingArguments:
    """Trainer's arguments for a recipe. Raises TrainingError where its batches cannot be spread
    over the processes there are."""
    args = TrainingArguments(
        output_dir=str(directory), use_cpu=cpu, report_to=[], disable_tqdm=True
    )
    world = args.world_size
    if args.n_gpu > 1:
        raise TrainingError(
            "several GPUs are visible to one process",
            seen=f"{args.n_gpu} GPUs",
            remedy="Start with accelerate launch, or show it one: CUDA_VISIBLE_DEVICES=0.",
        )
    if recipe.accumulation % world:
        raise TrainingError(
            "the recipe's `accumulation` cannot be divided among the processes",
            seen=f"{recipe.accumulation} batches a step, {world} processes",
            remedy="Use a number of processes that divides it, so that a step has the same pairs.",
        )
    on_gpu = args.device.type != "cpu"
    checkpointing: dict[str, Any] = {}
    if recipe.gradient_checkpointing:
        new = "activation_checkpointing" in TrainingArguments.__dataclass_fields__
        checkpointing = {"activation_checkpointing" if new else "gradient_checkpointing": True}
    return TrainingArguments(
        output_dir=str(directory),
        use_cpu=cpu,
        per_device_train_batch_size=recipe.batch_size,
        gradient_accumulation_steps=recipe.accumulation // world,
        num_train_epochs=recipe.epochs,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule
        if recipe.schedule != "constant"
        else "constant_with_warmup",
        warmup_steps=recipe.warmup,  # below 1 it is a share
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        optim="adamw_torch",
        bf16=recipe.precision == "bfloat16" or (recipe.precision == "auto" and on_gpu),
        seed=recipe.seed,
        data_seed=recipe.seed,
        save_strategy="steps",
        save_steps=recipe.checkpoint_every,
        logging_steps=recipe.log_every,
        logging_nan_inf_filter=False,
        remove_unused_columns=False,
        dataloader_pin_memory=on_gpu,
        ddp_find_unused_parameters=False,
        disable_tqdm=True,
        report_to=[],
        **checkpointing,
    )


class BradleyTerryTrainer(Trainer):
    """Trains on pairs; writes metrics.jsonl and whole checkpoints into the run's directory."""

    loss_is_scaled_for_ga = False

    def __init__(
        self,
        model: Any,
        args: TrainingArguments,
        pairs: Sequence[TokenPair],
        recipe: Recipe,
        *,
        pad: int,
        stated: Mapping[str, Any],
        text_head: TextHead | None = None,
        callbacks: Sequence[TrainerCallback] = (),
    ) -> None:
        super().__init__(
            model=model,
            args=args,
            data_collator=Collator(pad),
            train_dataset=Pairs(pairs),
            callbacks=[*callbacks],
        )
        self.remove_callback(PrinterCallback)
        self.add_callback(_Rhythm(self, recipe))
        self.model_accepts_loss_kwargs = False  # the loss is a mean over its batch
        self._recipe = recipe
        self._stated = dict(stated)
        self._text_head = text_head
        if text_head is not None:
            text_head.to(self.args.device)
        self._sums = torch.zeros(len(_SUMS), device=self.args.device)
        self._batches = 0
        self._staging: Path | None = None

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Any = None,
    ) -> Any:
        recipe, margin = self._recipe, inputs["margin"]
        outputs = model(
            input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"], use_cache=False
        )
        chosen, rejected = outputs.logits.squeeze(-1).float().chunk(2)
        plain = recipe.margin == 0.0
        loss = bradley_terry(
            chosen, rejected, 0.0 if plain else margin, recipe.label_smoothing, recipe.centring
        )
        text = loss.new_zeros(())
        if self._text_head is not None:
            with self.accelerator.autocast():  # the model's own forward has it already
                log_p = self._text_head.log_probability(
                    inputs["input_ids"], inputs["attention_mask"], inputs["response"]
                )
            text = text_loss(log_p, recipe.text_beta)
            loss = (1 - recipe.text_weight) * loss + recipe.text_weight * text
        if model.training:
            with torch.no_grad():  # summed where they are: reading them would wait for the GPU
                difference = chosen - rejected
                right = (difference > 0).float().mean()
                rewards = outputs.logits.float().mean()
                self._sums += torch.stack([right, difference.mean(), rewards, text.detach()])
                self._batches += 1
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        if "loss" in logs and self._batches:
            sums = self.accelerator.reduce(self._sums / self._batches, reduction="mean").tolist()
            self._sums.zero_()
            self._batches = 0
            logs.update(zip(_SUMS, sums, strict=True))
            if self._text_head is None:
                del logs["text_loss"]
            if not math.isfinite(logs["loss"]):
                raise TrainingError(
                    f"the loss is no longer a finite number at step {self.state.global_step:,}",
                    seen=logs["loss"],
                    remedy="Lower `learning_rate`, or use `precision: float32`.",
                )
            if self.is_world_process_zero():
                line = {"step": self.state.global_step, "epoch": self.state.epoch, **logs}
                run_directory.append_line(
                    Path(self.args.output_dir or "") / run_directory.METRICS, line
                )
        super().log(logs, start_time)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        """The adapter and its head alone; the base is named, not copied."""
        if not self.args.should_save:
            return
        assert output_dir is not None
        model = self.accelerator.unwrap_model(self.model)
        with quiet():  # "auto" would ask the hub whether the base's vocabulary has grown
            model.save_pretrained(output_dir, state_dict=state_dict, save_embedding_layers=False)
        run_directory.write_json(Path(output_dir) / STATED, self._stated)
        (Path(output_dir) / "README.md").unlink(missing_ok=True)  # PEFT's empty model card

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._staging or super()._get_output_dir(trial))

    def save_whole(self) -> None:
        """Write a checkpoint of the present step."""
        self._save_checkpoint(self.model, None)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        directory = Path(self.args.output_dir or "")
        name = f"{run_directory.PREFIX}{self.state.global_step}"
        staging = directory / run_directory.STAGING
        if self.is_world_process_zero():
            shutil.rmtree(staging, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self._staging = staging
        try:
            super()._save_checkpoint(model, trial)
        finally:
            self._staging = None
        self.accelerator.wait_for_everyone()
        if self.is_world_process_zero():
            run_directory.seal(staging / name, directory / name)
            staging.rmdir()
        self.accelerator.wait_for_everyone()


class _Rhythm(TrainerCallback):
    """A line of metrics with every checkpoint, so that a resumed run writes the same lines."""

    def __init__(self, trainer: BradleyTerryTrainer, recipe: Recipe) -> None:
        self._trainer, self._recipe = trainer, recipe

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if self._recipe.initial_checkpoint and state.global_step == 0:
            self._trainer.save_whole()
            self._trainer.callback_handler.on_save(args, state, control)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        if control.should_save or state.global_step >= state.max_steps:
            control.should_log = True
