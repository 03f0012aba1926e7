"""Inheritance: against other computations, what must not move it, and how often it is right."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.stats import Margin, Outcome, assignment_test, inheritance, judge
from valuebias.stats.inheritance import noise_ceiling


def draw(seed=0, *, words=60, prompts=12, bases=3, taken=0.5, noise=0.5, step=0.0, most=2):
    """A reward model that takes so much of its own base's taste; its base and other bases; families
    of one word to ``most``; frequency and length, which both move all scores."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(words), rng.integers(1, most + 1, words))[:words]
    frequency = rng.normal(size=words)
    length = rng.normal(size=words) - 0.5 * frequency
    human, *own = rng.normal(size=(1 + bases, words))
    tastes = [human + taken * own[0] + rng.normal(size=words), *(human + u for u in own)]
    scores = []
    for taste in tastes:
        values = taste + 0.7 * frequency - 0.3 * length + noise * rng.normal(size=(prompts, words))
        scores.append(np.round(values / step) * step if step else values)
    return scores, names, {"frequency": frequency, "length": length}


def measure(data, **options):
    (values, base, *others), names, covariates = data
    return inheritance(values, base, names, others=others, covariates=covariates, **options)


def by_inversion(x, y, covariates):
    """The partial Spearman correlation from the inverse of the matrix of Spearman correlations."""
    inverse = np.linalg.inv(stats.spearmanr(np.column_stack([x, y, *covariates])).statistic)
    return -inverse[0, 1] / math.sqrt(inverse[0, 0] * inverse[1, 1])


def by_residuals(x, y, covariates):
    """The same from the residuals of two regressions of ranks."""
    design = sm.add_constant(np.column_stack([stats.rankdata(c) for c in covariates]))
    left = [sm.OLS(stats.rankdata(v), design).fit().resid for v in (x, y)]
    return np.corrcoef(*left)[0, 1]


@pytest.mark.parametrize("step", [0.0, 0.5])
@pytest.mark.parametrize("other_way", [by_inversion, by_residuals])
def test_the_correlations_are_partial_spearman_ones(other_way, step):
    data = draw(1, step=step, most=1)
    (values, *bases), _, covariates = data
    found = measure(data)
    expected = [
        np.mean([other_way(x, y, covariates.values()) for x, y in zip(values, b, strict=True)])
        for b in bases
    ]
    assert found.rho_own == pytest.approx(expected[0], abs=1e-12)
    assert found.rho_others == pytest.approx(expected[1:], abs=1e-12)
    assert found.estimate == pytest.approx(expected[0] - np.mean(expected[1:]), abs=1e-12)
    assert found.covariates == ("frequency", "length")


def test_reliability_is_the_same_correlation_of_a_model_with_itself():
    data = draw(2, bases=1, most=1)
    (values, base), _, covariates = data
    found = measure(data)
    for model, reliability in zip((values, base), found.reliability, strict=True):
        pairs = itertools.combinations(model, 2)
        expected = np.mean([by_inversion(x, y, covariates.values()) for x, y in pairs])
        assert reliability == pytest.approx(expected, abs=1e-12)
    assert found.ceiling == pytest.approx(math.sqrt(math.prod(found.reliability)))
    assert found.of_ceiling == pytest.approx(found.estimate / found.ceiling)
    assert noise_ceiling(-0.1, 0.9) == 0


def test_without_covariates_it_is_scipys_spearman():
    (values, base), names, _ = draw(3, bases=1, most=1)
    found = inheritance(values, base, names)
    each = [stats.spearmanr(x, y).statistic for x, y in zip(values, base, strict=True)]
    assert found.estimate == pytest.approx(np.mean(each), abs=1e-12)
    assert any("give other bases" in note for note in found.notes)
    assert judge(found, Margin.above(0.0)).outcome is Outcome.INCONCLUSIVE  # mostly shared taste


def weighted_partial(x, y, covariates, times):
    """The partial Spearman correlation of words that are there ``times`` times, also in part."""

    def midranks(v):
        return ((v < v[:, None]) + 0.5 * (v == v[:, None])) @ times

    root = np.sqrt(times)
    design = np.column_stack([np.ones(len(x)), *(midranks(c) for c in covariates)])
    left = [
        sm.OLS(midranks(v) * root, design * root[:, None]).fit().resid for v in (x, y)
    ]  # of the weighted fit, so that weights are in the products too
    return left[0] @ left[1] / math.sqrt((left[0] @ left[0]) * (left[1] @ left[1]))


