"""A forecast against what brute force gives, and when it settles nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import optimize

from valuebias.errors import StatisticsError
from valuebias.prompts import BALANCED
from valuebias.stats import Cause, Margin, Outcome, judge
from valuebias.stats.forecast import JUDGED, NATS, Forecast, forecast

FACTORS = [p.factors for p in BALANCED.of("positive")]
N = 60
IN_A = np.arange(N) < 25
FAMILIES = [f"family {i // 2}" for i in range(N)]


def drawn(lean: float = 0.5, spread: float = 1.0, prompts: int = 27) -> tuple[Any, Any]:
    rng = np.random.default_rng(0)
    log_probs = rng.normal(size=(prompts, N)) * spread - 9
    taste = rng.normal(size=N) + lean * IN_A
    return log_probs, taste + 0.3 * rng.normal(size=(prompts, N))


def found(lean: float = 0.5, spread: float = 1.0, prompts: int = 27) -> Forecast:
    log_probs, rewards = drawn(lean, spread, prompts)
    return forecast(log_probs, rewards, IN_A, families(), prompts=FACTORS[:prompts])


def families() -> list[str]:
    return [f"{'a' if a else 'b'} {name}" for a, name in zip(IN_A, FAMILIES, strict=True)]


def change(log_probs: Any, rewards: Any, in_a: Any) -> float:
    """The mean change of A's share at one nat, prompt by prompt with a solver of its own."""
    changes = []
    for prior, reward in zip(np.exp(log_probs), rewards, strict=True):
        prior = prior / prior.sum()

        def after(b: float, prior: Any = prior, reward: Any = reward) -> Any:
            raised = prior * np.exp(b * reward)
            return raised / raised.sum()

        def beyond(b: float, prior: Any = prior, after: Any = after) -> float:
            mass = after(b)
            return float(mass @ np.log(mass / prior)) - JUDGED

        b = optimize.bisect(beyond, 1e-6, 50, xtol=1e-13)
        changes.append((after(b) - prior) @ in_a)
    return float(np.mean(changes))


def test_the_estimate_is_the_change_at_one_nat() -> None:
    log_probs, rewards = drawn()
    expected = change(log_probs, rewards, IN_A)
    result = found()
    assert result.estimate == pytest.approx(expected, abs=1e-7)
    assert result.estimate > 0
    assert result.judged.share - result.steps[0].share == pytest.approx(result.estimate)
    assert sum(g for g, a in zip(result.gained, IN_A, strict=True) if a) == pytest.approx(
        result.estimate
    )


def test_without_a_family_is_without_its_words() -> None:
    log_probs, rewards = drawn()
    names = np.array(families())
    result = found()
    assert len(result.without) == 3
    effects = {}
    for name in dict.fromkeys(names):
        kept = names != name
        effects[str(name)] = change(log_probs[:, kept], rewards[:, kept], IN_A[kept])
    for each in result.without:
        assert each.estimate == pytest.approx(effects[each.family], abs=1e-7)
    moved = sorted(effects, key=lambda name: -abs(effects[name] - result.estimate))
    assert [w.family for w in result.without] == moved[:3]


def test_the_ladder_is_of_nats_and_of_draws() -> None:
    result = found()
    assert [s.amount for s in result.steps if s.by == "nats"] == list(NATS)
    assert [s.amount for s in result.steps if s.by == "best of"] == [4, 16, 64]
    for step in result.steps:
        assert 0 <= step.low <= step.share <= step.high <= 1
        assert step.reached == 27
        if step.by == "nats":
            assert step.nats == pytest.approx(step.amount, abs=1e-9)
    nothing = found(lean=0).steps[0]
    assert nothing.share == pytest.approx(result.steps[0].share)  # before, the reward is nothing
    assert result.scale == (-result.steps[0].share, 1 - result.steps[0].share)


def test_the_interval_is_over_prompts_and_their_adjectives() -> None:
    # Where each adjective leans its own way, nine adjectives are the sample and not 27 prompts.
    log_probs, rewards = drawn()
    rng = np.random.default_rng(1)
    adjective = np.unique([f["adjective"] for f in FACTORS], return_inverse=True)[1]
    leaning = rewards + (rng.normal(size=9) * 0.8)[adjective][:, None] * IN_A
    known = forecast(log_probs, leaning, IN_A, families(), prompts=FACTORS)
    unknown = forecast(log_probs, leaning, IN_A, families())
    assert known.high - known.low > 1.3 * (unknown.high - unknown.low)
    assert known.estimate == unknown.estimate
    shifted = forecast(log_probs + 3, 10 * leaning + 5, IN_A, families(), prompts=FACTORS)
    assert shifted.estimate == pytest.approx(known.estimate, abs=1e-9)
    assert shifted.slope == pytest.approx(known.slope)


def test_a_policy_that_says_few_words_settles_nothing() -> None:
    result = found(spread=6.0)
    assert result.steps[0].effective < 10
    assert "what the policy says is worth" in result.exploratory


