"""Do models of one base order words more alike than models of different bases?

Representational similarity analysis (Kriegeskorte, Mur and Bandettini, Frontiers in Systems
Neuroscience 2008): the similarity of every two models, Kendall's tau-b, is regressed on whether the
two share a base. Models, not pairs of models, are the sample, so the test relabels models.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import stats

from valuebias.errors import StatisticsError
from valuebias.format import unsigned

Floats = npt.NDArray[np.float64]

MIN_WORDS = 20
"""Below this many words a correlation of two models' orders says little."""
MOST_GROUPINGS = 20_000
"""Up to this many ways to divide the models among the bases each one is tried."""
DRAWS = 19_999
"""Above it, this many are drawn."""
_ROUNDING = 1e-9
_BLOCK = 1_000


@dataclass(frozen=True)
class Similarity:
    """How alike models order words, and how much of that goes with their base.

    ``tau`` (models, models) is Kendall's tau-b, in the order of ``models``. ``difference`` is the
    mean tau of same-base pairs minus that of the others: positive where a base's models are more
    alike. ``r2`` is the share of the variance of tau over the pairs that same base explains by
    itself; it has no direction. ``unique_base`` is what it explains beyond the covariates and
    ``unique`` what each covariate explains beyond all else; what they share is in neither.

    ``p`` tests ``r2``, and so says nothing of ``unique_base``: where base goes with a covariate,
    models of different bases are not interchangeable once the covariate is held fixed.
    ``groupings`` is the number of ways to divide the models into bases of these sizes, whatever the
    bases are called; ``exact`` is whether all were tried, ``smallest_p`` the smallest possible p.
    """

    models: tuple[str, ...]
    bases: tuple[str, ...]
    tau: Floats
    difference: float
    r2: float
    p: float
    unique_base: float
    unique: Mapping[str, float]
    groupings: int
    exact: bool
    smallest_p: float
    n_words: int


def similarity(
    scores: Mapping[str, npt.NDArray[Any]],
    base: Mapping[str, str],
    covariates: Mapping[str, Mapping[str, float]] | None = None,
    *,
    alpha: float = 0.05,
    seed: int = 0,
) -> Similarity:
    """Compare the order of words between models, by base.

    ``scores`` holds each model's (words,) or (prompts, words), the same words in the same order for
    all, higher is preferred; of several prompts a word's midranks are averaged. ``base`` names each
    model's base. A covariate gives each model a number, such as the logarithm of its size; the
    absolute difference between the two models enters the regression. ``p`` comes from every way to
    divide the models among the bases, or above 20,000 ways from 19,999 drawn with ``seed``.

    Raises StatisticsError where models, words or prompts do not match, scores are not finite or all
    tied, two models order every word alike, the smallest attainable p exceeds ``alpha``, or base
    and covariates cannot be separated over these pairs.
    """
    covariates = covariates or {}
    models = tuple(scores)
    _check_names(models, base, covariates)
    groupings, smallest = _attainable([base[model] for model in models], alpha)
    ranks = _ranks(scores)
    first, second = np.triu_indices(len(models), 1)
    pairs = _taus(models, ranks, first, second)
    labels = np.unique([base[model] for model in models], return_inverse=True)[1].reshape(-1)
    same = (labels[first] == labels[second]).astype(float)
    gaps = {}
    for name, of_model in covariates.items():
        values = np.array([float(of_model[model]) for model in models])
        gaps[name] = np.abs(values[first] - values[second])
    _check_design(same, gaps)
    r2 = _r2(pairs, [same])
    full = _r2(pairs, [same, *gaps.values()])
    tau = np.eye(len(models))
    tau[first, second] = tau[second, first] = pairs
    return Similarity(
        models=models,
        bases=tuple(base[model] for model in models),
        tau=tau,
        difference=float(pairs[same == 1].mean() - pairs[same == 0].mean()),
        r2=r2,
        p=_permutation_p(pairs, labels, first, second, groupings, seed),
        unique_base=max(full - _r2(pairs, list(gaps.values())), 0.0),
        unique={
            name: max(full - _r2(pairs, [same, *(g for n, g in gaps.items() if n != name)]), 0.0)
            for name in gaps
        },
        groupings=groupings,
        exact=groupings <= MOST_GROUPINGS,
        smallest_p=smallest,
        n_words=ranks.shape[1],
    )


