"""Scores what the selected tests will read, each model loaded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import pytest

from pytest_valuebias.claim import claim_of
from pytest_valuebias.inputs import KEY, Inputs
from pytest_valuebias.yaml_tests import DeclaredItem
from valuebias.lexicons.ratings import Ratings
from valuebias.questions import QUESTIONS
from valuebias.training.checkpoints import TrainingRun

if TYPE_CHECKING:
    from valuebias.lexicons.lexicon import Lexicon
    from valuebias.models.spec import ModelSpec
    from valuebias.scorers.protocol import Scorer
    from valuebias.scores import Job


def prepare(items: Sequence[pytest.Item], inputs: Inputs) -> None:
    """Score what the selected shipped and declared tests will read, each model in one go.

    The bench keeps every error and raises it when a test asks for the scores.
    """
    from valuebias.errors import ValueBiasError
    from valuebias.measurement import contrast
    from valuebias.measurement.instrument import control_lexicon
    from valuebias.measurement.surfaces import surface_jobs

    # Of each model, whether it is under test (its vocabulary is read too), and the lexicons read.
    under_test: dict[ModelSpec, bool] = {}
    lexicons: dict[ModelSpec, dict[str, None]] = {}
    for item in items:
        name, models = _reads(item)
        for spec, vocabulary in models:
            under_test[spec] = under_test.get(spec, False) or vocabulary
            lexicons.setdefault(spec, {})[name] = None
    shown, tokens = _shown_besides(items, inputs), _first_tokens(items, inputs)
    # Policies first: of their tokens rewards are asked.
    for spec in sorted(under_test, key=lambda each: each not in inputs.policies):
        vocabulary = under_test[spec]
        try:
            scorer = inputs.bench.scorer(spec)
            # All that was selected, not only this process's share: whoever loads the model first
            # leaves nothing to do for the other workers.
            for asked, names in groupby(lexicons[spec], key=inputs.asked):
                read = [inputs.lexicon(name) for name in names]
                whole = asked is inputs.prompts
                written = read if inputs.thorough else []
                more = [job for each in written for job in surface_jobs(scorer, each, asked)]
                if whole:
                    more += [*shown(scorer, vocabulary), *tokens(spec)]
                else:
                    more += _alone(scorer, read, inputs)
                contrast.prepare(
                    scorer,
                    [*read, control_lexicon(asked)] if vocabulary else read,
                    prompts=asked,
                    vocabulary=vocabulary and whole,
                    besides=more,
                )
        except ValueBiasError:
            continue
    inputs.bench.release()  # the tests read from the store; nothing needs the model's memory now


def _alone(scorer: Scorer, lexicons: Sequence[Lexicon], inputs: Inputs) -> list[Job]:
    """The words of whole answers on the prompts of one word, which they are compared with."""
    from valuebias.scores import Job

    return [Job(inputs.prompts.both, scorer.candidates(each)) for each in lexicons]


def _shown_besides(
    items: Sequence[pytest.Item], inputs: Inputs
) -> Callable[[Scorer, bool], list[Job]]:
    """What reports show of a model besides what its tests read."""
    from valuebias.measurement.pair_matrix import pair_words
    from valuebias.measurement.paper import WHOLE_VOCABULARY
    from valuebias.prompts import PAPER_PROMPTS
    from valuebias.scores import Job

    words = None
    if any((claim := claim_of(item)) and claim.kind == "implicit reward" for item in items):
        lexicons = [inputs.lexicon(name) for name in inputs.lexicon_names]
        words = pair_words(inputs.values["matrix"], lexicons)

    def jobs(scorer: Scorer, vocabulary: bool) -> list[Job]:
        if vocabulary and scorer.kind != "language" and inputs.values["profile"] == "paper":
            jobs = [WHOLE_VOCABULARY] if scorer.has_vocabulary else []
            if not inputs.prompt_set.is_paper:  # the paper's own tests are always on its prompts
                read = [inputs.lexicon(name) for name in inputs.word_lexicons]
                jobs += [Job(PAPER_PROMPTS, scorer.candidates(each)) for each in read]
            return jobs
        spoken = scorer.kind != "reward"
        return [Job((inputs.prompt_set.lead,), words)] if words is not None and spoken else []

    return jobs


def _first_tokens(items: Sequence[pytest.Item], inputs: Inputs) -> Callable[[ModelSpec], list[Job]]:
    """What forecasts over whole vocabularies ask of a model, under the profile thorough."""
    from valuebias.candidates import VOCABULARY
    from valuebias.errors import ValueBiasError
    from valuebias.measurement.first_tokens import token_job
    from valuebias.models.spec import ModelSpec
    from valuebias.scores import Job

    policies: dict[object, dict[ModelSpec, None]] = {}
    for item in items if inputs.thorough else ():
        claim = claim_of(item)
        if claim is not None and claim.role == "forecast":
            assert isinstance(claim.reference, ModelSpec)
            policies.setdefault(claim.model, {})[claim.reference] = None
    spoken = {policy for each in policies.values() for policy in each}

    def jobs(spec: ModelSpec) -> list[Job]:
        scorer = inputs.bench.scorer(spec)
        asked = [Job(inputs.prompts.both, VOCABULARY)] if spec in spoken else []
        for policy in policies.get(spec, ()):
            try:
                asked.append(token_job(scorer, inputs.bench.scorer(policy), inputs.prompts))
            except ValueBiasError:
                continue  # the report says why there is nothing
        return asked

    return jobs


def _reads(item: pytest.Item) -> tuple[str, list[tuple[ModelSpec, bool]]]:
    """The lexicon and the models that a test is known to read; of which also the vocabulary."""
    if isinstance(item, DeclaredItem):
        return item.test.lexicon, [(spec, place == 0) for place, spec in enumerate(item.models)]
    claim = claim_of(item)
    if claim is None:
        return "", []
    models: list[tuple[ModelSpec, bool]] = []
    for subject in (claim.model, claim.reference):
        if isinstance(subject, TrainingRun):
            ends = (subject.models[0], subject.models[-1])
            models += [(spec, spec in ends) for spec in subject.models]
    if QUESTIONS[claim.role].beside == "base":  # its own is compared with the others
        models += [(base, False) for base in item.config.stash[KEY].bases.values()]
    elif claim.reference is not None and not isinstance(claim.reference, TrainingRun | Ratings):
        models.append((claim.reference, False))
    if not isinstance(claim.model, TrainingRun):
        models.append((claim.model, True))
    return claim.lexicon, models
