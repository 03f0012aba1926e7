"""The effect of each facet by itself, and which facets are shown to lie outside a margin.

A category may be where it should be on average because two of its facets lie far out on either
side: then its mean says nothing that holds for its words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import visible
from valuebias.format import bracketed, signed
from valuebias.stats.checks import MIN_FAMILIES, Layout
from valuebias.stats.crossed import Bools, Floats, Ints
from valuebias.stats.estimate import Effect, FacetEffect, Scale, averaged, placed_groups
from valuebias.stats.facets import Facets, facets_of, pooled, widened
from valuebias.stats.terms import Term, grouped


def facet_effects(
    terms: Sequence[Term], in_a: Bools, families: Sequence[str] | npt.NDArray[Any], facets: Facets
) -> tuple[FacetEffect, ...]:
    """Each facet of at least 5 families, against all of the other side; A's first, by name.

    Arguments and errors as for `contrast`. The facet's families are the draws; it is what is asked
    about and itself no draw of facets, while those of the other side are.
    """
    layout = Layout.of(in_a, families, "family", 0.95)
    groups, scale = grouped(terms), Scale.of(terms)
    word_a, word_b, _ = averaged(placed_groups(groups, layout.words))
    whole = facets.sides(word_a, word_b, layout.words)
    component = facets.component or pooled(whole)
    names = np.asarray(facets.names, str)
    effects = []
    for of_a, side in ((True, layout.in_a), (False, ~layout.in_a)):
        within, within_df = _within(*whole[0 if of_a else 1])
        for name in np.unique(names[side & (names != "")]):
            keep = ~side | (side & (names == name))
            restricted = layout.restricted(keep)
            n = restricted.n_families[0 if of_a else 1]
            if n < MIN_FAMILIES:
                continue
            part = restricted.words
            kept = {
                g: [replace(t, values=t.values[:, keep]) for t in ts] for g, ts in groups.items()
            }
            word_a, word_b, by_prompt = averaged(placed_groups(kept, part))
            own, other = (word_a, word_b) if of_a else (word_b, word_a)
            opposite = (float(other.var(ddof=1)) / len(other), len(other) - 1.0)
            of_other = facets_of(part.b if of_a else part.a, names[keep])
            opposite = widened(opposite, [(other, of_other)], component)
            families_of = (max(within, float(own.var(ddof=1))) / n, within_df)
            parts = [(4 * v, df) for v, df in (families_of, opposite, *by_prompt) if v]
            estimate = 2 * (float(word_a.mean()) - scale.null)
            effects.append(FacetEffect(str(name), of_a, estimate, n, tuple(parts), scale.span))
    return tuple(effects)


def _within(values: Floats, facets: Ints) -> tuple[float, float]:
    """The mean square of families within their facets, and its degrees of freedom; of families
    about the side's mean where there is none."""
    sizes = np.bincount(facets).astype(float)
    df = len(values) - len(sizes)
    if df < 1:
        return float(values.var(ddof=1)), len(values) - 1.0
    rest = values - (np.bincount(facets, weights=values) / sizes)[facets]
    return float(rest @ rest) / df, float(df)


def facet_outside(
    effect: Effect, low: float, high: float, *, alpha: float = 0.05
) -> tuple[FacetEffect, ...]:
    """The facets of an effect that are shown to lie outside [low, high], the farthest first.

    The band holds for all facets at once: Bonferroni, each of k facets being tested at alpha / k on
    either side, so that where none lies outside one is named in no more than ``alpha`` of cases.
    """
    outside = []
    for facet in effect.facets:
        least, most = facet.interval(1 - 2 * alpha / len(effect.facets))
        if least > high or most < low:
            outside.append((max(least - high, low - most), facet))
    return tuple(facet for _, facet in sorted(outside, key=lambda found: -found[0]))


def facets_outside(effect: Effect, low: float, high: float, alpha: float) -> str:
    """Part of a sentence that names the facets shown to lie outside; empty where none is."""
    outside = facet_outside(effect, low, high, alpha=alpha)
    if not outside:
        return ""
    level = 1 - 2 * alpha / len(effect.facets)
    each = (
        f"{visible(f.name)} {signed(f.estimate)} {bracketed(*f.interval(level))}" for f in outside
    )
    lies = "lies the facet" if len(outside) == 1 else "lie the facets"
    return (
        f"outside it {lies} {'; '.join(each)} (bands for all {len(effect.facets)} facets at once)"
    )
