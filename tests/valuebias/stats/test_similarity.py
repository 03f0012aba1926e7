"""Similarity by base against plain least squares, enumeration and the published scores."""

from __future__ import annotations

import itertools
import math
import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from valuebias.candidates import Candidates
from valuebias.errors import StatisticsError
from valuebias.lexicons.files import load_lexicon
from valuebias.prompts import select
from valuebias.scorers.recorded import RecordedScores
from valuebias.stats import similarity
from valuebias.stats.similarity import _all_groupings


def models(counts, *, pull=1.0, words=60, prompts=5, seed=0):
    """Scores and bases; ``pull`` is how much the models of one base have in common."""
    rng = np.random.default_rng(seed)
    common = rng.normal(size=words)
    scores, base = {}, {}
    for b, n in counts.items():
        taste = rng.normal(size=words)
        for i in range(n):
            own = common + pull * taste + rng.normal(size=words)
            scores[f"{b}{i}"] = own + 0.5 * rng.normal(size=(prompts, words))
            base[f"{b}{i}"] = b
    return scores, base


def plain_r2(y, *columns):
    design = np.column_stack([np.ones(len(y)), *columns])
    rest = y - design @ np.linalg.lstsq(design, y)[0]
    return 1 - (rest @ rest) / ((y - y.mean()) @ (y - y.mean()))


def plain(scores, base, *covariates):
    """tau and the columns of the regression, pair by pair."""
    mean = {m: stats.rankdata(v, axis=1).mean(axis=0) for m, v in scores.items()}
    pairs = list(itertools.combinations(scores, 2))
    tau = np.array([stats.kendalltau(mean[a], mean[b]).statistic for a, b in pairs])
    same = np.array([float(base[a] == base[b]) for a, b in pairs])
    return tau, same, *(np.array([abs(c[a] - c[b]) for a, b in pairs]) for c in covariates)


def test_against_plain_least_squares_and_enumeration():
    scores, base = models({"g": 4, "l": 6}, pull=0.6)
    rng = np.random.default_rng(5)
    size, age = ({m: float(rng.normal()) for m in scores} for _ in range(2))
    found = similarity(scores, base, {"size": size, "age": age})
    tau, same, d_size, d_age = plain(scores, base, size, age)
    assert found.tau[np.triu_indices(10, 1)] == pytest.approx(tau, abs=1e-12)
    assert np.array_equal(found.tau, found.tau.T)
    assert found.difference == pytest.approx(tau[same == 1].mean() - tau[same == 0].mean())
    full = plain_r2(tau, same, d_size, d_age)
    assert found.r2 == pytest.approx(plain_r2(tau, same))
    assert found.unique_base == pytest.approx(full - plain_r2(tau, d_size, d_age))
    assert found.unique["size"] == pytest.approx(full - plain_r2(tau, same, d_age))
    assert found.unique["age"] == pytest.approx(full - plain_r2(tau, same, d_size))
    names = list(scores)
    r2s = [
        plain_r2(tau, plain(scores, {m: str(m in chosen) for m in names})[1])
        for chosen in itertools.combinations(names, 4)
    ]
    assert (found.groupings, found.exact, found.smallest_p) == (210, True, 1 / 210)
    assert found.p == np.mean(np.array(r2s) >= found.r2 - 1e-12)


def test_without_covariates_all_is_unique():
    found = similarity(*models({"g": 4, "l": 4}))
    assert found.unique_base == pytest.approx(found.r2)
    assert found.unique == {}


def test_a_planted_base_is_found_and_its_absence_is_not():
    found = similarity(*models({"g": 4, "l": 6}, pull=2.0))
    assert found.p == 1 / 210
    assert found.difference > 0.2
    scores, base = models({"g": 4, "l": 6}, pull=0.0, seed=3)
    assert similarity(scores, base).p > 0.05


def test_models_of_a_base_can_be_less_alike():
    scores, base = models({"g": 4, "l": 4}, pull=2.0)
    crossed = dict(zip(scores, ["x", "x", "y", "y"] * 2, strict=True))
    assert similarity(scores, base).difference > 0
    found = similarity(scores, crossed)
    assert found.difference < 0
    # R^2 has no direction: groupings that make same-base pairs more alike count against it too.
    tau = plain(scores, base)[0]
    r2s = [
        plain_r2(tau, plain(scores, {m: str(m in chosen) for m in scores})[1])
        for chosen in itertools.combinations(scores, 4)
    ]
    assert found.p == np.mean(np.array(r2s) >= found.r2 - 1e-12)
    assert similarity(scores, base).p < found.p


