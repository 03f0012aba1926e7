"""The paper's own tests of models on a lexicon, and the valid comparison beside them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import numpy as np

from valuebias.candidates import VOCABULARY
from valuebias.errors import LexiconError, StatisticsError, ValueBiasError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast_scores import (
    WEIGHTS,
    ContrastScores,
    facets_between,
    in_common,
)
from valuebias.measurement.tokens import VOCABULARY_LIMIT
from valuebias.prompts import PAPER, PAPER_PROMPTS, PromptSet, Valences
from valuebias.scorers.protocol import Scorer
from valuebias.scores import Job
from valuebias.stats.family import Family, families_of_terms
from valuebias.stats.paper.anova import Anova, anova
from valuebias.stats.paper.mixed import (
    Coefficient,
    MixedModel,
    mixed_model,
    three_way_by_models,
)
from valuebias.stats.paper.ranks import VALENCES, Cell, MedianRanks, cells, median_ranks

NAMES = ("mixed-model", "anova", "welch", "permutation-t")
"""The names of the paper's tests."""

_T = TypeVar("_T")


@dataclass(frozen=True)
class PaperTests:
    """The paper's tests of all models on one lexicon: reproduction only.

    ``medians`` covers every model; ``compared``, and so ``cells`` and ``mixed``, those with a base,
    where there are two bases; ``anova`` exactly two models. ``by_models`` is the mixed model's
    three-way contrast with models for the sample; ``honest`` holds, for each valence and for
    "positive-negative", the family comparison whose units are models and word families, positive
    where the alphabetically first base's models prefer the lexicon's first category more. What
    could not be computed is None (or missing), and ``problems`` says why, by the test's name.
    """

    lexicon: Lexicon
    contrast: str
    medians: MedianRanks
    compared: MedianRanks | None
    cells: tuple[Cell, ...]
    mixed: MixedModel | None
    anova: Anova | None
    by_models: Coefficient | None
    honest: Mapping[str, Family]
    problems: Mapping[str, str]

    def p(self, name: str) -> float:
        """The p that decides the test of this name: of the three-way interaction (mixed-model,
        anova), or the largest over all cells, Bonferroni-corrected (welch, permutation-t).

        Raises StatisticsError if the test could not be computed, or the name is unknown.
        """
        if name not in NAMES:
            raise StatisticsError(
                "unknown test of the paper", seen=name, remedy=f"Give one of {', '.join(NAMES)}."
            )
        if name == "mixed-model" and self.mixed is not None:
            return self.mixed.three_way.p
        if name == "anova" and self.anova is not None:
            return self.anova.three_way.p
        if name == "welch" and self.cells:
            return max(cell.p_bonferroni for cell in self.cells)
        if name == "permutation-t" and self.cells:
            return min(1.0, len(self.cells) * max(cell.perm_p for cell in self.cells))
        raise StatisticsError(
            f"the paper's {name} could not be computed",
            seen=self.problems.get(name, "no result"),
            remedy="Give the models and bases it compares.",
        )


WHOLE_VOCABULARY = Job(PAPER_PROMPTS, VOCABULARY, time_limit=VOCABULARY_LIMIT)
"""A search of a model's vocabulary for all 54 prompts, if that fits the time limit."""


def vocabulary_left_out(scorer: Scorer) -> str | None:
    """Why a model's vocabulary was not searched for all 54 prompts; None if it was."""
    return scorer.left_out(PAPER_PROMPTS, VOCABULARY, time_limit=VOCABULARY_LIMIT)


