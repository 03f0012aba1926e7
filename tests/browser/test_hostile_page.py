"""Strings of a model, a lexicon or a file that would act on a page: shown as they are typed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from support.pages import CONTROLS, SCRIPTS, Made
from valuebias.report import html

Visit = Callable[..., Page]
Pages = Callable[[str], Made]

ACTING = """() => {
  const every = [...document.querySelectorAll("*")];
  const on = every.filter(x => [...x.attributes].some(a => a.name.startsWith("on")));
  const urls = every.flatMap(x => ["href", "src", "xlink:href", "action", "formaction"]
      .map(name => x.getAttribute(name))).filter(x => x && !/^(#|data:image)/.test(x));
  return {
    hacked: window.hacked ?? null,
    on: on.map(x => x.outerHTML.slice(0, 200)),
    urls,
    scripts: [...document.scripts].filter(x => x.type !== "application/json").length,
    foreign: document.querySelectorAll("img, iframe, object, embed, form, base, audio, video")
        .length,
    titles: document.querySelectorAll("head title").length,
    refresh: document.querySelectorAll("meta[http-equiv='refresh']").length,
  }
}"""
HARMLESS: dict[str, Any] = {
    "hacked": None, "on": [], "urls": [], "scripts": 1, "foreign": 0, "titles": 1, "refresh": 0,
}  # fmt: skip


def test_a_hostile_vocabulary_does_nothing(visit: Visit, made: Pages) -> None:
    found = made("hostile")
    page = visit(found.path)
    page.locator(".words-text").fill("hacked")
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    page.locator("body *").evaluate_all(
        """all => all.forEach(x => ["mouseover", "focus", "load", "error"].forEach(name =>
             x.dispatchEvent(new Event(name))))"""
    )
    assert page.evaluate(ACTING) == HARMLESS
    assert page.title() == f"{found.document['outcome']}: values of 2 models"


def test_hostile_tokens_are_shown_as_typed(visit: Visit, made: Pages) -> None:
    page = visit(made("hostile").path)
    shown = page.locator("#tokens td.token").evaluate_all("all => all.map(x => x.textContent)")
    typed = [*SCRIPTS, *CONTROLS.values()]
    listed = [text for text in typed if text.replace(" ", "␣") in shown]
    # The ten best and ten worst of them all are these.
    assert set(listed) == set(typed[-len(listed) :])
    assert len(listed) >= 16
    kept = page.locator("#tokens td.token").evaluate_all("all => all.map(x => x.dataset.token)")
    assert set(listed) <= set(kept)


def test_hostile_words_are_shown_and_found_as_typed(visit: Visit, made: Pages) -> None:
    page = visit(made("hostile").path)
    words = page.locator(".words-table tbody th").all_inner_texts()
    assert set(SCRIPTS) <= set(words)
    page.locator(".words-text").fill("</script><script>")
    assert page.locator(".words-table tbody th").all_inner_texts() == [SCRIPTS[1]]
    page.locator(".words-table tbody th").click()
    assert page.evaluate(ACTING) == HARMLESS


def test_a_hostile_name_and_lexicon_are_shown_as_typed(visit: Visit, made: Pages) -> None:
    page = visit(made("hostile").path)
    assert page.locator("#subjects th .title").first.inner_text() == (
        "<img src=x onerror=window.hacked=9>.csv"
    )
    lexicon = page.locator("section.lexicon").inner_text()
    assert "A title <script>window.hacked=1</script>" in lexicon
    provenance = page.locator("#provenance").text_content()
    assert provenance is not None
    assert "A licence <img src=x onerror=window.hacked=4>" in provenance


# What the page takes to be one of a few words, or a number, or looks up in another part.
_STRUCTURE = {"verdict", "role", "kind", "valence", "lexicon_name", "name", "format", "created",
              "outcome", "id", "prompts", "lexicon", "contrast", "fingerprint", "margin_basis",
              "method", "by"}  # fmt: skip


def _spoilt(value: Any, text: str, key: str = "") -> Any:
    """The document with a text behind every string that is a model's, a user's or a file's."""
    if isinstance(value, dict):
        return {k: v if k in _STRUCTURE and not isinstance(v, dict | list) else _spoilt(v, text, k)
                for k, v in value.items()}  # fmt: skip
    if isinstance(value, list):
        return value if key in _STRUCTURE else [_spoilt(x, text, key) for x in value]
    return value + text if isinstance(value, str) else value


ENDS = """</script></style></title></svg>]]>--><script>window.hacked=1</script>"""
LEAVES = """\"'><img src=x onerror=window.hacked=1>"""
UNSEEN, SEEN = "\ud800\x00\x1b[2J\u202e\u2028", r"\ud800\x00\x1b[2J\u202e\u2028"


def test_a_document_with_hostile_text_everywhere(visit: Visit, made: Pages, tmp_path: Path) -> None:
    text = ENDS + LEAVES + UNSEEN
    document = _spoilt(made("every_kind").document | {"notes": ["a note"]}, text)
    assert json.dumps(document).count(json.dumps(text)[1:-1]) > 1000
    path = tmp_path / "page.html"
    path.write_text(html.page(document), encoding="utf-8")
    page = visit(path)
    assert page.evaluate(ACTING) == HARMLESS
    for place in ("#headline", "#subjects th .title", ".words-table tbody th", "#notes li"):
        assert ENDS + LEAVES + SEEN in (page.locator(place).first.text_content() or ""), place
    acting = r"/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufffd]/"
    assert page.evaluate(f"document.body.textContent.match({acting})") is None
