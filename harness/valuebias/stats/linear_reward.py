"""What follows from a reward that is linear in its weights: values and their gradients.

The rewards of answers with features X (answers, d) are X w. Counts of pairs, as in a rank effect
or an accuracy, are steps in w; they are smoothed by a normal distribution, whose width is a share
of the rewards' standard deviation, so that they have a gradient. What an edit comes to is judged
by the counts themselves.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import special

from valuebias.stats.forecast import JUDGED
from valuebias.stats.optimum import Policy

Floats = npt.NDArray[np.float64]
Features = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]

WIDTH = 0.5
"""Of the smoothing, in standard deviations of the rewards."""


@dataclass(frozen=True, eq=False)
class RankEffect:
    """The rank-biserial effect of words of A (``in_a`` (words,)) against the others, from
    ``features`` (prompts, words, d). ``share`` (words,) is each word's part of its side, so that
    families count alike; ``groups`` (m, prompts) the weights of prompts in each value."""

    features: Features
    in_a: Bools
    share: Floats
    groups: Floats

    def at(self, weights: Floats) -> tuple[Floats, Floats]:
        """The smoothed effects (m,), in [-1, 1], and their gradients (m, d)."""
        a, b = self.in_a, ~self.in_a
        counts = np.outer(self.share[a], self.share[b])
        values = np.zeros(len(self.features))
        gradients = np.zeros((len(self.features), len(weights)))
        for prompt, x in enumerate(self.features):
            reward = x @ weights
            width, widens = _width(reward, x)
            apart = (reward[a][:, None] - reward[b]) / width
            values[prompt] = (counts * special.erf(apart / np.sqrt(2))).sum()
            density = counts * np.exp(-(apart**2) / 2) * np.sqrt(2 / np.pi) / width
            gradients[prompt] = density.sum(axis=1) @ x[a] - density.sum(axis=0) @ x[b]
            gradients[prompt] -= float((density * apart).sum()) * widens
        return self.groups @ values, self.groups @ gradients


@dataclass(frozen=True, eq=False)
class ShareChange:
    """The change of A's share of what a policy says of some words when it is optimised by one nat
    against the reward.

    ``log_probs`` (prompts, words) are the policy's; ``features`` and ``groups`` as in `RankEffect`.
    """

    features: Features
    in_a: Bools
    log_probs: Floats
    groups: Floats

    @property
    def share(self) -> float:
        """A's share before, averaged over prompts."""
        policy = Policy.of(self.log_probs, np.zeros_like(self.log_probs))
        return float(np.exp(policy.log_mass)[:, self.in_a].sum(axis=1).mean())

    def at(self, weights: Floats) -> tuple[Floats, Floats]:
        """The changes (m,), in [-1, 1], and their gradients (m, d).

        With t the optimum at the strength b, the share's gradient at a fixed strength is
        b Cov_t(1_A, x); the strength moves so that the divergence stays: what goes with the reward
        itself, Cov_t(1_A, r) / Var_t(r) times b Cov_t(r, x), is taken out.
        """
        reward = np.stack([x @ weights for x in self.features])
        policy = Policy.of(self.log_probs, reward)
        after = policy.at(JUDGED)
        values = (after.mass - np.exp(policy.log_mass))[:, self.in_a].sum(axis=1)
        gradients = np.zeros((len(self.features), len(weights)))
        side = self.in_a.astype(float)
        for prompt, x in enumerate(self.features):
            r, mass, strength = reward[prompt], after.mass[prompt], after.strength[prompt]
            of_r = mass * (r - mass @ r)
            spread = float(of_r @ r)
            if np.isfinite(strength) and spread > 0:  # else the best-rewarded words alone are left
                in_a = mass * (side - mass @ side)
                gradients[prompt] = strength * ((in_a - float(in_a @ r) / spread * of_r) @ x)
        return self.groups @ values, self.groups @ gradients


@dataclass(frozen=True, eq=False)
class Accuracy:
    """The share of preferences whose chosen answer has the higher reward, from the features of
    chosen less those of rejected answers, ``apart`` (pairs, d)."""

    apart: Features

    def at(self, weights: Floats) -> tuple[Floats, Floats]:
        """The smoothed accuracy (1,), in [0, 1], and its gradient (1, d)."""
        margin = self.apart @ weights
        width, widens = _width(margin, self.apart)
        density = np.exp(-((margin / width) ** 2) / 2) / np.sqrt(2 * np.pi) / width
        gradient = density @ self.apart - float(density @ margin) / width * widens
        return special.ndtr(margin / width).mean(keepdims=True), gradient[None] / len(margin)


def _width(reward: Floats, features: Features) -> tuple[float, Floats]:
    """The width of the smoothing, and its gradient (d,)."""
    spread = max(float(reward.std()), 1e-12)
    apart = (reward - reward.mean()) / len(reward)
    return WIDTH * spread, WIDTH * (apart @ features) / spread
