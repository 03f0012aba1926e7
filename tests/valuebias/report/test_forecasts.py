"""Forecasts in words, as a table, and in a model card."""

from __future__ import annotations

import re
from html import unescape
from typing import Any, cast

from markdown_it import MarkdownIt

from support.reports import forecast, report, verdict
from valuebias.report import card
from valuebias.report.document import Document, Record
from valuebias.report.forecasts import forecasts, foremost, ladder, said

UNIT = "change of the share at one nat"


def foreseen(estimate: float = -0.3, title: str = "P by org/model", **more: Any) -> Record:
    made = {"role": "forecast", "unit": UNIT, "reference": "P", "model": "org/model"}
    entry = verdict("FAIL", title=title, estimate=estimate, **made, **more)
    return cast(Record, {"forecast": forecast(), **entry, "model": "org/model"})


def test_the_largest_change_of_each_policy_comes_first() -> None:
    small, large = foreseen(0.1), foreseen(-0.4, valence="negative")
    other = foreseen(0.2, title="Q by org/model")
    given = [small, cast(Record, verdict()), other, large]
    assert forecasts(given) == [large, other, small]
    assert foremost(given) == [large, other]


def test_what_settles_nothing_says_so() -> None:
    assert "It settles nothing" not in said(foreseen())
    open_ = foreseen() | {"forecast": forecast(exploratory="one family turns its sign")}
    assert said(cast(Record, open_)).endswith(". It settles nothing: one family turns its sign.")


def test_the_table_has_two_lines_a_forecast() -> None:
    head, shares, families = ladder([cast(Record, verdict()), foreseen()])
    assert head == ["share of", "prompts", "0", ".25", ".5", "1", "2", "of 4", "of 16", "of 64"]
    assert shares[:7] == ["agency", "positive", ".60", ".53", ".45", ".30", ".15"]
    assert families == ["", "families", *["12.0"] * 8]
    assert ladder([cast(Record, verdict())]) == []


def test_a_card_tells_a_forecast_with_what_it_rests_on() -> None:
    found = card.make(cast(Document, report(verdict(), cast("dict[str, Any]", foreseen()))))
    (result,) = (r for r in found.results if (r.metric_args or {})["role"] == "forecast")
    assert result.metric_value == -0.3
    assert result.metric_type == UNIT.replace(" ", "-")
    assert str(result.metric_name).startswith(f"agency~communion (forecast) against P: {UNIT}, ")
    html = MarkdownIt("commonmark", {"html": True}).enable("table").render(found.block)
    told = " ".join(re.sub(r"<[^>]*>", "", unescape(html)).split())
    assert (
        "What a policy would say Asked for the best: among the 322 words of the lexicon (.03% of "
        "what P says), the share of agency goes from .60 to .30 when P is optimised by 1 nat "
        "against love. (Effective word families: 12.0 before, 12.0 after; at most 2.00 nats can "
        "be reached; without a word family: love -.250.)"
    ) in told
    assert "predicts no training run" in told
