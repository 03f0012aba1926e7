"""Do models of one base prefer a category more than models of another?

Models and words are both samples, and either alone misleads: with words alone any two models
differ, and models alone ignore a base's preferences among single words. All must agree: the
permutation of base labels over the models, the word-level contrast of the same models, and the
interval from both; the largest p counts (an intersection-union test, Berger 1982).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.format import p_text
from valuebias.stats.checks import Layout
from valuebias.stats.crossed import (
    Bools,
    Factors,
    Floats,
    half_width,
    p_value,
    placements,
    prompt_parts,
    residual_variance,
    satterthwaite,
    word_variance,
)
from valuebias.stats.effect import Effect, Term, contrast
from valuebias.stats.facets import Facets, pooled, widened
from valuebias.stats.word_families import WordFamilies

_MOST = 20_000
"""Up to this many ways to assign the base labels all are counted; beyond, a sample of them."""
_DRAWS = 99_999


@dataclass(frozen=True)
class Family:
    """The mean effect in the first family's models minus that in the second's.

    ``effect`` is positive where the first family prefers category A more. Its interval rests on
    words, prompts and models; its p is the largest of ``p_models`` (labels of the models permuted),
    ``p_words`` (the word-level contrast of these very models) and ``p_both`` (the interval's).
    ``n_models`` counts the units; ``smallest_p`` is the least that this many models can give.
    ``estimates`` are the models' own effects, the first family's before the second's.
    """

    effect: Effect
    p_models: float
    p_words: float
    p_both: float
    n_models: tuple[int, int]
    smallest_p: float
    estimates: tuple[tuple[float, ...], tuple[float, ...]]

    @property
    def estimate(self) -> float:
        return self.effect.estimate

    @property
    def low(self) -> float:
        return self.effect.low

    @property
    def high(self) -> float:
        return self.effect.high

    @property
    def p(self) -> float:
        return self.effect.p


def family(
    first: Sequence[npt.NDArray[Any]],
    second: Sequence[npt.NDArray[Any]],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    prompts: Factors | None = None,
    facets: Facets | None = None,
    alpha: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
) -> Family:
    """Compare two families of models: one (prompts, words) array of scores a model.

    The other arguments are those of `single`. To compare another quantity, such as positive minus
    negative prompts, use `families_of_terms`.

    Raises StatisticsError if so few models cannot give a p as small as ``alpha``, for two models
    that order all words alike, and what `single` raises.
    """
    a, b = ([[Term(v, 1.0, prompts)] for v in side] for side in (first, second))
    return families_of_terms(
        a, b, in_a, families, facets=facets, alpha=alpha, level=level, seed=seed
    )


def families_of_terms(
    first: Sequence[Sequence[Term]],
    second: Sequence[Sequence[Term]],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    *,
    facets: Facets | None = None,
    alpha: float = 0.05,
    level: float = 0.95,
    seed: int = 0,
) -> Family:
    """As `family`, of any contrast: each model's terms, as `contrast` takes them."""
    n_models = (len(first), len(second))
    smallest = smallest_p(*n_models)
    if smallest > alpha:
        raise StatisticsError(
            f"{n_models[0]} against {n_models[1]} models cannot give a p below {smallest:.3g}, but "
            f"alpha is {alpha:g}",
            seen=f"{n_models[0]} and {n_models[1]} models",
            remedy="Give more models of each base (four of each, or four and six, are enough at "
            ".05), or compare two models alone, which says nothing about their bases.",
        )
    weighted = [
        replace(term, weight=sign * term.weight / len(side))
        for sign, side in ((1, first), (-1, second))
        for model in side
        for term in model
    ]
    words = contrast(weighted, in_a, families, facets=facets, level=level, alpha=alpha, seed=seed)
    drawn = Layout.of(in_a, families, "family", level).words
    sides = [_Side.of(side, drawn) for side in (first, second)]
    _check_distinct(sides)
    between, shared = [], 0.0
    for side in sides:
        k = len(side.estimates)
        between.append((float(side.estimates.var(ddof=1)) / k, k - 1.0))
        shared += side.noise(drawn, facets) / (k - 1) / k
    total = sum(variance for variance, _ in between)
    models = (max(total - shared, 0.0), satterthwaite(between, total))
    parts = (*words.parts, models) if models[0] else words.parts
    p_models = _permute_models(np.concatenate([s.estimates for s in sides]), len(first), seed)
    half, p_both = half_width(parts, 1 - level), p_value(words.estimate, parts)
    null = sum(t.weight for t in first[0])
    effect = replace(
        words,
        parts=parts,
        low=max(words.estimate - half, -words.span),
        high=min(words.estimate + half, words.span),
        p=max(p_models, words.p, p_both),
        p_high=max(p_models, words.p_high, p_both),
        method="families" if words.method == "crossed-delong" else words.method,
        notes=(
            *words.notes,
            f"{n_models[0]} and {n_models[1]} models: {p_text(p_models)} by models, "
            f"{p_text(words.p)} by words, {p_text(p_both)} by both at once; the largest counts",
        ),
    )
    shown = tuple(tuple(float(e - null) for e in side.estimates) for side in sides)
    return Family(effect, p_models, words.p, p_both, n_models, smallest, (shown[0], shown[1]))


def smallest_p(first: int, second: int) -> float:
    """The smallest p that permuting the labels of so many models can give, two-sided."""
    if min(first, second) < 2:
        return 1.0
    return (2 if first == second else 1) / math.comb(first + second, first)


@dataclass(frozen=True)
class _Side:
    """One family's placements by prompt group: (models, prompts, word families of a category), and
    the prompts' factors."""

    groups: tuple[tuple[Floats, Floats, Factors | None], ...]

    @classmethod
    def of(cls, models: Sequence[Sequence[Term]], words: WordFamilies) -> _Side:
        names = {tuple(term.group for term in model) for model in models}
        if len(names) > 1:
            raise StatisticsError(
                "the models of a family are not measured alike",
                seen=" and ".join(map(str, sorted(names))),
                remedy="Give every model the same terms, in one order.",
            )
        groups = []
        for terms in zip(*models, strict=True):
            weights = np.array([term.weight for term in terms])[:, None, None]
            a, b = placements(np.array([term.values for term in terms]), words)
            groups.append((weights * a, weights * b, terms[0].prompts))
        return cls(tuple(groups))

    @property
    def estimates(self) -> Floats:
        """Each model's effect but for a constant: (models,)."""
        effects: Floats = 2 * np.sum([a.mean(axis=(1, 2)) for a, _, _ in self.groups], axis=0)
        return effects

    def word_means(self) -> tuple[Floats, Floats]:
        """Placements averaged over prompts and summed over groups: (models, word families)."""
        a = np.sum([a.mean(axis=1) for a, _, _ in self.groups], axis=0)
        b = np.sum([b.mean(axis=1) for _, b, _ in self.groups], axis=0)
        return a, b

    def noise(self, words: WordFamilies, facets: Facets | None) -> float:
        """What models differ by, summed over them, because each has its own noise of words and of
        prompts: the word part and the prompt part hold that already."""
        means = self.word_means()
        own = list(zip(*(x - x.mean(axis=0) for x in means), strict=True))
        of_words = [word_variance(x, y, words) for x, y in own]
        if facets is not None:  # one component for all models' own noise
            sides = [facets.sides(x, y, words) for x, y in own]
            component = pooled(side for both in sides for side in both)
            of_words = [widened(v, s, component) for v, s in zip(of_words, sides, strict=True)]
        variance = sum(v for v, _ in of_words)
        for a, b, factors in self.groups:
            for x, y in zip(a - a.mean(axis=0), b - b.mean(axis=0), strict=True):
                score = residual_variance(x) + residual_variance(y)
                variance += sum(v for v, _ in prompt_parts(x.mean(axis=1), factors, score))
        return 4 * variance


def _check_distinct(sides: Sequence[_Side]) -> None:
    """Raise StatisticsError if two models order all words alike: they are one model, and would be
    counted as two draws."""
    seen: dict[bytes, int] = {}
    models = np.concatenate([np.hstack(side.word_means()) for side in sides])
    for i, model in enumerate(models.round(12) + 0.0, 1):
        if model.tobytes() in seen:
            raise StatisticsError(
                "two models order every word alike on every prompt",
                seen=f"models {seen[model.tobytes()]} and {i}",
                remedy="They look like one model under two names: give each once.",
            )
        seen[model.tobytes()] = i


def _permute_models(effects: Floats, n_first: int, seed: int) -> float:
    """Two-sided p of no difference between the families' means, all labellings alike."""
    n = len(effects)
    n_second = n - n_first

    def difference(sums: Floats) -> Floats:
        apart: Floats = np.abs(sums / n_first - (effects.sum() - sums) / n_second)
        return apart

    observed = difference(effects[:n_first].sum(keepdims=True))[0] - 1e-12
    labellings = math.comb(n, n_first)
    if labellings <= _MOST:
        chosen = np.array(list(combinations(range(n), n_first)))
        return float((difference(effects[chosen].sum(axis=1)) >= observed).mean())
    rng = np.random.default_rng(seed)
    order = rng.permuted(np.broadcast_to(effects, (_DRAWS, n)), axis=1)
    beyond = int((difference(order[:, :n_first].sum(axis=1)) >= observed).sum())
    return (beyond + 1) / (_DRAWS + 1)
