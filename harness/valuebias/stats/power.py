"""How often a claim will PASS, FAIL or stay INCONCLUSIVE, before anything is measured.

    chances(claims, effects, like=...) -> Chances

A `Spread` holds what the variance of a single scorer's effect is made of, taken apart so that it
can be put together again for other numbers of families, prompts and levels. A run is then drawn
many times: its estimates, all claims together, and the variances that it would estimate, which
are scaled chi-squares. Each draw is held against the margin as `judge` does it: the same parts,
degrees of freedom, half width and scale. What `judge` asks beside the interval (`objections`) is
left out, so that P(PASS) is an upper bound where prompts or facets lie outside the margin.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import special

from valuebias.errors import StatisticsError
from valuebias.stats.checks import GATE_FAMILIES, GATE_PROMPTS
from valuebias.stats.crossed import Factors, Floats, factor_levels
from valuebias.stats.joint import root
from valuebias.stats.spread import Spread, of_prompts, of_words
from valuebias.stats.verdict import Margin
from valuebias.stats.word_families import Bools

DRAWS = 10_000
"""Simulated runs: a probability is then known to .01 (two standard errors)."""


@dataclass(frozen=True)
class Asked:
    """How a claim will be measured: word families of (A, B), prompts of its valence, and how many
    levels each of their factors has."""

    families: tuple[int, int]
    prompts: int
    levels: Mapping[str, int]

    @classmethod
    def of(cls, families: tuple[int, int], prompts: Factors) -> Asked:
        """From each prompt's factors; those that `crossed` takes for no factors are left out."""
        n = len(prompts)
        levels = {name: len(set(each)) for name, each in factor_levels(prompts, n).items()}
        return cls(families, n, levels)

    def more_families(self, times: float) -> Asked:
        """So many times as many families on either side."""
        a, b = self.families
        return replace(self, families=(round(a * times), round(b * times)))

    def with_levels(self, factor: str, levels: int) -> Asked:
        """So many levels of a factor, in as many prompts, but at least as many to a level as there
        are now where it has more of them."""
        each = self.prompts // self.levels[factor] if levels > self.levels[factor] else 1
        prompts = max(self.prompts, levels * min(each, 3))
        return replace(self, prompts=prompts, levels={**self.levels, factor: levels})


@dataclass(frozen=True)
class Planned:
    """A claim: what its estimate's variance is made of, how it will be measured, its margin."""

    spread: Spread
    asked: Asked
    margin: Margin


@dataclass(frozen=True, eq=False)
class Chances:
    """Simulated verdicts (draws, claims): which claims PASS and which FAIL; the others are
    INCONCLUSIVE, or an error that the margin is too narrow."""

    passed: Bools
    failed: Bools

    @property
    def by_claim(self) -> Floats:
        """(claims, 3): P(PASS), P(FAIL), P(INCONCLUSIVE)."""
        passed, failed = self.passed.mean(axis=0), self.failed.mean(axis=0)
        return np.stack([passed, failed, 1 - passed - failed], axis=1)

    @property
    def whole(self) -> tuple[float, float, float]:
        """Of the whole run: that all claims PASS, that at least one FAILs, that neither is so."""
        passed = float(self.passed.all(axis=1).mean())
        failed = float(self.failed.any(axis=1).mean())
        return passed, failed, 1 - passed - failed


@dataclass(frozen=True, eq=False)
class Alike:
    """The correlations (claims, claims) of the claims' errors: from the draw of words, and from
    that of prompts."""

    words: Floats
    prompts: Floats

    def of(self, claims: Sequence[int]) -> Alike:
        """Those of some of the claims."""
        at = np.ix_(claims, claims)
        return Alike(self.words[at], self.prompts[at])


def chances(
    claims: Sequence[Planned],
    effects: npt.ArrayLike,
    *,
    like: Alike | None = None,
    alpha: float = 0.05,
    draws: int = DRAWS,
    seed: int = 0,
) -> Chances:
    """The verdicts of simulated runs in which the claims' true effects are ``effects`` (claims,).

    Without ``like`` the claims' errors are independent. The same draws are used whatever the
    effects are, so that results for different numbers of families differ by these alone.

    Raises StatisticsError for an alpha not between 0 and .5, and effects not inside (-1, 1).
    """
    true = np.asarray(effects, dtype=float)
    if true.shape != (len(claims),) or not (np.abs(true) < 1).all():
        raise StatisticsError(
            "each claim needs a true effect between -1 and 1",
            seen=np.asarray(effects),
            remedy="Give one for each claim.",
        )
    if not 0 < alpha < 0.5:
        raise StatisticsError(
            "alpha must lie between 0 and 0.5", seen=alpha, remedy="Give for example 0.05."
        )
    passed, failed = np.zeros((2, draws, len(claims)), dtype=np.bool_)
    like = like or Alike(np.eye(len(claims)), np.eye(len(claims)))
    # One draw of words for all claims; one of prompts for those that are asked the same way.
    words = np.random.default_rng([seed, 0]).standard_normal((draws, len(claims)))
    by_words = words @ root(like.words)
    for number, at in enumerate(_same_prompts(claims)):
        rng = np.random.default_rng([seed, 1, number])
        here = [claims[i] for i in at]
        estimates, halves = _drawn(
            here, true[at], by_words[:, at], root(like.of(at).prompts), alpha, rng
        )
        passed[:, at], failed[:, at] = _judged(here, estimates, halves)
    return Chances(passed, failed)


