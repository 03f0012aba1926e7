"""What a policy would begin its answer with, over all of its tokens, after it was optimised.

    first_tokens(log_probs, rewards, groups, *, prompts=None) -> FirstTokens

The exact optimum of `optimum` over a whole first-token vocabulary. Unlike `forecast`, which looks
at shares within a few words, a mass here is a part of all that is said, so that it shows what the
words of a lexicon lose to everything else. It is shown and never judged.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.stats.crossed import Factors, Floats, bounds, prompt_parts
from valuebias.stats.forecast import BEST_OF, JUDGED, NATS
from valuebias.stats.optimum import Optimum, Policy, effective

LEVEL = 0.95
"""The confidence level of every interval here."""


@dataclass(frozen=True)
class GroupMass:
    """The probability of a group of tokens, averaged over prompts, with its interval over them."""

    mass: float
    low: float
    high: float


@dataclass(frozen=True)
class TokenStep:
    """The policy after so much optimisation, averaged over prompts: ``by``, ``amount``, ``nats``,
    ``reached`` and ``effective`` (of tokens) as of `forecast.Step`; ``groups`` the mass of each."""

    by: str
    amount: float
    nats: float
    reached: int
    effective: float
    groups: tuple[GroupMass, ...]


@dataclass(frozen=True, eq=False)
class FirstTokens:
    """``steps`` are the ladder of nats, then of best-of-n; ``scored`` (least, mean) is the share of
    the policy's probability on the tokens that have a reward, ``attainable`` (least, mean) the
    divergence in nats that no optimisation exceeds. ``before`` and ``after`` (tokens,) are each
    token's mean probability at 0 nats and at one."""

    steps: tuple[TokenStep, ...]
    scored: tuple[float, float]
    attainable: tuple[float, float]
    before: Floats
    after: Floats


def first_tokens(
    log_probs: npt.NDArray[Any],
    rewards: npt.NDArray[Any],
    groups: npt.NDArray[np.bool_],
    *,
    prompts: Factors | None = None,
) -> FirstTokens:
    """From a policy's log-probabilities of first tokens and their rewards, both (prompts, tokens),
    and which tokens are of which group, (groups, tokens).

    Tokens without a reward are left out by the caller: the optimum is over the others, and masses
    are parts of what is said by these. One prompt at a time is held in float64. Raises
    StatisticsError for arrays of other shapes, and as `Policy.of` does.
    """
    groups = np.asarray(groups, bool)
    if log_probs.shape != rewards.shape or groups.shape[1:] != log_probs.shape[1:]:
        raise StatisticsError(
            "log-probabilities, rewards and groups must be of the same tokens",
            seen=f"shapes {log_probs.shape}, {rewards.shape} and {groups.shape}",
            remedy="Give one number of each for every token on every prompt.",
        )
    n, width = len(log_probs), log_probs.shape[1]
    scored, limits = np.empty(n), np.empty(n)
    before, after = np.zeros(width), np.zeros(width)
    nats = np.empty((len(NATS) + len(BEST_OF), n))
    worth = np.empty_like(nats)
    masses = np.empty((*nats.shape, len(groups)))
    for row in range(n):
        policy = Policy.of(log_probs[row : row + 1], rewards[row : row + 1])
        scored[row] = np.exp(np.asarray(log_probs[row], float)).sum()
        limits[row] = policy.attainable[0]
        for at, (by, amount, found) in enumerate(_ladder(policy)):
            mass = found.mass[0]
            nats[at, row], worth[at, row] = found.nats[0], effective(mass)
            masses[at, row] = groups @ mass
            if by == "nats" and amount in (0.0, JUDGED):
                (after if amount else before)[:] += mass / n
    steps = []
    for at, (by, amount) in enumerate(_amounts()):
        reached = n if by == "best of" else int((nats[at] > amount - 1e-6).sum())
        found_groups = tuple(_mass(masses[at, :, g], prompts) for g in range(len(groups)))
        steps.append(TokenStep(by, amount, float(nats[at].mean()), reached,
                               float(worth[at].mean()), found_groups))  # fmt: skip
    return FirstTokens(
        tuple(steps),
        (float(scored.min()), float(scored.mean())),
        (float(limits.min()), float(limits.mean())),
        before,
        after,
    )


def _amounts() -> Iterator[tuple[str, float]]:
    yield from (("nats", float(amount)) for amount in NATS)
    yield from (("best of", float(n)) for n in BEST_OF)


def _ladder(policy: Policy) -> Iterator[tuple[str, float, Optimum]]:
    for by, amount in _amounts():
        yield by, amount, policy.at(amount) if by == "nats" else policy.best_of(int(amount))


def _mass(masses: Floats, prompts: Factors | None) -> GroupMass:
    mean = float(masses.mean())
    parts = [part for part in prompt_parts(masses, prompts, 0.0) if part[0]]
    low, high = bounds(mean, parts, LEVEL, 1.0)
    return GroupMass(mean, max(low, 0.0), high)
