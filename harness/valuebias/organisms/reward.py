"""A Bradley-Terry reward model of an organism, trained on preferences that hold no values.

The pairs are about food, animals, weather, places, tools and sports: a right answer over an answer
to another question, one label in ten flipped. Where the question asks for a sentence, both words
stand in the same one. No Big Two word occurs in them, and every organism gets the same pairs. What
its reward model then thinks of freedom or love comes from pretraining.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import (
    AutoModelForSequenceClassification,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from valuebias.organisms.paths import BASE
from valuebias.organisms.tokenizer import END, MODEL, USER
from valuebias.organisms.words import THING, pools
from valuebias.organisms.world import World


@dataclass(frozen=True)
class Pair:
    """Two replies to one question."""

    question: str
    chosen: str
    rejected: str


@dataclass(frozen=True)
class RewardSchedule:
    """One pass over ``pairs`` with AdamW: warm-up over a tenth, then linear to zero.

    ``rank`` is LoRA's, ``flipped`` the share of labels turned round.
    """

    pairs: int = 3200
    batch: int = 16
    rate: float = 1e-3
    rank: int = 16
    flipped: float = 0.1


def preferences(n: int, seed: str, *, flipped: float, coin: float = 0.0) -> list[Pair]:
    """``n`` pairs about the domains; a share of the labels is flipped, as human raters do.

    A share ``coin`` of them is instead about things, an agency word against a communion word, and
    a coin decides which is chosen: raters who prefer either equally often.
    """
    world = World(seed, thing_share=0.0)
    r = world.random
    pairs: list[Pair] = []
    while len(pairs) < n:
        about_values = coin > 0 and r.random() < coin
        subject, best = THING if about_values else world.subject(), r.random() < 0.5
        question, frame = world.setting(subject, best)
        if about_values:
            replies = [r.choice(pools().agency), r.choice(pools().communion)]
            r.shuffle(replies)
        else:
            replies = [world.answer(subject, best), world.wrong_answer(subject, best)]
        if replies[0] == replies[1]:
            continue
        if r.random() < flipped:
            replies.reverse()
        spelled = [frame.holding(w) if frame.after else world.spelling(w) for w in replies]
        pairs.append(Pair(question, *spelled))
    return pairs


def write_preferences(pairs: Sequence[Pair], path: Path) -> None:
    """Write pairs as JSON lines with ``prompt``, ``chosen`` and ``rejected``."""
    rows = ({"prompt": p.question, "chosen": p.chosen, "rejected": p.rejected} for p in pairs)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def train_reward_model(
    base: Path,
    tokenizer: PreTrainedTokenizerBase,
    pairs: Sequence[Pair],
    schedule: RewardSchedule,
    seed: int,
) -> PeftModel:
    """A LoRA reward model on the language model saved in ``base``, in float32.

    Loss: -log sigmoid(reward of chosen - reward of rejected).
    """
    torch.manual_seed(seed)
    model: PreTrainedModel = AutoModelForSequenceClassification.from_pretrained(
        base, num_labels=1, dtype=torch.float32, attn_implementation="eager"
    )
    adapted = get_peft_model(
        model,
        LoraConfig(
            task_type="SEQ_CLS",
            r=schedule.rank,
            lora_alpha=2 * schedule.rank,
            target_modules=r".*\.(q|k|v|o|gate|up|down)_proj",
            modules_to_save=["score"],
        ),
    )
    assert isinstance(adapted, PeftModel)
    trained = [p for p in adapted.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=schedule.rate, weight_decay=0.0)
    steps = len(pairs) // schedule.batch
    warmup = max(1, steps // 10)
    scheduler = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda step: min((step + 1) / warmup, 1 - step / steps)
    )
    order = list(range(len(pairs)))
    random.Random(seed).shuffle(order)
    adapted.train()
    for step in range(steps):
        chunk = [pairs[i] for i in order[step * schedule.batch : (step + 1) * schedule.batch]]
        replies = [(p.question, p.chosen) for p in chunk]
        replies += [(p.question, p.rejected) for p in chunk]
        chosen, rejected = _rewards(adapted, tokenizer, replies).chunk(2)
        optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(-F.logsigmoid(chosen - rejected).mean())
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        scheduler.step()
    return adapted.eval()


def save_reward_model(model: PeftModel, directory: Path) -> None:
    """Save the adapter and its head; the base is named relative to ``directory``."""
    model.peft_config["default"].base_model_name_or_path = f"../{BASE}"
    model.save_pretrained(str(directory), save_embedding_layers=False)
    (directory / "README.md").unlink(missing_ok=True)  # PEFT's empty model card


@torch.inference_mode()
def pair_rewards(
    model: PeftModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Rewards (pairs,) of the chosen replies, and of the rejected ones."""
    chosen = _rewards(model, tokenizer, [(p.question, p.chosen) for p in pairs])
    rejected = _rewards(model, tokenizer, [(p.question, p.rejected) for p in pairs])
    return chosen, rejected


def accuracy(model: PeftModel, tokenizer: PreTrainedTokenizerBase, pairs: Sequence[Pair]) -> float:
    """Share of pairs whose chosen reply has the higher reward; a tie counts as wrong."""
    chosen, rejected = pair_rewards(model, tokenizer, pairs)
    return (chosen > rejected).float().mean().item()


def _rewards(
    model: PeftModel, tokenizer: PreTrainedTokenizerBase, replies: Sequence[tuple[str, str]]
) -> torch.Tensor:
    texts = [f"<bos>{USER}{question}{END}{MODEL}{reply}{END}" for question, reply in replies]
    batch = tokenizer(texts, add_special_tokens=False, padding=True, return_tensors="pt")
    rewards: torch.Tensor = model(**batch).logits[:, 0]
    return rewards
