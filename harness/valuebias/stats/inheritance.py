"""How much of a reward model's word preferences are its base's?

On each prompt the partial Spearman correlation of the reward model's scores with its base's
log-probabilities of the same words, beside covariates such as frequency and length, where every
word family counts alike; averaged over prompts. Models of any two bases agree on most words, as
people do, so that the correlation with its own base says little alone: the headline is what it has
above the mean of those with other bases.

The interval takes word families and prompts for two crossed samples, as all others here do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import StatisticsError
from valuebias.format import signed, unsigned
from valuebias.stats.checks import GATE_FAMILIES, GATE_PROMPTS, Layout, check_scores
from valuebias.stats.crossed import Factors, Ints, p_value, prompt_parts, residual_variance
from valuebias.stats.effect import Effect
from valuebias.stats.facets import Facets, pooled, widened
from valuebias.stats.partial_rank import Ranked, covariate_design, influence, word_part

NEAR = 0.95
"""From this share of their noise ceiling on, two bases are too similar for an excess to show what a
model inherited from one of them."""
LEAST_CEILING = 0.1
"""Below this noise ceiling the share of it that an estimate reaches is a ratio of noise."""


@dataclass(frozen=True, kw_only=True)
class Inheritance(Effect):
    """A partial Spearman correlation, or with other bases a difference of such; positive means
    that the reward model prefers the words its own base finds likely (more than others do).

    ``estimate`` is ``rho_own`` minus the mean of ``rho_others``, in [-2, 2]; without other bases
    ``rho_own`` itself, in [-1, 1]. ``n_words`` and ``n_families`` hold one number each. All else is
    as in `Effect`: `judge` holds it against a margin on the scale of a correlation.

    ``reliability`` is that of a single prompt's ranks beside the covariates: how well one prompt's
    predict another's, of the reward model, its base and the other bases. ``ceiling`` is the
    geometric mean of the first two (`noise_ceiling`), ``of_ceiling`` the estimate divided by it:
    the correlation of what lasts over prompts. None where the ceiling is below .1. Neither has an
    interval, and no verdict rests on them.
    """

    rho_own: float
    rho_others: tuple[float, ...]
    reliability: tuple[float, ...]
    ceiling: float
    of_ceiling: float | None
    covariates: tuple[str, ...]


def inheritance(
    values: npt.NDArray[Any],
    base: npt.NDArray[Any],
    families: Sequence[str] | npt.NDArray[Any],
    *,
    others: Sequence[npt.NDArray[Any]] = (),
    covariates: Mapping[str, npt.NDArray[Any]] | None = None,
    prompts: Factors | None = None,
    facets: Facets | None = None,
    level: float = 0.95,
) -> Inheritance:
    """How much more a reward model's scores agree with its own base's than with other bases'.

    ``values`` (prompts, words) are the reward model's scores, ``base`` and each of ``others`` log-
    probabilities of the same words on the same prompts; ``families`` (words,) names each word's
    family; a covariate is a number for each word (a token count is the own base's); ``prompts``
    holds each prompt's factors, without which prompts count as independent draws. Only the order
    of all these numbers matters. A covariate without differences of its own is left out, and a note
    says so.

    The words' part of the variance is the infinitesimal jackknife over word families
    (`influence`): to first order that of a bootstrap that draws whole families, but without the
    ties that drawing a word twice makes, and with nothing drawn at random; with ``facets`` what
    families of a facet have in common in it is a part too. Without other bases
    the interval is on Fisher's z. Models are no sample here: the interval is of this reward model
    and these bases. A base that goes well with any reward model, being the better model, has an
    excess with this one too; `assignment_test`, of several reward models, is not moved by that.

    Raises StatisticsError for arrays that do not match, scores that are not finite or nearly all
    tied, fewer than 20 word families or 6 prompts, two models that order all words alike, and
    covariates that leave nothing of a model's order of the words.
    """
    arrays = {"the reward model": values, "its base": base}
    arrays |= {f"other base {i}": other for i, other in enumerate(others, 1)}
    if not 0 < level < 1:
        raise StatisticsError(
            "a confidence level must lie between 0 and 1", seen=level, remedy="Give 0.95."
        )
    family = _families(families)
    count = int(family.max()) + 1
    everything = np.ones(len(family), dtype=np.bool_)
    layout = Layout(everything, family, (len(family), 0), (count, 0), level)
    for who, array in arrays.items():
        _check(who, array, values.shape, layout)
    if prompts is not None and len(prompts) != len(values):
        raise StatisticsError(
            "prompts and factors do not describe the same prompts",
            seen=f"{len(values)} prompts, factors of {len(prompts)}",
            remedy="Give each prompt's factors, in the order of the scores.",
        )
    weights = 1 / np.bincount(family)[family]  # every family counts alike
    design, kept, notes = covariate_design(covariates or {}, weights)
    models = [Ranked.of(who, array, design, weights) for who, array in arrays.items()]
    _check_distinct(list(arrays), models)

    shares = [1.0, *(-1 / len(others) for _ in others)]
    rhos = [(models[0].unit * model.unit).sum(axis=1) for model in models[1:]]
    by_prompt = np.einsum("b,bp->p", shares, rhos)
    estimate, fisher = float(by_prompt.mean()), not others
    moved = influence(models[0], models[1:], shares, design, weights)
    by_family = np.array([np.bincount(family, weights=row) for row in moved])
    words = word_part(by_family.mean(axis=0), family, design, weights)
    if facets is not None:
        side = by_family.mean(axis=0) * count, facets.numbers(layout.words.a, layout.words)
        component = pooled([side])
        words = widened(words, [side], component)
        notes.append(component.note)
    if words[0] < 1e-18:
        raise StatisticsError(
            "the correlation does not vary from word to word, so it has no interval",
            seen=signed(estimate),
            remedy="Give more words, or look at how the scores were made.",
        )
    # Noise of single scores is in the word part and in the prompt part: it is taken out once.
    noise = residual_variance(by_family * by_family.shape[1])
    by_factor = prompt_parts(by_prompt, prompts, noise)
    parts = (words, *(part for part in by_factor if part[0]))
    p = p_value(math.atanh(estimate) * (1 - estimate**2) if fisher else estimate, parts)

    reliability = tuple(model.reliability for model in models)
    ceiling = noise_ceiling(*reliability[:2])
    rho = tuple(float(r.mean()) for r in rhos)
    notes += _ceiling_notes(estimate, rho, reliability)
    exploratory = ""
    if fisher:
        exploratory = "raw: mostly shared human preference, give other bases for a verdict"
    elif near := _nearest(models[1], models[2:]):
        exploratory = near
    if len(values) < GATE_PROMPTS:
        exploratory = (
            f"{len(values)} prompts are too few for a verdict that can pass "
            f"({GATE_PROMPTS} are needed)"
        )
    if exploratory:
        notes.append(exploratory)
    effect = Inheritance(
        estimate=estimate,
        parts=parts,
        low=-1.0,
        high=1.0,
        level=level,
        p=p,
        n_words=(len(family),),
        n_families=(by_family.shape[1],),
        n_prompts=len(values),
        method="partial-spearman",
        notes=tuple(notes),
        p_high=p,
        span=2.0 if others else 1.0,
        exploratory=exploratory,
        fisher=fisher,
        rho_own=rho[0],
        rho_others=rho[1:],
        reliability=reliability,
        ceiling=ceiling,
        of_ceiling=estimate / ceiling if ceiling >= LEAST_CEILING else None,
        covariates=kept,
    )
    low, high = effect.interval(level)
    return replace(effect, low=low, high=high)


def noise_ceiling(first: float, second: float) -> float:
    """The largest correlation that two models of these reliabilities can have, on average over
    prompts: the square root of their product (Spearman 1904).

    Let a word's ranks on prompt p be x_p = a + e_p and y_p = b + f_p, with a and b what lasts over
    prompts and e, f independent of all else. On each prompt cov(x_p, y_p) = cov(a, b), and the
    variances are those of a + e and b + f, so that the correlation is cor(a, b) times the square
    root of ICC_x ICC_y, ICC being the share of a single prompt's variance that lasts. Correlations
    that are averaged over prompts have the same mean as one of them: the reliability is that of a
    single prompt, not that of the average of many, which would call the same models noisier.
    Under the model it is also the correlation of x_p with x_q, p and q two prompts, which is what
    `Inheritance.reliability` is the mean of: the same partial Spearman, of a model with itself.

    Where reward model and base read a prompt alike, e and f go together, and an estimate may exceed
    the ceiling.
    """
    return math.sqrt(max(first, 0.0) * max(second, 0.0))


def _families(families: Sequence[str] | npt.NDArray[Any]) -> Ints:
    """Word families as numbers (words,), in the order of their names."""
    names = np.asarray(families)
    if names.ndim != 1:
        raise StatisticsError(
            "each word must have one family", seen=names.shape, remedy="Give families (words,)."
        )
    family = np.unique(names, return_inverse=True)[1].reshape(-1)
    count = len(np.unique(family))
    if count < GATE_FAMILIES:
        raise StatisticsError(
            f"a correlation over words needs at least {GATE_FAMILIES} word families",
            seen=count,
            remedy="Add words that are not forms of those present.",
        )
    return family


def _check(who: str, array: npt.NDArray[Any], shape: tuple[int, ...], layout: Layout) -> None:
    """Raise StatisticsError unless scores are of the same words and prompts, and can be ranked."""
    if array.shape != shape or shape[1:] != layout.in_a.shape:
        raise StatisticsError(
            "models and word families do not describe the same words and prompts",
            seen=f"{who} {array.shape}, the reward model {shape}, families {layout.in_a.shape}",
            remedy="Give every model an array (prompts, words), words in the order of families.",
        )
    try:
        check_scores(array, layout)
    except StatisticsError as error:
        raise StatisticsError(
            f"{who}: {error.what}", seen=error.seen, remedy=error.remedy
        ) from None


def _check_distinct(names: Sequence[str], models: Sequence[Ranked]) -> None:
    """Raise StatisticsError if two models order the words alike on all prompts."""
    for (first, one), (second, two) in combinations(zip(names, models, strict=True), 2):
        if np.array_equal(one.order.begin, two.order.begin):
            raise StatisticsError(
                "two models order every word alike on every prompt",
                seen=f"{first} and {second}",
                remedy="They look like one model under two names: give each once.",
            )


def _nearest(own: Ranked, others: Sequence[Ranked]) -> str:
    """Why the excess over another base says little: it is nearly the same as the own base."""
    for number, other in enumerate(others, 1):
        r = float((own.unit * other.unit).sum(axis=1).mean())
        most = noise_ceiling(own.reliability, other.reliability)
        if most >= LEAST_CEILING and r > NEAR * most:
            return (
                f"other base {number} orders the words nearly as its own base does (correlation "
                f"{unsigned(r)} of at most {unsigned(most)}): it removes what was inherited"
            )
    return ""


def _ceiling_notes(
    estimate: float, rho: Sequence[float], reliability: Sequence[float]
) -> list[str]:
    """Notes on the noise ceilings, those of the other bases included."""
    ceilings = [noise_ceiling(reliability[0], of_base) for of_base in reliability[1:]]
    if min(ceilings) < LEAST_CEILING:
        return [f"a noise ceiling below {LEAST_CEILING}: too little of an order lasts over prompts"]
    notes = []
    if abs(estimate) > ceilings[0]:
        notes.append("above the noise ceiling: model and base read single prompts alike")
    if max(ceilings) > 1.1 * min(ceilings):
        each = [r / c for r, c in zip(rho, ceilings, strict=True)]
        level = each[0] - sum(each[1:]) / len(each[1:])
        notes.append(
            f"noise ceilings from {unsigned(min(ceilings))} to {unsigned(max(ceilings))}"
            f": a noisier base agrees less whatever it shares; each divided by its own, the "
            f"excess is {signed(level)}"
        )
    return notes
