"""Is it the value of the words, or their length or frequency? An effect with covariates controlled.

A category whose words are more frequent, shorter or made of fewer tokens is ranked differently
whatever it stands for. Here midranks are regressed on the category and the covariates, both
averaged over the words of a family; without covariates the estimate is the rank-biserial
correlation itself, which is twice the difference of the categories' mean ranks in (0, 1), and its
variance is DeLong's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.format import signed
from valuebias.stats.checks import Layout
from valuebias.stats.crossed import Bools, Floats, half_width, p_value, prompt_parts
from valuebias.stats.effect import Effect, Term, contrast
from valuebias.stats.facets import Facets
from valuebias.stats.order import Order
from valuebias.stats.permutation import monte_carlo_p
from valuebias.stats.terms import grouped
from valuebias.stats.word_families import WordFamilies

_LEAST = 1e-8
"""Below this share of its variance, the rest of a column beside the others is rounding."""


def controlled(
    terms: Sequence[Term],
    in_a: Bools,
    families: Sequence[str] | npt.NDArray[Any],
    covariates: Mapping[str, npt.NDArray[Any]],
    *,
    facets: Facets | None = None,
    level: float = 0.95,
    alpha: float = 0.05,
    seed: int = 0,
    permute: bool = True,
) -> Effect:
    """The effect beside what ``covariates`` (each (words,)) explain, linearly in the ranks.

    Terms and other arguments are those of `contrast`. The interval is from the regression over
    word families (Bell and McCaffrey's CR2, a family with words on both sides being one cluster),
    and over prompts. What families of a facet have in common is estimated of what the covariates
    leave, whatever component ``facets`` has. p is the larger of its own and that of Freedman and
    Lane's permutation of the families' residuals (Journal of Business & Economic Statistics 1983),
    which ``permute=False`` leaves out.

    Raises StatisticsError for a covariate that is not finite, does not vary, or leaves nothing of
    the categories' difference, and what `contrast` raises.
    """
    if not covariates:
        raise StatisticsError(
            "nothing to control for",
            seen="no covariates",
            remedy="Give at least one covariate, such as length=len.",
        )
    plain = contrast(terms, in_a, families, level=level, alpha=alpha, seed=seed)
    words = Layout.of(in_a, families, "family", level).words
    design = design_of(words, covariates)
    side = left_beside(design[:, -1], design[:, :-1])
    weights = side / (side @ side)  # of the families, in the coefficient of the category
    parts: list[tuple[float, float]] = []
    moved = np.zeros(len(side))
    estimate = 0.0
    beaten_by = np.zeros(len(side))
    for group in grouped(terms).values():
        ranked = np.sum([t.weight * words.ranks(t.values) for t in group], axis=0)
        by_prompt = 2 * ranked @ weights
        estimate += float(by_prompt.mean())
        left = left_beside((ranked - ranked.mean(axis=0)).T, design)
        n_prompts, (n, k) = len(ranked), design.shape
        spread = float((left**2).sum()) / ((n - k) * (n_prompts - 1))
        noise = 4 * float(weights @ weights) * spread / n_prompts
        parts += prompt_parts(by_prompt, group[0].prompts, noise)
        moved += ranked.mean(axis=0)
        beaten_by += sum(t.weight * _beaten_by(t.values, weights, words) for t in group)
    each = _of_each_family(moved, beaten_by / len(side), design, weights, words.numbers)
    of_words = _word_part(each, design, weights, words.numbers)
    notes = []
    if facets is not None:
        a, b = np.split(each, [len(words.a.sizes)])
        of_words, note = facets.alone.widen(of_words, 2 * len(a) * a, 2 * len(b) * b, words)
        notes.append(note)
    parts = [of_words, *((variance, df) for variance, df in parts if variance)]
    permuted = permuted_high = 0.0
    if permute:
        permuted, permuted_high = _freedman_lane(moved, design, alpha=alpha, seed=seed)
    p = p_value(estimate, parts)
    half = half_width(parts, 1 - level)
    controlled_for = f"controlled for {', '.join(covariates)}: {signed(plain.estimate)} without"
    return replace(
        plain,
        estimate=estimate,
        parts=tuple(parts),
        low=max(estimate - half, -plain.span),
        high=min(estimate + half, plain.span),
        p=max(p, permuted),
        p_high=max(p, permuted_high),
        method="freedman-lane",
        notes=(*plain.notes, *notes, controlled_for),
        fisher=False,
        by_spelling=None,
        by_prompt=None if plain.by_prompt is None else plain.by_prompt.around(estimate),
    )


def _beaten_by(values: npt.NDArray[Any], weights: Floats, words: WordFamilies) -> Floats:
    """(families,): the summed weights of the families that beat each family's words, in parts
    where some of their words do, ties counting one half; averaged over prompts."""
    each = words.spread(weights)
    mean: Floats = words.means(each.sum() - Order.of(values).below(each)).mean(axis=0)
    return mean


def design_of(words: WordFamilies, covariates: Mapping[str, npt.NDArray[Any]]) -> Floats:
    """(families, columns): one, the standardised covariates, and the category last.

    Raises StatisticsError for a covariate that is not finite, does not vary beside the others, or
    leaves nothing of the categories' difference.
    """
    in_a = words.in_a
    columns = [np.ones(len(words.numbers))]
    for name, values in covariates.items():
        column = np.asarray(values, dtype=np.float64)
        if column.shape != in_a.shape or not np.isfinite(column).all():
            raise StatisticsError(
                f"the covariate {name} is not one finite number for each word",
                seen=f"{column.shape}, {int((~np.isfinite(column)).sum())} not finite",
                remedy="Give a number for every word; of a count take log(1 + count).",
            )
        largest = float(np.abs(column).max())
        # Squares of very large numbers are infinite.
        column = words.means(column / (largest or 1.0))
        spread = column.std()
        beside = left_beside(column, np.column_stack(columns))
        if spread == 0 or float(beside @ beside) < _LEAST * float(column @ column):
            raise StatisticsError(
                f"the covariate {name} does not vary beside the others",
                seen=f"{largest * column.min():g} to {largest * column.max():g}",
                remedy="Leave it out.",
            )
        columns.append((column - column.mean()) / spread)
    side = words.means(in_a.astype(np.float64))
    beside = left_beside(side, np.column_stack(columns))
    if float(beside @ beside) < 1e-3 * float(((side - side.mean()) ** 2).sum()):
        raise StatisticsError(
            "the covariates determine the category of nearly every word, so nothing is left to "
            "compare",
            seen=", ".join(covariates),
            remedy="Control for less, or use words that differ less in it.",
        )
    return np.column_stack([*columns, side])


def left_beside(values: Floats, columns: Floats) -> Floats:
    """What is left of values (words, ...) beside the columns, by least squares."""
    rest: Floats = values - columns @ np.linalg.lstsq(columns, values, rcond=None)[0]
    return rest


def _of_each_family(
    moved: Floats,
    beaten_by: Floats,
    design: Floats,
    weights: Floats,
    family: npt.NDArray[np.intp],
) -> Floats:
    """What each family (rows of the design) adds to half of the estimate, as deviations whose
    squares sum to its variance from the draw of families.

    A family counts by its own rank and, ``beaten_by``, in the ranks of the words that beat its own.
    ``family`` are the families' numbers: one with words on both sides is there twice.
    """
    left = left_beside(moved, design)
    adds: Floats = beaten_by - beaten_by.mean()
    for rows, roots in cluster_roots(design, family):
        adds[rows] += weights[rows] * np.einsum("cij,cj->ci", roots, left[rows])
    return adds


def cluster_roots(
    design: Floats, clusters: npt.NDArray[np.intp]
) -> Iterator[tuple[npt.NDArray[np.intp], Floats]]:
    """For the clusters of each size their rows (clusters, size) of the design, and the roots
    (clusters, size, size) of the inverse of the residuals' covariance within each, by which Bell
    and McCaffrey's CR2 makes residuals larger."""
    inverse = np.linalg.inv(design.T @ design)
    order = np.argsort(clusters, kind="stable")
    _, begins, sizes = np.unique(clusters[order], return_index=True, return_counts=True)
    for size in np.unique(sizes):
        rows = order[begins[sizes == size][:, None] + np.arange(size)]
        x = design[rows]
        values, vectors = np.linalg.eigh(np.eye(size) - x @ inverse @ x.swapaxes(1, 2))
        scaled = vectors / np.sqrt(np.maximum(values, _LEAST))[:, None, :]
        yield rows, scaled @ vectors.swapaxes(1, 2)


def _word_part(
    adds: Floats, design: Floats, weights: Floats, family: npt.NDArray[np.intp]
) -> tuple[float, float]:
    """Variance of the estimate from the draw of word families, and its degrees of freedom, from
    what each of them `_of_each_family` adds."""
    sums, shares = np.bincount(family, weights=adds), np.bincount(family, weights=weights**2)
    df = float(shares.sum() ** 2 / (shares**2).sum()) - design.shape[1] + 1
    return 4 * float(sums @ sums), max(df, 1.0)


def _freedman_lane(
    moved: Floats, design: Floats, *, alpha: float, seed: int
) -> tuple[float, float]:
    """Two-sided p of the category's coefficient over families' means, and its error's limit."""
    columns, y = design, moved
    rest = left_beside(y, columns[:, :-1])
    basis = np.linalg.qr(columns)[0]
    category = basis[:, -1]  # what is left of it beside the covariates
    kept = np.maximum(1 - (basis**2).sum(axis=1), _LEAST)

    def statistic(residuals: Floats) -> Floats:
        # Studentised for families of unequal spread (HC3; DiCiccio and Romano, JASA 2017).
        errors = (residuals - residuals @ basis @ basis.T) / kept
        variance = np.maximum(errors**2 @ category**2, 1e-300)
        t: Floats = np.abs(residuals @ category) / np.sqrt(variance)
        return t

    observed = float(statistic(rest))

    def exceeding(rng: np.random.Generator, rows: int) -> int:
        draws = rng.permuted(np.broadcast_to(rest, (rows, len(rest))), axis=1)
        return int((statistic(draws) >= observed - 1e-9).sum())

    return monte_carlo_p(exceeding, alpha=alpha, seed=seed)
