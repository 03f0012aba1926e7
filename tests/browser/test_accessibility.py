"""axe-core on every page in both themes and at phone width, and what only keyboards meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from support.pages import Made

Visit = Callable[..., Page]
Pages = Callable[[str], Made]

LOOKS: dict[str, dict[str, Any]] = {
    "light": {},
    "dark": {"color_scheme": "dark"},
    "phone": {"width": 390},
}

# axe weighs the contrast of every element, at milliseconds each: of what repeats itself some are
# kept, and of drawings their texts.
OPEN_AND_TRIM = """() => {
  const few = (all, n) => [...all].slice(n).forEach(x => x.remove());
  document.querySelectorAll("details").forEach(one => { one.open = true });
  for (const section of document.querySelectorAll("section.lexicon")) {
    few(section.querySelectorAll("details.group"), 2);
    few(section.querySelectorAll("details.steps"), 2);
  }
  document.querySelectorAll("table.verdicts").forEach(x => few(x.tBodies, 4));
  document.querySelectorAll("tbody").forEach(x => few(x.rows, 4));
  few(document.querySelectorAll(".open-verdict"), 6);
  few(document.querySelectorAll("#tokens .card"), 2);
  few(document.querySelectorAll("figure svg :is(path, circle, rect, use)"), 0);
  document.querySelectorAll("figure svg").forEach(x => few(x.querySelectorAll("text"), 30));
}"""


@pytest.mark.parametrize("look", LOOKS)
def test_axe_finds_no_fault(visit: Visit, page_made: Made, look: str) -> None:
    page = visit(page_made.path, **LOOKS[look])
    page.evaluate(OPEN_AND_TRIM)
    violations = Axe().run(page).response["violations"]
    assert not violations, "\n".join(
        f"{v['impact']}: {v['id']}, {v['help']}: {node['target']} {node['html'][:200]}"
        f" {node.get('failureSummary', '')}"
        for v in violations
        for node in v["nodes"][:5]
    )


def test_axe_sees_faults(visit: Visit, made: Pages) -> None:
    page = visit(made("every_kind").path)
    page.evaluate(OPEN_AND_TRIM)
    page.evaluate(
        """() => {
          document.querySelector("#headline").style.color = "#ddd";
          document.querySelector(".words-text").closest("label").replaceWith(
            document.querySelector(".words-text"));
          document.documentElement.removeAttribute("lang");
        }"""
    )
    found = {v["id"] for v in Axe().run(page).response["violations"]}
    assert {"color-contrast", "label", "html-has-lang"} <= found


def test_every_figure_is_told_in_words(visit: Visit, page_made: Made) -> None:
    page = visit(page_made.path)
    figures = page.locator("figure.figure").all()
    assert figures
    for figure in figures:
        drawing = figure.locator("svg").first
        assert drawing.get_attribute("role") == "img"
        labels = drawing.evaluate(
            """x => ["aria-labelledby", "aria-describedby"].flatMap(name =>
                 (x.getAttribute(name) || "").split(" ").filter(Boolean))
               .map(id => document.getElementById(id)?.textContent.trim())"""
        )
        assert labels
        assert all(labels)
        assert len(figure.locator("details.told p").text_content() or "") > 40


def test_the_keyboard_reaches_everything_and_is_seen_there(visit: Visit, made: Pages) -> None:
    page = visit(made("every_kind").path)
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    met = []
    for _ in range(60):
        page.keyboard.press("Tab")
        met.append(
            page.evaluate(
                """() => { const x = document.activeElement, style = getComputedStyle(x);
                  return [x.tagName, x.id || x.className, parseFloat(style.outlineWidth) >= 2
                    && style.outlineStyle !== "none" && x.getClientRects().length > 0] }"""
            )
        )
    assert len({(tag, name) for tag, name, _ in met}) > 5
    assert [(tag, name) for tag, name, seen in met if not seen] == []
    assert "theme" in {name for _, name, _ in met}