@pytest.mark.parametrize("step", [0.0, 0.5])
def test_every_family_counts_alike(step):
    data = draw(1, step=step, most=4)
    (values, *bases), names, covariates = data
    alike = 1 / np.bincount(names)[names]
    expected = [
        np.mean(
            [
                weighted_partial(x, y, covariates.values(), alike)
                for x, y in zip(values, b, strict=True)
            ]
        )
        for b in bases
    ]
    found = measure(data)
    assert (found.rho_own, *found.rho_others) == pytest.approx(expected, abs=1e-12)
    # A family given twice as often, word by word, is the same draw.
    twice = np.concatenate([np.arange(60), np.flatnonzero(names == names[7])])
    again = measure(
        ([s[:, twice] for s in data[0]], names[twice], {n: c[twice] for n, c in covariates.items()})
    )
    for name in ("estimate", "low", "high", "p", "reliability", "ceiling"):
        assert getattr(again, name) == pytest.approx(getattr(found, name), rel=1e-6)


def test_the_words_part_is_the_jackknife_over_families():
    """From numerical derivatives by the number of times that a whole family is there, ranks and
    covariates' ranks taken anew."""
    data = draw(4, words=45, prompts=6, bases=2, step=0.25)
    (values, base, other), names, covariates = data
    found = measure(data)
    columns = list(covariates.values())
    alike = 1 / np.bincount(names)[names]
    ranked = [((c < c[:, None]) + 0.5 * (c == c[:, None])) @ alike for c in columns]
    design = np.column_stack([np.ones(45), *ranked]) * np.sqrt(alike)[:, None]
    own = np.diag(design @ np.linalg.inv(design.T @ design) @ design.T)
    variance = 0.0
    for name in np.unique(names):
        moved = []
        for step in (1e-4, -1e-4):
            times = alike * (1 + step * (names == name))
            moved.append(
                np.mean(
                    [
                        weighted_partial(x, y, columns, times)
                        - weighted_partial(x, z, columns, times)
                        for x, y, z in zip(values, base, other, strict=True)
                    ]
                )
            )
        derivative = (moved[0] - moved[1]) / 2e-4
        variance += derivative**2 / (1 - own[names == name].sum())
    assert found.parts[0][0] == pytest.approx(variance, rel=1e-6)


def test_prompts_that_share_a_factor_are_no_independent_draws():
    """A correlation that differs from adjective to adjective leaves less to be sure of."""
    rng = np.random.default_rng(5)
    base = rng.normal(size=200) + 0.2 * rng.normal(size=(12, 200))
    taken = np.repeat([0.1, 0.6, 1.1], 4)[:, None]
    values = taken * base + rng.normal(size=200) + 0.2 * rng.normal(size=(12, 200))
    factors = [{"adjective": str(i // 4)} for i in range(12)]
    plain, known = (inheritance(values, base, np.arange(200), prompts=p) for p in (None, factors))
    assert known.estimate == plain.estimate
    assert known.se_prompts > 1.5 * plain.se_prompts > 0


def test_noise_of_single_scores_is_counted_once():
    """It makes prompts differ, which the words' part holds already."""
    rng = np.random.default_rng(15)
    naive = counted = 0.0
    for _ in range(20):
        word = rng.normal(size=200)
        values, base = (word + 1.5 * rng.normal(size=(12, 200)) for _ in range(2))
        each = [stats.spearmanr(x, y).statistic for x, y in zip(values, base, strict=True)]
        naive += np.var(each, ddof=1) / 12
        counted += inheritance(values, base, np.arange(200)).se_prompts ** 2
    assert counted < 0.4 * naive


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), step=st.sampled_from([0.0, 0.25]))
def test_only_the_order_of_numbers_matters_and_not_that_of_words(seed, step):
    data = draw(seed, words=45, prompts=6, bases=2, step=step)
    scores, names, covariates = data
    plain = measure(data)
    bent = [np.exp(scores[0]), 3 * scores[1] - 7, scores[2] ** 3]
    beside = {"frequency": np.exp(covariates["frequency"]), "length": -covariates["length"]}
    rescaled = measure((bent, names, beside))
    order = np.random.default_rng(seed).permutation(len(names))
    called = np.array([f"family {n}" for n in names])  # in another alphabetical order
    shuffled = measure(
        ([s[:, order] for s in scores], called[order], {n: c[order] for n, c in covariates.items()})
    )
    for found in (rescaled, shuffled):
        for name in ("estimate", "low", "high", "p", "rho_own", "ceiling", "of_ceiling"):
            assert getattr(found, name) == pytest.approx(getattr(plain, name), abs=1e-9)
    assert measure(data) == plain


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), step=st.sampled_from([0.0, 0.25]))
def test_a_base_turned_about_turns_the_correlation(seed, step):
    (values, base), names, covariates = draw(seed, words=45, prompts=6, bases=1, step=step)
    plain, turned = (inheritance(values, b, names, covariates=covariates) for b in (base, -base))
    assert turned.estimate == pytest.approx(-plain.estimate, abs=1e-9)
    assert (turned.low, turned.high) == pytest.approx((-plain.high, -plain.low), abs=1e-9)
    assert (turned.se, turned.p) == pytest.approx((plain.se, plain.p), abs=1e-9)
    assert turned.reliability == pytest.approx(plain.reliability, abs=1e-9)


