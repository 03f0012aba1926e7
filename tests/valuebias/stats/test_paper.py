"""The paper's own tests against R's answers and statsmodels'."""

from __future__ import annotations

import csv
import itertools
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from valuebias.errors import LexiconError, StatisticsError
from valuebias.prompts import Valence
from valuebias.stats.paper.anova import anova
from valuebias.stats.paper.mixed import mixed_model, three_way_by_models
from valuebias.stats.paper.ranks import (
    LABEL,
    VALENCES,
    MedianRanks,
    cells,
    median_ranks,
    permutation_t,
)
from valuebias.stats.paper.words import COLUMNS, RELEASED, VIRTUES, column_ranges, shared_nouns

DATA = Path(__file__).parent / "data"


def medians_of(rows: list[dict[str, str]]) -> MedianRanks:
    models = sorted({r["model"] for r in rows})
    base = {r["model"]: r["base"] for r in rows}
    prompts = sorted({(r["valence"] == "negative", r["prompt"]) for r in rows})
    values = np.full((len(models), len(prompts), 2), np.nan)
    for r in rows:
        at = prompts.index((r["valence"] == "negative", r["prompt"]))
        category = ("agency", "communion").index(r["category"])
        values[models.index(r["model"]), at, category] = float(r["median_rank"])
    return MedianRanks(
        values,
        tuple(models),
        tuple(base[m] for m in models),
        tuple(VALENCES[negative] for negative, _ in prompts),
        ("agency", "communion"),
    )


