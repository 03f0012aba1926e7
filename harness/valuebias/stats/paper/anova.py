"""The paper's analysis of variance of two models' median ranks: reproduction only."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.format import unsigned
from valuebias.stats.paper.ranks import VALENCES, MedianRanks, Reproduction, shown


@dataclass(frozen=True)
class Term:
    """One term of an analysis of variance, with one degree of freedom."""

    name: str
    sum_of_squares: float
    f: float
    p: float


@dataclass(frozen=True)
class Anova(Reproduction):
    """The three-way analysis of variance of two models' medians, category x valence x model.

    The design is balanced, so that type I, II and III are the same. ``df`` is the residual's.
    """

    terms: tuple[Term, ...]
    df: int
    residual: float

    @property
    def three_way(self) -> Term:
        """The interaction of all three."""
        return self.terms[-1]

    @property
    def line(self) -> str:
        term = self.three_way
        name = term.name.replace(":", " x ")
        return f"analysis of variance, {name}: F(1, {self.df}) {unsigned(term.f)}, {shown(term.p)}"


def anova(medians: MedianRanks) -> Anova:
    """The paper's type-II ANOVA of two models, in closed form.

    Raises StatisticsError unless there are two models, two categories and equally many prompts of
    either valence, with medians that vary within the cells.
    """
    by_valence = [medians.of(valence) for valence in VALENCES]
    if (
        len(medians.models) != 2
        or len(medians.categories) != 2
        or by_valence[0].shape != by_valence[1].shape
    ):
        raise StatisticsError(
            "the paper's analysis of variance compares two models in two categories, on equally "
            "many prompts of either valence",
            seen=f"{len(medians.models)} models, {len(medians.categories)} categories, "
            f"{by_valence[0].shape[1]} and {by_valence[1].shape[1]} prompts",
            remedy="Give two models and a lexicon of two categories.",
        )
    # (category, valence, model, prompt)
    y = np.stack(by_valence).transpose(3, 0, 1, 2)
    n = y.shape[-1]
    means = y.mean(axis=-1)
    df = 8 * (n - 1)
    residual = float(((y - means[..., None]) ** 2).sum()) / df
    if residual <= 1e-12:
        raise StatisticsError(
            "the median ranks do not vary from prompt to prompt",
            seen=residual,
            remedy="Look at how the scores were made.",
        )
    factors = ("category", "valence", "model")
    terms = []
    for size in (1, 2, 3):
        for chosen in itertools.combinations(range(3), size):
            signs = [np.array([1.0, -1.0 if i in chosen else 1.0]) for i in range(3)]
            contrast = float(np.einsum("ijk,i,j,k", means, *signs))
            squares = n * contrast**2 / 8
            f = squares / residual
            name = ":".join(factors[i] for i in chosen)
            terms.append(Term(name, squares, f, float(stats.f.sf(f, 1, df))))
    return Anova(tuple(terms), df, residual)