@pytest.mark.parametrize("sizes", [(3, 4), (4, 4), (2, 2, 3)])
def test_the_level_is_exact(sizes):
    """Under every way to name the models' bases, p <= a happens in a share a at most."""
    counts = {f"b{i}": n for i, n in enumerate(sizes)}
    scores, base = models(counts, pull=0.0, words=25, prompts=1)
    labels = set(itertools.permutations(base.values()))
    p = [similarity(scores, dict(zip(scores, label, strict=True)), alpha=0.5).p for label in labels]
    for level in sorted(set(p)):
        assert np.mean(np.array(p) <= level) == pytest.approx(level)


@pytest.mark.parametrize(
    ("sizes", "groupings"),
    [((4, 6), 210), ((5, 5), 126), ((2, 2, 3), 105), ((1, 1, 4), 15), ((3, 3, 3), 280)],
)
def test_every_grouping_is_tried_once(sizes, groupings):
    labels = [i for i, n in enumerate(sizes) for _ in range(n)]
    found = [
        frozenset(frozenset(np.flatnonzero(g == name).tolist()) for name in set(g.tolist()))
        for g in _all_groupings(np.array(labels))
    ]
    assert len(found) == len(set(found)) == groupings
    assert all(sorted(map(len, g)) == sorted(sizes) for g in found)
    scores, base = models({f"b{i}": n for i, n in enumerate(sizes)}, words=20, prompts=1)
    assert similarity(scores, base, alpha=0.1).groupings == groupings


def test_many_models_are_drawn_from_a_seed():
    scores, base = models({"g": 9, "l": 9}, pull=0.15, words=20, prompts=1, seed=4)
    found = similarity(scores, base)
    assert not found.exact
    assert found.groupings == math.comb(18, 9) // 2
    assert found.smallest_p == 1 / 20_000
    assert similarity(scores, base).p == found.p
    assert similarity(*models({"g": 11, "l": 11}, pull=2.0)).p == found.smallest_p
    others = [similarity(scores, base, seed=s).p for s in (1, 2)]
    assert len({found.p, *others}) > 1
    assert others == pytest.approx([found.p] * 2, abs=5 * math.sqrt(found.p / 20_000))


def test_bases_of_any_number_and_models_in_any_order():
    scores, base = models({"g": 3, "l": 3, "q": 3}, pull=0.8)
    found = similarity(scores, base)
    backwards = similarity({m: scores[m] for m in reversed(scores)}, base)
    assert backwards.r2 == pytest.approx(found.r2)
    assert backwards.p == found.p
    assert backwards.models == found.models[::-1]
    renamed = {m: {"g": "z", "l": "a", "q": "m"}[b] for m, b in base.items()}
    assert similarity(scores, renamed).p == found.p
    assert Counter(found.bases) == {"g": 3, "l": 3, "q": 3}


def test_only_order_counts_and_a_covariates_unit_does_not():
    scores, base = models({"g": 4, "l": 4})
    size = {m: float(i % 3 + (i > 3)) for i, m in enumerate(scores)}
    found = similarity(scores, base, {"size": size})
    rescaled = similarity(
        {m: np.exp(v) for m, v in scores.items()},
        base,
        {"size": {m: 1e9 * s for m, s in size.items()}},
    )
    assert rescaled.r2 == found.r2
    assert rescaled.unique["size"] == pytest.approx(found.unique["size"])
    words = np.random.default_rng(0).permutation(60)
    shuffled = similarity({m: v[:, words] for m, v in scores.items()}, base)
    assert shuffled.tau == pytest.approx(found.tau)


def test_one_prompt_may_come_without_its_axis():
    scores, base = models({"g": 4, "l": 4}, prompts=1)
    flat = {m: v[0] for m, v in scores.items()}
    assert np.array_equal(similarity(flat, base).tau, similarity(scores, base).tau)


def test_tied_scores_use_tau_b():
    scores, base = models({"g": 4, "l": 4}, prompts=1)
    coarse = {m: np.round(v) for m, v in scores.items()}
    first, second = (coarse[m][0] for m in ("g0", "g1"))
    assert similarity(coarse, base).tau[0, 1] == pytest.approx(
        stats.kendalltau(first, second, variant="b").statistic
    )