def test_own_and_other_base_change_places():
    (values, base, other), names, covariates = draw(6, bases=2)
    one, two = (
        inheritance(values, b, names, others=[o], covariates=covariates)
        for b, o in ((base, other), (other, base))
    )
    assert one.estimate == pytest.approx(-two.estimate, abs=1e-12)
    assert (one.low, one.high) == pytest.approx((-two.high, -two.low), abs=1e-12)
    assert (one.rho_own,) == two.rho_others


@pytest.mark.parametrize(("others", "taken"), [(0, 0.0), (0, 0.6), (3, 0.0), (3, 0.6)])
def test_the_interval_holds_the_true_value(others, taken):
    """300 draws of 60 words, a third of them beside another of their family. Between 93 and 97 in
    a hundred are wanted; within four standard errors of that this cannot miss by chance."""
    rng = np.random.default_rng([others, round(10 * taken)])
    runs, hits, alarms = 300, 0, 0
    names = np.r_[np.arange(45), np.arange(15)]
    shared, icc = (0.5 if others else 0.0), 0.8

    def spearman(latent):
        return 6 / math.pi * math.asin(icc * latent / 2)

    kept = shared + taken * math.sqrt(1 - shared) * math.sqrt(0.5)
    truth = spearman(kept) - (spearman(shared) if others else 0)
    for _ in range(runs):
        of_family = rng.normal(size=(3 + others, 60))[:, names]
        human, own, rest, *more = math.sqrt(0.5) * of_family + math.sqrt(0.5) * rng.normal(
            size=of_family.shape
        )
        scale = math.sqrt(1 - shared)
        pull = taken * math.sqrt(0.5)
        tastes = [
            math.sqrt(shared) * human + pull * own + math.sqrt(scale**2 - pull**2) * rest,
            *(math.sqrt(shared) * human + scale * u for u in (own, *more)),
        ]
        values, base, *bases = (
            math.sqrt(icc) * t + math.sqrt(1 - icc) * rng.normal(size=(12, 60)) for t in tastes
        )
        found = inheritance(values, base, names, others=bases)
        hits += found.low <= truth <= found.high
        alarms += found.p < 0.05
    error = 4 * math.sqrt(0.05 * 0.95 / runs)
    assert 0.93 - error < hits / runs < 0.97 + error
    assert taken or alarms / runs < 0.05 + error


def test_the_share_of_the_ceiling_is_the_correlation_of_what_lasts():
    """Noise lowers the estimate and not the share; the reliability of an average of prompts, which
    is nearly one, would make the share of the noisier models the smaller."""
    rng = np.random.default_rng(7)
    base = rng.normal(size=4000)
    values = 0.6 * base + 0.8 * rng.normal(size=4000)
    lasting = stats.spearmanr(values, base).statistic
    noisy = [
        [v + noise * rng.normal(size=(12, 4000)) for v in (values, base)] for noise in (0.3, 1.2)
    ]
    found = [inheritance(mine, its_base, np.arange(4000)) for mine, its_base in noisy]
    assert found[1].estimate < 0.55 * found[0].estimate
    for one in found:
        assert one.of_ceiling == pytest.approx(lasting, abs=0.02)


