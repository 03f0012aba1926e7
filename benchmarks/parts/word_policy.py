"""A small language model that answers in one word of a lexicon, trained for reward: exactly, and by
TRL's RLOO."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Point:
    """A policy on the way: its log-probabilities (prompts, words), normalised over the words, and
    the seconds of processor time that training took up to here."""

    log_probs: Floats
    seconds: float


class WordPolicy:
    """A causal language model in float32, of which only the next token after a prompt counts, and
    of that only the tokens of some words. Raises SystemExit for a word of several tokens."""

    def __init__(self, path: Path, prompts: Sequence[str], words: Sequence[str]) -> None:
        self.tokenizer: Any = AutoTokenizer.from_pretrained(path)
        self.model: Any = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        encoded = [self.tokenizer.encode(word, add_special_tokens=False) for word in words]
        if any(len(ids) != 1 for ids in encoded):
            raise SystemExit("Every word must be one token of this language model.")
        self.ids = torch.tensor([ids[0] for ids in encoded])
        self.questions = [[{"role": "user", "content": prompt}] for prompt in prompts]
        opened = [
            self.tokenizer.apply_chat_template(
                question, add_generation_prompt=True, return_dict=False
            )
            for question in self.questions
        ]
        self.last = torch.tensor([len(ids) - 1 for ids in opened])
        self.inputs = torch.zeros(len(opened), int(self.last.max()) + 1, dtype=torch.long)
        for row, ids in zip(self.inputs, opened, strict=True):
            row[: len(ids)] = torch.tensor(ids)  # what is after the last token is never seen

    def log_probs(self) -> torch.Tensor:
        """(prompts, words), normalised over the words."""
        states = self.model.model(self.inputs).last_hidden_state
        logits = self.model.lm_head(states[torch.arange(len(self.last)), self.last])
        cap = self.model.config.final_logit_softcapping
        return torch.log_softmax((cap * torch.tanh(logits / cap))[:, self.ids], dim=1)

    def now(self) -> Floats:
        with torch.no_grad():
            found: Floats = self.log_probs().double().numpy()
        return found


def train_exactly(
    policy: WordPolicy, rewards: Floats, weight: float, *, start: Floats, steps: int, rate: float
) -> Iterator[float]:
    """Steps of Adam; yields the seconds of processor time that all until now have taken.

    They climb ``weight`` times the expected reward less the KL divergence from ``start``, both
    summed over all words and averaged over prompts: nothing is drawn. ``weight`` is in nats per
    unit of reward; ``start`` (prompts, words) are log-probabilities.
    """
    reward, start_of = (torch.tensor(x, dtype=torch.float32) for x in (rewards, start))
    optimiser = torch.optim.Adam(policy.model.parameters(), lr=rate)
    seconds = 0.0
    for _ in range(steps):
        begun = time.process_time()
        said = policy.log_probs()
        loss = (said.exp() * (said - start_of - weight * reward)).sum(dim=1).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seconds += time.process_time() - begun
        yield seconds
