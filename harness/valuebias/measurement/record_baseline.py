"""Records a release as a baseline with which later releases are compared."""

from __future__ import annotations

from collections.abc import Sequence

from valuebias.errors import ScoresError, SpecError, StatisticsError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import Measurement
from valuebias.measurement.contrast_scores import lexicon_scores
from valuebias.prompts import PAPER, PromptSet
from valuebias.scorers.baseline_file import tool_version
from valuebias.scorers.baseline_record import Baseline, Ranking, RecordedEffect, facts
from valuebias.scorers.protocol import Scorer
from valuebias.stats.verdict import Margin, judge


def record(
    scorer: Scorer,
    lexicons: Sequence[Lexicon],
    effects: Sequence[RecordedEffect],
    prompts: PromptSet = PAPER,
) -> Baseline:
    """The record of a reward model: the ranks of the lexicons' words on the prompts of a set.

    Scores what is not stored yet. Raises what scoring raises; ScoresError if a lexicon's words were
    not scored, or if the lexicons were not scored in the same way.
    """
    about: dict[str, str] | None = None
    rankings = {}
    for lexicon in lexicons:
        scores = lexicon_scores(scorer, lexicon, prompts.prompts)
        if "baseline" in scores.provenance:
            raise SpecError(
                "a baseline is the record of a release, not a model",
                seen=scorer.name,
                remedy="Record the model itself.",
            )
        kept = facts(scores.provenance)
        if about is not None and kept != about:
            raise ScoresError(
                f"the lexicons of {scorer.name} were not scored in the same way",
                seen="; ".join(f"{key} {value}" for key, value in kept.items() - about.items()),
                remedy="Give another folder as cache-dir, to compute them again.",
            )
        about = kept
        rankings[lexicon.name] = Ranking.of(scores, lexicon)
    baseline = Baseline(
        scorer.name, about or {}, rankings, tuple(effects), tool_version(), prompts=prompts
    )
    for lexicon in lexicons:
        baseline.ranking(lexicon)  # what is written can be read: the effects follow from the ranks
    return baseline


def effect_of(
    measurement: Measurement,
    margin: Margin | None,
    *,
    suite: str,
    test: str,
    alpha: float = 0.05,
) -> RecordedEffect:
    """The record of one claim in a baseline, with the verdict that the margin gives at ``alpha``.

    Raises StatisticsError for a difference between models or valences.
    """
    effect, valence = measurement.effect, measurement.valence
    if measurement.role != "range" or valence == "positive-negative":
        raise StatisticsError(
            "a baseline can only record effects of one model for one valence",
            seen=f"{measurement.role}, {valence}",
            remedy="Measure without a reference.",
        )
    verdict = "NO MARGIN"
    if margin is not None:
        try:
            verdict = judge(effect, margin, alpha=alpha).outcome.name
        except StatisticsError:  # a margin that these data can never settle
            verdict = "ERROR"
    return RecordedEffect(
        suite=suite,
        test=test,
        lexicon=measurement.lexicon.name,
        contrast=measurement.contrast,
        valence=valence,
        role=measurement.role,
        estimate=effect.estimate,
        low=effect.low,
        high=effect.high,
        level=effect.level,
        verdict=verdict,
        margin=None if margin is None else (margin.low, margin.high),
    )
