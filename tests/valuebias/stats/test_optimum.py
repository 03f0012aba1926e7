"""What optimisation does to a policy: against decimals, brute force and what must always hold."""

from __future__ import annotations

import itertools
import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.errors import StatisticsError
from valuebias.stats.optimum import Optimum, Policy, effective

N = 6
rewards = st.lists(st.integers(-4, 4).map(float), min_size=N, max_size=N)
logits = st.lists(st.floats(-8, 8), min_size=N, max_size=N)


def policy(seed: int = 0, n: int = 40, *, ties: bool = False) -> Policy:
    rng = np.random.default_rng(seed)
    reward = rng.normal(size=n) * 3
    return of(rng.normal(size=n) * 2 - 9, np.round(reward) if ties else reward)


def of(log_probs: object, reward: object) -> Policy:
    """Of one prompt."""
    return Policy.of(np.atleast_2d(np.asarray(log_probs)), np.atleast_2d(np.asarray(reward)))


def by_decimals(p: Policy, strength: float) -> tuple[list[Decimal], Decimal]:
    """Masses and KL divergence of the tilt, with sixty digits."""
    with localcontext() as context:
        context.prec = 60
        prior = [Decimal(float(x)).exp() for x in p.log_mass[0]]
        prior = [x / sum(prior) for x in prior]
        raised = [x * (Decimal(strength) * Decimal(float(r))).exp()
                  for x, r in zip(prior, p.reward[0], strict=True)]  # fmt: skip
        mass = [x / sum(raised) for x in raised]
        nats = sum(
            (m * (m / x).ln() for m, x in zip(mass, prior, strict=True) if m > 0), Decimal(0)
        )
        return mass, nats


@pytest.mark.parametrize("strength", [1e-4, 0.1, 1.0, 7.5])
def test_the_tilt_to_sixty_digits(strength: float) -> None:
    p = policy()
    found = p.tilted(strength)
    mass, nats = by_decimals(p, strength)
    np.testing.assert_allclose(found.mass[0], [float(m) for m in mass], rtol=1e-11)
    assert found.nats[0] == pytest.approx(float(nats), rel=1e-7, abs=1e-14)


@pytest.mark.parametrize("nats", [0.25, 0.5, 1.0, 2.0])
def test_the_optimum_at_so_many_nats(nats: float) -> None:
    p = policy(1, n=400)
    found = p.at(nats)
    assert found.nats[0] == pytest.approx(nats, abs=1e-9)
    assert float(by_decimals(p, found.strength[0])[1]) == pytest.approx(nats, abs=1e-9)


def test_it_is_the_best_of_all_policies_that_are_as_near() -> None:
    # No policy of the same divergence gets more reward: compared with two thousand others.
    p = policy(2, n=5)
    found = p.at(0.5)
    rng = np.random.default_rng(0)
    prior = np.exp(p.log_mass[0])
    for _ in range(2000):
        other = rng.dirichlet(np.ones(5) * 0.7) + 1e-12
        if float(other @ np.log(other / prior)) <= 0.5:
            assert other @ p.reward[0] <= found.mass[0] @ p.reward[0] + 1e-9


@pytest.mark.parametrize("n", [1, 2, 3, 4])
@pytest.mark.parametrize("ties", [False, True])
def test_best_of_n_is_what_all_draws_give(n: int, ties: bool) -> None:
    p = policy(3, n=5, ties=ties)
    prior = np.exp(p.log_mass[0])
    expected = np.zeros(5)
    for draws in itertools.product(range(5), repeat=n):
        chance = math.prod(prior[d] for d in draws)
        top = max(p.reward[0, d] for d in draws)
        winners = [d for d in draws if p.reward[0, d] == top]
        for winner in winners:
            expected[winner] += chance / len(winners)
    found = p.best_of(n)
    np.testing.assert_allclose(found.mass[0], expected, rtol=1e-10)
    divergence = float(sum(m * math.log(m / x) for m, x in zip(expected, prior, strict=True)))
    assert found.nats[0] == pytest.approx(divergence, abs=1e-10)


def test_best_of_many_keeps_what_is_rare() -> None:
    # The mass of a bad answer of best-of-64 is far below what a difference of powers resolves.
    p = of(np.log([0.5, 0.3, 0.2]), np.array([0.0, 1.0, 2.0]))
    found = p.best_of(64)
    assert found.log_mass[0, 0] == pytest.approx(64 * math.log(0.5), rel=1e-12)
    assert found.nats[0] <= math.log(64) - 63 / 64 + 1e-12


def same(a: Optimum, b: Optimum) -> None:
    np.testing.assert_allclose(a.mass, b.mass, atol=1e-10)
    assert a.nats == pytest.approx(b.nats, abs=1e-9)


