"""The table of words: sorted, filtered and shown in full, against the document's own numbers."""

from __future__ import annotations

from collections.abc import Callable
from statistics import fmean
from typing import Any

import pytest
from playwright.sync_api import Locator, Page

from support.pages import Made

Visit = Callable[..., Page]
Pages = Callable[[str], Made]
FIRST = 100


class Words:
    """One table of words, and what the document says of them."""

    def __init__(self, page: Page, made: Made, lexicon: str) -> None:
        self.page, self.made = page, made
        (self.document,) = (w for w in made.document["words"] if w["lexicon"] == lexicon)
        self.part = page.locator(f".words[data-lexicon='{lexicon}']")

    def get(self, name: str) -> Locator:
        return self.part.locator(f".words-{name}")

    @property
    def count(self) -> str:
        return self.get("count").inner_text()

    def heading(self, key: str) -> Locator:
        return self.part.locator(f"th[data-key='{key}']")

    def shown(self) -> list[str]:
        """The words, as they stand."""
        words = "rows => rows.map(row => row.dataset.word)"
        found: list[str] = self.part.locator("tbody tr").evaluate_all(words)
        return found

    def column(self, key: str) -> list[float]:
        """What a column shows, as it stands."""
        texts = "cells => cells.map(cell => cell.textContent)"
        cells = self.part.locator(f"tbody td[data-{key}]").evaluate_all(texts)
        return [float(text.replace(",", "").replace("−", "-")) for text in cells]

    def numbers(self, model: int | None = None) -> dict[str, dict[str, float]]:
        """Each word's ranks in one model, or over all."""
        found = {}
        chosen = self.document["columns"] if model is None else [self.document["columns"][model]]
        for at, row in enumerate(self.document["rows"]):
            ranks = {
                valence: fmean(c[valence][at] for c in chosen if c[valence][at] is not None)
                for valence in ("positive", "negative")
            }
            found[row["word"]] = ranks | {"difference": ranks["negative"] - ranks["positive"]}
        return found


@pytest.fixture
def words(visit: Visit, made: Pages) -> Callable[[str, str], Words]:
    def get(name: str, lexicon: str) -> Words:
        return Words(visit(made(name).path), made(name), lexicon)

    return get


@pytest.mark.parametrize(
    ("name", "lexicon", "model"),
    [("published", "big_two", None), ("published", "mfd2", 3), ("every_kind", "big_two", 0)],
)
def test_each_column_sorts_both_ways(
    words: Any, name: str, lexicon: str, model: int | None
) -> None:
    table = words(name, lexicon)
    if model is not None:
        table.get("model").select_option(str(model))
    numbers = table.numbers(model)
    assert table.heading("positive").get_attribute("aria-sort") == "ascending"
    for key, down in (("difference", True), ("negative", False), ("positive", False)):
        for falling in (down, not down):
            table.heading(key).locator("button").click()
            order = "descending" if falling else "ascending"
            assert table.heading(key).get_attribute("aria-sort") == order
            assert table.part.locator("th[aria-sort]").count() == 1
            expected = sorted((n[key] for n in numbers.values()), reverse=falling)[:FIRST]
            assert table.column(key) == pytest.approx(expected, abs=0.0501)
            found = [numbers[word][key] for word in table.shown()]
            assert found == pytest.approx(expected, abs=1e-9)
    assert len(table.shown()) == FIRST


def test_words_and_families_sort_as_text(words: Any) -> None:
    table = words("published", "big_two")
    listed = sorted(row["word"] for row in table.document["rows"])
    for expected in (listed[:FIRST], listed[::-1][:FIRST]):
        table.heading("word").locator("button").click()
        assert table.shown() == expected


