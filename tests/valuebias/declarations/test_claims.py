"""The declared registry of claims: a budget shared out before anything is seen."""

from __future__ import annotations

import gc
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from valuebias.declarations.claims import ALPHA, Key, benjamini_hochberg, holm, load_claims
from valuebias.errors import StatisticsError

GOOD = "suite: big_two, test: test_range, lexicon: big_two, contrast: agency~communion"
WHOLE = f"{GOOD}, valence: positive, role: range"


def write(tmp_path: Path, *entries: str, top: str = "") -> Path:
    path = tmp_path / "claims.yaml"
    path.write_text(top + "claims:\n" + "".join(f"  - {{{e}}}\n" for e in entries))
    return path


def test_a_claim_has_its_share_of_the_budget(tmp_path):
    path = write(
        tmp_path,
        WHOLE,
        f"{GOOD}, valence: negative, role: range, weight: 2",
        f"{GOOD.replace('agency~communion', 'Agency ~ Communion')}, valence: positive, "
        "role: shift, weight: 0.5",
        f"{GOOD}, valence: positive-negative, role: regression, weight: 1.5",
        top="budget: 0.1\n",
    )
    claims = load_claims(path)
    assert (claims.budget, claims.source) == (0.1, str(path))
    start = ("big_two", "test_range", "big_two", "agency~communion")
    shares = {
        Key(*start, "positive", "range"): 0.02,
        Key(*start, "negative", "range"): 0.04,
        Key(*start, "positive", "shift"): 0.01,
        Key(*start, "positive-negative", "regression"): 0.03,
    }
    assert set(claims.weights) == set(shares)
    for key, share in shares.items():
        assert claims.alpha(key) == pytest.approx(share)
    assert math.fsum(map(claims.alpha, claims.weights)) == pytest.approx(0.1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=30), st.floats(0.001, 0.49))
def test_the_shares_sum_to_the_budget_and_never_to_more(tmp_path_factory, weights, budget):
    entries = [
        f"{WHOLE.replace('test_range', f'test_{i}')}, weight: {w!r}" for i, w in enumerate(weights)
    ]
    path = write(tmp_path_factory.mktemp("claims"), *entries, top=f"budget: {budget!r}\n")
    claims = load_claims(path)
    shares = [claims.alpha(key) for key in claims.weights]
    assert math.fsum(shares) == pytest.approx(budget, rel=1e-12)
    assert all(0 < share <= budget * (1 + 1e-12) for share in shares)


def test_weights_whose_sum_no_float_holds_are_shared_out(tmp_path):
    other = f"{GOOD}, valence: negative, role: range, weight: 1e308"
    claims = load_claims(write(tmp_path, f"{WHOLE}, weight: 1e308", other))
    assert [claims.alpha(key) for key in claims.weights] == [ALPHA / 2, ALPHA / 2]


def test_the_budget_is_five_in_a_hundred_unless_declared(tmp_path):
    claims = load_claims(write(tmp_path, WHOLE))
    assert claims.budget == ALPHA == 0.05
    assert list(map(claims.alpha, claims.weights)) == [0.05]


