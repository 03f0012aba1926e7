"""Checks before any score: a model that cannot be trusted is refused, not measured."""

from __future__ import annotations

import torch

from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.reward import RewardModel
from valuebias.prompts import GREATEST

PROBES = Candidates.words(
    ("love", "freedom", "power", "a long and happy life", "hate", "the", "banana", "No.")
)

# How far two right ways to the same reward may lie apart, as a share of the probes' spread (largest
# minus smallest). Rounding explains this much and no more; a misplaced read costs the whole spread.
_TOLERANCE = {torch.float32: 1e-3, torch.float16: 0.1, torch.bfloat16: 0.3}


def check(model: RewardModel, dtype: torch.dtype) -> None:
    """Raise ModelError naming what was wrong, the value seen and what to do.

    In order: buffers are finite; every probe is read inside the response and not in the prompt;
    rewards are finite and not constant; a batch gives what one by one gives; twice gives the same;
    and the search agrees with the model's own forward.
    """
    _check_buffers(model)
    prefix, tails, _ = model.layout(GREATEST, PROBES)
    conversations = [[*prefix, *tail] for tail in tails]
    _check_reads(model, len(prefix), conversations)
    with torch.inference_mode():
        alone = torch.cat([_forward(model, [ids]) for ids in conversations])
        spread = _check_spread(alone)
        allowed = _TOLERANCE[dtype] * spread
        _check_same(
            "the model's rewards hang on the batch they are computed in",
            (_forward(model, conversations) - alone).abs().max().item(),
            allowed,
            "Padding moves what is read, or dropout is on: see the model's pad_token_id (it must "
            "be no token of the conversation) and its own code.",
        )
        again = torch.cat([_forward(model, [ids]) for ids in conversations[:2]])
        _check_same(
            "the model gives another reward when asked again",
            (again - alone[:2]).abs().max().item(),
            allowed / 10,
            "Something in it is random: see that dropout is off and that every weight was loaded.",
        )
    model.score_prompt(GREATEST, PROBES)  # settles the search's rung, by its own self-check


def _check_buffers(model: RewardModel) -> None:
    for name, buffer in model.head.backbone.named_buffers():
        if buffer.is_floating_point() and not buffer.isfinite().all():
            raise ModelError(
                "a buffer of the loaded model is not finite: it was never initialised",
                seen=name,
                remedy="The model's own code does not suit this version of transformers; use the "
                "version the model was published with.",
            )


def _check_reads(model: RewardModel, prefix: int, conversations: list[list[int]]) -> None:
    """The pad id may be the token that ends a turn; then the last position that is not padding can
    lie anywhere."""
    for ids in conversations:
        last = max(model.head.reads(ids).values())
        if last < prefix:
            pad = model.tokenizer.pad_token
            raise ModelError(
                "the reward is read inside the prompt, the same for every response",
                seen=f"position {last} of {len(ids)}, the response begins at {prefix}; "
                f"pad token {pad}",
                remedy="The pad token clashes with a token of the template: set pad_token_id in "
                "config.json to a token that no conversation holds.",
            )


def _check_spread(rewards: torch.Tensor) -> float:
    if not rewards.isfinite().all():
        raise ModelError(
            "the model's rewards are not finite",
            seen=", ".join(f"{value:g}" for value in rewards.tolist()),
            remedy="Load it in float32 (dtype=float32); if that is no help, the weights are bad.",
        )
    spread = float(rewards.max() - rewards.min())
    if spread <= 1e-5 * max(1.0, float(rewards.abs().max())):
        raise ModelError(
            f"the model gives {len(rewards)} different responses the same reward",
            seen=f"{rewards[0].item():g}, spread {spread:.2g}",
            remedy="Its head is zero or not loaded, or it does not read the response: give a "
            "trained reward model.",
        )
    return spread


def _check_same(what: str, difference: float, allowed: float, remedy: str) -> None:
    if not difference <= allowed:
        raise ModelError(
            what, seen=f"a difference of {difference:.2g}, {allowed:.2g} allowed", remedy=remedy
        )


def _forward(model: RewardModel, conversations: list[list[int]]) -> torch.Tensor:
    """Rewards by the head's forward, right-padded with zeros that the mask hides."""
    device = next(model.head.backbone.parameters()).device
    longest = max(map(len, conversations))
    ids = torch.zeros(len(conversations), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, conversation in enumerate(conversations):
        ids[row, : len(conversation)] = torch.tensor(conversation)
        mask[row, : len(conversation)] = 1
    return model.head.forward(ids.to(device), mask.to(device)).float().cpu()
