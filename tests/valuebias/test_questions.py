"""The questions: each has every phrase, and an effect is called what it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from string import Formatter
from typing import Any, cast, get_args

import pytest

from valuebias.questions import QUESTIONS, Declared, Question, Role, question_of, unit_of
from valuebias.report.document import Record
from valuebias.report.wording import above_zero, contrast, filled, kind_of

FILLED = {"first", "a", "b", "contrast", "model", "reference"}
SENTENCES = ("above", "higher", "lower", "unclear")


def names(template: str) -> Iterator[str]:
    return (name for _, name, _, _ in Formatter().parse(template) if name)


def test_every_role_has_a_row_and_every_row_a_role() -> None:
    rows = {key.removesuffix(", raw").removesuffix(" shift") for key in QUESTIONS}
    assert rows == set(get_args(Role))
    assert set(get_args(Declared)) < rows


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=list(QUESTIONS))
def test_every_question_has_every_phrase(question: Question) -> None:
    for name in (*SENTENCES, "unit", "section", "fail", "other", "path"):
        assert getattr(question, name), name
    for name in SENTENCES:
        assert set(names(getattr(question, name))) <= FILLED, name
    assert set(names(question.unit)) <= {"one", "single", "several", "share"}
    assert set(names(question.fail)) <= {"reference"}
    assert set(names(question.asked)) <= {"covariates"}
    assert question.step in get_args(Role)
    assert len({question.higher, question.lower, question.unclear}) == 3
    # Without sides to name, the two ends of an axis are told.
    assert question.ends is not None or "{first}" in question.above
    assert (question.title == "") == (question.short == "")


def test_no_two_questions_read_alike() -> None:
    for name in ("section", "above", "variant", "asked"):
        held = [getattr(q, name) for q in QUESTIONS.values()]
        several = {"section": 1, "above": 2, "variant": len(held), "asked": len(held)}[name]
        assert len(held) - len(set(held)) <= several, name
    said = [tuple(getattr(q, f.name) for f in fields(q)) for q in QUESTIONS.values()]
    assert len(set(said)) == len(said)


RECORD = {
    "sides": ["agency", "communion"], "contrast": "agency~communion", "valence": "positive",
    "model": "m", "reference": "r",
}  # fmt: skip


@pytest.mark.parametrize("role", get_args(Role))
def test_every_sentence_of_a_record_can_be_said(role: str) -> None:
    for reference in (None, "r"):
        record = cast(Record, {**RECORD, "role": role, "reference": reference})
        row = question_of(role, reference)
        for name in SENTENCES:
            text = filled(getattr(row, name), record)
            assert "{" not in text
        assert above_zero(record)
        assert kind_of(record).startswith(role)


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
            {"reference": "r"},
            "difference of rank-biserial correlations beside covariates",
        ),
        ("inheritance", {}, "excess rank correlation beside covariates"),
        ("inheritance", {"raw": True}, "rank correlation beside covariates"),
        ("forecast", {"reference": "policy"}, "change of the share at one nat"),
        ("human", {"reference": "people"}, "rank correlation (tau-b) with people's ratings"),
    ],
)
def test_units(role: str, more: dict[str, object], wanted: str) -> None:
    assert unit_of(question_of(role, **more), "positive") == wanted  # type: ignore[arg-type]


@pytest.mark.parametrize("role", get_args(Role))
def test_a_difference_of_valences_is_no_plain_correlation(role: str) -> None:
    if role not in ("inheritance", "gap", "forecast", "human"):  # these are asked of one valence
        both, one = (unit_of(question_of(role), v) for v in ("positive-negative", "positive"))
        assert "difference of " in both
        assert both.count("difference") == one.count("difference") + 1


def test_a_contrast_says_what_was_asked_of_it() -> None:
    def of(role: str, **more: Any) -> Record:
        return cast(Record, {"contrast": "a~b", "role": role, **more})

    assert contrast(of("family")) == "a~b (families)"
    assert contrast(of("shift")) == "a~b"
    assert contrast(of("controlled")) == "a~b (controlled for covariates)"
    named = of("controlled", covariates=["length", "tokens"])
    assert contrast(named) == "a~b (controlled for length, tokens)"
