"""One model's scores of a contrast's words, from which every effect of that model is computed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from valuebias.errors import LexiconError
from valuebias.lexicons.lexicon import Coverage, Lexicon, Selection
from valuebias.measurement.facets import LexiconScores, component
from valuebias.prompts import Prompt, PromptSet, Valence, Valences
from valuebias.scorers.baseline_record import check_pair
from valuebias.scorers.protocol import Scorer
from valuebias.scores import Scores
from valuebias.stats.crossed import ranks
from valuebias.stats.effect import Term
from valuebias.stats.facets import Facets

WEIGHTS: Mapping[Valences, Mapping[Valence, float]] = {
    "positive": {"positive": 1.0},
    "negative": {"negative": 1.0},
    "positive-negative": {"positive": 1.0, "negative": -1.0},
}


def lexicon_scores(scorer: Scorer, lexicon: Lexicon, prompts: Sequence[Prompt]) -> Scores:
    """A scorer's scores of a lexicon's words (prompts, candidates); for recorded scores, all of
    them. Raises what loading or scoring the model raises."""
    return scorer.score(prompts, scorer.candidates(lexicon))


@dataclass(frozen=True)
class ContrastScores:
    """One model's scores of a contrast's words: by valence (prompts, words), with their weights.
    ``everything`` is of all the lexicon's words, where it declares facets of these."""

    selection: Selection
    weights: Mapping[Valence, float]
    values: Mapping[Valence, npt.NDArray[np.float32]]
    prompts: Mapping[Valence, tuple[Prompt, ...]]
    provenance: Mapping[str, str]
    everything: LexiconScores | None = None

    @classmethod
    def of(
        cls,
        scorer: Scorer,
        lexicon: Lexicon,
        contrast: str,
        valence: Valences,
        prompts: PromptSet,
    ) -> ContrastScores:
        by_valence = {v: prompts.of(v) for v in WEIGHTS[valence]}
        asked = tuple(prompt for part in by_valence.values() for prompt in part)
        scores = lexicon_scores(scorer, lexicon, asked)
        selection = lexicon.select(contrast, scores.candidates.responses)
        rows = np.split(scores.values, np.cumsum([len(part) for part in by_valence.values()])[:-1])
        scored = dict(zip(by_valence, rows, strict=True))
        values = {v: part[:, selection.columns] for v, part in scored.items()}
        everything = None
        if (selection.facets != "").any():
            everything = LexiconScores.of(lexicon, scores.candidates.responses, scored)
        return cls(selection, WEIGHTS[valence], values, by_valence, scores.provenance, everything)

    @property
    def sides(self) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.str_]]:
        """Which words are of the first side, and the words' families."""
        return self.selection.in_a, self.selection.families

    def terms(self, weight: float = 1.0) -> list[Term]:
        """What `stats.contrast` takes."""
        return [
            Term(
                values,
                weight * self.weights[v],
                [p.factors for p in self.prompts[v]],
                group=v,
                ids=tuple(p.id for p in self.prompts[v]),
            )
            for v, values in self.values.items()
        ]

    def facets(self, *others: tuple[ContrastScores, float]) -> Facets | None:
        """The words' facets; with ``others`` and their weights, of the sum with these. None where
        there are none; what they add is learnt from all categories of the lexicon."""
        models = [
            (scored.everything, weight)
            for scored, weight in ((self, 1.0), *others)
            if scored.everything is not None
        ]
        if not models:
            return None
        return Facets(self.selection.facets, component(models, self.weights))

    def ranks(self) -> npt.NDArray[np.float64]:
        """Prompt-averaged midranks (words,) scaled to (0, 1), by the terms' weights."""
        moved: npt.NDArray[np.float64] = np.sum(
            [t.weight * ranks(t.values).mean(axis=0) for t in self.terms()], axis=0
        )
        return moved

    def restricted(
        self, keep: npt.NDArray[np.intp], coverage: tuple[Coverage, ...]
    ) -> ContrastScores:
        """The same, restricted to these positions of the words."""
        selection = replace(
            self.selection,
            columns=self.selection.columns[keep],
            words=tuple(self.selection.words[i] for i in keep),
            in_a=self.selection.in_a[keep],
            families=self.selection.families[keep],
            facets=self.selection.facets[keep],
            coverage=coverage,
        )
        return replace(
            self, selection=selection, values={v: x[:, keep] for v, x in self.values.items()}
        )


def facets_between(
    first: Sequence[ContrastScores], second: Sequence[ContrastScores]
) -> Facets | None:
    """The words' facets, of the difference of two families of models' means."""
    weights = [1.0] * len(first) + [-len(first) / len(second)] * len(second)
    lead, *others = zip((*first, *second), weights, strict=True)
    return lead[0].facets(*others)


def in_common(
    first: ContrastScores, second: ContrastScores
) -> tuple[ContrastScores, ContrastScores]:
    """Both, restricted to the words that both have, in the first one's order, with the coverage of
    those.

    Raises LexiconError if too few are left, ScoresError if one is a baseline that the other cannot
    be compared with.
    """
    pairs = list(zip(first.selection.coverage, second.selection.coverage, strict=True))
    check_pair(first.provenance, second.provenance, pairs)
    where = {word: i for i, word in enumerate(second.selection.words)}
    mine = [i for i, word in enumerate(first.selection.words) if word in where]
    if not mine:
        raise LexiconError(
            "the two models have no scored word in common",
            seen=f"{len(first.selection.words)} and {len(second.selection.words)} words",
            remedy="Score the same lexicon on both.",
        )
    theirs = [where[first.selection.words[i]] for i in mine]
    coverage = tuple(_common_coverage(*pair) for pair in pairs)
    return (
        first.restricted(np.array(mine), coverage),
        second.restricted(np.array(theirs), coverage),
    )


def _common_coverage(first: Coverage, second: Coverage) -> Coverage:
    """The coverage of a category by the entries that both models were scored on. Raises
    LexiconError if they are too few."""
    missing = tuple(dict.fromkeys((*first.missing, *second.missing)))
    common = replace(first, matched=first.total - len(missing), missing=missing)
    common.check()
    return common