def test_a_base_that_is_nearly_the_own_one_leaves_nothing_to_pass():
    (values, base, *_), names, covariates = draw(11, words=80, taken=0.0)
    rng = np.random.default_rng(0)
    twin = base + 0.01 * rng.normal(size=base.shape)
    found = inheritance(values, base, names, others=[twin], covariates=covariates)
    assert abs(found.estimate) < 0.1
    assert "removes what was inherited" in found.exploratory
    assert judge(found, Margin.below(0.5)).outcome is Outcome.INCONCLUSIVE


def test_it_is_judged_like_any_effect():
    found = measure(draw(8, words=200, taken=1.5))
    assert (found.n_words, found.n_families, found.span) == (
        (200,),
        (len(set(draw(8, words=200)[1])),),
        2,
    )
    assert judge(found, Margin.above(0.1)).outcome is Outcome.PASS
    assert judge(found, Margin(-0.2, 0.2)).outcome is Outcome.FAIL
    edge = judge(found, Margin.above(found.estimate - 0.02))
    assert edge.outcome is Outcome.INCONCLUSIVE
    assert edge.families_needed > found.n_families[0]
    few = measure(draw(8, words=200, taken=1.5, prompts=6))
    assert judge(few, Margin.above(0.1)).outcome is Outcome.INCONCLUSIVE
    assert "6 prompts" in few.exploratory


def test_covariates_that_say_nothing_are_left_out_with_a_note():
    (values, base), names, covariates = draw(9, bases=1)
    plain = inheritance(values, base, names, covariates=covariates)
    more = {"tokens": np.ones(60), **covariates, "again": 2 * covariates["length"]}
    found = inheritance(values, base, names, covariates=more)
    assert found.parts[0] == pytest.approx(plain.parts[0])
    assert found.covariates == ("frequency", "length")
    notes = "; ".join(found.notes)
    assert "tokens is left out: it is the same for all words" in notes
    assert "again is left out: it is determined by the other covariates" in notes


def test_a_noisier_base_is_named():
    """Its correlation is lower whatever it shares, which looks like inheritance."""
    (values, base, other), names, covariates = draw(10, words=300, bases=2, taken=0.0)
    other = other + 2 * np.random.default_rng(0).normal(size=other.shape)
    found = measure(([values, base, other], names, covariates))
    assert found.low > 0
    assert any("a noisier base agrees less" in note for note in found.notes)


def test_no_share_of_a_ceiling_that_is_not_there():
    rng = np.random.default_rng(11)
    values, base = rng.normal(size=(2, 12, 60))
    found = inheritance(values, base, np.arange(60))
    assert found.of_ceiling is None
    assert any("noise ceiling below" in note for note in found.notes)


