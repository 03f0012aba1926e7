"""``valuebias repair``: bring a contrast of a reward model inside its margin, at a known price."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING

from valuebias.cli import suites
from valuebias.cli.options import (
    FAILED,
    add_answer_cue,
    add_model_options,
    between,
    folder,
    settings,
)
from valuebias.errors import SpecError, visible
from valuebias.format import bracketed, signed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from valuebias.prompts import Valence
    from valuebias.questions import Declared
    from valuebias.repair.held_out import Finding
    from valuebias.repair.repair import Order, Repaired
    from valuebias.stats.verdict import Margin

_WIDTH = 80


def add_repair(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "repair",
        help="bring a contrast of a reward model inside its margin",
        description="The smallest change of a reward model's head that brings a contrast inside "
        "its margin, in ranks and, with a policy, in what that would say after it was optimised. "
        "It is fitted on half of the words and prompts and judged on the other half. Out comes a "
        "model with a certificate, or the reason why there is none.",
        epilog="Exit status: 0 if the model was repaired and written, 1 if it was not, 2 on a "
        "usage error.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="the reward model, as of --rm; its head must be linear")
    add(
        "--contrast",
        required=True,
        metavar="LEXICON:CONTRAST",
        help="what to repair, such as big_two:agency~communion",
    )
    add(
        "--keep",
        required=True,
        type=Path,
        metavar="FILE",
        help="preferences whose accuracy is kept, as valuebias train reads them",
    )
    add("--policy", metavar="MODEL", help="a language model, as of --llm, whose words are kept too")
    add("--out", required=True, type=folder, metavar="DIR", help="new folder for the model")
    add(
        "--accuracy-loss",
        type=between(0, 1),
        default=0.01,
        metavar="SHARE",
        help="accuracy on --keep that may be lost at most (default 0.01)",
    )
    add_answer_cue(parser, "policy")
    suites.add_suite_options(parser)
    add_model_options(parser)
    parser.set_defaults(run=_repair)


def _repair(arguments: argparse.Namespace) -> int:
    from dataclasses import replace

    from valuebias.models.spec import check_labels, check_model
    from valuebias.repair.certificate import write
    from valuebias.repair.checkpoint import check_out
    from valuebias.repair.repair import repair
    from valuebias.scorers.bench import Bench
    from valuebias.scorers.schemes import check_language_model, parse_spec
    from valuebias.store.database import Store, default_folder

    model = parse_spec(arguments.model)
    check_model(model)
    check_out(arguments.out)
    order = _order(arguments)
    how = replace(settings(arguments), answer_cue=arguments.answer_cue)
    store = Store((arguments.cache_dir or default_folder()) / "scores.sqlite")
    with Bench(store, how, prompts=order.prompts) as bench:
        policy = None
        if arguments.policy:
            spec = parse_spec(arguments.policy, load_as="llm")
            check_language_model(spec)
            if spec.label == model.label:
                spec = replace(spec, label=f"{spec.label} (policy)")
            check_labels((model, spec))
            policy = bench.scorer(spec)
        found = repair(order, how, policy, _say)
    print("\n".join(_told(found)))
    if found.refused:
        print("Nothing was written.")
        return FAILED
    write(found, arguments.out, how)
    print(visible(f"Written: {arguments.out}"))
    return 0


def _order(arguments: argparse.Namespace) -> Order:
    from valuebias.declarations.prompts import prompts_in_force
    from valuebias.lexicons.lexicon import normal_contrast
    from valuebias.prompts import VALENCES
    from valuebias.repair.repair import Order, margins_for
    from valuebias.scorers.default_prompts import default_prompts
    from valuebias.scorers.schemes import parse_spec
    from valuebias_suites import CONTRASTS, convention

    model = parse_spec(arguments.model)
    name, _, contrast = arguments.contrast.partition(":")
    if name not in CONTRASTS or not contrast:
        raise SpecError(
            "a repair is of one contrast of a suite's lexicon",
            seen=arguments.contrast,
            remedy=f"Give for example big_two:agency~communion; suites: {', '.join(CONTRASTS)}.",
        )
    prompts = prompts_in_force(arguments.prompts or default_prompts([model]))
    lexicons = suites.lexicons(arguments)
    if name not in lexicons:
        raise SpecError(
            "the lexicon to repair is not among the suites",
            seen=name,
            remedy=f"Add --suite {name}.",
        )
    lexicon = lexicons[name]
    contrast = lexicon.contrast(normal_contrast(contrast)).name
    declared = suites.margins(arguments.margins, lexicons)

    def margin_of(contrast: str, valence: Valence, role: Declared) -> Margin | None:
        for margins in declared:
            found = margins.margin_for(lexicon, contrast, valence, role, "ci", prompts.name)
            if found is not None:
                return found
        return convention(role)

    others = {
        other: {v: m for v in VALENCES if (m := margin_of(other, v, "range")) is not None}
        for other in CONTRASTS[name]
        if other != contrast
    }
    return Order(
        model, lexicon, contrast, margins_for(margin_of, contrast, mass=bool(arguments.policy)),
        others, {suite: (lexicons[suite], CONTRASTS[suite]) for suite in lexicons}, prompts,
        arguments.keep, arguments.accuracy_loss,
    )  # fmt: skip


def _say(text: str) -> None:
    print(visible(f"valuebias: {text}"), file=sys.stderr)


def _told(found: Repaired) -> Iterator[str]:
    order, edit = found.order, found.fitted.edit
    yield visible(f"{found.files}: {order.contrast} of {order.lexicon.name}")
    yield from _wrapped(
        f"Fitted on {found.families[0]} word families and {found.prompts[0]} prompts, judged on "
        f"the other {found.families[1]} and {found.prompts[1]}. The edit is {found.size:.2f} of "
        f"the head's own size, held by: {'; '.join(edit.binding) or 'nothing'}."
    )
    if not found.policy:
        yield "Not checked: what a policy would say after optimisation (--policy)."
    for each in (*found.target, *found.besides):
        yield from _wrapped(f"  {'yes' if each.shown else 'NO '} {_line(each)}", 6)
    passing = sum(all(each.shown for each in sham) for sham in found.shams)
    yield from _wrapped(
        f"Price: the words' scores correlate {signed(found.spearman)} with the old ones. Of "
        f"{len(found.shams)} edits of the same size in random directions {passing} do the same."
    )
    for moved in found.moved:
        yield visible(
            f"  moved: {moved.lexicon} {moved.contrast}, {moved.valence} prompts: "
            f"{signed(moved.before)} to {signed(moved.after)}"
        )
    for reason in found.refused:
        yield from _wrapped(f"Refused: {reason}", 2)


def _line(found: Finding) -> str:
    if found.after is None or found.before is None or found.low is None or found.high is None:
        return f"{found.name}: {found.reason}"
    return (
        f"{found.name}: {signed(found.before)} to {signed(found.after)} "
        f"{bracketed(found.low, found.high)}, asked {found.asked}: {found.reason}"
    )


def _wrapped(text: str, indent: int = 0) -> list[str]:
    return wrap(
        visible(text.strip()), _WIDTH, initial_indent="  " if indent else "",
        subsequent_indent=" " * indent, break_on_hyphens=False,
    )  # fmt: skip
