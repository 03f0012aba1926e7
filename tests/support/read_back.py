"""What a run's reports show, read back from each of them as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import unescape
from typing import Any

from markdown_it import MarkdownIt

from support import tables

Row = tuple[str, str, str, str, str, str]


def shown(r: Mapping[str, Any]) -> Row:
    """A verdict's row as it is to be shown everywhere: numbers to three places."""

    def number(x: float) -> str:
        text = f"{x:+.3f}"
        return text[0] + text[2:] if text[1] == "0" else text

    low, high = r.get("margin_low"), r.get("margin_high")
    margin = ""
    if low is not None and high is not None:
        margin = f"[{number(low)}, {number(high)}]"
    if low is not None and high is None:
        margin = f"> {number(low)}"
    if low is None and high is not None:
        margin = f"< {number(high)}"
    interval = f"[{number(r['ci_low'])}, {number(r['ci_high'])}]"
    word = r["verdict"] if r["gated"] else "NOT GATED"
    return asked(r), r["valence"], number(r["estimate"]), interval, margin, word


def asked(r: Mapping[str, Any]) -> str:
    """A verdict's contrast, and in words what was asked of it."""
    said = {
        "regression": " (no further from zero)",
        "controlled": f" (controlled for {', '.join(r['covariates'])})",
        "drift": " (drift)",
        "gap": " (change of the gap)",
        "family": " (families)",
    }
    return str(r["contrast"]) + said.get(r["role"], "")


def in_terminal(lines: Iterable[str]) -> Iterable[Row]:
    row = re.compile(
        r"(\S.*?) +(positive|negative|pos-neg) +([+-][\d.]+) +(\[.*?\]) +(\[.*?\]|[<>] \S+|) *"
        r"([A-Z ]+)"
    )
    for line in lines:
        match = row.fullmatch(line.strip())
        if match:
            contrast, valence, *rest, word = match.groups()
            valence = valence.replace("pos-neg", "positive-negative")
            yield contrast, valence, *rest, word  # type: ignore[misc]


def rendered(text: str) -> str:
    return MarkdownIt("commonmark", {"html": True}).enable("table").render(text)


def in_markdown(text: str) -> Iterable[Row]:
    for line in tables.lines(rendered(text)):
        if len(line.cells) == 6 and line.cells[0] != "contrast":
            yield line.cells[0].removesuffix(" (own test)"), *line.cells[1:]  # type: ignore[misc]


def text_of(html: str) -> str:
    """A page's text, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


def by_test(verdicts: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The verdicts of each test, by its node id, in their order."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for r in verdicts:
        found.setdefault(r["nodeid"], []).append(r)
    return found
