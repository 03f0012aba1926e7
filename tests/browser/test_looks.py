"""Photographed in both themes, on a phone, enlarged and on paper."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page

from support.pages import Made

Visit = Callable[..., Page]
Pages = Callable[[str], Made]


def photograph(page: Page, path: Path) -> np.ndarray:
    """What is on the screen, as brightness from 0 to 255."""
    page.screenshot(path=path)
    with Image.open(path) as image:
        return np.asarray(image.convert("L"), dtype=float)


def fits(page: Page) -> bool:
    """The page itself does not scroll sideways."""
    found: bool = page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    return found


def spilling(page: Page) -> list[str]:
    """What reaches past the right edge, in no box of its own that scrolls."""
    found: list[str] = page.evaluate(
        """[...document.querySelectorAll("main *")]
          .filter(x => !x.closest(".scroll, .plot, pre, .skip, .hidden"))
          .filter(x => x.getBoundingClientRect().right > innerWidth + 1)
          .map(x => x.outerHTML.slice(0, 100))"""
    )
    return found


def test_both_themes_are_photographed(visit: Visit, page_made: Made, tmp_path: Path) -> None:
    shots = {}
    for scheme in ("light", "dark"):
        page = visit(page_made.path, color_scheme=scheme)
        shots[scheme, "top"] = photograph(page, tmp_path / f"{scheme}.png")
        page.locator("figure.figure").first.scroll_into_view_if_needed()
        shots[scheme, "figure"] = photograph(page, tmp_path / f"{scheme}-figure.png")
    for what in ("top", "figure"):
        light, dark = shots["light", what], shots["dark", what]
        assert light.shape == dark.shape == (900, 1280)
        assert light.std() > 8  # not blank
        assert dark.std() > 8
        assert np.median(light) > 235
        assert np.median(dark) < 60
        # Text and lines are dark on light and light on dark.
        assert np.percentile(light, 1) < 110
        assert np.percentile(dark, 99) > 150


def test_the_button_gives_the_theme_of_the_system(
    visit: Visit, made: Pages, tmp_path: Path
) -> None:
    page = visit(made("every_kind").path, color_scheme="light")
    page.click("#theme")
    page.locator("figure.figure").first.scroll_into_view_if_needed()
    by_button = photograph(page, tmp_path / "button.png")
    page = visit(made("every_kind").path, color_scheme="dark")
    page.locator("figure.figure").first.scroll_into_view_if_needed()
    by_system = photograph(page, tmp_path / "system.png")
    assert np.mean(np.abs(by_button - by_system) > 8) < 0.01  # but for the button itself


def test_a_phone_scrolls_figures_and_tables_not_the_page(
    visit: Visit, page_made: Made, tmp_path: Path
) -> None:
    width = 390
    page = visit(page_made.path, width=width, device_scale_factor=2, is_mobile=True, has_touch=True)
    shot = photograph(page, tmp_path / "phone.png")
    assert shot.shape == (1800, 2 * width)
    assert shot.std() > 8
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert spilling(page) == []
    assert fits(page)
    boxes = page.locator(".plot").evaluate_all(
        """all => all.map(x => { x.scrollLeft = 1e6; return {
          overflow: getComputedStyle(x).overflowX, outer: x.clientWidth, inner: x.scrollWidth,
          moved: x.scrollLeft, focusable: x.tabIndex === 0, label: x.getAttribute("aria-label")
        }})"""
    )
    assert boxes
    for box in boxes:
        assert box["overflow"] == "auto"
        assert box["outer"] <= width
        assert box["moved"] == pytest.approx(box["inner"] - box["outer"], abs=1)
        assert box["focusable"]
        assert box["label"]
    assert any(box["inner"] > box["outer"] for box in boxes)
    page.set_viewport_size({"width": 320, "height": 640})
    assert spilling(page) == []
    assert fits(page)


@pytest.mark.parametrize("by", ["zoom", "text"])
def test_it_can_be_read_at_twice_the_size(visit: Visit, made: Pages, by: str) -> None:
    if by == "zoom":
        page = visit(made("published").path, width=640, device_scale_factor=2)
    else:
        page = visit(made("published").path)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert page.evaluate("getComputedStyle(document.body).fontSize") == "32px"
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    assert spilling(page) == []
    assert fits(page)


def test_paper_shows_all_that_can_be_opened(visit: Visit, page_made: Made, tmp_path: Path) -> None:
    page = visit(page_made.path, color_scheme="dark")
    closed = "document.querySelectorAll('details:not([open])').length"
    before = page.evaluate(closed)
    assert before > 0
    page.evaluate(f"addEventListener('beforeprint', () => {{ window.atPrint = {closed} }})")
    path = tmp_path / "page.pdf"
    page.pdf(path=path, format="A4", print_background=False)
    assert page.evaluate("window.atPrint") == 0
    assert page.evaluate(closed) == before  # and the screen is as it was
    leaves = len(re.findall(rb"/Type\s*/Page\b", path.read_bytes()))
    n = len(page_made.document["verdicts"])
    assert 4 <= leaves <= 20 + n  # not one page for each of a table's lines


def test_paper_is_white_whatever_the_theme(visit: Visit, made: Pages, tmp_path: Path) -> None:
    page = visit(made("every_kind").path, color_scheme="dark")
    page.click("#theme")
    page.click("#theme")  # now chosen, and no longer the system's
    page.emulate_media(media="print")
    shot = photograph(page, tmp_path / "print.png")
    assert np.median(shot) == 255
    assert np.percentile(shot, 1) < 110
    shown = "all => all.map(x => x.checkVisibility({contentVisibilityAuto: true}))"
    to_click = page.locator("#theme, #contents, .filters, .words-all").evaluate_all(shown)
    assert to_click
    assert not any(to_click)
    closed = page.locator("details:not([open]) > :not(summary)").evaluate_all(shown)
    assert closed
    assert all(closed)


def test_captions_are_read_on_a_phone_without_scrolling(visit: Visit, made: Pages) -> None:
    page = visit(made("every_kind").path, width=390, is_mobile=True, has_touch=True)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    for scrolled in (0, 1_000_000):
        boxes = page.locator("caption:not(.hidden)").evaluate_all(
            """(all, to) => all.map(x => {
              const box = x.closest(".scroll");
              box.scrollLeft = to;
              const [seen, own] = [box.getBoundingClientRect(), x.getBoundingClientRect()];
              const scrolls = box.scrollWidth > box.clientWidth;
              return [own.left - seen.left, seen.right - own.right, scrolls];
            })""",
            scrolled,
        )
        assert any(scrolls for *_, scrolls in boxes)
        assert all(left >= -1 and right >= -1 for left, right, _ in boxes), boxes
