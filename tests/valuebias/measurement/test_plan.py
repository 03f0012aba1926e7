"""What a planned run consists of: its claims, how their errors correlate, whose variances."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from valuebias.declarations.margins import load_margins
from valuebias.declarations.spreads import load_spreads
from valuebias.lexicons.files import load_lexicon, starter
from valuebias.measurement.plan import (
    alike,
    between_valences_of_pilot,
    claims_of,
    effects_at,
    of_panel,
    of_pilot,
    panel_basis,
)
from valuebias.prompts import BALANCED, PAPER, PromptSet
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats import Margin
from valuebias_suites import CONTRASTS, MARGINS, SPREADS

LEXICONS = {name: starter(name) for name in CONTRASTS}
PANEL = load_spreads(SPREADS)


def claims(prompts: PromptSet = PAPER):
    source = of_panel(PANEL.spread, prompts)
    return claims_of(CONTRASTS, LEXICONS, [load_margins(MARGINS)], prompts, "ci", source)


@pytest.mark.parametrize(
    ("margin", "effects"),
    [
        ((-0.3, 0.3), (0, 0.15, 0.3, 0.6)),
        ((-0.3, 0.2), (0, 0.1, 0.2, 0.4)),
        ((-0.2, 0.3), (0, -0.1, -0.2, -0.4)),
        ((0.1, 0.5), (0.3, 0.4, 0.5, 0.7)),
        ((-0.5, -0.1), (-0.3, -0.2, -0.1, 0.1)),
        ((-0.7, 0.7), (0, 0.35, 0.7, 0.99)),
    ],
)
def test_effects_lie_on_the_way_to_the_nearer_edge(margin, effects) -> None:
    assert effects_at(Margin(*margin)) == pytest.approx(effects)


def test_every_claim_of_the_run_is_planned() -> None:
    planned = claims()
    assert len(planned) == 22
    assert all(claim.margin is not None for claim in planned)
    first = planned[0]
    assert first.asked.levels == {"adjective": 3, "scope": 3, "style": 3}
    assert first.asked.prompts == 27
    chosen = LEXICONS["big_two"].select("agency~communion", LEXICONS["big_two"].words())
    of_a, of_b = (set(chosen.families[side]) for side in (chosen.in_a, ~chosen.in_a))
    assert first.asked.families == (len(of_a), len(of_b))
    assert claims(BALANCED)[0].asked.levels["adjective"] == 9


def test_errors_correlate_as_the_lexicons_are_laid_out() -> None:
    planned = claims()
    like = alike(planned, {"big_two": 0.0, "mfd2": 0.2})
    at = {(c.contrast, c.valence): i for i, c in enumerate(planned)}
    for matrix in (like.words, like.prompts):
        assert np.allclose(matrix, matrix.T)
        assert np.allclose(np.diag(matrix), 1)
        assert np.linalg.eigvalsh(matrix).min() > -1e-9
    care, fair = at["care.virtue", "positive"], at["fairness.virtue", "positive"]
    # Each of five categories against the other four: -1/4 where all are alike.
    assert like.words[care, fair] == pytest.approx(-0.25, abs=0.03)
    assert like.prompts[care, fair] == pytest.approx(-0.25, abs=0.03)
    negative = at["care.virtue", "negative"]
    assert like.words[care, negative] == pytest.approx(0.2)
    assert like.prompts[care, negative] == 0
    assert like.prompts[care, at["care.vice", "positive"]] == 0


def test_the_correlation_of_words_is_that_of_drawn_families() -> None:
    """Against 4,000 draws of a number for every family."""
    planned = [c for c in claims() if c.valence == "positive"]
    rng = np.random.default_rng(0)
    names = sorted({f for c in planned for f in c.selection.families})
    place = {name: i for i, name in enumerate(names)}
    drawn = rng.standard_normal((4000, len(names)))
    estimates = []
    for claim in planned:
        chosen = claim.selection
        sides = [
            sorted({place[f] for f in chosen.families[s]}) for s in (chosen.in_a, ~chosen.in_a)
        ]
        estimates.append(drawn[:, sides[0]].mean(axis=1) - drawn[:, sides[1]].mean(axis=1))
    like = alike(planned, {"big_two": 0.0, "mfd2": 0.0})
    assert np.abs(np.corrcoef(estimates) - like.words).max() < 0.07


def test_an_unknown_factor_varies_as_adjectives_do() -> None:
    prompts = PromptSet(
        "own",
        tuple(
            p.__class__(p.id, p.text, p.valence, {"verb": p.factors["adjective"]})
            for p in PAPER.prompts
        ),
    )
    found, _ = of_panel(PANEL.spread, prompts)(LEXICONS["mfd2"], "care.virtue", "negative")
    assert found.factors == {"verb": PANEL.spread("mfd2", "negative").factors["adjective"]}


def test_facets_make_the_words_part_larger() -> None:
    lexicon = LEXICONS["big_two"]
    found, _ = of_panel(PANEL.spread, PAPER)(lexicon, "agency~communion", "positive")
    assert found.words > 1.3 * PANEL.spread("big_two", "positive").words
    assert found.df < sum(found.families) - 2


def test_the_shipped_variances_say_what_they_rest_on() -> None:
    assert PANEL.basis == "ten public reward models on the paper's prompts"
    assert PANEL.date == "2026-11-29"
    assert set(PANEL.entries) == {(name, v) for name in CONTRASTS for v in ("positive", "negative")}
    basis = panel_basis(PANEL, LEXICONS, PAPER)
    assert basis.told == "ten public reward models on the paper's prompts, 2026-11-29"
    assert set(basis.between_valences) == set(LEXICONS)


def test_the_shipped_variances_are_the_mean_of_the_ten() -> None:
    if not os.environ.get("VALUEBIAS_PUBLISHED_DATA"):
        pytest.skip("VALUEBIAS_PUBLISHED_DATA is not set")
    published = Path(os.environ["VALUEBIAS_PUBLISHED_DATA"])
    corpora = published / "data" / "corpora"
    lexicon = load_lexicon("big_two", corpora / "dict_big2_nouns.csv")
    folder = published / "data" / "reward_model_scores" / "dict_big2_nouns"
    tables = [RecordedScores.from_file(f) for f in sorted(folder.glob("*_rewards_*.csv"))]
    assert len(tables) == 10
    spreads = [of_pilot(t, PAPER)(lexicon, "agency~communion", "positive")[0] for t in tables]
    shipped = PANEL.spread("big_two", "positive")
    assert np.mean([s.words for s in spreads]) == pytest.approx(shipped.words, abs=1e-5)
    for name, variance in shipped.factors.items():
        assert np.mean([s.factors[name] for s in spreads]) == pytest.approx(variance, abs=1e-5)
    between = [between_valences_of_pilot(t, lexicon, ["agency~communion"], PAPER) for t in tables]
    assert np.mean(between) == pytest.approx(shipped.between_valences, abs=1e-5)
