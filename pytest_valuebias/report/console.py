"""Writes to pytest's terminal through rich: tables align, lines wrap, strings are text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from io import StringIO
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rich.console import RenderableType


def write(
    reporter: pytest.TerminalReporter, what: RenderableType, style: str = "", indent: int = 0
) -> None:
    """Through rich, so that tables align and long lines wrap; strings are text, never markup."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    out = StringIO()
    console = Console(
        file=out,
        width=reporter._tw.fullwidth,
        force_terminal=reporter.hasmarkup,
        color_system="standard" if reporter.hasmarkup else None,
        highlight=False,
        legacy_windows=False,
    )
    if isinstance(what, str):
        what = Text(what, style=style)
    console.print(Padding(what, (0, 0, 0, indent)))
    for line in out.getvalue().rstrip("\n").split("\n"):
        reporter.write_line(line.rstrip())


def table(rows: Sequence[Sequence[str]], *, numbers_from: int) -> RenderableType:
    """A table of strings, the first row its head; columns from that one on are numbers."""
    from rich.table import Table
    from rich.text import Text

    head, *lines = rows
    shown = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0), show_edge=False)
    for at, name in enumerate(head):
        shown.add_column(
            Text(name), header_style="dim", overflow="fold", no_wrap=at > 0,
            justify="right" if at >= numbers_from else "left",
        )  # fmt: skip
    for line in lines:
        shown.add_row(*map(Text, line))
    return shown


def plain(lines: Iterable[tuple[RenderableType, int]], width: int = 100) -> str:
    """The same as text without colours: each line with its indent."""
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    out = StringIO()
    console = Console(file=out, width=width, color_system=None, highlight=False)
    for what, indent in lines:
        shown = Text(what) if isinstance(what, str) else what
        console.print(Padding(shown, (0, 0, 0, indent)))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
