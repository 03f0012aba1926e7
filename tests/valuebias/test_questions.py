"""What an effect is called: what was asked, and the unit of the answer."""

from __future__ import annotations

from typing import get_args

import pytest

from valuebias.measurement.contrast import Question
from valuebias.questions import unit
from valuebias.report.wording import contrast


@pytest.mark.parametrize(
    ("role", "more", "wanted"),
    [
        ("range", {}, "rank-biserial correlation"),
        ("logprob", {}, "rank-biserial correlation"),
        ("implicit", {}, "rank-biserial correlation"),
        ("family", {}, "difference of mean rank-biserial correlations"),
        ("controlled", {}, "rank-biserial correlation beside covariates"),
        (
            "controlled",
            {"compared": True},
            "difference of rank-biserial correlations beside covariates",
        ),
        ("inheritance", {}, "excess rank correlation beside covariates"),
        ("inheritance", {"raw": True}, "rank correlation beside covariates"),
    ],
)
def test_units(role: str, more: dict[str, bool], wanted: str) -> None:
    assert unit(role, "positive", **more) == wanted


@pytest.mark.parametrize("role", get_args(Question))
def test_a_difference_of_valences_is_no_plain_correlation(role: str) -> None:
    if role not in ("inheritance", "gap"):  # these are asked of one valence
        both, one = unit(role, "positive-negative"), unit(role, "positive")
        assert "difference of " in both
        assert both.count("difference") == one.count("difference") + 1


def test_a_contrast_says_what_was_asked_of_it() -> None:
    base = {"contrast": "a~b"}
    assert contrast({**base, "role": "family"}) == "a~b (families)"
    assert contrast({**base, "role": "shift"}) == "a~b"
    assert contrast({**base, "role": "controlled"}) == "a~b (controlled for covariates)"
    named = {**base, "role": "controlled", "covariates": ["length", "tokens"]}
    assert contrast(named) == "a~b (controlled for length, tokens)"
