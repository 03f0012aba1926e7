"""Do the prompts agree? What a mean over prompts hides.

A *unit* is a single prompt, or all prompts that share a level of a factor (one adjective). Its
estimate is what the effect would be had only these prompts been asked. Units are looked at one by
one, so that those which cancel in the mean are seen. The prompts are taken as they are: what makes
a unit's estimate uncertain is the draw of word families alone, the same draw for all units, so that
differences between units are paired by word.

Two questions are answered, each over all of its comparisons at once (Holm, Scandinavian Journal of
Statistics 1979): which units are shown to lie outside a margin, and which are shown to differ.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
from scipy import stats

from valuebias.errors import visible
from valuebias.format import signed
from valuebias.stats.crossed import Factors, Floats, Ints, factor_levels, family_sums
from valuebias.stats.word_families import WordFamilies

NAMED = 4
"""How many units a sentence names; the others are counted."""


@dataclass(frozen=True)
class Asked:
    """The prompts of one group: weighted placements (prompts, families of A) and (prompts, families
    of B), each prompt's factors and its id (none: prompts are numbered)."""

    a: Floats
    b: Floats
    factors: Factors | None
    ids: Sequence[str] = ()


@dataclass(frozen=True)
class Unit:
    """A single prompt (``factor`` is empty) or a level of a factor, and its estimate."""

    name: str
    factor: str
    estimate: float

    def __str__(self) -> str:
        name = visible(self.name)
        shown = f'"{name}"' if self.factor else name
        return f"{shown} {signed(self.estimate)}"


