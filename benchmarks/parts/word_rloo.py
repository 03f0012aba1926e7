"""The same policy trained by TRL's RLOO, from draws, with its penalty on the KL divergence."""

from __future__ import annotations

import tempfile
import time
from typing import Any

import torch
from parts.word_policy import Floats, Point, WordPolicy

DRAWS = 4
"""Answers to each prompt in a step."""


def train_by_rloo(
    policy: WordPolicy, rewards: Floats, weight: float, *, steps: int, rate: float, seed: int
) -> list[Point]:  # fmt: skip
    """The policy after each step, of all prompts at once. ``weight`` is the one that
    `word_policy.train_exactly` takes: RLOO's ``beta`` is one over it.

    The model can say nothing but the words, so that what is drawn is what the forecast is of.
    """
    from datasets import Dataset
    from transformers import PrinterCallback, TrainerCallback
    from trl import RLOOConfig, RLOOTrainer

    class Trainer(RLOOTrainer):  # type: ignore[misc]
        """Without a GPU, TRL computes the logits of all positions to use those of the answer."""

        def _get_per_token_logps_and_entropies(
            self,
            model: Any,
            input_ids: Any,
            attention_mask: Any,
            logits_to_keep: int,
            *_: Any,
            **__: Any,
        ) -> tuple[torch.Tensor, torch.Tensor, None]:
            logits = model(
                input_ids, attention_mask=attention_mask, logits_to_keep=logits_to_keep + 1
            ).logits[:, :-1]
            log_probs = torch.log_softmax(logits / self.temperature, dim=-1)
            said = log_probs.gather(-1, input_ids[:, -logits_to_keep:, None])[..., 0]
            return said, -(log_probs.exp() * log_probs).sum(dim=-1), None

    column = {int(token): at for at, token in enumerate(policy.ids)}
    points: list[Point] = []
    watching = 0.0

    def reward(completion_ids: Any, row: Any, **_: Any) -> list[float]:
        return [
            float(rewards[r, column[ids[0]]]) for r, ids in zip(row, completion_ids, strict=True)
        ]

    class Watch(TrainerCallback):
        def on_step_end(self, args: Any, state: Any, control: Any, **kw: Any) -> None:
            nonlocal watching
            now = time.process_time()
            points.append(Point(policy.now(), now - begun - watching))
            watching += time.process_time() - now

    rows = range(len(policy.questions))
    with tempfile.TemporaryDirectory() as folder:
        config = RLOOConfig(
            output_dir=folder,
            per_device_train_batch_size=DRAWS * len(rows),
            num_generations=DRAWS,
            max_completion_length=1,
            beta=1 / weight,
            learning_rate=rate,
            lr_scheduler_type="linear",
            max_grad_norm=0.0,
            max_steps=steps,
            seed=seed,
            use_cpu=True,
            bf16=False,
            gradient_checkpointing=False,
            save_strategy="no",
            logging_strategy="no",
            report_to=[],
            disable_tqdm=True,
        )
        trainer = Trainer(
            model=policy.model,
            reward_funcs=reward,
            args=config,
            train_dataset=Dataset.from_dict({"prompt": policy.questions, "row": list(rows)}),
            processing_class=policy.tokenizer,
            callbacks=[Watch()],
        )
        trainer.remove_callback(PrinterCallback)
        for model in (trainer.model, trainer.ref_model):
            say_only(model, policy.ids)
        begun = time.process_time()
        trainer.train()
    return points


def say_only(model: Any, ids: torch.Tensor) -> None:
    """Give all other tokens the lowest logit that a model with capped logits has."""
    bias = torch.full((model.config.vocab_size,), -1e9)
    bias[ids] = 0.0
    tied = model.lm_head.weight
    model.lm_head = torch.nn.Linear(*tied.T.shape, bias=True)
    model.lm_head.weight = tied
    model.lm_head.bias = torch.nn.Parameter(bias, requires_grad=False)
