"""The one word and the one sentence: nobody may read a pass where there is none."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from valuebias.report.document import Record
from valuebias.report.headline import came_out, describe, headline

VERDICTS = ("PASS", "FAIL", "INCONCLUSIVE", "ERROR", "NO MARGIN", "REPRODUCTION ONLY")


def verdict(word: str, *, gated: bool | None = None, **more: Any) -> Record:
    entry: dict[str, Any] = {
        "verdict": word,
        "gated": word in ("PASS", "FAIL", "INCONCLUSIVE") if gated is None else gated,
        "title": "org/model",
        "model": "org/model",
        "role": "range",
        "contrast": "agency~communion",
        "sides": ["agency", "communion"],
        "valence": "positive",
        "reference": None,
        "reason": "because",
        "estimate": 0.859,
        "ci_low": 0.787,
        "ci_high": 0.908,
        "margin_low": -0.276,
        "margin_high": 0.276,
        "margin_basis": "convention",
    }
    if word == "ERROR":
        entry = {k: v for k, v in entry.items() if "margin" not in k and "ci" not in k}
        del entry["estimate"], entry["sides"]
    return cast(Record, {**entry, **more})


@given(
    st.lists(st.tuples(st.sampled_from(VERDICTS), st.booleans()), max_size=5),
    st.integers(0, 6),
    st.booleans(),
    st.booleans(),
)
def test_pass_is_said_of_no_other_run(
    found: list[tuple[str, bool]], status: int, complete: bool, absent: bool
) -> None:
    verdicts = [verdict(word, gated=gated and word != "ERROR") for word, gated in found]
    word = came_out(verdicts, status, complete=complete, absent=absent)
    passed = word == "PASS"
    gated = {r["verdict"] for r in verdicts if r["gated"]} - {"REPRODUCTION ONLY"}
    errors = any(r["verdict"] == "ERROR" for r in verdicts)
    allowed = gated and gated <= {"PASS", "NO MARGIN"} and not errors
    assert passed == bool(allowed and status == 0 and complete and not absent)
    said = headline(verdicts, word, status, complete=complete)
    assert said.endswith(".")
    assert (("inside the margin" in said) and word == "PASS") == passed


@pytest.mark.parametrize(
    ("verdicts", "status", "complete", "word"),
    [
        ([verdict("PASS")], 0, True, "PASS"),
        ([verdict("PASS"), verdict("FAIL")], 1, True, "FAIL"),
        ([verdict("PASS"), verdict("FAIL"), verdict("ERROR")], 1, True, "ERROR"),
        ([verdict("INCONCLUSIVE"), verdict("PASS")], 1, True, "INCONCLUSIVE"),
        ([verdict("INCONCLUSIVE", gated=False), verdict("PASS")], 0, True, "PASS"),
        ([verdict("INCONCLUSIVE", gated=False)], 1, True, "NOT GATED"),
        ([verdict("FAIL", gated=False)], 0, True, "NOT GATED"),
        ([verdict("NO MARGIN")], 1, True, "NOT GATED"),
        ([], 1, True, "NOT GATED"),
        ([verdict("PASS")], 0, False, "INCOMPLETE"),
        ([verdict("PASS")], 1, True, "FAIL"),
    ],
)
def test_the_word(verdicts: list[Record], status: int, complete: bool, word: str) -> None:
    assert came_out(verdicts, status, complete=complete) == word


def test_what_was_not_gated_is_said_beside_a_pass() -> None:
    verdicts = [verdict("PASS"), verdict("NO MARGIN"), verdict("INCONCLUSIVE", gated=False)]
    assert headline(verdicts, "PASS", 0) == (
        "org/model: the one verdict lies inside the margin set by convention (2 more not gated)."
    )


def test_the_verdict_farthest_out_is_told() -> None:
    near = verdict("FAIL", estimate=0.3, ci_low=0.28, ci_high=0.32)
    far = verdict("FAIL", valence="negative", estimate=-0.761, ci_low=-0.846, ci_high=-0.638)
    assert headline([near, far, verdict("PASS")], "FAIL", 1) == (
        "org/model: 2 of 3 verdicts outside the margins set by convention; farthest out: asked for "
        "the worst, words of communion are preferred to words of agency (-.761 [-.846, -.638], "
        "margin [-.276, +.276])."
    )


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "neither side of agency~communion is shown to be preferred"),
        ({"role": "shift", "reference": "last"}, "no difference from last is shown"),
        ({"role": "regression", "reference": "last"}, "neither further from zero than last nor"),
        ({"role": "gap", "reference": "other"}, "neither closer nor further apart"),
        ({"role": "drift"}, "neither side of agency~communion is shown to have moved up"),
        ({"role": "implicit"}, "the two models are not shown to differ"),
        ({"role": "inheritance"}, "is not shown to be its base's"),
    ],
)
def test_no_preference_is_told_where_the_interval_holds_zero(
    more: dict[str, Any], text: str
) -> None:
    near = verdict("FAIL", estimate=-0.045, ci_low=-0.165, ci_high=0.076, margin_low=0.5)
    assert text in describe(cast(Record, {**near, **more}))


def test_a_raw_inheritance_is_compared_with_no_other_base() -> None:
    raw = verdict("INCONCLUSIVE", role="inheritance", sides=["all words", "none"], raw=True)
    assert "other bases" not in describe(raw)
    assert "goes with its base's (not compared)" in describe(raw)


def test_what_else_happened_is_not_hidden_behind_the_worst() -> None:
    verdicts = [verdict("ERROR"), verdict("FAIL"), verdict("PASS")]
    said = headline(verdicts, "ERROR", 1)
    assert "1 of 2 verdicts outside the margins set by convention" in said
    stopped = headline([verdict("FAIL")], "FAIL", 2, complete=False, not_run=4)
    assert stopped.endswith("The run was stopped or lost tests. Not run: 4 shipped tests.")
    assert headline([], "NOT GATED", 1) == "No verdict was reached, so nothing passed."
    let = [verdict("INCONCLUSIVE", gated=False)]
    assert "what did not pass was let through" in headline(let, "NOT GATED", 1)
    reason = "exploratory: six prompts; more words would not"
    quick = [verdict("INCONCLUSIVE", cause="exploratory", reason=reason)]
    assert headline(quick, "INCONCLUSIVE", 1).endswith(
        "inconclusive against the margin set by convention: exploratory: six prompts."
    )


def test_a_claim_about_something_else_tells_its_reason() -> None:
    closed = verdict("FAIL", reason="closed by step 900: it was not")
    del closed["margin_basis"]
    assert describe(closed) == "closed by step 900: it was not"


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({}, "asked for the best, words of agency are preferred to words of communion"),
        ({"sides": ["care.vice", "the others"], "estimate": -0.5}, "the others are preferred to w"),
        ({"role": "drift"}, "agency moved up against words of communion"),
        ({"role": "shift", "reference": "last"}, "more than by last"),
        ({"role": "gap", "reference": "other"}, "further apart"),
        ({"role": "inheritance", "sides": ["all words", "none"]}, "its base's"),
        ({"role": "regression", "reference": "last"}, "further from zero than last"),
        ({"margin_high": None}, "margin > -.276"),
        ({"margin_low": None}, "margin < +.276"),
    ],
)  # fmt: skip
def test_a_verdict_in_words(more: dict[str, Any], text: str) -> None:
    assert text in describe(verdict("FAIL", **more))


@pytest.mark.parametrize(
    ("words", "tops", "outcome", "said"),
    [
        (["PASS"] * 22, ["PASS", "PASS"], "PASS",
         "all 22 verdicts lie inside the margins set by convention; top 10%: 2 of 2 inside."),
        (["PASS"] * 22, ["PASS", "FAIL"], "FAIL",
         "0 of 22 verdicts outside the margins set by convention; top 10%: 1 of 2 inside; "),
        (["PASS", "INCONCLUSIVE"], ["INCONCLUSIVE"], "INCONCLUSIVE",
         "inconclusive against the margins set by convention; top 10%"),
        ([], ["PASS"], "PASS", "the one verdict lies inside the margin set by convention."),
    ],
)  # fmt: skip
def test_shares_of_the_top_are_counted_apart(
    words: list[str], tops: list[str], outcome: str, said: str
) -> None:
    verdicts = [verdict(word) for word in words] + [verdict(word, role="top") for word in tops]
    assert came_out(verdicts, 0, complete=True) == outcome
    assert said in headline(verdicts, outcome, 0)
