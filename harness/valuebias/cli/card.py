"""``valuebias card``: what a report says of one model, as a block of its model card."""

from __future__ import annotations

import argparse
from pathlib import Path

from valuebias.errors import SpecError, visible
from valuebias.files import why_unwritable


def add_card(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``valuebias``."""
    parser = commands.add_parser(
        "card",
        help="write what a report says of a model as a block of its model card",
        description="Print the verdicts of one model as Markdown for its model card, with the "
        "results in the front matter as the Hugging Face hub reads them. A run that was stopped, "
        "or in which nothing was gated, does not make a card.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("report", type=Path, metavar="REPORT.json", help="what --valuebias-json wrote")
    add("--model", metavar="LABEL", help="which model, where the report holds several")
    add(
        "--out",
        type=Path,
        metavar="FILE",
        help="the card, such as README.md: a new file, or one in which our block and our results "
        "are replaced and all else stays (default: print)",
    )
    parser.set_defaults(run=_card)


def _card(arguments: argparse.Namespace) -> int:
    from valuebias.report.card import BEGIN, make
    from valuebias.report.card_file import merged, read, write
    from valuebias.report.file import read_report

    if arguments.out is not None:  # usage errors are reported first
        why = why_unwritable(arguments.out)
        if why is not None:
            raise SpecError(
                f"the card cannot be written: {why}",
                seen=arguments.out,
                remedy="Give --out a file in a folder that you can write to.",
            )
    card = make(read_report(arguments.report), arguments.model)
    if arguments.out is None:
        print(merged("", card), end="")
        return 0
    before = read(arguments.out)
    write(arguments.out, merged(before, card))
    what = "written to" if not before else "replaced in" if BEGIN in before else "added to"
    n = len(card.results)
    print(f"{visible(card.label)}: {n} result{'s' * (n != 1)} and the section Values {what} "
          f"{visible(str(arguments.out))}")  # fmt: skip
    return 0
