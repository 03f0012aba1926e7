"""``valuebias implicit``: what one language model prefers more than another, outside pytest."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING

from valuebias.cli.options import add_answer_cue, add_model_options, settings
from valuebias.errors import ModelError, ScoresError, SearchError, SpecError, visible

if TYPE_CHECKING:
    from valuebias.measurement.tokens import TopTokens
    from valuebias.models.spec import ModelSpec

_SHOWN = 15


def add_implicit(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "implicit",
        help="what one language model prefers more than another",
        description="The implicit reward that would turn the first language model into the second: "
        "its best and worst tokens, and for several models a matrix of all pairs.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("models", nargs="+", metavar="MODEL", help="two language models or more (NAME=SPEC)")
    add("--measure", default="MWLR", metavar="NAME", help="one of eight measures (default MWLR)")
    add(
        "--prompt",
        metavar="TEXT-OR-ID",
        help="a question, or the id of one (default: that which leads the prompt set, such as "
        "greatest_ever_one)",
    )
    add(
        "--matrix",
        action="append",
        type=_contrast,
        metavar="A~B",
        help="two words, or two categories of a starter lexicon, to show for all pairs (default "
        "freedom~love); may be given several times",
    )
    add("--top", type=int, default=_SHOWN, metavar="K", help=f"tokens to show (default {_SHOWN})")
    add_answer_cue(parser, "model")
    add_model_options(parser, rewards=False)
    parser.set_defaults(run=_implicit)


def _implicit(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from valuebias.declarations.prompts import prompts_in_force
    from valuebias.lexicons.files import STARTERS, starter
    from valuebias.measurement.pair_matrix import matrix, prepare_matrices, shown
    from valuebias.measurement.tokens import TopTokens, top_tokens
    from valuebias.models.spec import implicit
    from valuebias.prompts import PAPER, resolve
    from valuebias.scorers.bench import Bench
    from valuebias.store.database import Store, default_folder

    models = _models(arguments.models)
    asked = prompts_in_force(arguments.prompts or PAPER)
    prompt = asked.lead if arguments.prompt is None else resolve(arguments.prompt, asked)
    contrasts = arguments.matrix or ["freedom~love"]
    _check(arguments)
    lexicons = [starter(name) for name in STARTERS]
    console = Console(highlight=False)
    store = Store((arguments.cache_dir or default_folder()) / "scores.sqlite")
    how = replace(settings(arguments), answer_cue=arguments.answer_cue)
    failed = False
    with Bench(store, how, prompts=asked) as bench:
        prepare_matrices(bench, models, contrasts, lexicons, prompt)
        for source, target in combinations(models, 2):
            pair = implicit(source, target, arguments.measure)
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                try:
                    top = top_tokens(bench.scorer(pair), prompt, arguments.top)
                except (
                    ModelError,
                    ScoresError,
                    SearchError,
                ) as error:  # the other pairs are still shown
                    top, failed = TopTokens(prompt, "", 0, left_out=str(error)), True
            for warning in caught:
                print(f"valuebias: warning: {visible(str(warning.message))}", file=sys.stderr)
            for line in _told(pair, top):
                console.print(line, markup=False)
        for contrast in contrasts:
            rewards = matrix(
                bench,
                models,
                contrast,
                lexicons,
                prompt=prompt,
                prompts=asked,
                name=arguments.measure,
            )
            console.print(f"\n{rewards.contrast}, {rewards.unit}", markup=False)
            console.print(shown(rewards))
            for reason in rewards.left_out:
                console.print(f"none: {visible(reason)}", markup=False)
    return 1 if failed else 0


def _contrast(text: str) -> str:
    from valuebias.measurement.pair_matrix import parse_contrast

    try:
        return parse_contrast(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error}, not {text!r}") from None


def _models(texts: list[str]) -> list[ModelSpec]:
    from valuebias.models.spec import check_labels
    from valuebias.scorers.schemes import check_language_model, parse_spec

    models = [parse_spec(text, load_as="llm") for text in texts]
    for model in models:
        check_language_model(model)
    check_labels(models)
    if len(models) < 2:
        raise SpecError(
            "an implicit reward needs at least two language models",
            seen=texts[0],
            remedy="Give two language models or more.",
        )
    return models


def _check(arguments: argparse.Namespace) -> None:
    from valuebias.scorers.implicit import MEASURES

    if arguments.measure not in MEASURES:
        raise SpecError(
            "unknown measure of an implicit reward",
            seen=arguments.measure,
            remedy=f"Choose from {', '.join(MEASURES)}.",
        )
    if arguments.top < 1:
        raise SpecError(
            "--top must be an integer >= 1", seen=arguments.top, remedy="Give --top 15."
        )


def _told(pair: ModelSpec, top: TopTokens) -> Iterator[str]:
    """The paper's tables 1, A2 and A3: what the second model prefers most, and the first."""
    source, target = (visible(part.label) for part in pair.parts)
    yield f"\nfrom {source} to {target}, {pair.target}: {top.prompt.text}"
    if top.left_out is not None:
        yield f"  left out: {visible(top.left_out)}"
        return
    yield f"  of {top.n:,} {top.kind}"
    for who, rows in ((target, top.best), (source, top.worst)):
        yield f"  preferred by {who}"
        for text, value in rows:
            yield f'    {value:+12.5g}  "{visible(text)}"'
