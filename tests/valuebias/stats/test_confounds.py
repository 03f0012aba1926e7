"""Effects with covariates controlled: against other computations, and what they are for."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm

from valuebias.errors import StatisticsError
from valuebias.stats import Term, controlled, pair, single

RUNS = 200


def draw(rng, n_families=(40, 50), confound=0.0, shift=0.0, prompts=12):
    """Scores of families of one to three words; ``length`` is longer on side A by one standard
    deviation and raises scores by ``confound`` a standard deviation; ``shift`` is A's own."""
    name = np.repeat(np.arange(sum(n_families)), rng.integers(1, 4, sum(n_families)))
    in_a = name < n_families[0]
    length = rng.normal(size=sum(n_families))[name] + in_a
    word = rng.normal(size=sum(n_families))[name] + 0.3 * rng.normal(size=len(name))
    values = word + confound * length + shift * in_a
    return values + 0.3 * rng.normal(size=(prompts, len(name))), in_a, name, length


def of_families(name, in_a, *columns):
    """(families, columns): their means over the words that a family has on a side, A's first."""
    own = [in_a & (name == f) for f in np.unique(name[in_a])]
    own += [~in_a & (name == f) for f in np.unique(name[~in_a])]
    return np.array([[np.mean(c[rows]) for c in columns] for rows in own]), np.array(own)


def midranks(row, name, in_a):
    """Each word's midrank where all families of a side have one weight, in (0, 1)."""
    _, own = of_families(name, in_a)
    weights = (own / own.sum(axis=1, keepdims=True)).sum(axis=0)
    beats = (row[:, None] > row[None]) + 0.5 * (row[:, None] == row[None])
    return beats @ weights / len(own)


def test_the_estimate_is_the_coefficient_of_the_ranks_of_families():
    values, in_a, name, length = draw(np.random.default_rng(1), confound=0.8)
    other = np.random.default_rng(2).normal(size=len(in_a))
    found = controlled([Term(values)], in_a, name, {"length": length, "other": other})
    ranked = np.mean([midranks(row, name, in_a) for row in values], axis=0)
    means, _ = of_families(name, in_a, length, other, in_a, ranked)
    design = sm.add_constant(means[:, :-1])
    assert found.estimate == pytest.approx(2 * sm.OLS(means[:, -1], design).fit().params[-1])
    # Of a covariate that has nothing to do with it, what is left is nearly the effect itself.
    plain = single(values, in_a, name)
    alone = controlled([Term(values)], in_a, name, {"other": other})
    assert alone.estimate == pytest.approx(plain.estimate, abs=0.03)
    assert alone.se == pytest.approx(plain.se, rel=0.1)
    assert found.estimate < plain.estimate - 0.2


def test_the_words_part_is_that_of_dense_matrices():
    """Bell and McCaffrey's CR2, from the whole projection matrix; a family's part in the ranks of
    others, from all pairs of words."""
    values, in_a, name, length = draw(np.random.default_rng(3))
    name = np.where(np.arange(len(name)) % 7 == 0, 0, name)  # a large family on both sides
    found = controlled([Term(values)], in_a, name, {"length": length})
    ranked = np.mean([midranks(row, name, in_a) for row in values], axis=0)
    means, own = of_families(name, in_a, length, in_a, 2 * ranked)
    numbers = np.array([name[rows][0] for rows in own])
    y, x = means[:, -1], sm.add_constant(means[:, :-1])
    bread = np.linalg.inv(x.T @ x)
    rest = np.eye(len(y)) - x @ bread @ x.T
    weights = (bread @ x.T)[-1]
    shares = own / own.sum(axis=1, keepdims=True)
    beats = np.mean([(r[:, None] > r[None]) + 0.5 * (r[:, None] == r[None]) for r in values], 0)
    others = 2 * (weights @ (shares @ beats @ shares.T)) / len(y)
    others -= others.mean()
    variance = 0.0
    for family in np.unique(numbers):
        rows = numbers == family
        values_, vectors = np.linalg.eigh(rest[np.ix_(rows, rows)])
        score = x[rows].T @ (vectors / np.sqrt(values_)) @ vectors.T @ (rest @ y)[rows]
        variance += ((bread @ score)[-1] + others[rows].sum()) ** 2
    assert found.parts[0][0] == pytest.approx(variance, rel=1e-6)