def _same_prompts(claims: Sequence[Planned]) -> Iterator[list[int]]:
    groups: dict[tuple[object, ...], list[int]] = {}
    for i, claim in enumerate(claims):
        key = (claim.asked.prompts, *sorted(claim.asked.levels.items()))
        groups.setdefault(key, []).append(i)
    yield from groups.values()


def _drawn(
    claims: Sequence[Planned],
    true: Floats,
    by_words: Floats,
    mix: Floats,
    alpha: float,
    rng: np.random.Generator,
) -> tuple[Floats, Floats]:
    """Estimates and half widths (draws, claims) of claims that are asked on the same prompts."""
    asked, shape = claims[0].asked, by_words.shape
    spreads = [claim.spread for claim in claims]
    n = asked.prompts
    per_family = np.array([sum(1 / f for f in c.asked.families) for c in claims])
    words = per_family * [s.words for s in spreads]
    noise = per_family * [max(s.noise, 0.0) for s in spreads] / n
    own = np.array([max(s.prompt, 0.0) for s in spreads]) / n
    shared = {
        name: np.array([max(s.factors.get(name, 0.0), 0.0) for s in spreads]) / k
        for name, k in asked.levels.items()
    }
    by_prompts = own + sum(shared.values(), np.zeros(len(claims)))
    mean = rng.standard_normal(shape) @ mix
    error: Floats = np.sqrt(of_words(true) * words) * by_words
    error = error + np.sqrt(of_prompts(true) * by_prompts) * mean
    estimates = np.tanh(np.arctanh(true) + error / (1 - true**2))
    # What the run estimates, first at no effect. The residual of the prompts, and of each factor
    # what its mean square has above it, as in `crossed.prompt_parts`.
    left = n - 1 - sum(k - 1 for k in asked.levels.values())
    residual: Floats = np.zeros(shape)
    if left > 0:
        residual = (own + noise) * rng.chisquare(left, shape) / left
    above = []
    for name, k in asked.levels.items():
        levels = rng.standard_normal((k - 1, *shape)) @ mix
        square = (shared[name] + own + noise) * (levels**2).mean(axis=0)
        above.append((square - residual, k - 1.0))
    together, df = _together(above, shape)
    words_df = np.array(
        [
            s.df * sum(c.asked.families) / sum(s.families)
            for s, c in zip(spreads, claims, strict=True)
        ]
    )
    drawn_words = words * rng.chisquare(words_df, shape) / words_df
    squares = of_words(estimates) * drawn_words * special.stdtrit(words_df, alpha) ** 2
    single = np.maximum(residual - noise, 0) * special.stdtrit(max(left, 1), alpha) ** 2
    prompts = single + together * _quantile(df, alpha) ** 2
    halves = np.sqrt(squares + of_prompts(estimates) * prompts)
    return estimates, halves


def _together(
    above: Sequence[tuple[Floats, float]], shape: tuple[int, ...]
) -> tuple[Floats, Floats]:
    """The part of all factors, and its degrees of freedom: `crossed.prompt_parts` for many."""
    total, largest, seen, spread = (np.zeros(shape) for _ in range(4))
    for square, own_df in above:
        shown = np.maximum(square, 0)
        total, largest = total + square, np.maximum(largest, shown)
        seen, spread = seen + shown, spread + shown**2 / own_df
    df: Floats = np.divide(seen**2, spread, out=np.ones(shape), where=spread > 0)
    return np.maximum(total, largest), np.maximum(df, 1.0)


def _quantile(df: Floats, alpha: float) -> Floats:
    """The t quantile of many degrees of freedom, by interpolation in their inverse."""
    inverse = np.linspace(0.001, 1, 1000)
    known = special.stdtrit(1 / inverse, alpha)
    result: Floats = np.interp(1 / df, inverse, known)
    return result


def _judged(claims: Sequence[Planned], estimates: Floats, halves: Floats) -> tuple[Bools, Bools]:
    """Which estimates PASS and which FAIL, as `judge` has it, by the interval alone."""
    centre, half = np.arctanh(estimates), halves / (1 - estimates**2)
    low, high = np.tanh(centre - half), np.tanh(centre + half)
    least, most = (np.array([getattr(c.margin, end) for c in claims]) for end in ("low", "high"))
    few = np.array([min(c.asked.families) < GATE_FAMILIES for c in claims])
    holds_zero = (least <= 0) & (most >= 0)
    gates = ~few & (np.array([c.asked.prompts for c in claims]) >= GATE_PROMPTS)
    failed = ((high < least) | (low > most)) & (~few | holds_zero)
    passed = (least <= low) & (high <= most) & gates
    return passed, failed
