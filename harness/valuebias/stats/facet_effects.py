"""The effect of each facet by itself, and which facets are shown to lie outside a margin.

A category may be where it should be on average because two of its facets lie far out on either
side: then its mean says nothing that holds for its words. A facet may hold smaller ones, as "power"
holds "power/fame" and "power/control": it may be shown to lie somewhere where they are too small.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import visible
from valuebias.format import bracketed, signed
from valuebias.lexicons.facets import SEPARATOR
from valuebias.stats.checks import MIN_FAMILIES, Layout
from valuebias.stats.crossed import Bools, Floats, Ints
from valuebias.stats.estimate import Effect, FacetEffect, Scale, averaged, placed_groups
from valuebias.stats.facets import Facets, pooled, widened
from valuebias.stats.terms import Term, grouped
from valuebias.stats.word_families import Side, WordFamilies


def facet_effects(
    terms: Sequence[Term], in_a: Bools, families: Sequence[str] | npt.NDArray[Any], facets: Facets
) -> tuple[FacetEffect, ...]:
    """Each facet of at least 5 families, against all of the other side; A's first, by name.

    Arguments and errors as for `contrast`. The facet's families are the draws; it is what is asked
    about and itself no draw of facets, while those that it holds and those of the other side are.
    One that holds a single one and no other families is left out: the two are the same.
    """
    words = Layout.of(in_a, families, "family", 0.95).words
    groups, scale = grouped(terms), Scale.of(terms)
    placed = placed_groups(groups, words)
    whole = facets.sides(*averaged(placed)[:2], words)
    component = facets.component or pooled(whole)
    names = np.asarray(facets.names, str)
    named = [_named(side, names) for side in (words.a, words.b)]
    facing = [_facing(group, words, named) for group in groups.values()]
    depths = range(1 + max((p.count(SEPARATOR) for paths in named for p in paths), default=0))
    alike = [  # the facets held by those of a depth
        pooled(
            (x[at], smallest[at])
            for (x, smallest), paths in zip(whole, named, strict=True)
            for path, at in paths.items()
            if path.count(SEPARATOR) == depth
        )
        for depth in depths
    ]
    effects = []
    for own, (values, smallest) in enumerate(whole):
        within = [_within(values, _numbers(named[own], d, len(values))) for d in depths]
        of_a = own == 0
        for i, (path, at) in enumerate(named[own].items()):
            if len(at) < MIN_FAMILIES:
                continue
            depth, n, held = path.count(SEPARATOR), len(at), smallest[at]
            restricted = [
                replace(group, a=group.a[:, at], b=others[0][:, i])
                if of_a
                else replace(group, a=others[1][:, i], b=group.b[:, at])
                for group, others in zip(placed, facing, strict=True)
            ]
            word_a, word_b, by_prompt = averaged(restricted)
            mine, other = (word_a, word_b) if of_a else (word_b, word_a)
            square = max(within[depth][0], float(mine.var(ddof=1)))
            of_own = (square / n, within[depth][1])
            if len(set(held.tolist())) > 1:
                of_own = widened(of_own, [(square, held)], alike[depth])
            opposite = (float(other.var(ddof=1)) / len(other), len(other) - 1.0)
            opposite = widened(opposite, [(other, whole[1 - own][1])], component)
            parts = [(4 * v, df) for v, df in (of_own, opposite, *by_prompt) if v]
            estimate = 2 * (float(word_a.mean()) - scale.null)
            effects.append(FacetEffect(path, of_a, estimate, n, tuple(parts), scale.span))
    return tuple(effects)


def _named(side: Side, names: npt.NDArray[Any]) -> dict[str, Ints]:
    """The facets of a side, those that hold others too, by their paths in order, each with the
    places of its families; without those that hold one other and nothing else."""
    of_family = names[side.columns[side.begins]]
    places: dict[str, list[int]] = {}
    for place, name in enumerate(of_family):
        parts = name.split(SEPARATOR) if name else []
        for depth in range(len(parts)):
            places.setdefault(SEPARATOR.join(parts[: depth + 1]), []).append(place)
    found = {path: np.array(places[path]) for path in sorted(places)}
    return {
        path: at
        for path, at in found.items()
        if len(set(of_family[at])) > 1 or of_family[at[0]] == path
    }


def _facing(
    terms: Sequence[Term], words: WordFamilies, named: Sequence[dict[str, Ints]]
) -> tuple[Floats, Floats]:
    """The placements of B's families against each facet of A alone (prompts, facets of A, families
    of B), and those of A's families against each of B, summed over terms by their weights."""
    of_a, of_b = (
        np.array([_shares(side, at) for at in paths.values()]).reshape(-1, len(side.columns))
        for side, paths in zip((words.a, words.b), named, strict=True)
    )
    found_b, found_a = [], []
    for prompt in range(len(terms[0].values)):
        wins = np.zeros((len(words.a.columns), len(words.b.columns)))
        for term in terms:
            row = term.values[prompt]
            a, b = row[words.a.columns][:, None], row[words.b.columns]
            wins += term.weight * ((a > b) + 0.5 * (a == b))
        found_b.append(_family_means(of_a @ wins, words.b))
        found_a.append(_family_means(of_b @ wins.T, words.a))
    return np.array(found_b), np.array(found_a)


def _shares(side: Side, families: Ints) -> Floats:
    """What each of a side's words (in the order of its columns) counts in a mean over some of its
    families."""
    shares = np.zeros(len(side.sizes))
    shares[families] = 1 / len(families)
    counts: Floats = np.repeat(shares / side.sizes, side.sizes.astype(np.intp))
    return counts


def _family_means(values: Floats, side: Side) -> Floats:
    """(..., families) of values (..., words in the order of the side's columns)."""
    means: Floats = np.add.reduceat(values, side.begins, axis=-1) / side.sizes
    return means


def _numbers(named: dict[str, Ints], depth: int, n: int) -> Ints:
    """Each family's facet at a depth, as a number; one without has its own."""
    numbers = np.arange(n)
    for path, at in named.items():
        if path.count(SEPARATOR) == depth:
            numbers[at] = at[0]
    found: Ints = np.unique(numbers, return_inverse=True)[1]
    return found.reshape(-1)


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
