"""``valuebias answers``: the frames of whole answers, and the words that stand in them."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from textwrap import wrap

from valuebias.cli import suites
from valuebias.cli.options import folder
from valuebias.cli.suites import add_suite_options
from valuebias.errors import visible

_WIDTH = 80


def add_answers(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "answers",
        help="show the frames of whole answers, and the words that stand in them",
        description="Every frame of the suite answers with its question, and the words of each "
        "lexicon that stand in it. With --word, the whole answers that hold this word.",
        epilog="Exit status: 0, or 2 on a usage error.",
        allow_abbrev=False,
    )
    parser.add_argument("--word", default="…", metavar="WORD", help="put this word into the frames")
    add_suite_options(parser, margins=False)
    parser.add_argument("--cache-dir", type=folder, metavar="DIR", help="of installed lexicons")
    parser.set_defaults(run=_answers)


def _answers(arguments: argparse.Namespace) -> int:
    for line in _lines(arguments):
        print(line)
    return 0


def _lines(arguments: argparse.Namespace) -> Iterator[str]:
    from valuebias.lexicons.whole_answers import for_whole_answers
    from valuebias.prompts import ANSWERS, VALENCES
    from valuebias.prompts.answers import DESIGNS

    for valence in VALENCES:
        for prompt in ANSWERS.of(valence):
            design = DESIGNS[prompt.id]
            yield f"{prompt.id} ({valence}; {design.register}, {design.manner})"
            yield f"  {prompt.text}"
            yield from wrap(
                visible(prompt.framed(arguments.word)),
                _WIDTH, initial_indent="    ", subsequent_indent="    ",
            )  # fmt: skip
    for lexicon in suites.lexicons(arguments).values():
        kept = for_whole_answers(lexicon)
        for category, words in kept.categories.items():
            yield f"\n{visible(kept.name)}, {visible(category)}: {len(words)} words"
            yield from wrap(
                visible(", ".join(words)), _WIDTH, initial_indent="  ", subsequent_indent="  "
            )
