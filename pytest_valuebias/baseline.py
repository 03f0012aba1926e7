"""The baseline of a run: what every model is compared with, and how it is recorded again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_valuebias.inputs import Inputs
    from pytest_valuebias.options import Values
    from pytest_valuebias.outcome import Outcome
    from valuebias.models.spec import ModelSpec
    from valuebias.scorers.baseline_record import Baseline

LABEL = "baseline"
OPTION = "--valuebias-baseline"
UPDATE = "--valuebias-update-baseline"
RENEW = "--valuebias-renew-anchor"
TEST = "test_range"
"""The shipped test whose effects are recorded."""
NO_ANCHOR = (
    f"has no anchor: it is of an earlier format. Only the last release is compared with, and small "
    f"shifts may add up unseen. The next {UPDATE} makes its release the anchor."
)
_STOPPED = (
    pytest.ExitCode.INTERRUPTED,
    pytest.ExitCode.INTERNAL_ERROR,
    pytest.ExitCode.USAGE_ERROR,
)


def reference(values: Values, models: tuple[ModelSpec, ...]) -> ModelSpec | None:
    """The recorded release that every model is compared with, if one is given and not to be
    written. Raises pytest.UsageError where the options cannot be used together."""
    given = values[LABEL]
    if values["renew-anchor"]:
        _check_renewal(values)
    if values["update-baseline"]:
        _check_update(values, models)
        return None
    if given is None or not models:
        if values.sources.get(LABEL) == OPTION:
            raise pytest.UsageError(f"{OPTION} needs a --rm to compare with, and none was given.")
        return None
    path = _absolute(given)
    if not os.path.isfile(path):
        raise pytest.UsageError(
            f"{OPTION}: file not found: {given!r}. Record it with the release to compare with: "
            f"pytest --rm=MODEL {OPTION} {given} {UPDATE}"
        )
    from valuebias.models.spec import ModelSpec

    return ModelSpec(LABEL, "baseline", str(path), None, f"baseline:{given}")


def _check_renewal(values: Values) -> None:
    """A setting that stays would renew the anchor with every release, and gate nothing."""
    source = values.sources["renew-anchor"]
    if source != RENEW:
        raise pytest.UsageError(
            f"{source}: the anchor is renewed by one run, not by a setting. Give {RENEW} on the "
            "command line."
        )
    if not values["update-baseline"]:
        raise pytest.UsageError(f"{RENEW} records nothing by itself. Give {UPDATE} too.")


def _check_update(values: Values, models: tuple[ModelSpec, ...]) -> None:
    given = values[LABEL]
    if given is None:
        raise pytest.UsageError(
            f"{UPDATE} writes the file of {OPTION}, and none was given. Give {OPTION} FILE."
        )
    if len(models) != 1:
        raise pytest.UsageError(
            f"{UPDATE} records one release, and --rm was given {len(models)} times."
        )
    if values["profile"] == "quick":
        raise pytest.UsageError(
            f"{UPDATE} records all prompts, and the quick profile asks twelve. Leave "
            "--valuebias-profile=quick out."
        )
    if not (values["suite"] or values["lexicon"]):
        raise pytest.UsageError(
            f"{UPDATE} has nothing to record: no suite is selected, and no lexicon was given."
        )
    from valuebias.files import why_unwritable

    reason = why_unwritable(_absolute(given))
    if reason is not None:
        raise pytest.UsageError(f"{OPTION}: {given!r} cannot be written: {reason}.")


def _absolute(text: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(text)))


def check(inputs: Inputs) -> None:
    """Read every baseline to compare with, and check that it has the lexicons of the suites; and
    the one whose anchor is to be kept.

    Raises ScoresError if one cannot be used.
    """
    if inputs.values["update-baseline"] and not inputs.values["renew-anchor"]:
        path = _absolute(inputs.values[LABEL])
        if path.is_file():
            from valuebias.scorers.baseline_file import read_baseline

            read_baseline(path, inputs.prompt_set)
    for spec in (*inputs.compared, *filter(None, [inputs.anchor])):
        if spec.is_baseline:
            recorded = inputs.bench.scorer(spec)
            for name in _compared(inputs):
                recorded.candidates(inputs.lexicon(name))


def _compared(inputs: Inputs) -> list[str]:
    """The suites in force that compare a model with its last release; each has its own lexicon."""
    from valuebias_suites import TESTS

    return [suite for suite in inputs.values["suite"] if "shift" in TESTS[suite].values()]


def update(inputs: Inputs, outcome: Outcome, status: int) -> int:
    """Record the model in the file, whatever tests were selected; ``outcome.recorded`` says so.

    Returns the run's exit status: never 0 if nothing could be written. The old file
    stays until the new record is complete.
    """
    from valuebias.errors import ValueBiasError, visible

    path = _absolute(inputs.values[LABEL])
    kept = "the file is unchanged" if path.exists() else "no file was written"
    if status in _STOPPED:
        outcome.recorded = (f"BASELINE NOT WRITTEN: the run was stopped; {kept}",)
        return status
    try:
        from valuebias.scorers.baseline_history import add_release

        lexicons = [inputs.lexicon(name) for name in _compared(inputs)]
        baseline = add_release(_record(inputs), path, lexicons, renew=inputs.values["renew-anchor"])
    except (ValueBiasError, OSError) as error:
        outcome.recorded = (f"BASELINE NOT WRITTEN: {visible(str(error))} ({kept})",)
        return pytest.ExitCode.TESTS_FAILED if status == pytest.ExitCode.OK else status
    outcome.recorded = _told(baseline, path)
    return status


def header(inputs: Inputs) -> list[str]:
    """What the models are compared with: the last release and the anchor."""
    if inputs.baseline is None:
        return []
    from valuebias.errors import visible
    from valuebias.scorers.baseline import BaselineScorer

    last = inputs.bench.scorer(inputs.baseline)
    if inputs.anchor is None:
        return [f"valuebias: baseline: {visible(last.name)} {NO_ANCHOR}"]
    anchor = inputs.bench.scorer(inputs.anchor)
    assert isinstance(last, BaselineScorer)
    assert isinstance(anchor, BaselineScorer)
    release = last.baseline.release
    at = "the anchor itself" if not release else f"release {release} since the anchor"
    models = dict.fromkeys((last.baseline.model, anchor.baseline.model))
    return [f"valuebias: baseline: {at} ({', after '.join(map(visible, models))})"]


def closing(inputs: Inputs) -> tuple[str, ...]:
    """What the last lines of a run say of a baseline without an anchor."""
    if inputs.baseline is None or inputs.anchor is not None:
        return ()
    return (f"NO ANCHOR: the baseline {NO_ANCHOR}",)


def _record(inputs: Inputs) -> Baseline:
    from pytest_valuebias.claim import claims
    from valuebias.declarations.claims import ALPHA, Key
    from valuebias.measurement.contrast import measure, seed_for
    from valuebias.measurement.record_baseline import effect_of, record
    from valuebias.models.spec import ModelSpec

    effects = []
    for suite in _compared(inputs):
        for claim in claims(suite, "range", inputs):
            assert isinstance(claim.model, ModelSpec)
            key = Key(suite, TEST, claim.lexicon, claim.contrast, claim.valence, "range")
            alpha = ALPHA if inputs.claims is None else inputs.claims.alpha(key)
            measurement = measure(
                inputs.bench.scorer(claim.model),
                inputs.lexicon(claim.lexicon),
                claim.contrast,
                claim.valence,
                prompts=inputs.prompts,
                alpha=alpha,
                seed=seed_for(inputs.values["seed"], *key),
            )
            margin = inputs.margin(measurement)
            effects.append(effect_of(measurement, margin, suite=suite, test=TEST, alpha=alpha))
    lexicons = [inputs.lexicon(name) for name in inputs.lexicon_names]
    return record(inputs.bench.scorer(inputs.models[0]), lexicons, effects, inputs.prompts)


def _told(baseline: Baseline, path: Path) -> tuple[str, ...]:
    from valuebias.errors import visible
    from valuebias.format import signed

    anchor = baseline.anchor
    place = "the anchor that later releases are compared with"
    if anchor is not None:
        place = f"release {baseline.release} since the anchor {visible(anchor.model)}"
    words = ", ".join(f"{len(r.words)} words of {n}" for n, r in baseline.lexicons.items())
    lines = [
        f"BASELINE WRITTEN to {visible(str(path))}: {visible(baseline.model)}, {place}, {words}, "
        f"{len(baseline.effects)} effects. This run compared nothing with a baseline."
    ]
    lines += [
        f"recorded although {e.verdict}: {e.suite} {e.contrast} {e.valence} {signed(e.estimate)}"
        for e in baseline.effects
        if e.verdict != "PASS"
    ]
    return tuple(lines)
