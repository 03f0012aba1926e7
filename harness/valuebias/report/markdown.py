"""Markdown in which every string is data, never markup, HTML, a link, a mention or a formula.

For what GitHub and the Hugging Face hub render: both make HTML of Markdown, and GitHub looks for
@mentions, #references, :emoji: and $formulas$ in that HTML once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from valuebias.errors import visible
from valuebias.format import token
from valuebias.report.document import Record, Tokens
from valuebias.report.wording import cells, contrast, top_share

# A character written as its number is text wherever it stands. What GitHub would find in the HTML
# as well is parted from what follows it by an empty comment.
_MARKUP = re.compile(r"[\\`*_{}\[\]<>#|&~$@]|:(?=\S)|(?<=www)\.|(?<=gh)-(?=\d)", re.IGNORECASE)
_SOUGHT = frozenset("\\@#:$.-")

COLUMNS = ("contrast", "valence", "effect", "95% interval", "top 10%", "margin", "verdict")


def text(value: str) -> str:
    """A string for running text or a cell of a table: one line, shown as it is."""

    def entity(match: re.Match[str]) -> str:
        c = match[0]
        return f"&#{ord(c)};<!-- -->" if c in _SOUGHT else f"&#{ord(c)};"

    return _MARKUP.sub(entity, visible(value))


def line(value: str) -> str:
    """The same where a line begins: it cannot become a list or indented code either."""
    escaped = text(value)
    return f"&#{ord(escaped[0])};{escaped[1:]}" if escaped[:1] in set("-+= 0123456789") else escaped


def code(value: str) -> str:
    """The same in a fixed-width font."""
    return f"<code>{text(value)}</code>"


def row(cells: Sequence[str]) -> str:
    """One line of a table, of cells that are Markdown already."""
    return f"| {' | '.join(cells)} |\n"


def head(names: Sequence[str] = COLUMNS) -> str:
    """The head of a table; figures stand on the right."""
    lines = (":--" if name in ("contrast", "valence", "verdict") else "--:" for name in names)
    return row([text(name) for name in names]) + row(list(lines))


def verdict(record: Record) -> str:
    """A record's line of a table of verdicts; what does not pass is bold."""
    asked, valence, effect, interval, margin, word = map(text, cells(record))
    own = "" if record["shipped"] else " (own test)"
    said = word if word == "PASS" else f"**{word}**"
    at_top = text(top_share(record))
    return row([f"{asked}{own}", valence, effect, interval, at_top, margin, said])


def explained(record: Record) -> str:
    """A list item with the reason of a verdict that its line of the table does not explain."""
    asked, valence = line(contrast(record)), text(record["valence"])
    return f"* {asked}, {valence}: {text(record['reason'])}\n"


def tokens(listing: Tokens) -> str:
    """The best and worst tokens, as a paragraph and a list."""
    if listing["left_out"]:
        return f"Best and worst tokens left out: {text(listing['left_out'])}\n\n"
    facts = []
    if listing["round_trip"]:
        facts.append(f"{listing['round_trip']} survive being written as text")
    if listing["mass"]:
        facts.append(f"they hold {listing['mass']} of the probability")
    kept = text(f" ({', '.join(facts)})") if facts else ""
    lines = [f"{text(listing['prompt'])} Of {listing['n']:,} {text(listing['kind'])}{kept}:\n"]
    for name, rows in (("best", listing["best"]), ("worst", listing["worst"])):
        lines.append(f"* {name}: {' '.join(code(token(str(t))) for t, _ in rows)}")
    if listing["warning"]:
        lines.append(f"* warning: {text(listing['warning'])}")
    return "\n".join(lines) + "\n\n"


def bullets(lines: Iterable[str]) -> str:
    """A list of strings."""
    return "".join(f"* {line(each)}\n" for each in lines)
