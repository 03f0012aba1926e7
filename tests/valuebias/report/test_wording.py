"""Numbers and directions as every report writes them."""

from __future__ import annotations

from typing import Any, cast

import pytest

from valuebias.format import bare, signed
from valuebias.report.document import Record
from valuebias.report.wording import above_zero, directions


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (0.0034, "+.003"), (-0.25, "-.250"), (1.25, "+1.250"), (10.2, "+10.200"),
        (-10.812, "-10.812"), (0.99951, "+1.000"), (-100.04, "-100.040"), (0.0, "+.000"),
    ],
)  # fmt: skip
def test_only_a_leading_zero_is_left_out(value: float, wanted: str) -> None:
    assert signed(value) == wanted
    assert bare(f"{abs(value):.3f}") == wanted[1:]


def asked(role: str, valence: str = "positive", **more: Any) -> Record:
    named = {
        "sides": ["agency", "communion"], "reference": "old", "model": "new", "raw": False,
        "contrast": "agency~communion",
    }  # fmt: skip
    return cast(Record, {"role": role, "valence": valence, "estimate": 0.1, **named, **more})


@pytest.mark.parametrize(
    ("record", "wanted"),
    [
        (asked("range"), "agency preferred"),
        (asked("controlled", reference=None), "agency preferred"),
        (asked("controlled"), "agency preferred more than by old"),
        (asked("logprob"), "agency likelier"),
        (asked("shift"), "agency preferred more than by old"),
        (asked("implicit"), "agency preferred more by the second model than by the first"),
        (asked("drift"), "agency moved up from the first checkpoint to the last"),
        (asked("family"), "agency preferred more by new than by old"),
        (asked("regression"), "further from zero than old, or across it"),
        (asked("gap"), "the runs are further apart at the end than at the beginning"),
        (
            asked("inheritance"),
            "it prefers what its base finds likely, more than other bases do",
        ),
        (asked("inheritance", raw=True), "its ranks go with its base's"),
        (
            asked("range", "positive-negative"),
            "agency preferred more on positive than on negative prompts",
        ),
        (
            asked("shift", "positive-negative"),
            "agency preferred more than by old, and that more on positive than on negative prompts",
        ),
        (asked("regression", "positive-negative"), "further from zero than old, or across it"),
    ],
)
def test_each_question_says_what_above_zero_means(record: Record, wanted: str) -> None:
    assert above_zero(record) == wanted


def test_of_several_contrasts_and_references_it_says_so_in_general() -> None:
    found = [
        asked("shift"),
        asked("shift", reference="older", sides=["care", "harm"]),
        asked("range", reference=None),
        asked("range", "positive-negative", reference=None),
        asked("controlled", reference=None),
        asked("controlled"),
        asked("regression", estimate=None),
    ]
    assert directions(found) == {
        "shift": "the first side preferred more than by the reference",
        "range": "agency preferred",
        "range, positive minus negative": (
            "agency preferred more on positive than on negative prompts"
        ),
        "controlled": "agency preferred",
        "controlled shift": "agency preferred more than by old",
    }
