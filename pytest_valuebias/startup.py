"""Makes a run's inputs from the options, and checks all that can be checked before the run."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_valuebias import baseline, options
from pytest_valuebias.inputs import ANCHOR, Inputs
from pytest_valuebias.report import files

if TYPE_CHECKING:
    from valuebias.lexicons.ratings import Ratings
    from valuebias.models.spec import ModelSpec
    from valuebias.training.category_ranks import CategoryRanks
    from valuebias.training.checkpoints import TrainingRun


def read(config: pytest.Config) -> Inputs:
    """Read the options; raises pytest.UsageError on an invalid one."""
    values = options.read(config)
    models = _specs(values["rm"], "--rm")
    references = _specs(values["reference"], "--reference")
    language_models = _specs(values["llm"], "--llm")
    policies = _specs(values["policy"], "--policy")
    people = _people(values["human"], values["cache-dir"])
    runs, ranks = _runs(values["checkpoints"])
    if references and not models:
        raise pytest.UsageError("--reference needs a --rm to compare with, and none was given.")
    if policies and not models:
        raise pytest.UsageError("--policy needs a --rm to be optimised against; none was given.")
    if people and not (models or language_models):
        raise pytest.UsageError("--human needs a --rm or --llm to compare with; none was given.")
    if values["require-model"] and not (models or language_models or runs):
        raise pytest.UsageError("--valuebias-require-model: no model was given. Give --rm=MODEL.")
    if not (models or language_models or runs or ranks):
        files.check_subject(values)
    recorded = baseline.reference(values, models)
    anchor = () if recorded is None else (recorded, replace(recorded, label=ANCHOR))
    _check_labels(models + references + anchor)
    _check_labels(language_models)
    _check_labels(policies)
    return Inputs(
        values=values,
        models=models,
        references=references,
        language_models=language_models,
        policies=policies,
        people=people,
        runs=runs,
        bases=_bases(values["base"], models),
        controls=_beside("--valuebias-control", values["control"], models),
        lexicon_files=_lexicon_files(values["lexicon"], values["cache-dir"]),
        is_worker=hasattr(config, "workerinput"),
        baseline=recorded,
        selection=_select(config, models),
        category_ranks=ranks,
    )


def check(inputs: Inputs) -> None:
    """Read every file the options name; raises pytest.UsageError before anything is run."""
    from valuebias.errors import ValueBiasError

    try:
        _ = inputs.prompt_set, inputs.margins, inputs.bench, inputs.claims
        if inputs.values["frequencies"]:
            _ = inputs.frequencies
        baseline.check(inputs)
        files.check(inputs)
    except ValueBiasError as error:
        raise pytest.UsageError(str(error)) from None
    if inputs.selection:
        from pytest_valuebias.claim import check_selection

        check_selection(inputs)


def _select(config: pytest.Config, models: tuple[ModelSpec, ...]) -> tuple[str, ...]:
    """Remove shipped node ids, which are not files, from the arguments; in every process."""
    ids = [arg for arg in config.args if arg.startswith("valuebias/") and not os.path.exists(arg)]
    if ids and not models:
        raise pytest.UsageError(f"{ids[0]} is a shipped test, which needs --rm=MODEL")
    config.args = [arg for arg in config.args if arg not in ids]
    return tuple(ids)


def _specs(texts: Iterable[str], option: str) -> tuple[ModelSpec, ...]:
    if not texts:
        return ()
    from valuebias.errors import SpecError
    from valuebias.models.spec import check_model
    from valuebias.scorers.schemes import check_language_model, parse_spec

    spoken = option in ("--llm", "--base", "--policy")
    try:
        specs = tuple(parse_spec(text, load_as="llm" if spoken else "rm") for text in texts)
        for spec in specs:
            if spoken:
                check_language_model(spec)
            elif option != "--reference":
                check_model(spec)
        return specs
    except SpecError as error:
        raise pytest.UsageError(f"{option}: {error}") from None


def _runs(
    texts: Iterable[str],
) -> tuple[tuple[TrainingRun, ...], tuple[CategoryRanks, ...]]:
    """The training runs, and the files of category ranks."""
    if not texts:
        return (), ()
    from valuebias.errors import ScoresError, SpecError
    from valuebias.training.category_ranks import check_labels, names_ranks, parse_ranks
    from valuebias.training.checkpoints import check_runs, parse_runs

    try:
        runs = tuple(run for text in texts if not names_ranks(text) for run in parse_runs(text))
        check_runs(runs)
        ranks = tuple(parse_ranks(text) for text in texts if names_ranks(text))
        check_labels(ranks)
    except (ScoresError, SpecError) as error:
        raise pytest.UsageError(f"--valuebias-checkpoints: {error}") from None
    return runs, ranks


def _people(texts: Iterable[str], cache_dir: str | None) -> tuple[Ratings, ...]:
    """The ratings of ``--human``, read now: which columns they are in is settled before a run."""
    if not texts:
        return ()
    from valuebias.errors import ValueBiasError
    from valuebias.lexicons.ratings import load_ratings
    from valuebias.models.spec import check_distinct

    try:
        folder = Path(cache_dir).expanduser() if cache_dir else None
        people = tuple(load_ratings(text, folder) for text in texts)
        check_distinct(
            people, "ratings", lambda r: r.text, lambda r: r.text.removeprefix(f"{r.label}=")
        )
    except ValueBiasError as error:
        raise pytest.UsageError(f"--human: {error}") from None
    return people


def _check_labels(specs: tuple[ModelSpec, ...]) -> None:
    if len(specs) < 2:
        return
    from valuebias.errors import SpecError
    from valuebias.models.spec import check_labels

    try:
        check_labels(specs)
    except SpecError as error:
        raise pytest.UsageError(str(error)) from None


def _bases(texts: tuple[str, ...], models: tuple[ModelSpec, ...]) -> Mapping[str, ModelSpec]:
    bases = _beside("--base", texts, models)
    # A family is known by its base's label: two bases with one label would be one family.
    _check_labels(tuple({base.source: base for base in bases.values()}.values()))
    return bases


def _beside(
    option: str, texts: tuple[str, ...], models: tuple[ModelSpec, ...]
) -> Mapping[str, ModelSpec]:
    """What belongs to each ``--rm``, by its label: given in their order, or as RM=SPEC."""
    if not texts:
        return {}
    labels = [model.label for model in models]
    named: dict[str, str] = {}
    for text in texts:
        label, equals, spec = text.partition("=")
        if equals and not Path(text).exists():
            if label not in labels or label in named or not spec:
                raise pytest.UsageError(
                    f"{option} is {text!r}, and {label!r} is not the label of one --rm. "
                    f"The labels are {', '.join(labels)}."
                )
            named[label] = spec
    if len(named) == len(texts):
        return {label: _specs([spec], option)[0] for label, spec in named.items()}
    if len(texts) == len(labels) and not named:
        return dict(zip(labels, _specs(texts, option), strict=True))
    raise pytest.UsageError(
        f"{option} was given {len(texts)} times for {len(labels)} reward models "
        f"({', '.join(labels)}). "
        f"Give one {option} for each --rm, in their order, or {option} RM=SPEC with the label of a "
        "--rm."
    )


def _lexicon_files(texts: Iterable[str], cache_dir: str | None) -> Mapping[str, Path]:
    if not texts:
        return {}
    from valuebias.errors import ValueBiasError
    from valuebias.lexicons.in_force import lexicon_files

    try:
        return lexicon_files(texts, Path(cache_dir).expanduser() if cache_dir else None)
    except ValueBiasError as error:
        raise pytest.UsageError(f"--valuebias-lexicon: {error}") from None
