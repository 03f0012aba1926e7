"""``valuebias plan``: what a run will find out, before it is made."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from valuebias.cli import suites
from valuebias.cli.options import add_model_options, between, settings
from valuebias.cli.suites import add_suite_options
from valuebias.errors import SpecError
from valuebias.files import why_unwritable, write_whole

if TYPE_CHECKING:
    from valuebias.declarations.margins import Profile
    from valuebias.lexicons.lexicon import Lexicon
    from valuebias.measurement.plan import Basis
    from valuebias.models.spec import ModelSpec
    from valuebias.prompts import PromptSet
    from valuebias.scorers.bench import Bench


def add_plan(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the parser of ``valuebias``."""
    parser = commands.add_parser(
        "plan",
        help="tell before a run how likely its verdicts are, and what it will take",
        description="The chances that each claim of test_range, and the whole run, will PASS, FAIL "
        "or stay INCONCLUSIVE where the model has no effect, half the margin, the margin and twice "
        "it; the word families and adjectives that a PASS needs; the forwards and, with --rm, the "
        "time. Variances are the means of ten public reward models, or those of a pilot.",
        epilog="Exit status: 0 if the plan was made, whatever it says; 2 on a usage error.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add_suite_options(parser)
    add(
        "--profile",
        choices=("quick", "ci", "thorough", "paper"),
        default="ci",
        help="profile of the run (default ci); under quick nothing can pass",
    )
    add(
        "--pilot",
        metavar="SPEC",
        help="take the variances from this model's scores: scores:FILE, or a model, whose missing "
        "scores are computed",
    )
    add(
        "--rm",
        metavar="SPEC",
        help="the model to be run: count what is not stored yet, and time a prompt of it",
    )
    add(
        "--policy",
        action="append",
        default=[],
        metavar="SPEC",
        help="with --rm: count and time the rewards of this language model's tokens too, as the "
        "profile thorough and `valuebias forecast --vocabulary` ask for them; repeatable",
    )
    add("--answers", action="store_true", help="tell what the suite of whole answers takes too")
    add(
        "--alpha",
        type=between(0, 0.5),
        default=0.05,
        metavar="A",
        help="error of a claim (default 0.05)",
    )
    add("--json", type=Path, metavar="FILE", help="write the plan as JSON too")
    add_model_options(parser)
    parser.set_defaults(run=_plan)


def _plan(arguments: argparse.Namespace) -> int:
    from rich.console import Console

    from valuebias.cli.plan_table import document, shown, whole_answers
    from valuebias.declarations.prompts import prompts_in_force
    from valuebias.measurement.answers_work import answers_work
    from valuebias.measurement.plan import claims_of
    from valuebias.measurement.planned_run import make_plan
    from valuebias.measurement.workload import timed, workload
    from valuebias.prompts import PAPER
    from valuebias.scorers.bench import Bench
    from valuebias.scorers.default_prompts import default_prompts
    from valuebias.store.database import Store, default_folder
    from valuebias_suites import CONTRASTS

    # Every usage error is reported before anything is computed.
    pilot, model = (_spec(text) for text in (arguments.pilot, arguments.rm))
    policies = [_policy(text) for text in arguments.policy]
    if policies and model is None:
        raise SpecError(
            "the rewards of a policy's tokens are a model's",
            seen=arguments.policy[0],
            remedy="Give --rm too.",
        )
    of_run = PAPER if arguments.profile == "paper" else default_prompts([model] if model else [])
    whole = prompts_in_force(arguments.prompts or of_run)
    prompts = whole.quick if arguments.profile == "quick" else whole
    lexicons = suites.lexicons(arguments)
    margins = suites.margins(arguments.margins, lexicons)
    _check_json(arguments.json)
    store = Store((arguments.cache_dir or default_folder()) / "scores.sqlite")
    with Bench(store, settings(arguments), prompts=prompts) as bench:
        basis = _basis(pilot, bench, lexicons, prompts)
        profile: Profile = "ci" if arguments.profile == "thorough" else arguments.profile
        claims = claims_of(CONTRASTS, lexicons, margins, prompts, profile, basis.source)
        can_pass = arguments.profile != "quick"
        plan = make_plan(claims, basis.between_valences, alpha=arguments.alpha, can_pass=can_pass)
        asked = list(lexicons.values())
        if model is None:
            work = workload(asked, prompts, arguments.profile)
        else:
            spoken = [bench.scorer(policy) for policy in policies]
            work = timed(bench.scorer(model), bench, asked, prompts, arguments.profile, spoken)
        answers = None
        if arguments.answers:
            tested = None if model is None else bench.scorer(model)
            answers = answers_work(asked, store, tested, quick=not can_pass)
    notes = [*basis.notes, *([whole_answers(answers)] if answers else [])]
    if not can_pass:
        notes.append("The profile quick is for a first look: nothing can pass under it.")
    Console(highlight=False, width=80).print(shown(plan, work, prompts, basis.told, notes))
    if arguments.json is not None:
        planned = document(plan, work, prompts, basis.told, arguments.alpha)
        if answers is not None:
            planned["answers"] = asdict(answers)
        write_whole(arguments.json, f"{json.dumps(planned, indent=1)}\n".encode())
    return 0


def _spec(text: str | None) -> ModelSpec | None:
    from valuebias.models.spec import check_model
    from valuebias.scorers.schemes import parse_spec

    if text is None:
        return None
    spec = parse_spec(text)
    check_model(spec)
    return spec


def _policy(text: str) -> ModelSpec:
    from valuebias.scorers.schemes import check_language_model, parse_spec

    spec = parse_spec(text, load_as="llm")
    check_language_model(spec)
    return spec


def _basis(
    pilot: ModelSpec | None,
    bench: Bench,
    lexicons: Mapping[str, Lexicon],
    prompts: PromptSet,
) -> Basis:
    """The pilot's variances, or the panel's."""
    from valuebias.declarations.spreads import load_spreads
    from valuebias.measurement.plan import panel_basis, pilot_basis
    from valuebias_suites import CONTRASTS, SPREADS

    if pilot is None:
        return panel_basis(load_spreads(SPREADS), lexicons, prompts)
    basis = pilot_basis(bench.scorer(pilot), lexicons, CONTRASTS, prompts)
    bench.release()
    return basis


def _check_json(path: Path | None) -> None:
    reason = None if path is None else why_unwritable(path)
    if reason is not None:
        raise SpecError(
            f"the plan cannot be written: {reason}",
            seen=path,
            remedy="Give --json a file in a folder that you can write to.",
        )
