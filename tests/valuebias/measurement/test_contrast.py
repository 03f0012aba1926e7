"""From a spec and a lexicon to a measurement, on recorded scores."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from support.scores import write_scores, write_table
from valuebias.errors import LexiconError
from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import measure, seed_for
from valuebias.measurement.tokens import top_tokens
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.prompts import GREATEST, PAPER, Valences, resolve
from valuebias.scorers.bench import Bench
from valuebias.scorers.schemes import parse_spec
from valuebias.stats import Cause, Margin, Outcome, judge
from valuebias.store.database import Store

BIG_TWO = "agency~communion"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with Bench(Store(tmp_path / "scores.sqlite"), Settings()) as bench:
        yield bench


def recorded(path: Path, **how: Any) -> ModelSpec:
    return parse_spec(f"scores:{write_scores(path, lexicons=('big_two',), **how)}")


def test_swapping_the_sides_flips_the_sign(bench: Bench, tmp_path: Path) -> None:
    spec = recorded(tmp_path / "a.csv", shift=0.8)
    there = measure(bench.scorer(spec), starter("big_two"), BIG_TWO, "positive")
    back = measure(bench.scorer(spec), starter("big_two"), "communion~agency", "positive")
    assert there.effect.estimate == pytest.approx(-back.effect.estimate, abs=1e-12)
    assert there.effect.low == pytest.approx(-back.effect.high, abs=1e-12)
    assert {p.word for p in there.raised_by} == {p.word for p in back.lowered_by}
    assert all(p.in_a == p.high for p in there.raised_by)
    assert all(p.in_a != p.high for p in there.lowered_by)


def test_a_pair_is_the_difference_of_singles_over_common_words(
    bench: Bench, tmp_path: Path
) -> None:
    first, second = recorded(tmp_path / "a.csv", shift=0.8), recorded(tmp_path / "b.csv", seed=1)
    lines = (tmp_path / "b.csv").read_text().splitlines(keepends=True)
    (tmp_path / "b.csv").write_text("".join(lines[:1] + lines[:10:-1]))  # other order, 10 gone
    lexicon = starter("big_two")
    both = measure(bench.scorer(first), lexicon, BIG_TWO, "negative", against=bench.scorer(second))
    assert both.role == "shift"
    assert sum(both.effect.n_words) == len(lexicon.words()) - 10
    assert both.coverage == pytest.approx(1 - 10 / len(lexicon.words()))
    kept = Lexicon(
        "kept",
        {
            name: tuple(w for w in words if f"\n{w}," in (tmp_path / "b.csv").read_text())
            for name, words in lexicon.categories.items()
        },
        families=lexicon.families,
    )
    singles = [
        measure(bench.scorer(spec), kept, BIG_TWO, "negative").effect.estimate
        for spec in (first, second)
    ]
    assert both.effect.estimate == pytest.approx(singles[0] - singles[1], abs=1e-12)


def test_what_it_rests_on_is_said(bench: Bench, tmp_path: Path) -> None:
    spec = recorded(tmp_path / "a.csv")
    found = measure(
        bench.scorer(spec), starter("big_two"), BIG_TWO, "positive", prompts=PAPER.quick
    )
    assert "starter, not validated" in found.rests_on
    assert "coverage 100%" in found.rests_on
    assert "6 prompts" in found.rests_on
    assert found.effect.exploratory


def test_an_unknown_category_is_an_error(bench: Bench, tmp_path: Path) -> None:
    spec = recorded(tmp_path / "a.csv")
    with pytest.raises(LexiconError, match="no such category"):
        measure(bench.scorer(spec), starter("big_two"), "agency~power", "positive")


def test_top_tokens_are_ordered_and_may_be_left_out(bench: Bench, tmp_path: Path) -> None:
    spec = recorded(tmp_path / "a.csv")
    top = top_tokens(bench.scorer(spec), GREATEST, 3)
    scores = [score for _, score in (*top.best, *top.worst[::-1])]
    assert scores == sorted(scores, reverse=True)
    assert len(top.best) == len(top.worst) == 3
    other = top_tokens(bench.scorer(spec), resolve("Is there such a thing?"), 3)
    assert other.best == ()
    assert "has no score" in (other.left_out or "")


def test_a_regression_is_raised_by_what_moves_it_away_from_zero(
    bench: Bench, tmp_path: Path
) -> None:
    away = recorded(tmp_path / "away.csv", shift=-1.5)
    near = recorded(tmp_path / "near.csv", shift=-0.2, seed=1)
    lexicon = starter("big_two")
    found = measure(
        bench.scorer(away),
        lexicon,
        BIG_TWO,
        "positive",
        against=bench.scorer(near),
        regression=True,
    )
    assert found.role == "regression"
    singles = [measure(bench.scorer(m), lexicon, BIG_TWO, "positive").effect for m in (away, near)]
    assert singles[0].estimate < singles[1].estimate < 0
    assert found.effect.estimate == pytest.approx(
        abs(singles[0].estimate) - abs(singles[1].estimate), abs=1e-12
    )
    # Both lean to communion: agency's words low, or communion's high, is what moves it further.
    assert all(p.in_a != p.high for p in found.raised_by)
    assert all(p.in_a == p.high for p in found.lowered_by)


def test_positive_minus_negative(bench: Bench, tmp_path: Path) -> None:
    spec, other = recorded(tmp_path / "a.csv", shift=0.8), recorded(tmp_path / "b.csv", seed=1)
    lexicon = starter("big_two")

    def estimate(valence: Valences, against: ModelSpec | None = None) -> float:
        found = measure(
            bench.scorer(spec),
            lexicon,
            BIG_TWO,
            valence,
            against=bench.scorer(against) if against else None,
        )
        assert found.effect.n_prompts == (54 if valence == "positive-negative" else 27)
        return found.effect.estimate

    for against in (None, other):
        assert estimate("positive-negative", against) == pytest.approx(
            estimate("positive", against) - estimate("negative", against), abs=1e-12
        )


def test_seeds_are_those_of_the_claim() -> None:
    key = ("suite", "test", "big_two", BIG_TWO, "positive", "range")
    assert seed_for(0, *key) == seed_for(0, *key) == 2787310395
    others = {seed_for(1, *key), seed_for(0, *key[:-1], "shift"), seed_for(0, *key[:-1])}
    assert len(others | {seed_for(0, *key)}) == 4


def test_a_facet_far_out_makes_pass_impossible_and_is_named(bench: Bench, tmp_path: Path) -> None:
    """Two facets of agency lie far out on either side; without facets the mean passes."""
    rng = np.random.default_rng(3)
    sides = ("agency", "communion", "beside")
    words = {side: tuple(f"{side[0]}{i}q" for i in range(80)) for side in sides}
    values = rng.normal(size=(240, 1)) + 0.3 * rng.normal(size=(240, 54))
    values[:20] += 2.2
    values[20:40] -= 2.2
    everything = [word for side in sides for word in words[side]]
    spec = parse_spec(f"scores:{write_table(tmp_path / 'a.csv', everything, values)}")
    facets = {word: f"{word[0]} {i // 20}" for side in sides for i, word in enumerate(words[side])}
    plain, faceted = Lexicon("plain", words), Lexicon("faceted", words, facets=facets)
    without, found = (
        measure(bench.scorer(spec), lexicon, BIG_TWO, "positive") for lexicon in (plain, faceted)
    )
    assert found.effect.estimate == without.effect.estimate
    assert found.effect.se > without.effect.se
    assert "(over 12 facets)" in found.effect.notes[-1]  # those of the category beside too
    assert not without.effect.facets
    assert len(found.effect.facets) == 8
    margin = Margin(-0.3, 0.3)
    assert judge(without.effect, margin).outcome is Outcome.PASS
    wide = replace(found.effect, parts=without.effect.parts)  # whatever the mean's interval is
    verdict = judge(wide, margin)
    assert (verdict.outcome, verdict.cause) == (Outcome.INCONCLUSIVE, Cause.FACET)
    assert "lies inside the margin" in verdict.reason
    assert "a 0 +" in verdict.reason
    assert "a 1 -" in verdict.reason
    assert "bands for all 8 facets" in verdict.reason
    other = parse_spec(f"scores:{write_table(tmp_path / 'b.csv', everything, values[:, ::-1])}")
    for regression in (False, True):
        pair = measure(
            bench.scorer(spec),
            faceted,
            BIG_TWO,
            "positive",
            against=bench.scorer(other),
            regression=regression,
        )
        assert "facets)" in "; ".join(pair.effect.notes)
