"""The families' question: do models of one base prefer a category more than models of another?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from valuebias.lexicons.lexicon import Coverage, Lexicon
from valuebias.lexicons.missing import unseen
from valuebias.measurement.contrast import Measurement
from valuebias.measurement.contrast_scores import ContrastScores, facets_between, in_common
from valuebias.measurement.influence import InfluentialWord, influential_words
from valuebias.measurement.repaired import caveat, qualified
from valuebias.measurement.tokens import TopTokens
from valuebias.prompts import PAPER, PromptSet, Valences
from valuebias.questions import QUESTIONS, unit_of
from valuebias.scorers.protocol import Scorer
from valuebias.stats.family import Family, families_of_terms


@dataclass(frozen=True)
class FamilyMeasurement:
    """The difference of two families, and its words: those that every model was scored on.

    Above zero the first family prefers the contrast's first side more than the second family does.
    """

    first: tuple[str, ...]
    second: tuple[str, ...]
    lexicon: Lexicon
    contrast: str
    valence: Valences
    family: Family
    coverages: tuple[Coverage, ...]
    shared: tuple[str, ...]
    raised_by: tuple[InfluentialWord, ...]
    lowered_by: tuple[InfluentialWord, ...]
    prompts: PromptSet = PAPER

    def measurement(self, first: str, second: str, fingerprints: tuple[str, str]) -> Measurement:
        """The same as a `Measurement`, under the two families' names."""
        return Measurement(
            model=first,
            reference=second,
            fingerprint=fingerprints[0],
            reference_fingerprint=fingerprints[1],
            lexicon=self.lexicon,
            contrast=self.contrast,
            valence=self.valence,
            role="family",
            effect=self.family.effect,
            coverages=self.coverages,
            shared=self.shared,
            raised_by=self.raised_by,
            lowered_by=self.lowered_by,
            provenance={},
            top=TopTokens(self.prompts.lead, "", 0, left_out="several models are compared"),
            prompts=self.prompts,
        )

    @property
    def rests_on(self) -> str:
        """One line: lexicon, words, families, coverage, models, prompts, units."""
        effect, lexicon = self.family.effect, self.lexicon
        kind = " (starter, not validated)" if lexicon.starter else ""
        matched, total = (sum(getattr(c, n) for c in self.coverages) for n in ("matched", "total"))
        return (
            f"{lexicon.name}{kind} sha256:{lexicon.digest[:12]}: {sum(effect.n_words)} words in "
            f"{sum(effect.n_families)} families, coverage {matched / total:.1%}; "
            f"{len(self.first)} and {len(self.second)} models; "
            f"{self.prompts.counted(effect.n_prompts)}; "
            f"{unit_of(QUESTIONS['family'], self.valence)}, {effect.method}"
        )


def measure_family(
    first: Sequence[Scorer],
    second: Sequence[Scorer],
    lexicon: Lexicon,
    contrast: str,
    valence: Valences,
    *,
    prompts: PromptSet = PAPER,
    alpha: float = 0.05,
    seed: int = 0,
) -> FamilyMeasurement:
    """Compare two families of reward models over the same words and prompts.

    Raises what loading or scoring a model raises; LexiconError if too few words are left that all
    were scored on; StatisticsError if so few models cannot give a p as small as ``alpha``.
    """
    scored = [
        ContrastScores.of(each, lexicon, contrast, valence, prompts) for each in (*first, *second)
    ]
    common = scored[0]
    for other in scored[1:]:
        common, _ = in_common(common, other)
    same = [in_common(common, other)[1] for other in scored]
    terms = [each.terms() for each in same]
    family = families_of_terms(
        terms[: len(first)],
        terms[len(first) :],
        *common.sides,
        facets=facets_between(same[: len(first)], same[len(first) :]),
        alpha=alpha,
        seed=seed,
    )
    effect = replace(family.effect, unseen=unseen(lexicon, common.selection))
    fitted = caveat(lexicon, *(each.provenance for each in scored))
    family = replace(family, effect=qualified(effect, fitted))
    # What one family's models rank higher than the other's, on average.
    ranks = np.array([each.ranks() for each in same])
    moved = ranks[: len(first)].mean(axis=0) - ranks[len(first) :].mean(axis=0)
    lowered, raised = influential_words(moved, common.selection)
    return FamilyMeasurement(
        first=tuple(scorer.name for scorer in first),
        second=tuple(scorer.name for scorer in second),
        lexicon=lexicon,
        contrast=common.selection.contrast.name,
        valence=valence,
        family=family,
        coverages=common.selection.coverage,
        shared=common.selection.shared,
        raised_by=raised,
        lowered_by=lowered,
        prompts=prompts,
    )