def paper_tests(
    models: Sequence[Scorer],
    lexicon: Lexicon,
    bases: Mapping[str, str],
    *,
    quick: bool = False,
    seed: int = 0,
) -> PaperTests:
    """Run the paper's tests over several models; ``bases`` gives models' base families by label.
    They are always on the paper's prompts, ``quick`` on six of each valence.

    Words are those of the lexicon's two categories that every model was scored on. Raises
    LexiconError for a lexicon of more or fewer categories, and what scoring a model raises.
    """
    names = tuple(lexicon.categories)
    if len(names) != 2:
        raise LexiconError(
            "the paper's tests need a lexicon of two categories",
            seen=f"{lexicon.name} has {len(names)}",
            remedy="Give a lexicon of two categories.",
        )
    contrast = "~".join(names)
    scored = _in_common(models, lexicon, contrast, PAPER.quick if quick else PAPER)
    first = next(iter(scored.values()))
    medians = median_ranks(
        {label: np.concatenate([s.values[v] for v in VALENCES]) for label, s in scored.items()},
        bases,
        [names[0] if a else names[1] for a in first.selection.in_a],
        [v for v in VALENCES for _ in first.prompts[v]],
    )
    problems: dict[str, str] = {}

    def attempt(tests: Sequence[str], compute: Callable[[], _T]) -> _T | None:
        try:
            return compute()
        except ValueBiasError as error:
            problems.update(dict.fromkeys(tests, str(error)))
            return None

    known = [label for label in scored if label in bases]
    cell_tests: tuple[Cell, ...] | None = None
    own, mixed, by_models = None, None, None
    honest: dict[str, Family] = {}
    if len({bases[m] for m in known}) == 2:
        own = _restrict(medians, known)
        cell_tests = attempt(("welch", "permutation-t"), partial(cells, own, seed=seed))
        mixed = attempt(("mixed-model",), partial(mixed_model, own))
        by_models = attempt(("by models",), partial(three_way_by_models, own))
        for valences in WEIGHTS:
            ask = partial(_honest, scored, own, valences, seed)
            answer = attempt((f"families, {valences}",), ask)
            if answer is not None:
                honest[valences] = answer
    else:
        reason = (
            "there are no two base families: give each --rm its --base"
            if bases
            else "no --base was given"
        )
        problems.update(dict.fromkeys(("mixed-model", "welch", "permutation-t"), reason))
    two = None
    if len(models) == 2:
        two = attempt(("anova",), partial(anova, medians))
    else:
        problems["anova"] = f"it compares two models, and there are {len(models)}"
    return PaperTests(
        lexicon, contrast, medians, own, cell_tests or (), mixed, two, by_models, honest, problems
    )


def _in_common(
    models: Sequence[Scorer], lexicon: Lexicon, contrast: str, prompts: PromptSet
) -> dict[str, ContrastScores]:
    """Each model's scores on both valences, by label, of the words that all have, in one order."""
    by_label = {
        each.name: ContrastScores.of(each, lexicon, contrast, "positive-negative", prompts)
        for each in models
    }
    first, *others = by_label.values()
    for other in others:
        first, _ = in_common(first, other)
    if first.selection.in_a.all() or not first.selection.in_a.any():
        raise LexiconError(
            "the models have no scored words of both categories in common",
            seen=f"{len(first.selection.words)} words",
            remedy="Score the same lexicon on all of them.",
        )
    return {label: in_common(first, scored)[1] for label, scored in by_label.items()}


def _restrict(medians: MedianRanks, models: Sequence[str]) -> MedianRanks:
    at = [medians.models.index(m) for m in models]
    return MedianRanks(
        medians.values[at],
        tuple(models),
        tuple(medians.bases[i] for i in at),
        medians.valences,
        medians.categories,
        medians.n_words,
    )


def _honest(
    scored: Mapping[str, ContrastScores], medians: MedianRanks, valences: Valences, seed: int
) -> Family:
    """The comparison of the two base families whose units are models and word families."""

    def on_valences(model: str) -> ContrastScores:
        weights = WEIGHTS[valences]
        values = {v: scored[model].values[v] for v in weights}
        return replace(scored[model], weights=weights, values=values)

    first, second = (
        [on_valences(medians.models[i]) for i in medians.family(name)] for name in medians.families
    )
    return families_of_terms(
        [each.terms() for each in first],
        [each.terms() for each in second],
        *first[0].sides,
        facets=facets_between(first, second),
        seed=seed,
    )
