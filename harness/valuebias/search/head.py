"""The interface between a reward model's family and the search: backbone, read positions, head."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import torch


class Head(Protocol):
    """How one family of reward models turns a tokenised conversation into a reward.

    The search runs ``backbone`` itself, gathers the hidden states at the positions ``reads`` names,
    and calls ``rewards``. ``forward`` computes the same number independently; it is used to check
    the search and as its last resort. A head that only ``forward`` can run also has
    ``rungs = ("full",)``. One whose rewards are differences of larger numbers also has
    ``magnitude``: how large these were in ``forward``, in units of the reward. One whose
    ``forward`` runs more than the backbone also has the whole module as ``model``.
    """

    @property
    def name(self) -> str:
        """The convention's name as reports show it, such as "score" or "first-logit"."""

    @property
    def backbone(self) -> torch.nn.Module:
        """The decoder: ``backbone(input_ids=, position_ids=, ...)`` gives ``last_hidden_state``."""

    def reads(self, ids: Sequence[int]) -> Mapping[str, int]:
        """Positions (from 0) in one unpadded conversation whose hidden states the head needs.

        Raises ModelError if the conversation has no such position (a token pattern is missing).
        """

    def rewards(self, hidden: Mapping[str, torch.Tensor]) -> torch.Tensor:
        """float32 rewards of shape (n,) from hidden states of shape (n, hidden), one per read."""

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """float32 rewards of shape (n,) of right-padded conversations (n, length).

        If the model class has a forward of its own this uses it, so that a wrong ``reads`` or
        ``rewards`` cannot agree with itself.
        """