@pytest.mark.parametrize(
    "key",
    [
        Key("tests/test_a.py", "test_values", "mfd2", "care.virtue", "positive", "shift"),
        Key("my tests/[a], {b}: #c.py", 'it\'s "so"', "Wörter", "a~b", "negative", "range"),
        Key("- x", "no", "null", "a~b", "positive-negative", "regression"),
    ],
)
def test_an_undeclared_claim_names_the_line_to_add_and_the_line_works(tmp_path, key):
    path = write(tmp_path, WHOLE)
    with pytest.raises(StatisticsError, match="the claim is not declared") as error:
        load_claims(path).alpha(key)
    assert str(path) in str(error.value)
    line = error.value.remedy.partition("`")[2].rpartition("`")[0]
    assert line.startswith("- {")
    path.write_text(path.read_text() + f"  {line}\n")
    assert load_claims(path).alpha(key) == pytest.approx(0.025)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (GOOD + ", valence: positive", "line 3: a claim has no `role`"),
        (WHOLE + ", wieght: 2", "line 3: unknown key. Seen: wieght"),
        (WHOLE + ", weight: 0", "line 3: a weight must be a positive number"),
        (WHOLE + ", weight: -1", "line 3: a weight must be a positive number"),
        (WHOLE + ", weight: .nan", "line 3: a weight must be a positive number"),
        (WHOLE + ", weight: inf", "line 3: a weight must be a positive number"),
        (WHOLE + ", weight: many", "line 3: a weight must be a positive number"),
        (WHOLE + ", weight: [1]", "line 3: `weight` is not a text"),
        (WHOLE.replace("positive", "both"), "line 3: unknown valence. Seen: both"),
        (WHOLE.replace("role: range", "role: draft"), "line 3: unknown role. Seen: draft"),
        (WHOLE.replace("agency~", "$~"), "line 3: invalid category name"),
        (WHOLE + ", role: shift", "line 3: a claim has a duplicate key. Seen: role"),
        (WHOLE.replace("agency~communion", "Agency ~ communion"), "line 3: duplicate claim"),
        (WHOLE.replace("agency", "a]"), "line 3 is not YAML"),
    ],
)
def test_mistakes_name_their_line(tmp_path, entry, message):
    first = WHOLE if "duplicate claim" in message else WHOLE.replace("test_range", "test_other")
    path = write(tmp_path, first, entry)
    with pytest.raises(StatisticsError, match=message) as error:
        load_claims(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"- 1\n", "line 1: the file is not a mapping"),
        (b"budget: 0.05\n", "line 1: no `claims` list"),
        (b"claims: []\n", "line 1: no claims"),
        (b"claims: {}\n", "line 1: `claims` is not a list"),
        (b"claims:\n  - test_range\n", "line 2: a claim is not a mapping"),
        (b"claim: []\n", "line 1: unknown key. Seen: claim"),
        (b"claims: \xff\n", "cannot read"),
        *(
            (
                b"budget: " + budget + b"\nclaims: []\n",
                "line 1: the budget must lie between 0 and 0.5",
            )
            for budget in (b"0", b"0.5", b"1", b"-0.05", b"nan", b"inf", b"much")
        ),
    ],
)
def test_files_that_are_no_registry(tmp_path, content, message):
    path = tmp_path / "claims.yaml"
    path.write_bytes(content)
    with pytest.raises(StatisticsError, match=message):
        load_claims(path)
    with pytest.raises(StatisticsError, match="cannot read"):
        load_claims(tmp_path)


P = st.lists(st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.01, 0.05, 1.0])), max_size=12)


@pytest.fixture(scope="module")
def little_garbage():
    """statsmodels collects garbage at every call, slowly where large libraries are imported."""
    gc.freeze()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("little_garbage")
@settings(max_examples=30, deadline=None)
@given(P.filter(bool), st.integers(0, 30))
def test_corrections_are_those_of_statsmodels(p, not_run):
    """A test that was not run counts as one that found nothing."""
    padded = [*p, *[1.0] * not_run]
    for ours, name in ((holm, "holm"), (benjamini_hochberg, "fdr_bh")):
        want = multipletests(padded, method=name)[1][: len(p)]
        assert ours(p, len(padded)) == pytest.approx(want, abs=1e-12)
        assert (ours(p, len(padded)) >= np.array(p) - 1e-15).all()
    if not not_run:
        assert (holm(p) == holm(p, len(p))).all()
        assert (benjamini_hochberg(p) == benjamini_hochberg(p, len(p))).all()


@pytest.mark.parametrize("correct", [holm, benjamini_hochberg])
def test_what_are_no_p_values_of_one_family_is_refused(correct):
    assert correct([]).shape == (0,)
    for p, m in (([0.1, math.nan], 2), ([-0.1], 1), ([1.1], 1), ([0.1, 0.2], 1)):
        with pytest.raises(StatisticsError, match="p values must lie between 0 and 1"):
            correct(p, m)
