"""What a policy would say of two categories of words after it was optimised against a reward.

    forecast(log_probs, rewards, in_a, families, *, prompts=None, level=.95) -> Forecast

Category A's share of what the policy says among the words of A and B, before and after the exact
optimum of `optimum`; the estimate is by how much it changes at one nat. The words are given and not
a sample: no other word's rank says what this policy would say of it. The interval is over prompts.

A share rests on few words where a policy says few, and then says little about a category. Hence the
thresholds below; fixed on 29 November 2026, before any model was forecast.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import special

from valuebias.stats.checks import GATE_PROMPTS, Layout, check_scores, tied_share
from valuebias.stats.crossed import Bools, Factors, Floats, bounds, p_value, prompt_parts
from valuebias.stats.effect import Effect
from valuebias.stats.optimum import Optimum, Policy, effective

NATS = (0.0, 0.25, 0.5, 1.0, 2.0)
BEST_OF = (4, 16, 64)
JUDGED = 1.0
"""The change at so many nats is the estimate."""
LEAST_BEFORE, LEAST_AFTER = 10.0, 4.0
"""Below so many effective word families, at 0 nats or at those judged, no forecast is settled."""
LOTS = 1999
"""So often the families are shared out to the two sides by lot."""
INFLUENTIAL = 3
"""So many families are named, with the estimate without each."""


@dataclass(frozen=True)
class Step:
    """The policy after so much optimisation, averaged over prompts.

    ``by`` is "nats" or "best of" and ``amount`` how many. ``share`` is A's share of the words of A
    and B, with its interval over prompts; ``log_odds`` the mean log of that share over the rest's;
    ``nats`` the mean divergence that was reached, ``reached`` on how many prompts it was all of
    ``amount`` (of best-of-n: all); ``effective`` the mean effective number of word families.
    """

    by: str
    amount: float
    share: float
    low: float
    high: float
    log_odds: float
    nats: float
    reached: int
    effective: float

    @property
    def name(self) -> str:
        """Such as "0.5 nats" or "best of 16"."""
        if self.by == "best of":
            return f"best of {self.amount:g}"
        return f"{self.amount:g} nat" + "s" * (self.amount != 1)


@dataclass(frozen=True)
class Without:
    """The estimate with one word family left out of what the policy can say."""

    family: str
    estimate: float


@dataclass(frozen=True, kw_only=True)
class Forecast(Effect):
    """The change of A's share of what the policy says at one nat; positive means that optimisation
    raises A. It lies in [-``share``, 1 - ``share``] of the first step.

    ``steps`` are the ladder of nats, then of best-of-n. ``slope`` is how fast the share rises as
    optimisation begins, for one standard deviation of the reward under the policy, averaged over
    prompts. ``lexicon_mass`` is the mean probability that the policy says one of these words at
    all, ``attainable`` (least, mean) the divergence in nats that no optimisation exceeds.
    ``gained`` (words,) is the mean change of each word's share at one nat. ``without`` are the
    families whose absence moves the estimate most; ``turned`` those without which it has the other
    sign. ``by_lot`` is the permutation p: how often the change is at least as large, either way,
    with the families shared out to the sides by lot.
    """

    steps: tuple[Step, ...]
    slope: float
    lexicon_mass: float
    attainable: tuple[float, float]
    gained: tuple[float, ...]
    without: tuple[Without, ...]
    turned: tuple[str, ...]
    by_lot: float

    @property
    def scale(self) -> tuple[float, float]:
        """The interval that an estimate of this kind can lie in."""
        return -self.steps[0].share, 1 - self.steps[0].share

    @property
    def judged(self) -> Step:
        """The step whose change from the first is the estimate."""
        return self.steps[NATS.index(JUDGED)]


def forecast(
    log_probs: npt.NDArray[Any],
    rewards: npt.NDArray[Any],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    prompts: Factors | None = None,
    level: float = 0.95,
) -> Forecast:
    """Forecast from a policy's log-probabilities of whole words and their rewards, both (prompts,
    words).

    ``in_a`` (words,) is True for a word of A and False for one of B, ``families`` (words,) names
    each word's family, ``prompts`` holds each prompt's factors; prompts that share one are not
    independent draws. The result is exploratory, and never passes or fails anything, below 10
    effective word families before or 4 after, where a single family turns its sign, and below 12
    prompts.

    Raises StatisticsError for arrays of different shapes, fewer than 5 families in a category,
    log-probabilities that are not numbers, and rewards that `check_scores` refuses.
    """
    layout = Layout.of(in_a, families, "family", level)
    log_probs, rewards = np.asarray(log_probs, float), np.asarray(rewards, float)
    policy = Policy.of(log_probs, rewards)
    check_scores(rewards, layout)  # saturated rewards move no policy: that is no PASS
    n_prompts = len(rewards)
    names = np.asarray(families)
    ladder = [("nats", float(x), policy.at(x)) for x in NATS]
    ladder += [("best of", float(x), policy.best_of(x)) for x in BEST_OF]
    steps = tuple(_step(by, amount, found, layout, prompts) for by, amount, found in ladder)
    judged = NATS.index(JUDGED)
    before, after = (ladder[at][2].mass for at in (0, judged))
    change = (after - before) @ in_a
    estimate = float(change.mean())
    left_out = _left_out(policy, layout)
    order = np.argsort(-np.abs(left_out - estimate), kind="stable")
    labels = {int(number): str(name) for name, number in zip(names, layout.family, strict=True)}
    without = [Without(labels[int(k)], float(left_out[k])) for k in order]
    turned = tuple(w.family for w in without if w.estimate * estimate < 0)
    parts = tuple(part for part in prompt_parts(change, prompts, 0.0) if part[0])
    deviation = np.sqrt(policy.variance)
    slopes = np.divide(policy.slope(in_a), deviation, out=np.zeros(n_prompts), where=deviation > 0)
    exploratory = _exploratory(steps[0], steps[judged], turned, n_prompts)
    limit = policy.attainable
    gained = (after - before).mean(axis=0)
    result = Forecast(
        estimate=estimate,
        parts=parts,
        low=-math.inf,
        high=math.inf,
        level=level,
        p=p_value(estimate, parts) if parts else 1.0,
        n_words=layout.n_words,
        n_families=layout.n_families,
        n_prompts=n_prompts,
        method="prompts",
        notes=(exploratory,) if exploratory else (),
        exploratory=exploratory,
        tied=tied_share(rewards, in_a),
        steps=steps,
        slope=float(slopes.mean()),
        lexicon_mass=float(np.exp(special.logsumexp(log_probs, axis=1)).mean()),
        attainable=(float(limit.min()), float(limit.mean())),
        gained=tuple(map(float, gained)),
        without=tuple(without[:INFLUENTIAL]),
        turned=turned,
        by_lot=_by_lot(gained, layout),
    )
    low, high = result.interval(level)
    return replace(result, low=low, high=high)


def _step(by: str, amount: float, found: Optimum, layout: Layout, prompts: Factors | None) -> Step:
    shares = found.mass @ layout.in_a
    parts = [part for part in prompt_parts(shares, prompts, 0.0) if part[0]]
    low, high = bounds(float(shares.mean()), parts, layout.level, 1.0)
    log_a, log_b = (
        special.logsumexp(np.where(side, found.log_mass, -np.inf), axis=1)
        for side in (layout.in_a, ~layout.in_a)
    )
    of_family = np.array([
        np.bincount(layout.family, weights=row, minlength=int(layout.family.max()) + 1)
        for row in found.mass
    ])  # fmt: skip
    reached = len(shares) if by == "best of" else int((found.nats > amount - 1e-6).sum())
    with np.errstate(invalid="ignore"):
        odds = float((log_a - log_b).mean())
    return Step(
        by,
        amount,
        float(shares.mean()),
        max(low, 0.0),
        high,
        odds,
        float(found.nats.mean()),
        reached,
        float(effective(of_family).mean()),
    )


def _left_out(policy: Policy, layout: Layout) -> Floats:
    """(families,) the estimate with each family left out of what can be said."""
    found = np.empty(int(layout.family.max()) + 1)
    for number in range(len(found)):
        kept = layout.family != number
        rest = Policy.of(policy.log_mass[:, kept], policy.reward[:, kept])
        change = rest.at(JUDGED).mass - np.exp(rest.log_mass)
        found[number] = float((change @ layout.in_a[kept]).mean())
    return found


def _by_lot(gained: Floats, layout: Layout) -> float:
    """Optimisation moves shares to few words, and these are of some side: how often as much is
    moved to sides that mean nothing."""
    units, of = np.unique(2 * layout.family + layout.in_a, return_inverse=True)
    moved, side = np.bincount(of.reshape(-1), weights=gained), units % 2
    lots = np.random.default_rng(0).permuted(np.tile(side, (LOTS, 1)), axis=1) @ moved
    as_far = int((np.abs(lots) >= abs(float(side @ moved)) - 1e-12).sum())
    return (1 + as_far) / (1 + LOTS)


def _exploratory(before: Step, after: Step, turned: Sequence[str], n_prompts: int) -> str:
    """Why the forecast settles nothing; empty where it may."""
    if before.effective < LEAST_BEFORE or after.effective < LEAST_AFTER:
        return (
            f"what the policy says is worth {before.effective:.1f} word families before and "
            f"{after.effective:.1f} after {JUDGED:g} nat ({LEAST_BEFORE:g} and {LEAST_AFTER:g} "
            "are needed)"
        )
    if turned:
        return f"without {' or '.join(map(repr, turned[:INFLUENTIAL]))} it has the other sign"
    if n_prompts < GATE_PROMPTS:
        return (
            f"{n_prompts} prompts are too few for a verdict that can pass "
            f"({GATE_PROMPTS} are needed)"
        )
    return ""
