"""What was predicted and what came out, for each way of optimising a policy (see forecast.py)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from parts.word_policy import Floats, Point, WordPolicy, train_exactly
from parts.word_rloo import train_by_rloo
from scipy.optimize import brentq

from valuebias.organisms.paths import NAMES
from valuebias.prompts import PAPER, VALENCES
from valuebias.stats.forecast import BEST_OF, NATS
from valuebias.stats.optimum import Policy

STOPS = NATS[1:]
COUNTS, CLOSE = 0.10, 0.03


@dataclass(frozen=True)
class Effort:
    """How much is spent: draws of best-of-n a prompt, and steps."""

    draws: int = 2000
    stopped: int = 200
    settled: int = 100
    rloo: int = 120


QUICK = Effort(draws=50, stopped=12, settled=3, rloo=1)


@dataclass(frozen=True)
class Tilt:
    """One optimised policy on the prompts of one valence: agency's share of the words before, as
    predicted for every prompt at the mean KL ``nats``, as predicted for each prompt at its own KL,
    and as it came out, with the standard error of draws."""

    seed: str
    model: str
    valence: str
    how: str
    nats: float
    before: float
    predicted: float
    own_nats: float
    realised: float
    error: float = 0.0

    @property
    def counts(self) -> bool:
        return abs(self.predicted - self.before) >= COUNTS

    @property
    def close(self) -> bool:
        return abs(self.predicted - self.realised) <= CLOSE

    @property
    def ratio(self) -> float:
        """The realised change over the predicted one."""
        return (self.realised - self.before) / (self.predicted - self.before or np.nan)

    def __str__(self) -> str:
        said = "" if not self.counts else "close" if self.close else "OFF"
        return (
            f"{self.seed} | {self.model} | {self.valence} | {self.how} | {self.nats:.3f} | "
            f"{self.before:.3f} | {self.predicted:.3f} | {self.own_nats:.3f} | "
            f"{self.realised:.3f} | {self.ratio:.2f} | {said}"
        )


@dataclass(frozen=True)
class Case:
    """A policy and a reward of the same words, on the prompts of both valences."""

    seed: str
    model: str
    base: Path
    policy: Policy
    in_a: Any
    words: Sequence[str]
    seconds: float

    def rows(self, valence: str) -> Any:
        return np.array([p.valence == valence for p in PAPER.prompts])

    def of(self, valence: str) -> Policy:
        at = self.rows(valence)
        return Policy(self.policy.log_mass[at], self.policy.reward[at])

    def share(self, mass: Floats) -> float:
        return float((mass @ self.in_a).mean())

    def fresh(self) -> WordPolicy:
        """The policy to be trained; the forecast's log-probabilities are those of its forward."""
        found = WordPolicy(self.base, [p.text for p in PAPER.prompts], self.words)
        off = np.abs(found.now() - self.policy.log_mass).max()
        if off > 1e-4:
            raise SystemExit(f"The log-probabilities of forecast and forward differ by {off:.2g}.")
        return found

    def weight(self, nats: float) -> float:
        """The reward's weight whose optimum lies at so many nats, on the average prompt."""

        def beyond(weight: float) -> float:
            return float(self.policy.tilted(weight).nats.mean()) - nats

        high = 1.0
        while beyond(high) < 0:
            high *= 2
        return float(brentq(beyond, 0, high))

    def nats(self, point: Point, valence: str) -> Floats:
        """(prompts,) the KL divergence of a trained policy from the one it was."""
        said, start = point.log_probs[self.rows(valence)], self.of(valence).log_mass
        found: Floats = (np.exp(said) * (said - start)).sum(axis=1)
        return np.maximum(found, 0.0)

    def tilt(self, point: Point, valence: str, how: str) -> Tilt:
        """A trained policy beside what is forecast for its KL."""
        policy, nats = self.of(valence), self.nats(point, valence)
        alone = [
            Policy(policy.log_mass[[i]], policy.reward[[i]]).at(float(x)).mass[0]
            for i, x in enumerate(nats)
        ]
        return Tilt(
            self.seed, self.model, valence, how, float(nats.mean()),
            self.share(np.exp(policy.log_mass)), self.share(policy.at(float(nats.mean())).mass),
            self.share(np.array(alone)), self.share(np.exp(point.log_probs[self.rows(valence)])),
        )  # fmt: skip


def best_of(case: Case, draws: int) -> Iterator[Tilt]:
    """Best-of-n from draws; the policy is the model's own forward."""
    mass = np.exp(case.fresh().now())
    rng = np.random.default_rng((int(case.seed), NAMES.index(case.model)))
    for valence in VALENCES:
        policy = case.of(valence)
        for n in BEST_OF:
            taken = []
            for said, reward in zip(mass[case.rows(valence)], policy.reward, strict=True):
                words = rng.choice(len(said), size=(draws, n), p=said / said.sum())
                best = words[np.arange(draws), reward[words].argmax(axis=1)]
                taken.append(case.in_a[best].mean())
            shares, predicted = np.array(taken), policy.best_of(n)
            error = np.sqrt((shares * (1 - shares) / draws).sum()) / len(shares)
            share = case.share(predicted.mass)
            yield Tilt(case.seed, case.model, valence, f"best of {n}", float(predicted.nats.mean()),
                       case.share(np.exp(policy.log_mass)), share, share, float(shares.mean()),
                       float(error))  # fmt: skip


def reached(case: Case, points: Iterable[Point], stops: Sequence[float], how: str) -> list[Tilt]:
    """The first point of each valence at each of some divergences."""
    left = {valence: list(stops) for valence in VALENCES}
    found = []
    for point in points:
        for valence, ahead in left.items():
            nats = float(case.nats(point, valence).mean())
            while ahead and nats >= ahead[0]:
                found.append(case.tilt(point, valence, f"{how} at {ahead.pop(0):g}"))
        if not any(left.values()):
            break
    return found


def stopped(case: Case, effort: Effort) -> tuple[list[Tilt], float]:
    """Trained against a weak penalty, and stopped; and the seconds it took."""
    spent = [0.0]

    def watched() -> Iterator[Point]:
        policy = case.fresh()
        for seconds in train_exactly(
            policy, case.policy.reward, case.weight(3.0), start=case.policy.log_mass,
            steps=effort.stopped, rate=3e-4,
        ):  # fmt: skip
            spent[0] = seconds
            yield Point(policy.now(), seconds)

    return reached(case, watched(), STOPS, "stopped"), spent[0]


def settled(case: Case, effort: Effort) -> tuple[list[Tilt], float]:
    """Trained against one penalty after the other, each to the end."""
    policy, found, spent = case.fresh(), [], 0.0
    for nats in STOPS:
        *_, seconds = train_exactly(
            policy, case.policy.reward, case.weight(nats), start=case.policy.log_mass,
            steps=effort.settled, rate=1e-3,
        )  # fmt: skip
        spent += seconds
        last = Point(policy.now(), spent)
        found += [case.tilt(last, valence, f"settled at {nats:g}") for valence in VALENCES]
    return found, spent


def by_rloo(case: Case, effort: Effort) -> tuple[list[Tilt], float]:
    """Trained by TRL, from draws."""
    points = train_by_rloo(case.fresh(), case.policy.reward, case.weight(1.0), steps=effort.rloo,
                           rate=2e-3, seed=int(case.seed))  # fmt: skip
    found = reached(case, points, STOPS[:2], "RLOO")
    found += [case.tilt(points[-1], valence, "RLOO, last") for valence in VALENCES]
    return found, points[-1].seconds