@given(logits, rewards)
def test_nothing_changes_without_optimisation(log_probs: list[float], reward: list[float]) -> None:
    p = of(np.array(log_probs), np.array(reward))
    unchanged = p.at(0)
    same(unchanged, p.tilted(0.0))
    same(unchanged, p.best_of(1))


@given(logits, rewards, st.floats(-50, 50), st.floats(-50, 50))
def test_what_is_added_to_all_changes_nothing(
    log_probs: list[float], reward: list[float], more: float, longer: float
) -> None:
    here = of(np.array(log_probs), np.array(reward))
    there = of(np.array(log_probs) + longer, np.round(np.array(reward) + round(more)))
    same(here.tilted(0.7), there.tilted(0.7))
    same(here.best_of(4), there.best_of(4))


@given(logits, rewards)
def test_divergence_rises_with_strength_up_to_what_is_attainable(
    log_probs: list[float], reward: list[float]
) -> None:
    p = of(np.array(log_probs), np.array(reward))
    for ladder in (
        [p.tilted(b) for b in (0.0, 0.1, 0.5, 1.0, 3.0, 50.0)],
        [p.best_of(n) for n in (1, 2, 4, 16, 64)],
    ):
        nats = [float(step.nats[0]) for step in ladder]
        assert all(b >= a - 1e-9 for a, b in itertools.pairwise(nats))
        assert nats[-1] <= p.attainable[0] + 1e-9
        gained = [float(step.mass[0] @ p.reward[0]) for step in ladder]
        assert all(b >= a - 1e-9 for a, b in itertools.pairwise(gained))


@given(logits, rewards)
def test_equal_rewards_keep_the_policys_odds(log_probs: list[float], reward: list[float]) -> None:
    p = of(np.array(log_probs), np.array(reward))
    for found in (p.tilted(1.3), p.best_of(16)):
        for value in set(reward):
            alike = p.reward == value
            moved = found.log_mass[alike] - p.log_mass[alike]
            assert np.ptp(moved) < 1e-9


def test_the_slope_is_the_derivative() -> None:
    p = policy(4)
    in_a = np.arange(40) < 15
    rise = (p.tilted(1e-6).mass - p.tilted(0.0).mass) @ in_a / 1e-6
    assert p.slope(in_a) == pytest.approx(rise, rel=1e-4)


def test_beyond_what_is_attainable_the_best_are_left() -> None:
    p = of(np.log([0.5, 0.25, 0.25]), [0.0, 1.0, 1.0])
    assert p.attainable == pytest.approx(math.log(2))
    assert p.at(0.69).mass[0, 0] > 0
    beyond = p.at(0.7)
    np.testing.assert_allclose(beyond.mass, [[0, 0.5, 0.5]])
    assert beyond.nats == pytest.approx(math.log(2))
    flat = of(np.zeros(4), np.ones(4))
    assert flat.attainable == pytest.approx(0)
    np.testing.assert_allclose(flat.at(0.25).mass, 0.25)


def test_prompts_do_not_touch_each_other() -> None:
    rng = np.random.default_rng(5)
    log_probs, reward = rng.normal(size=(6, 30)) * 3, np.round(rng.normal(size=(6, 30)) * 2)
    together = Policy.of(log_probs, reward)
    for row in range(6):
        alone = of(log_probs[row], reward[row])
        for a, b in ((together.at(0.5), alone.at(0.5)), (together.best_of(4), alone.best_of(4))):
            np.testing.assert_allclose(a.mass[row], b.mass[0], atol=1e-9)
            assert a.nats[row] == pytest.approx(b.nats[0])


def test_what_the_policy_never_says_stays_unsaid() -> None:
    p = of(np.array([0.0, -np.inf, -1.0]), np.array([0.0, 9.0, 1.0]))
    for found in (p.tilted(2.0), p.best_of(4), p.at(0.5)):
        assert found.mass[0, 1] == 0
        assert found.mass.sum() == pytest.approx(1)
        assert np.isfinite(found.nats).all()


@pytest.mark.parametrize(
    ("log_probs", "reward"),
    [
        ([0.0, 0.0], [1.0]),
        ([0.0, 0.0], [1.0, np.nan]),
        ([0.0, np.nan], [1.0, 2.0]),
        ([-np.inf, -np.inf], [1.0, 2.0]),
    ],
)
def test_bad_input_is_refused(log_probs: list[float], reward: list[float]) -> None:
    with pytest.raises(StatisticsError):
        of(log_probs, reward)


@pytest.mark.parametrize("n", [0, -1, 1.5])
def test_n_must_be_whole(n: float) -> None:
    with pytest.raises(StatisticsError, match="integer >= 1"):
        policy().best_of(n)  # type: ignore[arg-type]


def test_how_many_answers_a_distribution_is_worth() -> None:
    assert effective(np.ones(7)) == pytest.approx(7)
    assert effective(np.array([5.0, 0.0])) == 1
