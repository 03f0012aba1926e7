"""Are the sides of a contrast alike in frequency, length and tokens?"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from support.scores import write_table
from valuebias import load
from valuebias.lexicons.frequencies import Frequencies
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.balance import OUT_OF_BALANCE, balance, beside, properties
from valuebias.measurement.contrast import measure
from valuebias.prompts import PAPER_PROMPTS, select
from valuebias.report.beside import BalanceRow
from valuebias.report.lines import far
from valuebias.stats import Term, contrast, controlled

LETTERS = "bcdfghjklmnpqrtvwxzy"
FIRST = tuple(f"a{c}{d}o" for c in LETTERS for d in LETTERS[:2])
SECOND = tuple(f"u{c}{d}oli" for c in LETTERS for d in LETTERS[:2])
LEXICON = Lexicon("own", {"first": FIRST, "second": SECOND})
RATE = {word: (i % 7) + 2.0 * (word in FIRST) for i, word in enumerate((*FIRST, *SECOND))}


class Scorer:
    """The part of a scorer that is asked here: 2 tokens a word of the first side, 3 of the other,
    and one more of every fourth word."""

    def candidates(self, lexicon: Lexicon) -> object:
        from valuebias.candidates import Candidates

        return Candidates.words(lexicon.words())

    def token_counts(self, words: tuple[str, ...]) -> list[int]:
        return [(2 if w in FIRST else 3) + (i % 4 == 0) for i, w in enumerate(words)]


def columns(frequencies: Frequencies | None = None) -> dict[str, np.ndarray]:
    return properties(Scorer(), LEXICON, LEXICON.words(), frequencies)  # type: ignore[arg-type]


def test_d_is_the_difference_of_means_in_pooled_standard_deviations():
    selection = LEXICON.select("first~second", LEXICON.words())
    found = columns(Frequencies("own", RATE.__getitem__))
    assert list(found) == ["frequency", "length", "tokens"]
    rows = {row.covariate: row for row in balance(found, selection)}
    assert rows["length"].a == 4
    assert rows["length"].b == 6
    a, b = (np.array([RATE[w] for w in side]) for side in (FIRST, SECOND))
    want = (a.mean() - b.mean()) / np.sqrt((a.var() + b.var()) / 2)
    assert rows["frequency"].d == pytest.approx(want)
    assert rows["tokens"].d == pytest.approx(-1 / np.sqrt(0.25 * 0.75))


def test_every_family_counts_alike():
    words = ("walk", "walks", "walking", "tell", "go")
    lexicon = Lexicon("own", {"first": words, "second": tuple("bcdfg")})
    selection = lexicon.select("first~second", lexicon.words())
    length = {"length": np.array([float(len(w)) for w in lexicon.words()])}
    (row,) = balance(length, selection)
    assert row.a == pytest.approx(((4 + 5 + 7) / 3 + 4 + 2) / 3)


def test_what_is_not_known_or_does_not_vary_is_left_out():
    assert list(columns()) == ["length", "tokens"]
    half = Frequencies("of another language", lambda word: float(word in FIRST))
    assert "frequency" not in columns(half)
    assert "frequency" not in columns(Frequencies("constant", lambda word: 1.0))


def test_the_controlled_effect_is_there_where_the_sides_are_out_of_balance():
    selection = LEXICON.select("first~second", LEXICON.words())
    values = np.random.default_rng(1).normal(size=(27, len(selection.words)))
    values += np.array([RATE[w] for w in selection.words])
    term = Term(values, 1.0, [p.factors for p in select("positive")])
    plain = contrast([term], selection.in_a, selection.families)
    found = {"frequency": np.array([RATE[w] for w in selection.words])}
    held = beside(plain, balance(found, selection), found, [term], selection, None, 0.05).beside
    assert held is not None
    want = controlled([term], selection.in_a, selection.families, found)
    assert (held.estimate, held.low, held.high) == (want.estimate, want.low, want.high)
    assert abs(held.estimate) < 0.1 < plain.estimate
    even = {"frequency": np.array([float(i % 7) for i in range(len(selection.words))])}
    assert (
        beside(plain, balance(even, selection), even, [term], selection, None, 0.05).beside is None
    )
    # Length is the category itself here, so that nothing is left beside it.
    length = {"length": np.array([float(len(w)) for w in selection.words])}
    assert beside(plain, balance(length, selection), length, [term], selection, None, 0.05) == plain


def test_a_measurement_has_its_balance(tmp_path: Path):
    words = LEXICON.words()
    values = np.random.default_rng(2).normal(size=(len(words), len(PAPER_PROMPTS)))
    model = load(f"scores:{write_table(tmp_path / 'scores.csv', words, values)}")
    measured = measure(
        model.scorer, LEXICON, "first~second", "positive", vocabulary=False,
        frequencies=Frequencies("own", RATE.__getitem__),
    )  # fmt: skip
    assert [row.covariate for row in measured.balance] == ["frequency", "length"]


@pytest.mark.parametrize("sign", [1, -1])
def test_reports_warn_from_where_the_controlled_effect_is_computed(sign: int) -> None:
    def row(d: float) -> BalanceRow:
        return {"covariate": "length", "a": 1.0, "b": 2.0, "d": d}

    assert far([row(sign * OUT_OF_BALANCE)]) != []
    assert far([row(sign * (OUT_OF_BALANCE - 1e-9))]) == []
