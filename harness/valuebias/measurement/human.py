"""The question of people: does a model prefer what they rate higher?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from valuebias.format import signed
from valuebias.lexicons.lexicon import Lexicon
from valuebias.lexicons.missing import unseen
from valuebias.lexicons.ratings import Ratings
from valuebias.measurement.contrast import Measurement
from valuebias.measurement.contrast_scores import ContrastScores, lexicon_scores
from valuebias.measurement.covariates import coverage_of, rated
from valuebias.measurement.people import in_people
from valuebias.measurement.tokens import NOT_SEARCHED
from valuebias.prompts import PAPER, PromptSet, Valence
from valuebias.scorers.protocol import Scorer
from valuebias.stats.crossed import ranks
from valuebias.stats.facets import Facets
from valuebias.stats.kendall import rank_agreement

_NAMED = 5


def measure_human(
    scorer: Scorer,
    ratings: Ratings,
    lexicon: Lexicon,
    valence: Valence,
    *,
    prompts: PromptSet = PAPER,
) -> Measurement:
    """Measure how far a model's order of a lexicon's words is that of people's ratings.

    It is of the words that were both scored and rated; its coverage says how many of the lexicon
    these are. Positive means that what is rated higher is preferred on prompts of this ``valence``,
    so that a model which shares people's taste has a positive one where the best is asked for.
    Raises ModelError, ScoresError, LexiconError, and StatisticsError for fewer than 10 rated word
    families.
    """
    asked = prompts.of(valence)
    scores = lexicon_scores(scorer, lexicon, asked)
    everything = lexicon.select_all(scores.candidates.responses)
    keep = rated(everything, ratings)
    words = [everything.words[i] for i in keep]
    people = np.array([ratings(word) for word in words])
    values = scores.values[:, everything.columns[keep]]
    effect = rank_agreement(
        values,
        people,
        everything.families[keep],
        prompts=[p.factors for p in asked],
        facets=Facets.declared(everything.facets[keep]),
    )
    return Measurement(
        model=scorer.name,
        reference=ratings.label,
        fingerprint=scorer.fingerprint,
        reference_fingerprint=ratings.fingerprint,
        lexicon=lexicon,
        contrast=everything.contrast.name,
        valence=valence,
        role="human",
        effect=replace(effect, unseen=unseen(lexicon, everything)),
        coverages=coverage_of(words, everything, lexicon),
        shared=(),
        raised_by=(),
        lowered_by=(),
        provenance=scores.provenance,
        top=NOT_SEARCHED,
        detail=_detail(ratings, everything.words, words, values, people, effect.by_spelling),
        prompts=prompts,
    )


def beside_people(measured: Measurement, scorer: Scorer, people: Sequence[Ratings]) -> Measurement:
    """The measurement with the same contrast in people's ratings: of a model alone, on positive
    prompts. People were not asked for the worst, nor to compare models."""
    alone = measured.reference is None and not measured.covariates
    if not people or not alone or measured.valence != "positive":
        return measured
    asked = measured.lexicon, measured.contrast, measured.valence, measured.prompts
    scored = ContrastScores.of(scorer, *asked)
    return replace(measured, in_people=in_people(scored, measured.lexicon, people))


def _detail(
    ratings: Ratings,
    asked: Sequence[str],
    words: Sequence[str],
    values: npt.NDArray[np.float32],
    people: npt.NDArray[np.float64],
    by_spelling: float | None,
) -> str:
    """What was rated, what was left out, and where the two orders are furthest apart."""
    parts = [f"{len(words)} of {len(asked)} words are rated in {ratings.source}"]
    if by_spelling is not None:
        parts.append(f"tau-b with every spelling counted alike {signed(by_spelling)}")
    if twice := ratings.ambiguous(asked):
        parts.append(f"left out, rated in several spellings: {', '.join(twice)}")
    parts += ratings.notes
    apart = ranks(values).mean(axis=0) - ranks(people[None])[0]
    order = np.argsort(apart, kind="stable")
    for what, places in (("higher", order[::-1]), ("lower", order)):
        named = [words[i] for i in places[:_NAMED] if (apart[i] > 0) == (what == "higher")]
        if named:
            parts.append(f"ranked {what} than by people: {', '.join(named)}")
    parts.append("people gave each word one rating, and were not asked these prompts")
    return "; ".join(parts)
