"""What the best and worst words of a vocabulary stand for, asked of a model in a test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., pytest.RunResult]


def test_a_model_that_leans_to_agency_has_it_among_its_best(
    run: Run, pytester: pytest.Pytester, leaning: Path
) -> None:
    pytester.makepyfile(
        """
        import pytest
        from valuebias.errors import StatisticsError
        from valuebias.stats import composition_over

        def test_best(reward_model, lexicon, prompts):
            found = reward_model.composition("big_two", k=20)
            assert found.best["agency"].count > found.best["communion"].count
            assert found.worst["agency"].count < found.worst["communion"].count
            assert 1 <= found.best["agency"].rank <= 20
            top = reward_model.top_tokens(k=20)
            assert found.best_words == tuple(word for word, _ in top.best)
            assert reward_model.composition(lexicon("big_two"), k=20) == found
            positive = [p.id for p in prompts if p.valence == "positive"]
            assert len(reward_model.composition("big_two", 5, positive).prompts) == 27

        def test_refused(reward_model, prompts):
            with pytest.raises(StatisticsError, match="one valence"):
                reward_model.composition("big_two", prompts=prompts)

        def test_over(reward_model):
            found = reward_model.composition("big_two")
            assert composition_over([found, found]).best == found.best
        """
    )
    run(f"--rm=scores:{leaning}", "--valuebias-suite=none").assert_outcomes(passed=3)
