"""A reward model whose reward is linear in the hidden state that its head reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.chat import common_prefix
from valuebias.models.heads.score import ScoreHead
from valuebias.models.reward import RewardModel
from valuebias.prompts import Prompt

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]


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
        """What the head reads of each whole conversation, float32 (conversations, d), as the search
        runs the model: those that begin alike share what they begin with."""
        alike: dict[int, list[int]] = {}
        for i, conversation in enumerate(conversations):
            alike.setdefault(int(conversation[0]), []).append(i)
        found = np.empty((len(conversations), len(self.weights)), np.float32)
        for rows in alike.values():
            whole = [conversations[i].tolist() for i in rows]
            shared = len(common_prefix(whole))
            tails = [ids[shared:] for ids in whole]
            found[rows] = self.model.searcher.states(whole[0][:shared], tails)
        return found