@pytest.fixture(scope="module")
def rows():
    with (DATA / "synthetic_medians.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def medians(rows):
    return medians_of(rows)


@pytest.fixture(scope="module")
def r_answers():
    return json.loads((DATA / "synthetic_medians_R.json").read_text())


def noise(models=5, prompts=12, seed=0, spread=0.0) -> MedianRanks:
    """Medians without any effect; ``spread`` is the models' own."""
    rng = np.random.default_rng(seed)
    values = rng.normal(30, 2, (models, 2 * prompts, 2))
    values += spread * rng.normal(size=(models, 1, 1))
    bases = tuple("AB"[i % 2] for i in range(models))
    names = tuple(f"m{i}" for i in range(models))
    valences = (VALENCES[0],) * prompts + (VALENCES[1],) * prompts
    return MedianRanks(values, names, bases, valences, ("x", "y"))


def as_in_r(name: str) -> str:
    """Our name of a coefficient as R writes it."""
    return name.replace("[", "").replace("]", "")


# Median ranks


def test_rank_one_is_the_highest_score_and_ties_share_their_mean_rank():
    scores = {"m": np.array([[3.0, 1.0, 2.0, 2.0], [0.0, 5.0, 5.0, 5.0]])}
    found = median_ranks(scores, {}, ["a", "a", "b", "b"], ["positive", "negative"])
    # first prompt: ranks 1, 4, 2.5, 2.5; second: 4, 2, 2, 2
    assert found.values.tolist() == [[[2.5, 2.5], [3.0, 2.0]]]
    assert found.bases == ("m",)
    assert found.n_words == (2, 2)


def test_median_ranks_are_those_of_the_golden_table(medians):
    with (DATA / "synthetic_scores.csv").open(newline="") as file:
        words = list(csv.DictReader(file))
    prompts = [name.partition(":")[2] for name in words[0] if name.startswith("m0:")]
    scores = {
        m: np.array([[float(w[f"{m}:{p}"]) for w in words] for p in prompts]) for m in ("m0", "m4")
    }
    found = median_ranks(scores, {}, [w["category"] for w in words], ["positive"] * len(prompts))
    golden = medians.of("positive")[[medians.models.index(m) for m in ("m0", "m4")]]
    assert found.values == pytest.approx(golden)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_not_finite_are_refused(bad):
    with pytest.raises(StatisticsError, match="not finite"):
        median_ranks({"m": np.array([[1.0, bad]])}, {}, ["a", "b"], ["positive"])


def test_scores_of_other_words_are_refused():
    scores = {"m": np.ones((1, 2)), "n": np.ones((1, 3))}
    with pytest.raises(StatisticsError, match="scores of n"):
        median_ranks(scores, {}, ["a", "b"], ["positive"])
    with pytest.raises(StatisticsError, match="nothing to rank"):
        median_ranks({}, {}, ["a", "b"], ["positive"])


# The mixed model


def test_the_mixed_model_is_lme4s(medians, r_answers):
    found, golden = mixed_model(medians), r_answers["lmer_code"]
    assert [as_in_r(name) for name in found.coefficients] == list(golden["coef"])
    for name, c in found.coefficients.items():
        assert c.estimate == pytest.approx(golden["coef"][as_in_r(name)], rel=1e-8)
        assert c.se == pytest.approx(golden["se"][as_in_r(name)], rel=1e-6)
    assert found.log_likelihood == pytest.approx(golden["reml_loglik"], abs=1e-6)
    assert found.model_variance == pytest.approx(golden["varcorr"][0]["vcov"], rel=1e-5)
    assert found.residual_variance == pytest.approx(golden["varcorr"][1]["vcov"], rel=1e-6)
    assert not found.singular
    assert found.notes == ()


def test_degrees_of_freedom_and_p_are_nlmes(medians, r_answers):
    found, golden = mixed_model(medians), r_answers["nlme_code"]
    for name, c in found.coefficients.items():
        assert c.df == golden["df"][as_in_r(name)]
        assert c.se == pytest.approx(golden["se"][as_in_r(name)], rel=1e-4)
        # Far in the tail a difference of 1e-5 in the standard error is one of 1% in p.
        assert c.p == pytest.approx(golden["p"][as_in_r(name)], rel=0.02, abs=1e-300)
    assert found.three_way.df == 1064


def test_the_three_way_contrast_is_least_squares_with_a_dummy_for_each_model(medians):
    found = mixed_model(medians).three_way
    dummies, outcomes = [], []
    for m, valence in itertools.product(range(10), VALENCES):
        for row in medians.of(valence)[m]:
            for category, value in enumerate(row):
                second, negative = medians.bases[m] == "B", valence == "negative"
                inner = [1, category, negative, category * negative]
                own = [float(i == m) for i in range(10)]
                dummies.append(own + inner[1:] + [second * x for x in inner[1:]])
                outcomes.append(value)
    x, y = np.array(dummies, float), np.array(outcomes)
    beta = np.linalg.lstsq(x, y, rcond=None)[0]
    sigma = ((y - x @ beta) ** 2).sum() / (len(y) - x.shape[1])
    assert len(y) - x.shape[1] == found.df
    assert found.estimate == pytest.approx(beta[-1], abs=1e-9)
    se = np.sqrt(sigma * np.linalg.inv(x.T @ x)[-1, -1])
    assert found.se == pytest.approx(se, rel=1e-9)


def test_with_models_for_the_sample_it_is_lme4s_with_random_slopes(medians, r_answers):
    found, golden = three_way_by_models(medians), r_answers["lmer_randslopes"]
    name = "baseB:categorycommunion:valencenegative"
    assert found.estimate == pytest.approx(golden["coef"][name], rel=1e-6)
    assert found.se == pytest.approx(golden["se"][name], rel=1e-4)
    assert found.df == pytest.approx(golden["df"][name], rel=1e-4)
    assert found.p == pytest.approx(golden["p"][name], rel=1e-3)
    again = MedianRanks(
        np.repeat(medians.values[:1], 4, axis=0), tuple("abcd"), tuple("AABB"), medians.valences,
        medians.categories,
    )  # fmt: skip
    with pytest.raises(StatisticsError, match="do not differ from one another"):
        three_way_by_models(again)


def test_a_singular_fit_is_allowed_and_noted():
    medians = noise(spread=0.0)
    values = medians.values - medians.values.mean(axis=(1, 2), keepdims=True) + 30
    found = mixed_model(
        MedianRanks(values, medians.models, medians.bases, medians.valences, medians.categories)
    )
    assert found.singular
    assert found.model_variance == 0
    assert "singular" in found.notes[0]


def test_a_likelihood_that_is_not_finite_is_an_error(medians, monkeypatch):
    # What "lbfgs" alone does to these very data: an infinite likelihood, called convergence.
    from statsmodels.regression.mixed_linear_model import MixedLM

    fit = MixedLM.fit
    monkeypatch.setattr(MixedLM, "fit", lambda self, **_: fit(self, reml=True, method="lbfgs"))
    with pytest.raises(StatisticsError, match="likelihood is not finite"):
        mixed_model(medians)


def test_two_fits_that_differ_are_an_error(medians, monkeypatch):
    import statsmodels.api as sm

    whole = sm.MixedLM

    def half(y, x, groups):
        return whole(y * 0.5, x, groups=groups)

    monkeypatch.setattr(sm, "MixedLM", half)
    with pytest.raises(StatisticsError, match="differ in a coefficient"):
        mixed_model(medians)


def test_what_the_mixed_model_cannot_take():
    two = noise(models=2)
    with pytest.raises(StatisticsError, match="three models"):
        mixed_model(two)
    alone = MedianRanks(two.values, two.models, ("A", "A"), two.valences, two.categories)
    with pytest.raises(StatisticsError, match="two base families"):
        mixed_model(alone)


@settings(max_examples=15, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    models=st.integers(3, 7),
    prompts=st.integers(2, 9),
    spread=st.floats(0, 3),
)
def test_both_fits_agree_whatever_the_data(seed, models, prompts, spread):
    found = mixed_model(noise(models, prompts, seed, spread))  # raises where they do not
    assert np.isfinite(found.log_likelihood)


# Analysis of variance


def test_the_anova_is_rs(rows, r_answers):
    two = medians_of([r for r in rows if r["model"] in ("m0", "m4")])
    found, golden = anova(two), r_answers["anova_m0_m4"]
    assert found.df == golden["df"]["Residuals"] == 208
    for term in found.terms:
        parts = {"base" if x == "model" else x for x in term.name.split(":")}
        name = next(n for n in golden["F"] if set(n.split(":")) == parts)
        assert term.f == pytest.approx(golden["F"][name], rel=1e-6)
        assert term.p == pytest.approx(golden["p"][name], rel=1e-6)
    assert found.three_way.name == "category:valence:model"


@pytest.mark.parametrize("seed", range(3))
def test_the_anova_is_statsmodels_type_two(seed):
    import pandas as pd
    from statsmodels.formula.api import ols
    from statsmodels.stats.anova import anova_lm

    medians = noise(models=2, prompts=4 + seed, seed=seed, spread=1.0)
    table = pd.DataFrame(
        [
            (str(medians.values[m, p, c]), m, str(valence), c)
            for m, (p, valence), c in itertools.product(
                range(2), enumerate(medians.valences), range(2)
            )
        ],
        columns=["rank", "model", "valence", "category"],
    ).astype({"rank": float})
    fit = ols("rank ~ C(category) * C(valence) * C(model)", data=table).fit()
    golden = anova_lm(fit, typ=2)
    found = anova(medians)
    assert found.df == golden.loc["Residual", "df"]
    for term in found.terms:
        row = golden.loc[":".join(f"C({x})" for x in term.name.split(":"))]
        assert term.sum_of_squares == pytest.approx(row["sum_sq"], rel=1e-6)
        assert term.f == pytest.approx(row["F"], rel=1e-6)
        assert term.p == pytest.approx(row["PR(>F)"], rel=1e-6)


def test_the_anova_takes_two_models_and_balanced_prompts():
    with pytest.raises(StatisticsError, match="two models"):
        anova(noise(models=3))
    two = noise(models=2)
    shorter = MedianRanks(
        two.values[:, 1:], two.models, two.bases, two.valences[1:], two.categories
    )
    with pytest.raises(StatisticsError, match="11 and 12 prompts"):
        anova(shorter)
    with pytest.raises(StatisticsError, match="do not vary"):
        anova(MedianRanks(two.values * 0, two.models, two.bases, two.valences, two.categories))


# Welch, permutation and d


def test_welch_is_rs(medians, r_answers):
    cell = cells(medians)[0]
    golden = r_answers["welch_cell"]
    assert (cell.category, cell.valence, cell.n) == ("agency", "positive", (108, 162))
    assert (cell.t, cell.df) == pytest.approx((golden["t"], golden["df"]), rel=1e-9)
    assert cell.p == pytest.approx(golden["p"], rel=1e-6)
    assert cell.p_bonferroni == pytest.approx(4 * cell.p)


def test_corrections_count_every_cell():
    found = cells(noise(seed=3))
    p = np.sort([c.p for c in found])
    adjusted = np.minimum.accumulate((p * 4 / np.arange(1, 5))[::-1])[::-1]
    assert np.sort([c.p_fdr for c in found]) == pytest.approx(adjusted)
    assert [c.p_bonferroni for c in found] == pytest.approx([min(1, 4 * c.p) for c in found])


def test_the_permutation_p_is_that_of_all_relabellings():
    rng = np.random.default_rng(4)
    x, y = rng.normal(1, 1, 5), rng.normal(0, 3, 6)
    pooled = np.concatenate([x, y])

    def welch(first):
        rest = np.setdiff1d(np.arange(11), first)
        return abs(stats.ttest_ind(pooled[first], pooled[rest], equal_var=False).statistic)

    observed = welch(np.arange(5))
    every = [welch(np.array(c)) for c in itertools.combinations(range(11), 5)]
    exact = np.mean(np.array(every) >= observed - 1e-9)
    assert permutation_t(x, y) == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / 9999))
    assert permutation_t(x, y, seed=1) == permutation_t(x, y, seed=1)
    assert permutation_t(x, x + 100, draws=99) == pytest.approx(0.02, abs=0.02)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_the_other_order_of_families_flips_the_signs(seed):
    medians = noise(seed=seed)
    swapped = MedianRanks(
        medians.values,
        medians.models,
        tuple({"A": "B", "B": "A"}[b] for b in medians.bases),
        medians.valences,
        medians.categories,
    )
    pairs = zip(cells(medians, draws=99), cells(swapped, draws=99), strict=True)
    for mine, other in pairs:
        assert (mine.d, mine.t) == pytest.approx((-other.d, -other.t))
        assert mine.p == pytest.approx(other.p)
    assert mixed_model(medians).three_way.estimate == pytest.approx(
        -mixed_model(swapped).three_way.estimate
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_ranks_depend_on_neither_scale_nor_the_order_of_words(seed):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(4, 9)).round(1)
    categories = list("aaaabbbbb")
    valences: list[Valence] = ["positive", "positive", "negative", "negative"]
    order = rng.permutation(9)
    plain = median_ranks({"m": values}, {}, categories, valences)
    moved = median_ranks(
        {"m": np.exp(values[:, order])}, {}, [categories[i] for i in order], valences
    )
    assert np.array_equal(plain.values, moved.values)


