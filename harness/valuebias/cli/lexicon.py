"""``valuebias lexicon``: install published lexicons, and list the available ones."""

from __future__ import annotations

import argparse
import sys

from valuebias.cli.options import FAILED, folder
from valuebias.errors import LexiconError, SpecError, visible


def add_lexicon(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lexicon = commands.add_parser("lexicon", help="install published lexicons, or list them")
    actions = lexicon.add_subparsers(title="actions", required=True, metavar="ACTION")
    install = actions.add_parser(
        "install", help="fetch published lexicons from a pinned address", allow_abbrev=False
    )
    install.add_argument("names", nargs="+", metavar="NAME", help="big-two, mfd2")
    install.set_defaults(run=_install)
    listing = actions.add_parser("list", help="list the available lexicons", allow_abbrev=False)
    listing.set_defaults(run=_list)
    for parser in (install, listing):
        parser.add_argument("--cache-dir", type=folder, metavar="DIR", help="where they are kept")


def _install(arguments: argparse.Namespace) -> int:
    from valuebias.lexicons.install import LICENCE, PUBLISHED, install

    for name in arguments.names:  # a misspelt name is reported before anything is fetched
        if name not in PUBLISHED:
            raise SpecError(
                "unknown published lexicon",
                seen=name,
                remedy=f"Choose from {', '.join(PUBLISHED)}.",
            )
    status = 0
    for name in dict.fromkeys(arguments.names):
        try:
            path, fetched = install(name, arguments.cache_dir)
        except LexiconError as error:
            print(f"valuebias: error: {visible(str(error))}", file=sys.stderr)
            status = FAILED
            continue
        lexicon = PUBLISHED[name]
        print(f"{name}: {'installed' if fetched else 'already installed'} at {visible(str(path))}")
        print(f"  from {lexicon.url}")
        print(f"  SHA-256 {lexicon.sha256} (as pinned)")
        print(f"  licence: {LICENCE}")
        print(f"  use it: pytest --rm=MODEL --valuebias-lexicon {lexicon.suite}={name}")
    return status


def _list(arguments: argparse.Namespace) -> int:
    from valuebias.lexicons.files import STARTERS, starter
    from valuebias.lexicons.install import LICENCE, PUBLISHED, installed

    print("Shipped, short starter lists of our own:")
    for name in STARTERS:
        lexicon = starter(name)
        print(f"  {name}: {len(lexicon.words())} words, licence {lexicon.licence}")
    print("Published, to be fetched with: valuebias lexicon install NAME")
    status = 0
    for published in PUBLISHED.values():
        try:
            path = installed(published.name, arguments.cache_dir)
            state = "not installed" if path is None else f"installed at {path}"
        except LexiconError as error:
            state, status = f"NOT USABLE: {error}", FAILED
        print(visible(f"  {published.name}: {published.title}; {state}"))
    print(f"  licence: {LICENCE}")
    return status
