"""Options of commands that ask what the shipped suites ask: suites, lexicons, margins."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

from valuebias.errors import SpecError, ValueBiasError

if TYPE_CHECKING:
    from valuebias.declarations.margins import Margins
    from valuebias.lexicons.lexicon import Lexicon


def add_suite_options(parser: argparse.ArgumentParser, *, margins: bool = True) -> None:
    """The options that `lexicons` and, where ``margins`` are asked for, `margins` read."""
    from valuebias_suites import CONTRASTS

    add = parser.add_argument
    add(
        "--suite",
        action="append",
        choices=tuple(CONTRASTS),
        help="which contrasts: those of big_two, mfd2 (default: both); may be given several times",
    )
    add(
        "--lexicon",
        action="append",
        default=[],
        metavar="NAME=FILE",
        help="lexicon file of a suite, such as big_two=words.csv; may be given several times",
    )
    if margins:
        add("--margins", metavar="FILE", help="declared margins, read before the shipped ones")


def lexicons(arguments: argparse.Namespace) -> dict[str, Lexicon]:
    """The lexicon of each suite that was asked for."""
    from valuebias.lexicons.in_force import lexicon_files, lexicon_in_force
    from valuebias_suites import CONTRASTS

    suites = tuple(dict.fromkeys(arguments.suite or CONTRASTS))
    with usage():
        files = lexicon_files(arguments.lexicon, arguments.cache_dir)
        for name in files:
            if name not in suites:
                raise SpecError(
                    "no selected suite uses this lexicon",
                    seen=name,
                    remedy=f"Give it the name of a suite: {', '.join(suites)}.",
                )
        return {suite: lexicon_in_force(suite, files) for suite in suites}


def margins(own: str | None, lexicons: Mapping[str, Lexicon]) -> tuple[Margins, ...]:
    """The user's margins, then the shipped ones."""
    from valuebias.declarations.margins import margins_in_force
    from valuebias_suites import MARGINS

    with usage():
        return margins_in_force(own, MARGINS, tuple(lexicons.values()))


@contextmanager
def usage() -> Iterator[None]:
    """Report an error in a file that the command names as a usage error (SpecError)."""
    try:
        yield
    except ValueBiasError as error:
        raise SpecError(error.what, seen=error.seen, remedy=error.remedy) from None