def test_a_column_is_sorted_by_keyboard(words: Any) -> None:
    table = words("every_kind", "big_two")
    heading = table.heading("negative")
    heading.locator("button").focus()
    for key, order in (("Enter", "ascending"), ("Space", "descending"), ("Enter", "ascending")):
        table.page.keyboard.press(key)
        assert heading.get_attribute("aria-sort") == order
        down = order == "descending"
        assert table.column("negative") == sorted(table.column("negative"), reverse=down)
        assert heading.locator("button").evaluate("b => b === document.activeElement")


def test_equal_ranks_keep_the_order_of_the_words(words: Any) -> None:
    table = words("published", "big_two")
    table.heading("category").locator("button").click()
    in_order = [row["word"] for row in table.document["rows"] if row["categories"] == ["agency"]]
    assert table.shown() == sorted(in_order)[:FIRST]


def test_the_text_filters_words_and_families(words: Any) -> None:
    table = words("published", "mfd2")
    rows = table.document["rows"]
    everything = f"{len(rows):,}"
    assert table.count == f"Showing 100 of {everything} words."
    assert table.get("count").get_attribute("role") == "status"
    for typed in ("CARE", "fair", " love "):
        table.get("text").fill(typed)
        text = typed.strip().lower()
        expected = {
            r["word"] for r in rows if text in r["word"].lower() or text in r["family"].lower()
        }
        assert 0 < len(expected) < FIRST
        assert set(table.shown()) == expected
        n = len(expected)
        assert table.count == f"Showing {n} of {n} words ({everything} in all)."
    table.get("text").fill("no such word at all")
    assert (table.shown(), table.count) == ([], "No word matches.")
    table.get("text").fill("")
    assert len(table.shown()) == FIRST


def test_categories_and_models_filter_together(words: Any) -> None:
    table = words("published", "mfd2")
    category = "care.virtue"
    table.get("category").select_option(category)
    rows = {r["word"] for r in table.document["rows"] if category in r["categories"]}
    assert f" of {len(rows):,} words" in table.count
    assert set(table.shown()) <= rows
    labels = table.get("model").locator("option").all_inner_texts()
    assert len(labels) == 11
    for model in (0, 9):
        table.get("model").select_option(str(model))
        assert table.document["columns"][model]["subject"] in labels[model + 1]
        numbers = table.numbers(model)
        expected = sorted(numbers[word]["positive"] for word in rows)[:FIRST]
        assert [numbers[word]["positive"] for word in table.shown()] == expected
        assert table.column("positive") == pytest.approx(expected, abs=0.0501)
    table.get("model").select_option("all")
    table.get("category").select_option("")
    assert len(table.shown()) == FIRST


def test_the_spread_over_models_is_that_of_the_document(words: Any) -> None:
    table = words("published", "big_two")
    table.heading("spread").locator("button").click()
    columns = [c["positive"] for c in table.document["columns"]]
    spreads = [max(ranks) - min(ranks) for ranks in zip(*columns, strict=True)]
    expected = sorted(spreads, reverse=True)[:FIRST]
    assert table.column("spread") == pytest.approx(expected, abs=0.0501)


def test_all_words_are_shown_by_keyboard(words: Any) -> None:
    table = words("published", "mfd2")
    n = len(table.document["rows"])
    more = table.get("all")
    assert more.inner_text() == f"Show all {n:,}"
    more.focus()
    table.page.keyboard.press("Enter")
    assert len(table.shown()) == n
    assert set(table.shown()) == {row["word"] for row in table.document["rows"]}
    assert not more.is_visible()
    assert table.count == f"Showing {n:,} of {n:,} words."
    focused = "document.activeElement.closest('tr').dataset.word"
    assert table.page.evaluate(focused) == table.shown()[FIRST]


def test_two_tables_do_not_meddle(words: Any) -> None:
    table = words("published", "big_two")
    other = Words(table.page, table.made, "mfd2")
    before = other.shown()
    table.get("text").fill("love")
    table.heading("negative").locator("button").click()
    assert other.shown() == before
    assert other.heading("positive").get_attribute("aria-sort") == "ascending"