@dataclass(frozen=True, eq=False)
class ByPrompt:
    """Every unit, single prompts first, and the covariance (units, units) of their estimates from
    the draw of word families, with its degrees of freedom; ``mean`` is the effect itself, ``apart``
    (units,) the variance of each unit's difference from it.

    ``separated`` is the number of disjoint pairs of families that a unit's estimate of plus or
    minus one rests on, where it has no variance.
    """

    units: tuple[Unit, ...]
    covariance: Floats
    apart: Floats
    mean: float
    df: float
    separated: int

    @classmethod
    def of(
        cls, groups: Sequence[Asked], words: WordFamilies, *, mean: float, df: float
    ) -> ByPrompt:
        """From the placements of each group of prompts."""
        units: list[Unit] = []
        rows: list[Floats] = []  # of each unit, what each family adds beyond the mean
        whole = np.zeros(int(words.family.max()) + 1)
        for group in groups:
            effects = 2 * group.a.mean(axis=1)
            sums = 2 * np.array(
                [np.add(*family_sums(a, b, words)) for a, b in zip(group.a, group.b, strict=True)]
            )
            whole += sums.mean(axis=0)
            for name, factor, at in _asked(group):
                more = float(effects[at].mean() - effects.mean())
                units.append(Unit(name, factor, mean + more))
                rows.append(sums[at].mean(axis=0) - sums.mean(axis=0))
        order = sorted(range(len(units)), key=lambda i: bool(units[i].factor))
        deviations = np.array([rows[i] for i in order])
        whole_rows = deviations + whole
        return cls(
            tuple(units[i] for i in order),
            whole_rows @ whole_rows.T,
            np.square(deviations).sum(axis=1),
            mean,
            df,
            min(len(words.a.sizes), len(words.b.sizes)),
        )

    @property
    def n_prompts(self) -> int:
        return sum(not unit.factor for unit in self.units)

    def times(self, sign: float) -> ByPrompt:
        """The same of the estimate with the other sign, for -1."""
        units = tuple(replace(u, estimate=sign * u.estimate) for u in self.units)
        return replace(self, units=units, mean=sign * self.mean)

    def around(self, mean: float) -> ByPrompt:
        """The same units about another mean."""
        units = tuple(replace(u, estimate=u.estimate + mean - self.mean) for u in self.units)
        return replace(self, units=units, mean=mean)

    def outside(self, low: float, high: float, alpha: float) -> tuple[Unit, ...]:
        """The units shown to lie outside [low, high]: one-sided t tests, Holm's correction over all
        units. Levels of factors come first, the farthest of each kind first."""
        p = []
        for unit, variance in zip(self.units, np.diag(self.covariance), strict=True):
            beyond, edge = max((unit.estimate - high, high), (low - unit.estimate, -low))
            if beyond <= 0:
                p.append(1.0)
            elif variance > _ZERO:
                p.append(float(stats.t.sf(beyond / math.sqrt(variance), self.df)))
            else:  # every word of one side beats every word of the other: a binomial test
                p.append(((1 + edge) / 2) ** self.separated)
        middle = min(max(self.mean, low), high)
        shown = [unit for unit, seen in zip(self.units, holm(p, alpha), strict=True) if seen]
        return tuple(sorted(shown, key=lambda u: (not u.factor, -abs(u.estimate - middle), u.name)))

    def differing(self, alpha: float) -> tuple[Unit, ...]:
        """The units shown to differ: of each factor the two levels farthest apart among those shown
        to differ from each other; without such, the single prompts shown to differ from the mean,
        the farthest first. Two-sided t tests, paired by word, Holm's correction over all pairs of
        levels and all prompts."""
        levels = [i for i, u in enumerate(self.units) if u.factor]
        pairs = [
            (i, j)
            for i, j in combinations(levels, 2)
            if self.units[i].factor == self.units[j].factor
        ]
        singles = [i for i, u in enumerate(self.units) if not u.factor]
        gaps = [self.units[i].estimate - self.units[j].estimate for i, j in pairs]
        c = self.covariance
        variances = [c[i, i] + c[j, j] - 2 * c[i, j] for i, j in pairs]
        gaps += [self.units[i].estimate - self.mean for i in singles]
        variances += [self.apart[i] for i in singles]
        p = [
            2 * float(stats.t.sf(abs(gap) / math.sqrt(v), self.df)) if v > _ZERO else 1.0
            for gap, v in zip(gaps, variances, strict=True)
        ]
        seen = holm(p, alpha)
        found: dict[str, tuple[float, tuple[Unit, ...]]] = {}
        for (i, j), gap, shown in zip(pairs, gaps, seen, strict=False):
            factor = self.units[i].factor
            if shown and abs(gap) > found.get(factor, (0.0, ()))[0]:
                both = (self.units[i], self.units[j])
                found[factor] = abs(gap), tuple(sorted(both, key=lambda u: -u.estimate))
        if found:
            widest = sorted(found.values(), key=lambda each: -each[0])
            return tuple(unit for _, units in widest for unit in units)
        apart = [self.units[i] for i, s in zip(singles, seen[len(pairs) :], strict=True) if s]
        return tuple(sorted(apart, key=lambda u: (-abs(u.estimate - self.mean), u.name)))

    def extremes(self) -> tuple[Unit, ...]:
        """The two levels of one factor that lie farthest apart, the higher first; without factors
        the highest and the lowest prompt."""
        factors = {u.factor for u in self.units if u.factor} or {""}
        groups = [[u for u in self.units if u.factor == f] for f in sorted(factors)]
        ends = [
            (max(g, key=lambda u: u.estimate), min(g, key=lambda u: u.estimate)) for g in groups
        ]
        return max(ends, key=lambda pair: pair[0].estimate - pair[1].estimate)


_ZERO = 1e-18
"""Variances below are rounding."""


def _asked(group: Asked) -> Iterator[tuple[str, str, Ints]]:
    """Each unit of a group: its name, its factor, and which prompts it is."""
    n = len(group.a)
    ids = group.ids or [f"prompt {i}" for i in range(1, n + 1)]
    for i, name in enumerate(ids):
        yield name, "", np.array([i])
    for factor, levels in factor_levels(group.factors, n).items():
        for level in dict.fromkeys(levels):
            yield level, factor, np.flatnonzero([each == level for each in levels])


def holm(p: Sequence[float], alpha: float) -> list[bool]:
    """Which hypotheses are rejected, all together at error ``alpha``."""
    rejected = [False] * len(p)
    for rank, i in enumerate(np.argsort(p, kind="stable")):
        if p[i] > alpha / (len(p) - rank):
            break
        rejected[i] = True
    return rejected


def named(units: Sequence[Unit]) -> str:
    """The units in words, at most `NAMED` of them, such as "greatest" +.25, "good" -.25."""
    more = len(units) - NAMED
    return ", ".join(map(str, units[:NAMED])) + (f" and {more} more" if more > 0 else "")
