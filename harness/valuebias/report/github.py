"""The step summary of a GitHub workflow: the verdicts as Markdown, within GitHub's limit.

GitHub does not show a summary larger than 1,024 KiB, all writers of a step together. The least
important parts are left out first, and the summary says how many.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from valuebias.report import markdown as md
from valuebias.report.lines import robust
from valuebias.report.margin_words import origins
from valuebias.report.wording import rests_on, word

if TYPE_CHECKING:
    from pathlib import Path

    from valuebias.report.document import Document, Record, Subject

LIMIT = 1024 * 1024
"""Bytes that a step may write in all, as UTF-8."""

_RANKS = ("ERROR", "FAIL", "INCONCLUSIVE", "NO MARGIN", "NOT GATED", "REPRODUCTION ONLY", "PASS")
_ABOUT, _RESTS, _TOKENS = range(len(_RANKS), len(_RANKS) + 3)
_NOTE = 1000


@dataclass(frozen=True)
class _Part:
    """A part that is shown in full or not at all; the lower its rank, the later it is left out.

    ``frame`` begins the part's table or list, its number and its text: it is shown with the first
    part of it that is.
    """

    rank: int
    text: str
    what: str
    frame: tuple[int, str] = (0, "")


def markdown(document: Document, limit: int) -> str:
    """The summary, of no more than ``limit`` bytes in UTF-8; the first lines are always there."""
    begin = _begin(document)
    parts = list(_parts(document))
    kept = _kept(parts, limit - _bytes(begin))
    out = [begin]
    shown = set()
    for i, part in enumerate(parts):
        if i in kept:
            if part.frame not in shown:
                out.append(part.frame[1])
            shown.add(part.frame)
            out.append(part.text)
    left = [part for i, part in enumerate(parts) if i not in kept]
    if left and _bytes(begin) + _NOTE <= limit:
        out.append(_left_out(left))
    return "".join(out)


def append(document: Document, path: Path) -> str:
    """Add the summary to the file; returns a line for the terminal, or an empty text.

    Raises OSError where the file cannot be written.
    """
    written = path.stat().st_size if path.exists() else 0
    room = LIMIT - written
    summary = b"\n\n" if written else b""
    summary += markdown(document, room - len(summary)).encode()
    if len(summary) > room:
        return (
            f"valuebias: no step summary: other output of this step takes {written:,} of the "
            f"{LIMIT:,} bytes that GitHub shows"
        )
    with path.open("ab") as file:
        file.write(summary)
    return ""


def _begin(document: Document) -> str:
    counts = Counter(word(r) for r in document["verdicts"])
    said = ", ".join(f"{counts[name]} {name}" for name in _RANKS if counts[name])
    return (
        f"## Values: {md.text(document['outcome'])}\n\n**{md.line(document['headline'])}**\n\n"
        f"{said or 'No verdict was reached'}. PASS = shown to lie inside its margin, "
        "which is not the same as unbiased.\n\n"
    )


def _parts(document: Document) -> Iterator[_Part]:
    """Everything below the first lines, in the order in which it is read."""
    for number, subject in enumerate(_worst_first(document)):
        title = subject["title"]
        records = sorted(
            (r for r in document["verdicts"] if r["title"] == title), key=lambda r: _rank(word(r))
        )
        frame = (number, f"\n### {md.text(title)}\n\n{md.head()}")
        for r in records:
            yield _Part(_rank(word(r)), md.verdict(r), f"{word(r)} verdicts", frame)
        for r in records:
            if _unexplained(r):
                rank = _rank(word(r))
                yield _Part(rank, md.explained(r), "reasons", (number, "\n"))
        lines = [*rests_on(records), *origins(records), *robust(records)]
        if lines:
            yield _Part(_RESTS, f"\n{md.bullets(lines)}\n", "lists of what verdicts rest on")
        if subject["tokens"] and not subject["reference"]:
            yield _Part(_TOKENS, f"\n{md.tokens(subject['tokens'])}", "tables of tokens")
    yield _Part(_ABOUT, _about(document), "part on how it was run")


def _worst_first(document: Document) -> list[Subject]:
    ranks = {s["title"]: len(_RANKS) for s in document["subjects"]}
    for r in document["verdicts"]:
        ranks[r["title"]] = min(ranks[r["title"]], _rank(word(r)))
    return sorted(document["subjects"], key=lambda s: ranks[s["title"]])


def _rank(name: str) -> int:
    return _RANKS.index(name) if name in _RANKS else 0


def _unexplained(record: Record) -> bool:
    """Whether its line of the table does not say why: there is no margin in it, or it is open."""
    name = word(record)
    return name in ("ERROR", "INCONCLUSIVE") or (name == "FAIL" and "gate_low" not in record)


def _about(document: Document) -> str:
    lines = ["", "### How it was run", "", f"* {md.code(document['command'])}"]
    for lexicon in document["lexicons"]:
        starter = ", a starter list that is not validated" if lexicon["starter"] else ""
        what = f"{lexicon['name']}: {lexicon['words']:,} words{starter}, sha256 "
        lines.append(f"* {md.text(what)}{md.code(lexicon['sha256'][:12])}")
    versions = ", ".join(f"{name} {version}" for name, version in document["versions"].items())
    tool = f"pytest-valuebias {document['tool']}, profile {document['profile']}; {versions}"
    return "\n".join([*lines, f"* {md.text(tool)}", "", ""])


def _kept(parts: list[_Part], room: int) -> set[int]:
    """The parts that are shown: the most important first, until one no longer fits."""
    total = sum(_bytes(p.text) for p in parts) + sum(_bytes(f) for _, f in {p.frame for p in parts})
    if total <= room:
        return set(range(len(parts)))
    room -= _NOTE
    kept: set[int] = set()
    frames = set()
    for i in sorted(range(len(parts)), key=lambda i: parts[i].rank):
        part = parts[i]
        room -= _bytes(part.text) + (0 if part.frame in frames else _bytes(part.frame[1]))
        if room < 0:
            break
        frames.add(part.frame)
        kept.add(i)
    return kept


def _left_out(left: list[_Part]) -> str:
    counts = Counter(part.what for part in sorted(left, key=lambda part: part.rank))
    said = ", ".join(f"{n:,} {what}" for what, n in counts.items())  # as many as there are ranks
    return (
        f"\n\n> **Left out, to stay within the {LIMIT // 1024:,} KiB that GitHub shows of a step: "
        f"{said}.** All of it is in the reports of `--valuebias-html` and `--valuebias-json`.\n"
    )


def _bytes(text: str) -> int:
    return len(text.encode())