def test_medians_that_do_not_vary_have_no_test():
    medians = noise()
    flat = medians.values.copy()
    flat[:, :, 0] = 7.0
    with pytest.raises(StatisticsError, match="do not vary"):
        cells(
            MedianRanks(flat, medians.models, medians.bases, medians.valences, medians.categories)
        )


def test_every_result_says_that_it_is_a_reproduction(medians, rows):
    two = medians_of([r for r in rows if r["model"] in ("m0", "m4")])
    for result in (medians, cells(medians)[0], mixed_model(medians), anova(two)):
        assert result.reproduction_only is True
        assert str(result).startswith(LABEL)


# Words


def test_the_range_of_columns_takes_vice_but_for_sanctity():
    assert len(RELEASED) == 9
    assert set(COLUMNS) - set(RELEASED) == {"sanctity.vice"}
    assert len(VIRTUES) == 5
    with pytest.raises(LexiconError, match="not the columns of MFD2"):
        column_ranges({"m": np.ones((2, 2))}, {}, ["care.virtue", "purity"], VALENCES)


def test_vice_words_move_the_released_selection_alone():
    rng = np.random.default_rng(0)
    columns = [c for c in COLUMNS for _ in range(6)]
    valences = (VALENCES[0],) * 6 + (VALENCES[1],) * 6
    scores = {f"{base}{i}": rng.normal(size=(12, 60)) for base in "AB" for i in range(3)}
    vice = np.array([c == "care.vice" for c in columns])
    for name, values in scores.items():
        values[:, vice] += 5.0 if name[0] == "A" else -5.0
    released, virtues = column_ranges(scores, {n: n[0] for n in scores}, columns, valences)
    assert (released.n_words, virtues.n_words) == (54, 30)
    assert released.cell("care", "positive").d < -2  # ranked further up by the first family
    assert abs(virtues.cell("care", "positive").d) < 1.5
    assert str(released).startswith(LABEL)


def test_shared_nouns_are_tokens_to_the_letter(tmp_path):
    table = tmp_path / "tokens.csv"
    table.write_text('"","token_decoded"\n"1","duty"\n"2","Care"\n"3","""\n"\n', encoding="utf-8")
    words = {"a": ("duty", "power"), "b": ("care",)}
    assert shared_nouns(words, table) == {"a": ("duty",), "b": ()}
    for content in ("word\nduty\n", "token_decoded\n"):
        table.write_text(content)
        with pytest.raises(LexiconError, match="shared tokens"):
            shared_nouns(words, table)
    with pytest.raises(LexiconError, match="cannot read the shared tokens"):
        shared_nouns(words, tmp_path / "none.csv")
