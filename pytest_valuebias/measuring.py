"""Measures what a shipped test claims."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_valuebias.claim import Claim, terms
from pytest_valuebias.inputs import Inputs
from valuebias.lexicons.ratings import Ratings
from valuebias.measurement.answers import measure_answers
from valuebias.measurement.contrast import Measurement, measure
from valuebias.measurement.drift import measure_drift, measure_gap
from valuebias.measurement.forecast import measure_forecast
from valuebias.measurement.human import beside_people, measure_human
from valuebias.measurement.inheritance import measure_inheritance
from valuebias.training.checkpoints import TrainingRun


def measured(item: pytest.Item, claim: Claim, inputs: Inputs) -> Measurement:
    """The measurement of a claim, at its own level and with its own seed. Raises what loading or
    scoring its models raises."""
    lexicon = inputs.lexicon(claim.lexicon)
    of = terms(item, inputs, lexicon.name, claim.contrast, claim.valence, claim.role)
    asked = (lexicon, claim.contrast, claim.valence)
    if isinstance(claim.model, TrainingRun):
        how: dict[str, Any] = {"prompts": inputs.prompts, "alpha": of.alpha, "seed": of.seed}
        if isinstance(claim.reference, TrainingRun):
            return measure_gap(inputs.bench, claim.model, claim.reference, *asked, **how)[0]
        return measure_drift(inputs.bench, claim.model, *asked, **how)[0]
    assert not isinstance(claim.reference, TrainingRun)
    scorer = inputs.bench.scorer(claim.model)
    if isinstance(claim.reference, Ratings):
        return measure_human(
            scorer, claim.reference, lexicon, claim.valence, prompts=inputs.prompts
        )
    against = None if claim.reference is None else inputs.bench.scorer(claim.reference)
    if claim.role == "forecast" and against is not None:
        return measure_forecast(scorer, against, *asked, prompts=inputs.prompts).measurement()
    if claim.role == "answers":
        return measure_answers(
            scorer,
            *asked,
            frames=inputs.asked(claim.lexicon),
            alone=inputs.prompts,
            frequencies=inputs.frequencies,
            alpha=of.alpha,
            seed=of.seed,
        )
    if claim.role == "inheritance" and against is not None:
        return measure_inheritance(
            scorer,
            against,
            inputs.other_bases(claim.model),
            lexicon,
            claim.valence,
            frequencies=inputs.frequencies,
            prompts=inputs.prompts,
        )
    found = measure(
        scorer,
        *asked,
        against=against,
        prompts=inputs.prompts,
        frequencies=inputs.frequencies,
        surfaces=inputs.thorough,
        alpha=of.alpha * inputs.share(scorer, against),
        seed=of.seed,
    )
    if claim.role == "top":
        return found.top_share()
    return beside_people(found, scorer, inputs.people)
