"""The losses against formulas of their own, in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from valuebias.training.objective import bradley_terry, text_loss

REWARDS = st.lists(
    st.tuples(*[st.floats(-8, 8, allow_nan=False, width=32)] * 3), min_size=1, max_size=6
)


@settings(max_examples=60, deadline=None)
@given(REWARDS, st.floats(0, 0.45), st.floats(0, 2))
def test_the_loss_is_the_mean_negative_log_likelihood(
    rewards: list[tuple[float, float, float]], smoothing: float, centring: float
) -> None:
    chosen, rejected, margin = (np.array(column) for column in zip(*rewards, strict=True))
    margin = abs(margin)
    p_right = 1 / (1 + np.exp(-(chosen - rejected - margin)))
    p_wrong = 1 / (1 + np.exp(-(rejected - chosen - margin)))
    expected = np.mean(
        -(1 - smoothing) * np.log(p_right)
        - smoothing * np.log(p_wrong)
        + centring * (chosen + rejected) ** 2
    )
    better, worse, apart = (
        torch.tensor(side, dtype=torch.float64) for side in (chosen, rejected, margin)
    )
    got = bradley_terry(better, worse, apart, smoothing, centring)
    assert got.item() == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_options_left_out_change_nothing() -> None:
    chosen, rejected = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])
    plain = -torch.nn.functional.logsigmoid(chosen - rejected).mean()
    assert bradley_terry(chosen, rejected).item() == plain.item()


def test_no_loss_is_lost_where_rewards_are_far_apart() -> None:
    assert bradley_terry(torch.tensor([-500.0]), torch.tensor([500.0])).item() == 1000.0


def test_the_text_loss_falls_as_the_text_becomes_likelier() -> None:
    likely, unlikely = torch.tensor([-3.0, -4.0]), torch.tensor([-30.0, -40.0])
    assert text_loss(likely, 0.1) < text_loss(unlikely, 0.1)
    expected = np.mean([np.log1p(np.exp(0.3)), np.log1p(np.exp(0.4))])
    assert text_loss(likely, 0.1).item() == pytest.approx(expected, rel=1e-6)
