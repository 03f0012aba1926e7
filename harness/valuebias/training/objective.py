"""The losses a reward model is trained on. Rewards have shape (pairs,), higher is preferred."""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid


def bradley_terry(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    margin: torch.Tensor | float = 0.0,
    smoothing: float = 0.0,
    centring: float = 0.0,
) -> torch.Tensor:
    """The mean negative log-likelihood of the preferences, a scalar >= 0.

    -log sigmoid(r_c - r_r - margin) (Bradley and Terry 1952; the margin as in Touvron et al.
    2023). A share ``smoothing`` of the labels is taken to be wrong: that much of the loss is that
    of the opposite preference, margin included. ``centring`` times the mean of (r_c + r_r)² keeps
    rewards near zero (Eisenstein et al. 2023), as TRL's ``center_rewards_coefficient``.
    """
    difference = chosen - rejected
    loss = -logsigmoid(difference - margin).mean()
    if smoothing:
        loss = (1 - smoothing) * loss - smoothing * logsigmoid(-difference - margin).mean()
    if centring:
        loss = loss + centring * torch.mean((chosen + rejected) ** 2)
    return loss


def text_loss(log_probability: torch.Tensor, beta: float) -> torch.Tensor:
    """-log sigmoid(beta · log p(chosen response | prompt)), the mean over pairs, a scalar.

    The "SFT" regulariser of generalizable reward models (Yang et al. 2024, "Regularizing Hidden
    States Enables Learning Generalizable Reward Model for LLMs"); ``log_probability`` (pairs,) is
    the sum over a response's tokens. It enters the whole loss with its weight, the preference loss
    with one minus that; their values are weight .01 and beta .1.
    """
    return -logsigmoid(beta * log_probability).mean()
