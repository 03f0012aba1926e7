"""What a run's reports show, read back from each of them as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import unescape
from typing import Any

from markdown_it import MarkdownIt

from support import tables

Row = tuple[str, str, str, str, str, str]


def number(x: float) -> str:
    """To three places, with its sign and without the zero before the point."""
    text = f"{x:+.3f}"
    return text[0] + text[2:] if text[1] == "0" else text


def shown(r: Mapping[str, Any]) -> Row:
    """A verdict's row as it is to be shown everywhere: numbers to three places."""
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


def top_shown(r: Mapping[str, Any]) -> tuple[str, str, str]:
    """The top share beside a verdict's effect, as it is to be shown in a table."""
    share = r.get("top_share")
    interval = "" if share is None else f"[{number(r['top_low'])}, {number(r['top_high'])}]"
    return asked(r), r["valence"], "" if share is None else f"{number(share)} {interval}"


def asked(r: Mapping[str, Any]) -> str:
    """A verdict's contrast, and in words what was asked of it."""
    said = {
        "regression": " (no further from zero)",
        "controlled": f" (controlled for {', '.join(r['covariates'])})",
        "drift": " (drift)",
        "gap": " (change of the gap)",
        "family": " (families)",
        "top": " (top 10%)",
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
    for contrast, valence, effect, interval, _, margin, word in _of_verdicts(text):
        yield contrast, valence, effect, interval, margin, word


def tops_in_markdown(text: str) -> Iterable[tuple[str, str, str]]:
    for contrast, valence, _, _, top, _, _ in _of_verdicts(text):
        yield contrast, valence, top


def _of_verdicts(text: str) -> Iterable[list[str]]:
    for line in tables.lines(rendered(text)):
        if len(line.cells) == 7 and line.cells[0] != "contrast":
            yield [line.cells[0].removesuffix(" (own test)"), *line.cells[1:]]


def text_of(html: str) -> str:
    """A page's text, without its markup."""
    return " ".join(unescape(re.sub(r"<[^>]*>", "", html)).split())


def by_test(verdicts: Iterable[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The verdicts of each test, by its node id, in their order."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for r in verdicts:
        found.setdefault(r["nodeid"], []).append(r)
    return found
