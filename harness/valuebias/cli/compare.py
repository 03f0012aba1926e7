"""``valuebias compare``: two models, or two families of models, as the shipped suites would."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import TYPE_CHECKING

from valuebias.cli import suites
from valuebias.cli.options import add_model_options, settings
from valuebias.cli.suites import add_suite_options, usage
from valuebias.errors import SpecError

if TYPE_CHECKING:
    from valuebias.cli.compare_rows import Question
    from valuebias.lexicons.lexicon import Lexicon
    from valuebias.models.spec import ModelSpec
    from valuebias.prompts import PromptSet, Valences
    from valuebias.scorers.bench import Bench


def add_compare(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``valuebias``."""
    parser = commands.add_parser(
        "compare",
        help="compare a model with another, with a baseline, or one family of models with another",
        description="How much more A prefers each category than B does, over the same words and "
        "prompts, held against the margins of pytest's test_shift: the same numbers without "
        "pytest. With --against and several models on a side, families of models are compared: "
        "those before --against minus those after it.",
        epilog="Exit status: 0 if every difference is shown to lie inside its margin (PASS), 1 if "
        "any is not (FAIL, INCONCLUSIVE, ERROR, no margin declared), 2 on a usage "
        "error. A family's difference between the valences counts where a margin is declared.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add(
        "models",
        nargs="+",
        metavar="MODEL",
        help="A and B: org/name, org/name@revision, DIR, demo:agency, scores:FILE, baseline:FILE",
    )
    add("--against", nargs="+", default=[], metavar="MODEL", help="the models compared with")
    add_suite_options(parser)
    add_model_options(parser)
    parser.set_defaults(run=_compare)


def _compare(arguments: argparse.Namespace) -> int:
    from valuebias.cli.compare_rows import family_row, pair_row
    from valuebias.cli.compare_table import table
    from valuebias.declarations.prompts import prompts_in_force
    from valuebias.measurement.contrast import prepare
    from valuebias.models.spec import check_labels
    from valuebias.scorers.bench import Bench
    from valuebias.scorers.default_prompts import default_prompts
    from valuebias.store.database import Store, default_folder

    # Every usage error is reported before anything is computed.
    first, second = _sides(arguments)
    check_labels((*first, *second))
    prompts = prompts_in_force(arguments.prompts or default_prompts((*first, *second)))
    lexicons = suites.lexicons(arguments)
    margins = suites.margins(arguments.margins, lexicons)
    store = Store((arguments.cache_dir or default_folder()) / "scores.sqlite")
    with Bench(store, settings(arguments), prompts=prompts) as bench:
        _check_baselines(bench, (*first, *second), lexicons)
        lone = len(first) == len(second) == 1
        for spec in (*first, *second):  # each model is loaded once, for all that is asked of it
            words = list(lexicons.values())
            searched = lone and spec is first[0]
            prepare(bench.scorer(spec), words, prompts=prompts, vocabulary=searched)
            bench.release()
        sides = [[bench.scorer(spec) for spec in side] for side in (first, second)]
        rows = {
            suite: [
                pair_row(sides[0][0], sides[1][0], question, margins)
                if lone
                else family_row(sides[0], sides[1], question, margins)
                for question in _questions(suite, lexicon, prompts, lone)
            ]
            for suite, lexicon in lexicons.items()
        }
        prints = {model.name: model.fingerprint for side in sides for model in side}
    print(table([s.label for s in first], [s.label for s in second], prints, rows))
    counted = [row for suite_rows in rows.values() for row in suite_rows if row.counts]
    return 0 if counted and all(row.verdict == "PASS" for row in counted) else 1


def _sides(arguments: argparse.Namespace) -> tuple[list[ModelSpec], list[ModelSpec]]:
    from valuebias.scorers.schemes import parse_spec

    models = [parse_spec(text) for text in arguments.models]
    against = [parse_spec(text) for text in arguments.against]
    if against:
        return models, against
    if len(models) != 2:
        raise SpecError(
            "exactly two models can be compared without --against",
            seen=f"{len(models)} given",
            remedy="Give A and B; for families, A1 A2 A3 A4 --against B1 B2 B3 B4.",
        )
    return models[:1], models[1:]


def _check_baselines(
    bench: Bench, specs: Sequence[ModelSpec], lexicons: Mapping[str, Lexicon]
) -> None:
    with usage():
        for spec in specs:
            if spec.is_baseline:
                for lexicon in lexicons.values():
                    bench.scorer(spec).candidates(lexicon)


def _questions(suite: str, lexicon: Lexicon, prompts: PromptSet, lone: bool) -> Iterator[Question]:
    from valuebias.cli.compare_rows import Question
    from valuebias.prompts import VALENCES
    from valuebias_suites import CONTRASTS

    valences: tuple[Valences, ...] = VALENCES if lone else (*VALENCES, "positive-negative")
    for contrast, valence in product(CONTRASTS[suite], valences):
        yield Question(suite, lexicon, contrast, valence, prompts)
