"""The ``valuebias`` command. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any

from valuebias.cli.answers import add_answers
from valuebias.cli.card import add_card
from valuebias.cli.compare import add_compare
from valuebias.cli.forecast import add_forecast
from valuebias.cli.implicit import add_implicit
from valuebias.cli.lexicon import add_lexicon
from valuebias.cli.options import FAILED, INTERRUPTED, USAGE
from valuebias.cli.plan import add_plan
from valuebias.cli.search import add_search
from valuebias.cli.train import add_train
from valuebias.errors import SpecError, ValueBiasError, visible


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit status: 0, 1 (it failed), 2 (usage) or 130 (Ctrl-C).

    An error is one message on standard error, without a traceback unless ``--traceback`` is given.
    """
    arguments = _parser().parse_args(argv)
    try:
        status: int = arguments.run(arguments)
    except KeyboardInterrupt:
        print("valuebias: stopped", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        if arguments.traceback:
            raise
        if isinstance(error, ValueBiasError):
            text = str(error)
        elif isinstance(error, OSError):
            text = f"{error.filename or 'a file'}: {error.strerror or error}"
        else:
            text = (
                f"unexpected error: {type(error).__name__}: {error}. Please report it with "
                "the output of the same command with --traceback in front."
            )
        print(f"valuebias: error: {visible(text)}", file=sys.stderr)
        return USAGE if isinstance(error, SpecError) else FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="valuebias",
        description="Which human values a reward model prefers.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--traceback", action="store_true", help="show the Python traceback of an error"
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        dest=argparse.SUPPRESS,
        default=argparse.SUPPRESS,
        help="show the version and exit",
    )
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    add_search(commands)
    add_lexicon(commands)
    add_compare(commands)
    add_plan(commands)
    add_card(commands)
    add_implicit(commands)
    add_forecast(commands)
    add_answers(commands)
    add_train(commands)
    return parser


class _Version(argparse.Action):
    """argparse's own action would look up the version for every command."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        from importlib.metadata import version

        print(f"{parser.prog} {version('pytest-valuebias')}")
        parser.exit()
