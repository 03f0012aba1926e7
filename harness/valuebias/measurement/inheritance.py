"""The question of inheritance: how much of a reward model's word preferences are its base's?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from valuebias.candidates import Vocabulary
from valuebias.format import signed, unsigned
from valuebias.lexicons.frequencies import Frequencies
from valuebias.lexicons.lexicon import Lexicon
from valuebias.lexicons.missing import unseen
from valuebias.measurement.contrast import Measurement
from valuebias.measurement.contrast_scores import lexicon_scores
from valuebias.measurement.repaired import caveat, qualified
from valuebias.measurement.tokens import table
from valuebias.prompts import PAPER, PromptSet, Valence
from valuebias.scorers.protocol import Scorer
from valuebias.scores import Scores
from valuebias.stats.facets import Facets
from valuebias.stats.inheritance import Inheritance, inheritance

_NO_FREQUENCIES = (
    "frequency is not controlled for: give --valuebias-frequencies FILE, or install "
    "pytest-valuebias[frequency]"
)


def measure_inheritance(
    scorer: Scorer,
    base: Scorer,
    others: Sequence[Scorer],
    lexicon: Lexicon,
    valence: Valence,
    *,
    frequencies: Frequencies | None = None,
    prompts: PromptSet = PAPER,
) -> Measurement:
    """Measure how much more a reward model agrees with its own base than with others.

    The covariates are the words' length, their number of tokens under the base (if it has a
    tokenizer) and their frequencies, if given. Raises ModelError, ScoresError, LexiconError or
    StatisticsError.
    """
    asked_prompts = prompts.of(valence)
    scored = [lexicon_scores(each, lexicon, asked_prompts) for each in (scorer, base, *others)]
    places = [_places(lexicon, scores) for scores in scored]
    common = [word for word in places[0] if all(word in place for place in places[1:])]
    selection = lexicon.select_all(common)  # with its coverage, of the words that all have
    asked = selection.words
    values = [s.values[:, [at[w] for w in asked]] for s, at in zip(scored, places, strict=True)]
    covariates: dict[str, npt.NDArray[np.float64]] = {
        "length": np.array([len(w) for w in asked], dtype=np.float64)
    }
    counts = token_counts(base, lexicon)
    if counts is not None:
        covariates["tokens"] = np.array([counts[w] for w in asked], dtype=np.float64)
    if frequencies is not None:
        covariates["frequency"] = np.array(frequencies.of(asked), dtype=np.float64)
    effect = inheritance(
        values[0],
        values[1],
        selection.families,
        others=values[2:],
        covariates=covariates,
        prompts=[p.factors for p in asked_prompts],
        facets=Facets.declared(selection.facets),
    )
    if frequencies is None:
        effect = replace(effect, notes=(*effect.notes, _NO_FREQUENCIES))
    effect = replace(effect, unseen=unseen(lexicon, selection))
    effect = qualified(effect, caveat(lexicon, *(each.provenance for each in scored)))
    return Measurement(
        model=scorer.name,
        reference=base.name,
        fingerprint=scorer.fingerprint,
        reference_fingerprint=base.fingerprint,
        lexicon=lexicon,
        contrast=selection.contrast.name,
        valence=valence,
        role="inheritance",
        effect=effect,
        coverages=selection.coverage,
        shared=(),
        raised_by=(),
        lowered_by=(),
        provenance=scored[0].provenance,
        top=table(scorer, prompts.lead),
        detail=_detail(effect),
        covariates=effect.covariates,
        prompts=prompts,
    )


def token_counts(base: Scorer, lexicon: Lexicon) -> dict[str, int] | None:
    """The number of tokens of each of a lexicon's words under a base, which is loaded if necessary;
    None if it has no tokenizer."""
    asked = base.candidates(lexicon)
    if isinstance(asked, Vocabulary):
        return None
    counts = base.token_counts(asked.responses)
    return None if counts is None else dict(zip(asked.responses, counts, strict=True))


def _places(lexicon: Lexicon, scores: Scores) -> dict[str, int]:
    """The lexicon's words among what was scored, each with its column."""
    selection = lexicon.select_all(scores.candidates.responses)
    return dict(zip(selection.words, selection.columns.tolist(), strict=True))


def _detail(effect: Inheritance) -> str:
    """The parts of an inheritance in words."""
    parts = [f"correlation with its own base {signed(effect.rho_own)}"]
    if effect.rho_others:
        parts.append(f"with other bases {', '.join(signed(rho) for rho in effect.rho_others)}")
    parts.append(f"noise ceiling {unsigned(effect.ceiling)}")
    if effect.of_ceiling is not None:
        parts.append(f"share of it {signed(effect.of_ceiling)}")
    parts.append(f"controlled for {', '.join(effect.covariates) or 'nothing'}")
    return "; ".join((", ".join(parts), *effect.notes))
