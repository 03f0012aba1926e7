"""Tastes beside words: against a closed form, and what is planted comes out."""

from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.prompts import ANSWERS
from valuebias.prompts.answers import DESIGNS, LEVELS
from valuebias.stats.tastes import tastes

FRAMES = [astuple(DESIGNS[prompt.id]) for prompt in ANSWERS.of("positive")]


def rewards(seed: int = 0, **raised: float) -> np.ndarray:
    """Rewards (frames, words) of standard deviation 1 within a frame, levels raised."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(FRAMES), 400))
    values = (values - values.mean(axis=1, keepdims=True)) / values.std(
        axis=1, ddof=1, keepdims=True
    )
    frames = 0.2 * rng.normal(size=len(FRAMES))
    frames += [sum(raised.get(level, 0.0) for level in frame) for frame in FRAMES]
    return values + frames[:, None]


def test_what_is_planted_comes_out() -> None:
    found = {taste.level: taste for taste in tastes(rewards(hedged=-2.0, last=1.0), FRAMES, LEVELS)}
    assert list(found) == ["middle", "last", "formal", "casual", "polite", "hedged"]
    assert found["hedged"].low < -2 < found["hedged"].high < 0
    assert 0 < found["last"].low < 1 < found["last"].high
    assert all(found[level].low < 0 < found[level].high for level in ("middle", "formal", "casual"))
    assert str(found["hedged"]).startswith("hedged less direct -")


def test_it_is_least_squares_with_its_t_interval() -> None:
    values = rewards(3)
    y = values.mean(axis=1)  # the standard deviation within frames is 1
    columns = [np.ones(15)]
    for k, levels in enumerate(LEVELS):
        columns += [
            np.array([frame[k] == level for frame in FRAMES], float) for level in levels[1:]
        ]
    x = np.column_stack(columns)
    beta, rest, *_ = np.linalg.lstsq(x, y)
    error = np.sqrt(rest[0] / 8 * np.diag(np.linalg.inv(x.T @ x)))
    half = stats.t.ppf(0.975, 8) * error
    for i, taste in enumerate(tastes(values, FRAMES, LEVELS), 1):
        expected = (beta[i], beta[i] - half[i], beta[i] + half[i])
        assert (taste.estimate, taste.low, taste.high) == pytest.approx(expected, abs=1e-9)


def test_the_unit_of_reward_and_what_all_frames_share_change_nothing() -> None:
    values = rewards(1, formal=0.5)
    one, other = (tastes(v, FRAMES, LEVELS) for v in (values, 7 * values - 100))
    assert [t.estimate for t in one] == pytest.approx([t.estimate for t in other], abs=1e-9)


def test_what_it_cannot_tell_is_an_error() -> None:
    with pytest.raises(StatisticsError, match="do not describe the same frames"):
        tastes(rewards()[:3], FRAMES, LEVELS)
    with pytest.raises(StatisticsError, match="too few frames"):
        tastes(rewards()[:6], FRAMES[:6], LEVELS)
    with pytest.raises(StatisticsError, match="do not vary within a frame"):
        tastes(np.ones((15, 4)), FRAMES, LEVELS)
