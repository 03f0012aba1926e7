"""The code blocks of Markdown pages: where each stands, in which language, and what it says."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]

_FENCE = re.compile(r"^( *)(`{3,}|~{3,})([^\s`]*)[ \t]*([^`]*)$")
_NAMED = re.compile(r"^# ([\w./-]+\.\w+)$")
_STATUS = re.compile(r"#\s*exits (\d+)\b")


@dataclass(frozen=True)
class Block:
    """One fenced block. ``line`` is that of its first fence, from 1; ``file`` the name it goes
    under: behind the language, or in a comment that is its first line."""

    line: int
    language: str
    file: str
    text: str


def pages() -> list[str]:
    """Every page whose blocks are run, relative to the checkout."""
    found = [CHECKOUT / "README.md", CHECKOUT / "CONTRIBUTING.md"]
    found += sorted((CHECKOUT / "docs").rglob("*.md"))
    # The pages of single examples are run in a copy of them, by test_examples.py.
    found += [CHECKOUT / "examples" / page for page in ("README.md", "paper/README.md")]
    return [path.relative_to(CHECKOUT).as_posix() for path in found]


def blocks(text: str) -> Iterator[Block]:
    """The fenced blocks of a page, in order; one that is not closed is an error."""
    opened: tuple[int, re.Match[str]] | None = None
    inside: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        fence = _FENCE.match(line)
        if opened is None and fence:
            opened, inside = (number, fence), []
        elif opened is not None and line.strip() == opened[1][2]:
            indent = len(opened[1][1])  # in a list; lines of output have one of their own
            content = "".join(
                f"{line[min(indent, len(line) - len(line.lstrip())) :]}\n" for line in inside
            )
            first = _NAMED.match(content.partition("\n")[0])
            name = opened[1][4].strip() or (first[1] if first else "")
            yield Block(opened[0], opened[1][3], name, content)
            opened = None
        elif opened is not None:
            inside.append(line)
    assert opened is None, f"the block of line {opened[0]} is not closed"


def commands(script: str) -> Iterator[str]:
    """The commands of a shell block, one after the other; a command may take several lines."""
    begun = ""
    for line in script.splitlines():
        begun += line + "\n"
        if not begun.strip() or begun.lstrip().startswith("#"):
            begun = ""
        elif not line.endswith("\\") and _whole(begun):
            yield begun.strip()
            begun = ""
    assert not begun, f"bash cannot read {begun!r}"


def _whole(command: str) -> bool:
    return subprocess.run(["bash", "-n", "-c", command], capture_output=True).returncode == 0


def status_of(command: str) -> int | None:
    """The exit status that a comment states, as in ``# exits 1: the margin is too narrow``."""
    stated = _STATUS.search(command)
    return int(stated[1]) if stated else None
