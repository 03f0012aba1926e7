"""The optimum over all first tokens, against brute force and against a forecast of words."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from valuebias.errors import StatisticsError
from valuebias.prompts import BALANCED
from valuebias.stats.first_tokens import first_tokens
from valuebias.stats.forecast import forecast
from valuebias.stats.optimum import Policy

FACTORS = [p.factors for p in BALANCED.of("positive")]
N = 60
IN_A = np.arange(N) < 25


def drawn(seed: int = 0, spread: float = 1.0) -> tuple[Any, Any]:
    rng = np.random.default_rng(seed)
    log_probs = rng.normal(size=(27, N)) * spread - 5
    return log_probs, rng.normal(size=(27, N)) + 0.5 * IN_A


def test_among_words_alone_it_is_their_forecast() -> None:
    log_probs, rewards = drawn()
    found = first_tokens(log_probs, rewards, np.stack([IN_A, ~IN_A]), prompts=FACTORS)
    words = forecast(log_probs, rewards, IN_A, [f"{i} {a}" for i, a in enumerate(IN_A)],
                     prompts=FACTORS)  # fmt: skip
    assert len(found.steps) == len(words.steps)
    for mine, theirs in zip(found.steps, words.steps, strict=True):
        a, b = mine.groups
        assert (mine.by, mine.amount, mine.reached) == (theirs.by, theirs.amount, theirs.reached)
        assert mine.nats == pytest.approx(theirs.nats, abs=1e-9)
        assert mine.effective == pytest.approx(theirs.effective)
        assert (a.mass, a.low, a.high) == pytest.approx((theirs.share, theirs.low, theirs.high))
        assert a.mass + b.mass == pytest.approx(1)
    assert found.attainable == pytest.approx(words.attainable)
    assert (found.after - found.before) == pytest.approx(np.array(words.gained))
    assert found.scored[1] == pytest.approx(words.lexicon_mass)


def test_masses_are_parts_of_all_that_is_said() -> None:
    log_probs, rewards = drawn(1, spread=2.0)
    groups = np.zeros((3, N), bool)  # a token in two groups, many in none, and an empty group
    groups[0, :5] = groups[1, 4:9] = True
    found = first_tokens(log_probs, rewards, groups, prompts=FACTORS)
    policy = Policy.of(log_probs, rewards)
    wanted = [policy.at(x).mass for x in (0, 0.25, 0.5, 1, 2)]
    wanted += [policy.best_of(n).mass for n in (4, 16, 64)]
    for step, mass in zip(found.steps, wanted, strict=True):
        shown = [group.mass for group in step.groups]
        assert shown == pytest.approx([(mass @ group).mean() for group in groups])
        assert all(group.low <= group.mass <= group.high for group in step.groups)
        assert shown[2] == 0
    assert found.before.sum() == pytest.approx(1)
    assert found.after == pytest.approx(wanted[3].mean(axis=0))
    assert found.scored == pytest.approx(
        (np.exp(log_probs).sum(axis=1).min(), np.exp(log_probs).sum(axis=1).mean())
    )


def test_arrays_of_other_tokens_are_refused() -> None:
    log_probs, rewards = drawn()
    groups = np.ones((1, N), bool)
    for rest in ((rewards[:, 1:], groups), (rewards, groups[:, 1:])):
        with pytest.raises(StatisticsError, match="must be of the same tokens"):
            first_tokens(log_probs, *rest)