def _check_names(
    models: Sequence[str], base: Mapping[str, str], covariates: Mapping[str, Mapping[str, float]]
) -> None:
    for what, given in (("base", base), *((f"covariate {n}", c) for n, c in covariates.items())):
        unmatched = set(models) ^ set(given)
        if unmatched:
            raise StatisticsError(
                f"scores and {what} do not name the same models",
                seen=", ".join(sorted(unmatched)),
                remedy="Give every model its scores, its base and each covariate.",
            )
    for name, of_model in covariates.items():
        bad = [f"{model}: {x!r}" for model, x in of_model.items() if not _is_finite(x)]
        if bad:
            raise StatisticsError(
                f"the covariate {name} is not a finite number for every model",
                seen=", ".join(bad),
                remedy="Give each model a number, or leave the covariate out.",
            )


def _is_finite(value: object) -> bool:
    try:
        return not isinstance(value, str) and math.isfinite(value)  # type: ignore[arg-type]
    except (TypeError, OverflowError):
        return False


def _attainable(bases: Sequence[str], alpha: float) -> tuple[int, float]:
    """The number of different groupings, and the smallest p they allow."""
    if not 0 < alpha < 1:
        raise StatisticsError("alpha must lie between 0 and 1", seen=alpha, remedy="Give 0.05.")
    sizes = list(Counter(bases).values())
    shown = ", ".join(f"{base}: {n}" for base, n in Counter(bases).items())
    if len(sizes) < 2 or max(sizes) < 2:
        raise StatisticsError(
            "there must be pairs of models with the same base and with different bases",
            seen=shown or "no model",
            remedy="Give several models of each of at least two bases.",
        )
    count = math.factorial(len(bases))
    for n in sizes:
        count //= math.factorial(n)
    # Bases of one size can exchange their names without changing which models belong together.
    for times in Counter(sizes).values():
        count //= math.factorial(times)
    smallest = 1 / count if count <= MOST_GROUPINGS else 1 / (DRAWS + 1)
    if smallest > alpha:
        raise StatisticsError(
            f"{len(bases)} models are too few: no result could have a p below {smallest:.3g}, but "
            f"alpha is {alpha:g}",
            seen=shown,
            remedy="Add models; four of one base and four of another allow p = .029.",
        )
    return count, smallest


def _ranks(scores: Mapping[str, npt.NDArray[Any]]) -> Floats:
    """(models, words): each model's midranks, averaged over prompts."""
    rows = []
    shape: tuple[int, ...] | None = None
    for model, given in scores.items():
        values = np.asarray(given)
        if values.ndim not in (1, 2) or values.size == 0 or values.shape != (shape or values.shape):
            raise StatisticsError(
                "the models were not scored on the same words and prompts",
                seen=f"{model}: {values.shape}" + (f", {shape} before" if shape else ""),
                remedy="Give every model an array of shape (words,) or (prompts, words).",
            )
        shape = values.shape
        if shape[-1] < MIN_WORDS:
            raise StatisticsError(
                f"a comparison of models needs at least {MIN_WORDS} words",
                seen=shape[-1],
                remedy="Give more words.",
            )
        finite = np.isfinite(values)
        if not finite.all():
            raise StatisticsError(
                f"{int((~finite).sum())} of the scores of {model} are not finite",
                seen=values[~finite][0],
                remedy="Score in float32 (dtype=float32) and look at the model's weights.",
            )
        ranks = stats.rankdata(np.atleast_2d(values), axis=1).mean(axis=0)
        if np.ptp(ranks) == 0:
            raise StatisticsError(
                f"{model} prefers no word to another",
                seen="all tied",
                remedy="Compute the head in float32, or leave the model out.",
            )
        rows.append(ranks)
    return np.array(rows)


