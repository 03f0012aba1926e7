"""Tables of HTML, read as a reader sees them: rows of cells, with their attributes and texts."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser


@dataclass
class Line:
    """A table's row: its attributes, and each cell's text without what is hidden."""

    data: dict[str, str]
    cells: list[str] = field(default_factory=list)


class _Rows(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.rows: list[Line] = []
        self.hidden: list[str] = []
        self.open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "tr":
            self.rows.append(Line(given))
        elif tag in ("td", "th") and self.rows:
            self.rows[-1].cells.append("")
            self.open = True
        if tag != "br" and (self.hidden or given.get("aria-hidden") == "true"):
            self.hidden.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        self.open = self.open and tag not in ("td", "th")
        if tag in self.hidden:
            while self.hidden.pop() != tag:
                pass

    def handle_data(self, data: str) -> None:
        if self.open and not self.hidden:
            self.rows[-1].cells[-1] += data


def lines(html: str) -> list[Line]:
    """All rows of all tables, in their order."""
    parser = _Rows()
    parser.feed(html)
    for row in parser.rows:
        row.cells = [" ".join(cell.split()) for cell in row.cells]
    return parser.rows
