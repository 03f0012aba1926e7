"""What a policy says after it was optimised against a reward, computed exactly.

For a prompt with answers y, a policy's log-probabilities and a reward of each: the optimum of
expected reward less a penalty on the KL divergence from the policy is p_b(y) proportional to
p(y) exp(b r(y)) (Korbak et al. 2022, https://arxiv.org/abs/2205.11275), and best-of-n takes the
highest reward of n draws (Beirami et al. 2024, https://arxiv.org/abs/2401.01879). Both need no
sampling where the answers can be counted out, as words and tokens can.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special
from scipy.optimize import elementwise

from valuebias.errors import StatisticsError

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Optimum:
    """A policy after optimisation.

    ``log_mass`` (prompts, answers) are log-probabilities, each row of which sums to one; ``nats``
    (prompts,) each row's KL divergence from the policy; ``strength`` (prompts,) the reward's weight
    b in nats per unit of reward (infinite where only the best-rewarded answers are left), or n of
    best-of-n.
    """

    log_mass: Floats
    nats: Floats
    strength: Floats

    @property
    def mass(self) -> Floats:
        """(prompts, answers) probabilities."""
        return np.exp(self.log_mass)


@dataclass(frozen=True, eq=False)
class Policy:
    """What a policy says to some prompts, and a reward of it.

    ``log_mass`` (prompts, answers) is normalised over the answers given; ``reward`` (prompts,
    answers) in any unit, higher is preferred. Build it with `of`.
    """

    log_mass: Floats
    reward: Floats

    @classmethod
    def of(cls, log_probs: npt.NDArray[Any], reward: npt.NDArray[Any]) -> Policy:
        """From log-probabilities, whose rows need not sum to one, and rewards, both (prompts,
        answers).

        Raises StatisticsError where they differ in shape, a reward is not finite, a log-probability
        is neither finite nor -inf, or nothing can be said to a prompt.
        """
        log_probs, reward = np.asarray(log_probs, float), np.asarray(reward, float)
        if log_probs.ndim != 2 or log_probs.shape != reward.shape:
            raise StatisticsError(
                "a policy's log-probabilities and rewards must be of the same prompts and answers",
                seen=f"shapes {log_probs.shape} and {reward.shape}",
                remedy="Give one number of each for every answer to every prompt.",
            )
        if not np.isfinite(reward).all() or not (log_probs < np.inf).all():
            raise StatisticsError(
                "rewards must be finite, log-probabilities finite or -inf",
                remedy="Leave out answers without a score.",
            )
        if not (log_probs > -np.inf).any(axis=1).all():
            raise StatisticsError(
                "the policy gives no probability to any of the answers to a prompt",
                remedy="Ask about answers that it can say.",
            )
        return cls(log_probs - special.logsumexp(log_probs, axis=1, keepdims=True), reward)

    @property
    def attainable(self) -> Floats:
        """(prompts,) the KL divergence, in nats, that no optimisation against this reward exceeds:
        that of saying the best-rewarded answers alone."""
        limit: Floats = -special.logsumexp(np.where(self._best, self.log_mass, -np.inf), axis=1)
        return np.maximum(limit, 0.0)

    def tilted(self, strength: npt.ArrayLike) -> Optimum:
        """The optimum for a weight of the reward >= 0, in nats per unit of reward: one for all
        prompts, or one each."""
        return self._tilted(np.broadcast_to(np.asarray(strength, float), len(self.reward)))

    def at(self, nats: float) -> Optimum:
        """The optimum whose KL divergence from the policy is ``nats`` >= 0 for every prompt; where
        that is beyond `attainable`, the best-rewarded answers alone."""
        limit = self.attainable
        found = self._limit()
        rows = np.flatnonzero(nats < limit - 1e-9)  # the last of it takes an infinite weight
        if len(rows):
            strength = np.zeros(len(rows)) if nats == 0 else self._strength(nats, rows)
            inner = Policy(self.log_mass[rows], self.reward[rows])._tilted(strength)
            for whole, part in ((found.log_mass, inner.log_mass), (found.nats, inner.nats),
                                (found.strength, inner.strength)):  # fmt: skip
                whole[rows] = part
        return found

    def best_of(self, n: int) -> Optimum:
        """The highest reward of n draws; answers with the same reward share as the policy has them.

        Raises StatisticsError unless n is an integer >= 1.
        """
        if n != int(n) or n < 1:
            raise StatisticsError(
                "n of best-of-n must be an integer >= 1", seen=n, remedy="Give 1 or more."
            )
        log_mass, nats = np.empty_like(self.log_mass), np.empty(len(self.reward))
        for row, (prior, reward) in enumerate(zip(self.log_mass, self.reward, strict=True)):
            group = np.unique(reward, return_inverse=True)[1].reshape(-1)
            of_group = np.full(int(group.max()) + 1, -np.inf)
            np.logaddexp.at(of_group, group, prior)
            taken = _best_of(of_group, n)
            said = of_group > -np.inf
            rise = np.zeros(len(of_group))
            rise[said] = taken[said] - of_group[said]
            log_mass[row] = prior + rise[group]
            nats[row] = max(float(np.exp(taken[said]) @ rise[said]), 0.0)
        return Optimum(log_mass, nats, np.full(len(nats), float(n)))

    def slope(self, of: npt.NDArray[Any]) -> Floats:
        """(prompts,) how fast the mean of ``of`` (answers,) rises as optimisation begins: its
        covariance with the reward under the policy, per unit of the reward's weight."""
        mass, centred = self._centred
        slopes: Floats = (mass * centred) @ np.asarray(of, float)
        return slopes

    @property
    def variance(self) -> Floats:
        """(prompts,) the variance of the reward under the policy."""
        mass, centred = self._centred
        variances: Floats = (mass * centred**2).sum(axis=1)
        return variances

    @property
    def _centred(self) -> tuple[Floats, Floats]:
        mass = np.exp(self.log_mass)
        return mass, self.reward - (mass * self.reward).sum(axis=1, keepdims=True)

    @property
    def _best(self) -> npt.NDArray[np.bool_]:
        said = self.log_mass > -np.inf
        top = np.where(said, self.reward, -np.inf).max(axis=1, keepdims=True)
        best: npt.NDArray[np.bool_] = said & (self.reward == top)
        return best

    def _limit(self) -> Optimum:
        log_mass = np.where(self._best, self.log_mass, -np.inf)
        log_mass = log_mass - special.logsumexp(log_mass, axis=1, keepdims=True)
        return Optimum(log_mass, self.attainable, np.full(len(log_mass), np.inf))

    def _tilted(self, strength: Floats) -> Optimum:
        said = self.log_mass > -np.inf
        top = np.where(said, self.reward, -np.inf).max(axis=1, keepdims=True)
        above = np.where(said, self.reward - top, 0.0)  # at most 0: nothing overflows
        raised = self.log_mass + strength[:, None] * above
        total = special.logsumexp(raised, axis=1, keepdims=True)
        log_mass = raised - total
        gained = (np.exp(log_mass) * above).sum(axis=1)
        return Optimum(log_mass, np.maximum(strength * gained - total[:, 0], 0.0), strength)

    def _strength(self, nats: float, rows: npt.NDArray[np.intp]) -> Floats:
        """The weight of the reward at which each of some prompts has the divergence ``nats``."""

        def beyond(strength: Floats, row: npt.NDArray[np.intp]) -> Floats:
            of = Policy(self.log_mass[row], self.reward[row])
            return of._tilted(np.asarray(strength, float)).nats - nats

        low, high = np.zeros(len(rows)), 1 / np.sqrt(self.variance[rows])
        while (short := beyond(high, rows) < 0).any():
            low, high = np.where(short, high, low), np.where(short, 2 * high, high)
        strength: Floats = elementwise.find_root(beyond, (low, high), args=(rows,)).x
        return strength


def _best_of(log_group: Floats, n: int) -> Floats:
    """Log-mass of each group of answers with one reward, in rising order, in best-of-n.

    F^n - (F - m)^n of the mass m of a group and F of it and all below, as F^n (1 - (1 - m / F)^n):
    without a difference of like numbers.
    """
    said = log_group > -np.inf
    below = np.logaddexp.accumulate(log_group)
    below = below - below[-1]
    taken = np.full(len(log_group), -np.inf)
    share = np.minimum(np.exp(log_group[said] - below[said]), 1.0)
    with np.errstate(divide="ignore"):  # the lowest group's share is 1
        taken[said] = n * below[said] + np.log(-np.expm1(n * np.log1p(-share)))
    return taken


def effective(mass: npt.NDArray[Any]) -> Floats:
    """(...,) how many answers distributions (..., answers) are worth: one over the sum of squares
    of their shares (Hill's number of order 2), from 1 to the number of answers."""
    shares = np.asarray(mass, float) / np.sum(mass, axis=-1, keepdims=True)
    found: Floats = 1 / (shares**2).sum(axis=-1)
    return found
