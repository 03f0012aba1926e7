"""Checks before scoring: a model that cannot be trusted is refused, not measured."""

from __future__ import annotations

import torch

from valuebias.candidates import Candidates
from valuebias.errors import ModelError
from valuebias.models.language import LanguageModel
from valuebias.models.reward import RewardModel
from valuebias.prompts import GREATEST
from valuebias.search.rung import device_of

PROBES = Candidates.words(
    ("love", "freedom", "power", "a long and happy life", "hate", "the", "banana", "No.")
)

# How far two correct computations of one reward may differ, as a share of the probes' spread
# (largest minus smallest). Rounding explains this much; a wrong read position, the whole spread.
_TOLERANCE = {torch.float32: 1e-3, torch.float16: 0.1, torch.bfloat16: 0.3}


def check(model: RewardModel, dtype: torch.dtype) -> float:
    """How far rewards repeat, in another batch or asked again: the largest difference.

    Raises ModelError naming what was wrong, the value seen and what to do.

    In order: buffers are finite; every probe is read inside the response and not in the prompt;
    rewards are finite and not constant; a batch gives what one by one gives; twice gives the same;
    and the search agrees with the model's own forward.
    """
    _check_buffers(model.head.backbone)
    prefix, tails, _ = model.layout(GREATEST, PROBES)
    conversations = [[*prefix, *tail] for tail in tails]
    _check_reads(model, len(prefix), conversations)
    with torch.inference_mode():
        alone = torch.cat([_forward(model, [ids]) for ids in conversations])
        spread = _check_spread(alone)
        allowed = _TOLERANCE[dtype] * spread
        batched = (_forward(model, conversations) - alone).abs().max().item()
        _check_same(
            "the model's rewards depend on the batch they are computed in",
            batched,
            allowed,
            "Padding changes what is read, or dropout is on: check the model's pad_token_id (it "
            "must not be a token of the conversation) and its own code.",
        )
        second = torch.cat([_forward(model, [ids]) for ids in conversations[:2]])
        again = (second - alone[:2]).abs().max().item()
        _check_same(
            "the model gives a different reward when asked again",
            again,
            allowed / 10,
            "Something in it is random: check that dropout is off and every weight was loaded.",
        )
    model.score_prompt(GREATEST, PROBES)  # settles the search's rung, by its own self-check
    return max(batched, again)


def check_language(model: LanguageModel, dtype: torch.dtype) -> float:
    """How far log-probabilities repeat, as ``check`` says. Raises ModelError as it does.

    In order: buffers are finite; the next token's probabilities after a few answers are finite, sum
    to one and are not all the same; what follows does not change them; a batch gives what one by
    one gives; twice gives the same; and the search agrees with the model's own forward.
    """
    _check_buffers(model.head.backbone)
    opened, _ = model.chat.opening(GREATEST.text + model.answer_cue)
    tails = model.chat.continuations(GREATEST.text + model.answer_cue, PROBES.responses)
    conversations = [[*opened, *tail] for tail in tails]
    with torch.inference_mode():
        alone = torch.cat([_next_token(model, [ids]) for ids in conversations])
        spread = _check_distributions(alone)
        longest = max(tails, key=len)
        going_on = model.head.own(torch.tensor([[*opened, *longest]]), len(longest) + 1)
        _check_same(
            "the model sees what comes after a token: it is not causal",
            (_next_token(model, [opened]) - going_on[:, 0].log_softmax(-1).cpu())
            .abs()
            .max()
            .item(),
            _TOLERANCE[dtype] * spread,
            "Give a causal language model (is_decoder and is_causal in its config.json).",
        )
        batched = (_next_token(model, conversations) - alone).abs().max().item()
        _check_same(
            "the model's log-probabilities depend on the batch they are computed in",
            batched,
            _TOLERANCE[dtype] * spread,
            "Rows of a batch affect one another, or dropout is on: check its own code.",
        )
        again = (_next_token(model, conversations[:1]) - alone[:1]).abs().max().item()
        _check_same(
            "the model gives different log-probabilities when asked again",
            again,
            _TOLERANCE[dtype] * spread / 10,
            "Something in it is random: check that dropout is off and every weight was loaded.",
        )
    model.score_prompt(GREATEST, PROBES)  # settles the search's rung, by its own self-check
    return max(batched, again)


def _check_distributions(log_p: torch.Tensor) -> float:
    """The standard deviation of log-probabilities (n, vocabulary)."""
    total = log_p.double().exp().sum(-1)
    if not bool(((total - 1).abs() < 1e-3).all()):
        raise ModelError(
            "the model's log-probabilities are not finite, or not a distribution",
            seen=f"probabilities that sum to {total.tolist()[0]:g}",
            remedy="Load it in float32 (dtype=float32). If that does not help, the weights are "
            "bad.",
        )
    spread = float(log_p[log_p.isfinite()].std())
    if not spread > 1e-5:
        raise ModelError(
            "the model gives every token the same probability",
            seen=f"a standard deviation of {spread:.2g}",
            remedy="Its language head is zero or not loaded: give a trained language model.",
        )
    return spread


def _check_buffers(backbone: torch.nn.Module) -> None:
    for name, buffer in backbone.named_buffers():
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
                "config.json to a token that no conversation contains.",
            )


def _check_spread(rewards: torch.Tensor) -> float:
    if not rewards.isfinite().all():
        raise ModelError(
            "the model's rewards are not finite",
            seen=", ".join(f"{value:g}" for value in rewards.tolist()),
            remedy="Load it in float32 (dtype=float32). If that does not help, the weights are "
            "bad.",
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
    device = device_of(model.head.backbone)
    ids, mask = _padded(conversations)
    return model.head.forward(ids.to(device), mask.to(device)).float().cpu()


def _next_token(model: LanguageModel, conversations: list[list[int]]) -> torch.Tensor:
    """Log-probabilities (n, vocabulary) of the token after each, by the model's own forward."""
    lengths = list(map(len, conversations))
    last = max(lengths) - min(lengths) + 1
    ids, mask = _padded(conversations)
    logits = model.head.own(ids, last, mask)
    ends = [length - min(lengths) for length in lengths]
    return logits[range(len(ends)), ends].log_softmax(-1).cpu()


def _padded(conversations: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    longest = max(map(len, conversations))
    ids = torch.zeros(len(conversations), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, conversation in enumerate(conversations):
        ids[row, : len(conversation)] = torch.tensor(conversation)
        mask[row, : len(conversation)] = 1
    return ids, mask