def _taus(
    models: Sequence[str],
    ranks: Floats,
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
) -> Floats:
    """Kendall's tau-b of every pair of models."""
    for i, j in zip(first, second, strict=True):
        if np.array_equal(ranks[i], ranks[j]):
            raise StatisticsError(
                "two models order every word alike",
                seen=f"{models[i]} and {models[j]}",
                remedy="They look like one model under two names: leave one out.",
            )
    taus = [stats.kendalltau(ranks[i], ranks[j]) for i, j in zip(first, second, strict=True)]
    return np.array([tau.statistic for tau in taus])


def _check_design(same: Floats, gaps: Mapping[str, Floats]) -> None:
    """Raise StatisticsError if a column is determined by the others."""
    columns = {"base": same, **gaps}
    # Comparable columns, so that the rank does not depend on a covariate's unit.
    scaled = [c / (np.abs(c).max() or 1.0) for c in columns.values()]
    design = np.column_stack([np.ones(len(same)), *scaled])
    if np.linalg.matrix_rank(design, tol=1e-8) < design.shape[1] or len(same) <= design.shape[1]:
        raise StatisticsError(
            "base and covariates cannot be separated over the pairs of these models",
            seen=f"{', '.join(columns)}; {len(same)} pairs",
            remedy="Leave out a covariate that all models share or that another one (or the base) "
            "determines.",
        )


def _r2(y: Floats, columns: Sequence[Floats]) -> float:
    """The share of the variance of y that a least-squares fit on the columns explains."""
    if not columns:
        return 0.0
    design = np.column_stack([c - c.mean() for c in columns])
    # Orthonormal columns: the explained part is the projection, whatever the covariates' units.
    axes = np.linalg.qr(design / np.linalg.norm(design, axis=0))[0]
    centred = y - y.mean()
    total = float(centred @ centred)
    if total <= _ROUNDING**2 * len(y):
        raise StatisticsError(
            "all pairs of models are equally similar, so there is nothing to explain",
            seen=f"tau {unsigned(y[0])}",
            remedy="Look at how the scores were made.",
        )
    return float(((axes.T @ centred) ** 2).sum() / total)


def _permutation_p(
    pairs: Floats,
    labels: npt.NDArray[np.intp],
    first: npt.NDArray[np.intp],
    second: npt.NDArray[np.intp],
    groupings: int,
    seed: int,
) -> float:
    """The share of groupings of the models whose R^2 is at least the observed one."""
    centred = pairs - pairs.mean()

    def strength(groups: npt.NDArray[np.intp]) -> Floats:
        # The number of same-base pairs is the same in all groupings, and with it the variance of
        # the indicator: R^2 orders them as this does.
        same = groups[:, first] == groups[:, second]
        covariance: Floats = np.abs(same @ centred)
        return covariance

    observed = strength(labels[None])[0]
    scale = max(observed, float(np.abs(centred).max())) * _ROUNDING
    exact = groupings <= MOST_GROUPINGS
    source = _all_groupings(labels) if exact else _drawn_groupings(labels, seed)
    reached = done = 0
    while block := list(itertools.islice(source, _BLOCK)):
        reached += int((strength(np.array(block)) >= observed - scale).sum())
        done += len(block)
    return reached / done if exact else (reached + 1) / (done + 1)


def _all_groupings(labels: npt.NDArray[np.intp]) -> Iterator[npt.NDArray[np.intp]]:
    """Each way to divide the models into groups of the sizes that the labels have, once."""
    grouping = np.zeros(len(labels), dtype=np.intp)

    def divide(rest: tuple[int, ...], sizes: tuple[int, ...]) -> Iterator[npt.NDArray[np.intp]]:
        if not rest:
            yield grouping.copy()
            return
        # The first model left goes into a group of each size left: sizes, not groups, tell apart.
        for size in sorted(set(sizes)):
            left = list(sizes)
            left.remove(size)
            for others in itertools.combinations(rest[1:], size - 1):
                members = {rest[0], *others}
                grouping[list(members)] = len(left)
                yield from divide(tuple(m for m in rest if m not in members), tuple(left))

    return divide(tuple(range(len(labels))), tuple(Counter(labels.tolist()).values()))


def _drawn_groupings(labels: npt.NDArray[np.intp], seed: int) -> Iterator[npt.NDArray[np.intp]]:
    rng = np.random.default_rng(seed)
    return (rng.permutation(labels) for _ in range(DRAWS))