def broken(what):
    (values, base, other), names, covariates = draw(12, bases=2)
    given = {"values": values, "base": base, "families": names, "others": [other]}
    given["covariates"] = covariates
    if what == "few families":
        given["families"] = np.arange(60) % 19
    elif what == "constant":
        given["values"] = np.zeros_like(values)
    elif what == "not finite":
        given["base"] = np.where(np.arange(60) == 3, -np.inf, base)
    elif what == "words":
        given["others"] = [other[:, :-1]]
    elif what == "families":
        given["families"] = names[:-1]
    elif what == "prompts":
        given["prompts"] = [{"adjective": "greatest"}]
    elif what == "few prompts":
        given |= {"values": values[:5], "base": base[:5], "others": [other[:5]]}
    elif what == "one prompt twice":
        given["values"] = np.repeat(values[:1], 12, axis=0)
    elif what == "covariate shape":
        given["covariates"] = {"length": np.ones(59)}
    elif what == "covariate not finite":
        given["covariates"] = {"length": np.full(60, np.nan)}
    elif what == "all explained":
        given["covariates"] = {"itself": base[0]}
        given["base"] = base[0] + 1e-4 * np.random.default_rng(0).normal(size=base.shape)
    elif what == "as many covariates as words":
        noise = np.random.default_rng(0).normal(size=(60, 60))
        given["covariates"] = {f"c{i}": c for i, c in enumerate(noise)}
    elif what == "own scores":
        given["base"] = 2 * values
    elif what == "one base twice":
        given["others"] = [other, base]
    elif what == "reversed":
        given |= {"base": -values, "others": []}
    elif what == "level":
        given["level"] = 95
    return given


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("few families", r"at least 20 word families.*Seen: 19"),
        ("constant", r"the reward model: .*too few distinct scores"),
        ("not finite", r"its base: .*not finite.*-inf"),
        ("words", r"other base 1 \(12, 59\)"),
        ("families", r"do not describe the same words"),
        ("prompts", r"12 prompts, factors of 1"),
        ("few prompts", r"5 prompts"),
        ("one prompt twice", r"the reward model: two prompts have the same score"),
        ("covariate shape", r"covariate length is not one finite number.*\(59,\)"),
        ("covariate not finite", r"covariate length is not one finite number.*60 not finite"),
        ("all explained", r"nearly all of how its base orders the words"),
        ("as many covariates as words", r"nothing is left to correlate"),
        ("own scores", r"the reward model and its base"),
        ("one base twice", r"its base and other base 2"),
        ("reversed", r"does not vary from word to word"),
        ("level", r"between 0 and 1"),
    ],
)
def test_what_no_honest_interval_can_come_from(what, said):
    with pytest.raises(StatisticsError, match=said) as caught:
        inheritance(**broken(what))
    assert caught.value.remedy
    assert caught.value.seen is not None


def test_assignments_against_all_permutations():
    rng = np.random.default_rng(13)
    own = [0, 0, 1, 2, 2, 1]
    rho = np.clip(0.2 * rng.normal(size=(6, 4)), -1, 1)
    rho[np.arange(6), own] += 0.15
    found = assignment_test(rho, own)
    each = [
        sum(r[b] - np.delete(r, b).mean() for r, b in zip(rho, order, strict=True)) / 6
        for order in itertools.permutations(own)
    ]
    assert found.excess == pytest.approx(each[0]) == pytest.approx(np.mean(found.excesses))
    assert found.p == pytest.approx(np.mean(np.array(each) >= each[0] - 1e-12))
    assert (found.assignments, found.exact, found.smallest_p) == (90, True, 1 / 90)


def test_a_base_that_suits_all_is_no_inheritance():
    rho = np.tile([0.9, 0.1, 0.1], (6, 1)) + np.linspace(0, 0.05, 6)[:, None]
    assert assignment_test(rho, [0, 0, 0, 0, 1, 2]).p == 1.0


def test_many_assignments_are_drawn_by_seed():
    rho = 0.1 * np.random.default_rng(14).normal(size=(9, 9))
    clear = rho + 0.5 * np.eye(9)
    found = assignment_test(clear, range(9), seed=1)
    assert (found.exact, found.p, found.smallest_p) == (False, 1 / 20_000, 1 / 20_000)
    one, again, other = (assignment_test(rho, range(9), seed=s).p for s in (1, 1, 2))
    assert one == again
    assert one == pytest.approx(other, abs=0.02)


@pytest.mark.parametrize(
    ("rho", "own", "said"),
    [
        (np.zeros((3, 3)), [0, 1, 2], r"cannot give a p below 0\.167.*6 ways"),
        (np.zeros((4, 2)), [0, 0, 0, 0], r"cannot give a p below 1, "),
        (np.full((6, 2), np.nan), [0, 0, 0, 1, 1, 1], r"between -1 and 1.*12 that are not"),
        (np.zeros(6), [0, 0, 0, 1, 1, 1], r"a matrix"),
        (np.zeros((6, 2)), [0, 0, 0, 1, 1, 2], r"own must give the column"),
        (np.zeros((6, 2)), [0, 0, 0, 1, 1], r"own must give the column"),
        (np.zeros((6, 2)), [0.5] * 6, r"own must give the column"),
    ],
)
def test_assignments_that_say_nothing(rho, own, said):
    with pytest.raises(StatisticsError, match=said):
        assignment_test(rho, own)
