"""A reward model whose reward is linear in the hidden state that its head reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.heads.backbone import gather_forward
from valuebias.models.heads.score import ScoreHead
from valuebias.models.reward import RewardModel
from valuebias.prompts import Prompt
from valuebias.search.rung import device_of

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]

_TOKENS = 8192
"""Tokens of conversations that pass through the model at once."""


@dataclass(frozen=True, eq=False)
class LinearReward:
    """A loaded model with the weights (d,) of its head: the reward of features x is x @ weights,
    plus a constant."""

    model: RewardModel
    weights: Floats

    @classmethod
    def of(cls, model: RewardModel) -> LinearReward:
        """Raises ModelError for a head that is not one linear layer with one output."""
        head = model.head
        layer = head.model.score if isinstance(head, ScoreHead) else None
        if layer is None or layer.out_features != 1:
            raise ModelError(
                "only a reward model with a linear `score` head of one output can be repaired",
                seen=f"{model.name}: {head.name}"
                + ("" if layer is None else f" of {layer.out_features} outputs"),
                remedy="Give a sequence classifier of one label, as trl and valuebias train save.",
            )
        return cls(model, layer.weight[0].double().cpu().numpy())

    def features(self, prompt: Prompt, words: Sequence[str]) -> Features:
        """What the head reads of each word as an answer, float32 (words, d), as the search runs the
        model. Raises what scoring them raises."""
        prefix, tails, owner = self.model.layout(prompt, Candidates.words(words, "text"))
        return self.model.searcher.states(prefix, tails)[owner]

    def of_conversations(self, conversations: Sequence[npt.NDArray[np.int32]]) -> Features:
        """What the head reads of each whole conversation, float32 (conversations, d)."""
        head = self.model.head
        device = device_of(head.backbone)
        order = sorted(range(len(conversations)), key=lambda i: len(conversations[i]))
        found: dict[int, Features] = {}
        start = 0
        while start < len(order):
            longest, stop = len(conversations[order[start]]), start + 1
            while stop < len(order):
                longest = max(longest, len(conversations[order[stop]]))
                if longest * (stop + 1 - start) > _TOKENS:
                    break
                stop += 1
            rows = order[start:stop]
            ids = torch.zeros((len(rows), longest), dtype=torch.long)
            mask = torch.zeros_like(ids)
            for row, i in enumerate(rows):
                length = len(conversations[i])
                ids[row, :length] = torch.from_numpy(conversations[i]).long()
                mask[row, :length] = 1
            with torch.inference_mode():
                states = gather_forward(
                    head.backbone, head.reads, lambda at: next(iter(at.values())),
                    ids.to(device), mask.to(device),
                )  # fmt: skip
            found.update(zip(rows, states.float().cpu().numpy(), strict=True))
            start = stop
        return np.stack([found[i] for i in range(len(conversations))])
