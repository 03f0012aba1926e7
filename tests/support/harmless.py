"""What a browser, or GitHub, would make of a text that holds hostile strings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any

_ADDRESSES = ("src", "href", "xlink:href", "action", "formaction", "poster", "data", "srcset")
_MARKDOWN = frozenset(
    ("h2", "h3", "p", "strong", "table", "thead", "tbody", "tr", "th", "td", "ul", "li", "code",
     "blockquote")
)  # fmt: skip
_SOUGHT = re.compile(r"[@#:$]\w|www\.\w|gh-\d", re.IGNORECASE)


class _Page(HTMLParser):
    """Elements with their attributes, what is in scripts and styles, and all other text."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.code: list[str] = []
        self.texts: list[str] = []
        self.inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        (self.code if self.inside in ("script", "style") else self.texts).append(data)


def read(html: str) -> _Page:
    page = _Page()
    page.feed(html)
    page.close()
    return page


def tags(html: str) -> set[str]:
    """The elements there are."""
    return {tag for tag, _ in read(html).elements}


def check_page(html: str) -> None:
    """Nothing of a string became an element, a handler, an address or a part of a program."""
    assert "\x00" not in html
    assert unseen(html) == set()
    page = read(html)
    for tag, attributes in page.elements:
        assert tag not in ("img", "iframe", "object", "embed", "base"), tag
        assert not [name for name in attributes if name.startswith("on")], (tag, attributes)
        for name in _ADDRESSES:
            address = attributes.get(name, "#")
            assert address.startswith(("#", "data:image/svg+xml", "assets/style.css")), address
    for code in page.code:
        assert "alert(1)" not in code.replace("\\u003c", "<") or code.lstrip()[:1] in "{["


def check_markdown(html: str) -> None:
    """Of rendered Markdown: no link, image, formula, mention or reference, and no HTML but ours."""
    page = read(html)
    for tag, attributes in page.elements:
        assert tag in _MARKDOWN, tag
        assert set(attributes) <= {"style"}, attributes
    for text in page.texts:
        assert not _SOUGHT.search(text), text


def unseen(text: str) -> set[str]:
    """The characters that could act on a reader's screen, or hide."""
    return {c for c in text if not c.isprintable() and c not in "\n\t"}


def strings(found: Any) -> Iterator[str]:
    """Every string of a document, keys included."""
    if isinstance(found, str):
        yield found
    elif isinstance(found, dict):
        for key, value in found.items():
            yield key
            yield from strings(value)
    elif isinstance(found, list):
        for value in found:
            yield from strings(value)