def test_a_family_that_turns_the_sign_is_named() -> None:
    log_probs = np.full((27, N), -9.0)
    rng = np.random.default_rng(2)
    rewards = rng.normal(size=(27, N)) * 0.1 + np.linspace(0, 0.2, N) * ~IN_A
    rewards[:, 0] = rewards[:, 1] = 1.5  # one family of A above all
    result = forecast(log_probs, rewards, IN_A, families(), prompts=FACTORS)
    assert result.estimate > 0
    assert result.turned == ("a family 0",)
    assert "without 'a family 0' it has the other sign" in result.exploratory
    assert result.without[0].family == "a family 0"
    assert result.without[0].estimate < 0


def test_six_prompts_show_and_settle_nothing() -> None:
    result = found(prompts=6)
    assert "6 prompts are too few" in result.exploratory
    with pytest.raises(StatisticsError, match="prompts are a sample too"):
        found(prompts=5)


def test_nats_beyond_reach_are_counted() -> None:
    log_probs, rewards = drawn()
    log_probs = np.full_like(log_probs, -9.0)
    rewards = np.where(np.arange(N) < 40, 1.0, rewards.clip(max=0.5))  # 40 of 60 share the top
    result = forecast(log_probs, rewards, IN_A, families(), prompts=FACTORS)
    assert result.attainable[0] == pytest.approx(np.log(60 / 40))
    assert result.judged.reached == 0
    assert result.judged.nats == pytest.approx(np.log(60 / 40))
    assert result.judged.share == pytest.approx(25 / 40)


def test_the_sides_are_of_the_words() -> None:
    log_probs, rewards = drawn()
    with pytest.raises(StatisticsError, match="do not describe the same words"):
        forecast(log_probs[:, 1:], rewards[:, 1:], IN_A, families())


def test_a_forecast_is_held_against_a_margin_as_its_words_are_given() -> None:
    # 13 and 18 families: too few of a sample, and enough of words that are given.
    result = found(lean=1.5)
    assert min(result.n_families) < 20
    assert not result.exploratory
    outside = judge(result, Margin(-0.1, 0.1, "declared", "test"))
    assert (outside.outcome, outside.cause) == (Outcome.FAIL, Cause.OUTSIDE)
    assert judge(result, Margin(-0.1, 0.6, "declared", "test")).outcome is Outcome.PASS
    middle = round(result.estimate, 3)
    crosses = judge(result, Margin(-0.1, middle, "declared", "test"))
    assert (crosses.outcome, crosses.cause) == (Outcome.INCONCLUSIVE, Cause.CROSSES)
    assert crosses.families_needed is None


def test_an_unsettled_forecast_neither_passes_nor_fails() -> None:
    result = found(lean=1.5, prompts=6)
    for margin in (Margin(-0.3, 0.5, "declared", "test"), Margin(-0.01, 0.01, "declared", "test")):
        verdict = judge(result, margin)
        assert (verdict.outcome, verdict.cause) == (Outcome.INCONCLUSIVE, Cause.EXPLORATORY)
        assert verdict.reason.startswith("unsettled: 6 prompts")


def test_saturated_rewards_do_not_pass() -> None:
    # Clipped at a cap that most words reach, they move next to nothing.
    log_probs, rewards = drawn(lean=0.0)
    clipped = rewards.clip(max=-0.2)
    result = forecast(log_probs, clipped, IN_A, families(), prompts=FACTORS)
    assert result.tied is not None
    assert result.tied > 0.2
    verdict = judge(result, Margin(-0.3, 0.5, "declared", "test"))
    assert (verdict.outcome, verdict.cause) == (Outcome.INCONCLUSIVE, Cause.TIED)
    with pytest.raises(StatisticsError, match="too few distinct scores"):
        forecast(log_probs, np.ones_like(rewards), IN_A, families(), prompts=FACTORS)


def test_a_change_that_lots_make_as_well_is_no_fail() -> None:
    """Two words of a hundred and twenty gain, and both happen to be of A."""
    rng = np.random.default_rng(5)
    n = 120
    in_a = np.arange(n) < 60
    log_probs = 0.3 * rng.normal(size=(27, n)) - 9
    rewards = 0.1 * rng.normal(size=n) + 0.02 * rng.normal(size=(27, n))
    rewards[:, :2] += 0.6
    names = [f"word {i}" for i in range(n)]
    result = forecast(log_probs, rewards, in_a, names, prompts=FACTORS)
    low, high = result.interval(0.9)
    assert 0.1 < low < high
    assert not result.exploratory
    verdict = judge(result, Margin(-0.1, 0.1, "declared", "test"))
    assert (verdict.outcome, verdict.cause) == (Outcome.INCONCLUSIVE, Cause.PERMUTATION)
    assert "sides drawn by lot move as far (p = " in verdict.reason
    # What a permutation cannot contradict is decided by the interval alone.
    assert judge(result, Margin(-0.4, -0.2, "declared", "test")).outcome is Outcome.FAIL
    # It is how often as much goes to other sixty words, with the same seed every time.
    moved = np.array(result.gained)
    lots = [moved[np.random.default_rng(i).permutation(n)[:60]].sum() for i in range(2000)]
    often = float(np.mean(np.abs(lots) >= abs(result.estimate)))
    assert result.by_lot == pytest.approx(often, abs=0.04)
    assert result.by_lot == forecast(log_probs, rewards, in_a, names, prompts=FACTORS).by_lot


def test_a_lean_of_all_words_is_seldom_made_by_lot() -> None:
    assert found(lean=1.5).by_lot < 0.01