@pytest.mark.parametrize("spread", [4.0, 0.25])
def test_without_anything_to_control_it_is_delongs_interval(spread):
    """Categories of unequal spread are where an interval of plain residuals goes wrong."""
    rng = np.random.default_rng(11)
    in_a = np.arange(150) < 50
    word = np.where(in_a, spread, 1.0) * rng.normal(size=150)
    values = word + 0.3 * rng.normal(size=(12, 150))
    found = controlled([Term(values)], in_a, np.arange(150), {"other": rng.normal(size=150)})
    assert found.se == pytest.approx(single(values, in_a, np.arange(150)).se, rel=0.03)


def test_a_confound_raises_alarms_unless_controlled():
    rng = np.random.default_rng(4)
    alarms = {"plain": 0, "controlled": 0, "interval": 0}
    for _ in range(RUNS):
        values, in_a, name, length = draw(rng, confound=0.5)
        found = controlled([Term(values)], in_a, name, {"length": length})
        alarms["plain"] += single(values, in_a, name).p < 0.05
        alarms["controlled"] += found.p < 0.05
        alarms["interval"] += not found.low <= 0 <= found.high
    assert alarms["plain"] > RUNS / 4
    assert alarms["controlled"] < RUNS * 0.11
    assert alarms["interval"] < RUNS * 0.11


def test_an_effect_beside_a_confound_is_found():
    values, in_a, name, length = draw(np.random.default_rng(5), confound=0.5, shift=1.5)
    found = controlled([Term(values)], in_a, name, {"length": length})
    assert found.low > 0
    assert found.p < 0.05


def test_labels_and_units_do_not_matter():
    values, in_a, name, length = draw(np.random.default_rng(6), confound=0.3)
    one = controlled([Term(values)], in_a, name, {"length": length})
    turned = controlled([Term(values)], ~in_a, name, {"length": length})
    assert (turned.estimate, turned.se) == pytest.approx((-one.estimate, one.se))
    for scaled in (1e200 * length, 1e-200 * length, 5 - 2 * length):
        other = controlled([Term(np.exp(values))], in_a, name, {"length": scaled})
        assert (other.estimate, other.low, other.p) == pytest.approx((one.estimate, one.low, one.p))


def test_of_two_scorers_the_difference_is_controlled():
    rng = np.random.default_rng(7)
    values, in_a, name, length = draw(rng)
    biased = values + 0.8 * length + 0.2 * rng.normal(size=values.shape)
    terms = [Term(biased), Term(values, -1.0)]
    found = controlled(terms, in_a, name, {"length": length})
    assert pair(biased, values, in_a, name).low > 0.1
    assert abs(found.estimate) < 0.1
    assert found.span == 2


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        ({}, "nothing to control for"),
        ({"length": [np.nan] * 4}, "not one finite number"),
        ({"length": np.nan}, "not one finite number"),
        ({"length": 0.0}, "does not vary"),
        ({"length": 0.1}, "does not vary"),
        ({"side": "in_a"}, "nothing is left to compare"),
        ({"one": "length", "two": "length"}, "does not vary beside the others"),
    ],
)
def test_covariates_that_cannot_be_controlled_for(covariates, message):
    values, in_a, name, length = draw(np.random.default_rng(8))
    known = {"in_a": in_a.astype(float), "length": length}
    columns = {
        key: known[x] if isinstance(x, str) else np.full(len(in_a), x) if np.ndim(x) == 0 else x
        for key, x in covariates.items()
    }
    with pytest.raises(StatisticsError, match=message):
        controlled([Term(values)], in_a, name, columns)
