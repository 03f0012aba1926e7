"""What a page of pytest-html holds: its rows and its summary, as a browser gets them."""

from __future__ import annotations

import html
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

COLUMNS = ("model", "contrast", "valence", "effect", "margin", "verdict")


class _Blob(HTMLParser):
    found = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found = dict(attrs).get("data-jsonblob") or self.found


def blob(path: Path) -> dict[str, Any]:
    """The data that the page's own script makes its table of."""
    parser = _Blob()
    parser.feed(path.read_text(encoding="utf-8"))
    found: dict[str, Any] = json.loads(parser.found)
    return found


def rows(path: Path) -> dict[str, dict[str, str]]:
    """By node id, the text of each column of ours; of several verdicts the lines."""
    found = {}
    for node, entries in blob(path)["tests"].items():
        for entry in entries:
            cells = "".join(entry["resultsTableRow"])
            found[node] = {
                name: html.unescape(text)
                for name, text in re.findall(r'<td class="col-valuebias_(\w+)">(.*?)</td>', cells)
            }
    return found


def fragments(path: Path) -> list[str]:
    """Every piece of HTML that the page's script puts into it."""
    return [
        part
        for entries in blob(path)["tests"].values()
        for entry in entries
        for part in (*entry["resultsTableRow"], entry["log"])
    ]
