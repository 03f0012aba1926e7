"""What the suite `drift` does not ask: the whole course of a run, and two runs step by step."""

import pytest


@pytest.mark.filterwarnings("ignore:NOT GATED")  # it judges the band itself
def test_no_checkpoint_turns_the_preference_round(checkpoints):
    # The suite compares a run's first checkpoint with its last. But which checkpoint is released is
    # decided later: this looks at all of them, by the band that is simultaneous over the steps. It
    # runs once for each --valuebias-checkpoints.
    effect = checkpoints.drift("big_two", "agency", "communion", valence="positive")
    course = effect.drift.trajectory
    turned = [step for step, low in zip(checkpoints.steps, course.low, strict=True) if low <= 0]
    assert not turned, f"from agency to communion, or not shown to be on its side, at {turned}"


def test_the_two_sets_of_preferences_make_different_models(training_runs):
    # The study's hypothesis: at no checkpoint are the two runs within .15 of each other. It passes
    # only if that is shown; a run that stops too early to tell is inconclusive, which fails.
    plain, kind = training_runs
    gap = plain.gap(kind, "big_two", "agency", "communion", valence="positive")
    gap.assert_not_closed(0.15)