@pytest.mark.parametrize(
    ("counts", "alpha", "least"),
    [
        ({"g": 2, "l": 2}, 0.05, "0.333"),
        ({"g": 3, "l": 3}, 0.05, "0.1"),
        ({"g": 4, "l": 4}, 0.01, "0.0286"),
        ({"g": 1, "l": 9}, 0.05, "0.1"),
    ],
)
def test_too_few_models_for_any_result_are_refused(counts, alpha, least):
    with pytest.raises(StatisticsError, match=rf"below {re.escape(least)}\b"):
        similarity(*models(counts), alpha=alpha)


def test_bad_input_is_refused():
    scores, base = models({"g": 4, "l": 4})

    def refused(message, scores=scores, base=base, covariates=None, **options):
        with pytest.raises(StatisticsError, match=message):
            similarity(scores, base, covariates, **options)

    refused("same models.*l9", base=base | {"l9": "l"})
    refused("same models.*g0", base={m: b for m, b in base.items() if m != "g0"})
    refused("covariate size do not name.*l3", covariates={"size": {"g0": 1.0}})
    for bad in (math.nan, math.inf, "8B", None):
        refused("finite number.*g0", covariates={"size": dict.fromkeys(scores, 1.0) | {"g0": bad}})
    refused("cannot be separated", covariates={"size": dict.fromkeys(scores, 1.0)})
    refused(
        "cannot be separated", covariates={"size": {m: float(b == "g") for m, b in base.items()}}
    )
    size = {m: float(i) for i, m in enumerate(scores)}
    refused(
        "cannot be separated",
        covariates={"size": size, "twice": {m: 2 * s for m, s in size.items()}},
    )
    refused("same words and prompts", scores=scores | {"g0": scores["g0"][:, 1:]})
    refused("same words and prompts", scores=scores | {"g0": scores["g0"][0]})
    refused("at least 20 words", scores={m: v[:, :19] for m, v in scores.items()})
    spoilt = scores["g0"].copy()
    spoilt[2, 3] = np.nan
    refused("1 of the scores of g0", scores=scores | {"g0": spoilt})
    refused("g0 prefers no word", scores=scores | {"g0": np.zeros_like(spoilt)})
    refused("under two names|order every word alike", scores=scores | {"g0": 2 * scores["l3"]})
    refused("the same base and with different bases", base=dict.fromkeys(scores, "g"))
    refused("the same base and with different bases", base={m: m for m in scores})
    refused("the same base and with different bases", scores={}, base={})
    refused("alpha", alpha=0.0)


# On the published scores of ten models over 263 nouns: R^2, p, unique base, unique log size, from
# scipy's tau and plain least squares in a separate script. The p agree with an earlier computation
# by others; its R^2 (.22 and .13) could not be reproduced and is not what is tested here.
PUBLISHED = {
    "positive": (0.2641, 0.0048, 0.0704, 0.1545),
    "negative": (0.1914, 0.0095, 0.0419, 0.1439),
}


@pytest.mark.skipif(
    not os.environ.get("VALUEBIAS_PUBLISHED_DATA"), reason="needs VALUEBIAS_PUBLISHED_DATA"
)
@pytest.mark.parametrize("valence", PUBLISHED)
def test_the_published_models(valence):
    root = Path(os.environ["VALUEBIAS_PUBLISHED_DATA"]) / "data"
    lexicon = load_lexicon("nouns", root / "corpora/dict_big2_nouns.csv")
    scores = {}
    for path in (root / "reward_model_scores/dict_big2_nouns").glob("*.csv"):
        recorded = RecordedScores.from_file(path)
        words = Candidates.words(sorted(set(lexicon.words()) & set(recorded.responses)))
        assert len(words) == 263
        scores[path.stem] = recorded.score(select(valence), words).values
    base = {m: "gemma" if "gemma" in m.lower() else "llama" for m in scores}
    size = {m: math.log(float(re.findall(r"(\d+)B", m)[0])) for m in scores}
    found = similarity(scores, base, {"log size": size})
    figures = (found.r2, found.p, found.unique_base, found.unique["log size"])
    assert figures == pytest.approx(PUBLISHED[valence], abs=6e-5)
    assert found.difference > 0
    assert found.groupings == 210
