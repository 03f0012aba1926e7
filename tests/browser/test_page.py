"""The page by itself: it asks for nothing, lets nothing else run, and is led by keyboard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from support.pages import Made

Visit = Callable[..., Page]
Pages = Callable[[str], Made]


def test_it_opens_with_no_request_and_no_complaint(visit: Visit, page_made: Made) -> None:
    page = visit(page_made.path)
    assert page.text_content("#headline") == page_made.document["headline"]
    assert page.locator("tr.subject").count() == len(page_made.document["subjects"])
    assert page.locator("tr.verdict").count() == len(page_made.document["verdicts"])
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    page.mouse.wheel(0, 100_000)  # what is only asked for once it is seen
    page.wait_for_timeout(100)


def test_requests_and_complaints_are_seen(browser: Browser, visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("<!doctype html><img src='other.png'><script>console.error(1); x()</script>")
    expected = ("request: file:///", "console, error: 1", "error: ", "console, error: Failed")
    visit(path, expected=expected).wait_for_timeout(500)


def test_no_other_script_or_style_runs(visit: Visit, made: Pages) -> None:
    page = visit(made("every_kind").path, expected=("console, error: ",))
    page.evaluate(
        """() => {
          const script = document.createElement("script");
          script.textContent = "window.ran = true";
          document.body.append(script);
          const held = document.createElement("div");
          held.innerHTML = "<b onclick='window.ran = true' style='color: red'>x</b>";
          document.body.append(held);
          held.firstChild.click();
        }"""
    )
    assert page.evaluate("window.ran") is None
    assert page.evaluate("document.querySelector('b[onclick]').style.length") == 0


def test_it_can_be_read_without_scripts(visit: Visit, made: Pages) -> None:
    found = made("every_kind")
    page = visit(found.path, java_script_enabled=False)
    assert page.locator("#outcome").inner_text().endswith(found.document["outcome"])
    assert page.locator("#subjects").is_visible()
    assert page.locator("figure.figure svg").first.is_visible()
    assert not page.locator("#theme").is_visible()  # what would do nothing is not shown


def test_every_link_leads_somewhere_on_the_page(visit: Visit, page_made: Made) -> None:
    page = visit(page_made.path)
    assert page.locator("a[href]").count() > 10
    astray = """all => all.map(a => a.getAttribute("href"))
        .filter(x => !x.startsWith("#") || !document.getElementById(x.slice(1)))"""
    assert page.eval_on_selector_all("a[href]", astray) == []
    twice = """all => { const ids = all.map(x => x.id);
        return ids.filter((x, at) => ids.indexOf(x) !== at) }"""
    assert page.eval_on_selector_all("[id]", twice) == []


def test_a_link_to_a_verdict_opens_what_it_lies_in(visit: Visit, made: Pages) -> None:
    page = visit(made("published").path)
    (nodeid,) = {made("published").document["verdicts"][-1]["nodeid"]}
    row = page.locator("tr.verdict").last
    assert row.get_attribute("data-nodeid") == nodeid
    assert not row.is_visible()
    link = page.locator(f"a[href='#{row.get_attribute('id')}']").first
    link.focus()
    page.keyboard.press("Enter")
    row.wait_for(state="visible")
    assert row.evaluate("row => row === document.activeElement")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_theme_is_switched_by_keyboard(visit: Visit, made: Pages, scheme: str) -> None:
    page = visit(made("every_kind").path, color_scheme=scheme)
    shade = "getComputedStyle(document.body).backgroundColor"
    first = page.evaluate(shade)
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.id") == "theme"
    theme = page.locator("#theme")
    for key, pressed in (("Enter", scheme == "light"), ("Space", scheme == "dark")):
        page.keyboard.press(key)
        assert theme.get_attribute("aria-pressed") == str(pressed).lower()
        assert (page.evaluate(shade) == first) == (key == "Space")


def test_the_first_tab_skips_to_the_results(visit: Visit, made: Pages) -> None:
    page = visit(made("every_kind").path)
    page.keyboard.press("Tab")
    skip = page.locator(".skip").bounding_box()
    assert skip is not None
    assert skip["x"] >= 0
    page.keyboard.press("Enter")
    page.wait_for_function("document.activeElement.id === 'main'")


def test_nothing_moves_for_who_asked_for_that(visit: Visit, made: Pages) -> None:
    page = visit(made("every_kind").path, reduced_motion="reduce")
    moving = """all => all.map(getComputedStyle).filter(x => x.scrollBehavior !== "auto"
        || x.animationName !== "none" || parseFloat(x.transitionDuration) > 0).length"""
    assert page.eval_on_selector_all("html, body, body *", moving) == 0
