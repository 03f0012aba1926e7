"""``valuebias forecast``: what a policy would say after it was optimised against a model."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from textwrap import wrap
from typing import TYPE_CHECKING

from valuebias.cli import suites
from valuebias.cli.options import add_answer_cue, add_model_options, settings
from valuebias.cli.suites import add_suite_options
from valuebias.errors import ValueBiasError, visible
from valuebias.format import bracketed, signed
from valuebias.report.first_tokens import about, moved, named
from valuebias.report.first_tokens import rows as token_rows

if TYPE_CHECKING:
    from valuebias.measurement.forecast import Foreseen
    from valuebias.measurement.influence import MovedWord
    from valuebias.measurement.instrument import Instrument
    from valuebias.report.first_tokens import FirstTokens

_WIDTH = 80


def add_forecast(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "forecast",
        help="what a policy would say after it was optimised against a reward model",
        description="The exact optimum of a language model's one-word answers against a reward "
        "model, with so many nats of KL divergence and as best-of-n: the share of each category "
        "among the words of a lexicon, and what a reader needs to trust it. It gates nothing.",
        epilog="Exit status: 0, or 1 if a forecast could not be made, 2 on a usage error.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="the reward model, as of --rm")
    add("--policy", required=True, metavar="MODEL", help="the language model, as of --llm")
    add_answer_cue(parser, "policy")
    add(
        "--vocabulary",
        action="store_true",
        help="also over all first tokens of the policy: a reward is computed of each token's text "
        "on every prompt, however long that takes (`valuebias plan --policy` tells)",
    )
    add_suite_options(parser, margins=False)
    add_model_options(parser)
    parser.set_defaults(run=_forecast)


def _forecast(arguments: argparse.Namespace) -> int:
    from valuebias.declarations.prompts import prompts_in_force
    from valuebias.measurement.contrast import prepare
    from valuebias.measurement.first_tokens import measure_tokens
    from valuebias.measurement.forecast import measure_forecast
    from valuebias.measurement.instrument import State, check_instrument
    from valuebias.models.spec import check_labels, check_model
    from valuebias.prompts import VALENCES
    from valuebias.records.first_tokens import first_tokens_made
    from valuebias.scorers.bench import Bench
    from valuebias.scorers.default_prompts import default_prompts
    from valuebias.scorers.schemes import check_language_model, parse_spec
    from valuebias.store.database import Store, default_folder
    from valuebias_suites import CONTRASTS

    model = parse_spec(arguments.model)
    policy = parse_spec(arguments.policy, load_as="llm")
    check_model(model)
    check_language_model(policy)
    if policy.label == model.label:
        policy = replace(policy, label=f"{policy.label} (policy)")
    check_labels((model, policy))
    prompts = prompts_in_force(arguments.prompts or default_prompts([model]))
    lexicons = suites.lexicons(arguments)
    store = Store((arguments.cache_dir or default_folder()) / "scores.sqlite")
    how = replace(settings(arguments), answer_cue=arguments.answer_cue)
    with Bench(store, how, prompts=prompts) as bench:
        rewarded, says = bench.scorer(model), bench.scorer(policy)
        words = [*lexicons.values()]
        prepare(rewarded, words, prompts=prompts, vocabulary=False)
        checked = {
            suite: check_instrument(rewarded, lexicon, prompts=prompts)
            for suite, lexicon in lexicons.items()
        }
        bench.release()
        for line in dict.fromkeys(line for each in checked.values() for line in _read(each)):
            print(line)
        read = {s: lexicons[s] for s in lexicons if checked[s].state is not State.FAILED}
        failed = len(read) < len(lexicons)
        if read:
            prepare(says, [*read.values()], prompts=prompts, vocabulary=False)
        for suite, lexicon in read.items():
            for contrast, valence in product(CONTRASTS[suite], VALENCES):
                try:
                    found = measure_forecast(
                        rewarded, says, lexicon, contrast, valence, prompts=prompts
                    )
                except ValueBiasError as error:
                    failed = True
                    print("\n".join(_wrapped(f"{contrast}, {valence} prompts: {error}")))
                    continue
                print("\n".join(_told(found)))
            if arguments.vocabulary:
                for valence in VALENCES:
                    try:
                        tokens = measure_tokens(
                            rewarded, says, lexicon, valence, prompts=prompts, time_limit=None
                        )
                    except ValueBiasError as error:
                        failed = True
                        print("\n".join(_wrapped(f"first tokens, {valence} prompts: {error}")))
                        continue
                    failed = failed or bool(tokens.left_out)
                    print("\n".join(_first_tokens(first_tokens_made(tokens))))
    return 1 if failed else 0


def _read(checked: Instrument) -> Iterator[str]:
    """Whether the model reads the questions; one that does not is not forecast."""
    because = f": {checked.reason}" if checked.reason else ""
    yield from _wrapped(f"Instrument {checked.state}{because}.")


def _told(found: Foreseen) -> Iterator[str]:
    result, measured = found.forecast, found.measured
    yield ""
    yield f"{visible(measured.contrast)}, {measured.valence} prompts"
    yield from _wrapped(found.sentence)
    if result.exploratory:
        yield from _wrapped(f"It settles nothing: {result.exploratory}.")
    over = measured.prompts.counted(result.n_prompts)
    least, typical = result.attainable
    for line in (
        f"change of the share: {signed(result.estimate)} {bracketed(result.low, result.high)}, "
        f"{result.level:.0%} interval over {over}, for these words",
        f"at the beginning {signed(result.slope)} for a standard deviation of the reward; at most "
        f"{least:.2f} nats can be reached (on average {typical:.2f})",
    ):
        yield from _wrapped(f"  {line}", 4)
    rows: list[Sequence[str]] = [("", "share", "95% interval", "log-odds", "nats", "families")]
    for step in result.steps:
        short = "" if step.reached == result.n_prompts else f" (on {step.reached} prompts)"
        rows.append((
            step.name, f"{step.share:.3f}",
            f"{step.low:.3f} to {step.high:.3f}",
            signed(step.log_odds) if math.isfinite(step.log_odds) else "",
            f"{step.nats:.2f}{short}", f"{step.effective:.1f}",
        ))  # fmt: skip
    yield from _aligned(rows)
    yield from _wrapped(f"  gain: {_words(found.gain)}", 4)
    yield from _wrapped(f"  lose: {_words(found.lose)}", 4)
    without = ", ".join(f"{visible(w.family)} {signed(w.estimate)}" for w in result.without)
    yield from _wrapped(f"  without a word family: {without}", 4)


def _first_tokens(entry: FirstTokens) -> Iterator[str]:
    yield ""
    yield from _wrapped(f"First tokens of {named(entry)} ({entry['lexicon']}): exploration.")
    yield from _wrapped(f"  {about(entry)}", 4)
    if lines := token_rows(entry):
        yield from _aligned(lines)
        yield from _wrapped(f"  gain: {moved(entry['gain'])}", 4)
        yield from _wrapped(f"  lose: {moved(entry['lose'])}", 4)


def _aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True))
        yield "  " + "  ".join(cells).rstrip()


def _words(words: Sequence[MovedWord]) -> str:
    return ", ".join(f"{visible(each.word)} {signed(each.change)}" for each in words) or "none"


def _wrapped(text: str, indent: int = 0) -> list[str]:
    return wrap(
        text.strip(), _WIDTH, initial_indent="  " if indent else "",
        subsequent_indent=" " * indent, break_on_hyphens=False,
    )  # fmt: skip
