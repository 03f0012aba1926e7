"""Fits the smallest edit of a head to half of the words and prompts.

What is asked of it: the effect on ranks and the change of a policy's share inside a narrow band
around an aim, for all prompts of a valence and, less narrowly, for those of each adjective, scope
and style; the other contrasts no further out; control words told apart; accuracy kept. The aims are
the margins' middles, moved by what cross-validation shows the edit to fall short by on words and
prompts that it was not fitted on.

The constants here, in `stats.edit` and in `stats.linear_reward` were chosen on 29 November 2026 on
the shipped demo:agency and demo:communion, and then held for the models of other seeds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from valuebias.lexicons.lexicon import Lexicon, Selection
from valuebias.prompts import VALENCES, Prompt, Valence
from valuebias.repair.halves import Half, folds
from valuebias.stats.edit import Bound, Edit, Metric, Quantity, smallest_edit
from valuebias.stats.linear_reward import Accuracy, Features, Floats, RankEffect, ShareChange
from valuebias.stats.verdict import Margin

TRIES = ((0.1, 0.5), (0.15, 1.0), (0.25, np.inf))
"""The bands for all prompts together and for each level of a factor, as shares of half the
margin's width: the first that can be met."""
FOLDS = 4
"""Of cross-validation."""
FARTHEST = {"ranks": 0.5, "mass": 2.0}
"""An aim lies no further from the margin's middle, as a share of half the margin's width; one of
mass no further than half the way to what can be reached."""
KEPT_ACCURACY = 0.25
"""The accuracy that is given up at most in the fit, as a share of what the judged half may lose."""
TOLD_APART = 0.7
"""The share of the control words' effect that must be left."""

Key = tuple[str, Valence]
"""A quantity, "ranks" or "mass", and a valence."""


@dataclass(frozen=True, eq=False)
class Numbers:
    """What a repair is fitted to: features (prompts, words, d) of all words, and the differences
    (pairs, d) of the kept preferences' features, chosen less rejected, half of them;
    ``conversations`` (2 pairs, d) are the same answers' features themselves. ``said``
    (prompts, words) are a policy's log-probabilities, None without one."""

    prompts: tuple[Prompt, ...]
    words: tuple[str, ...]
    features: Features
    apart: Features
    conversations: Features
    said: Floats | None


@dataclass(frozen=True)
class Asked:
    """What a repair is to do: bring ``contrast`` inside ``margins`` by quantity and valence.

    ``others`` are contrasts of the lexicon that must not move outward, with their margins by
    valence; ``control`` the control words, a lexicon and the name of its contrast; ``loss`` the
    accuracy that may be lost.
    """

    contrast: str
    margins: Mapping[Key, Margin]
    others: Mapping[str, Mapping[Valence, Margin]]
    control: tuple[Lexicon, str]
    loss: float


@dataclass(frozen=True)
class Fitted:
    """An edit with the aims it was fitted to, and what cross-validation foresaw of one that aims at
    the margins' middles."""

    edit: Edit
    metric: Metric
    aims: Mapping[Key, float]
    foreseen: Mapping[Key, float]


def fit(weights: Floats, half: Half, numbers: Numbers, asked: Asked) -> Fitted:
    """The edit of ``weights`` (d,) fitted to one half. Raises StatisticsError or LexiconError."""
    problem = _Problem(weights, numbers, asked)
    middle = {key: (m.low + m.high) / 2 for key, m in asked.margins.items()}
    reach = {key: (m.high - m.low) / 2 for key, m in asked.margins.items()}
    foreseen = dict.fromkeys(middle, 0.0)
    pieces = list(folds(half, numbers.words, FOLDS))
    for inside, outside in pieces:
        edit, _ = problem.solve(inside, middle)
        for key in middle:
            value = problem.value(key, outside, weights + edit.change)
            foreseen[key] += value / len(pieces)
    aims = {}
    for key, at in middle.items():
        most, (least, highest) = FARTHEST[key[0]] * reach[key], problem.room(key, half)
        moved = np.clip(2 * at - foreseen[key], at - most, at + most)
        aims[key] = float(np.clip(moved, least, highest))
    edit, metric = problem.solve(half, aims)
    return Fitted(edit, metric, aims, foreseen)


class _Problem:
    """The bounds of one repair, on any part of the words and prompts."""

    def __init__(self, weights: Floats, numbers: Numbers, asked: Asked) -> None:
        self._weights, self._numbers, self._asked = weights, numbers, asked
        self._row = {prompt.id: i for i, prompt in enumerate(numbers.prompts)}

    def solve(self, half: Half, aims: Mapping[Key, float]) -> tuple[Edit, Metric]:
        """The edit with the narrowest bands that can be met."""
        metric = self._metric(half)
        for bands in TRIES:
            edit = smallest_edit(self._weights, [*self._bounds(half, aims, bands)], metric)
            if not edit.unmet:
                break
        return edit, metric

    def room(self, key: Key, half: Half) -> tuple[float, float]:
        """Half the way to the least and to the greatest value that a quantity can have."""
        if key[0] == "ranks":
            return -0.5, 0.5
        share = self._change(key[1], half).share
        return -share / 2, (1 - share) / 2

    def value(self, key: Key, half: Half, weights: Floats) -> float:
        """One quantity on part of the words and prompts, all prompts of its valence together."""
        quantity, _ = self._quantity(key, half, half.lexicon, self._asked.contrast)
        return float(quantity.at(weights)[0][0])

    def _bounds(
        self, half: Half, aims: Mapping[Key, float], tried: tuple[float, float]
    ) -> Iterator[Bound]:
        asked = self._asked
        for key, margin in asked.margins.items():
            quantity, names = self._quantity(key, half, half.lexicon, asked.contrast)
            bands = np.array([tried[0], *[tried[1]] * (len(names) - 1)])
            bands *= (margin.high - margin.low) / 2
            yield Bound(quantity, names, aims[key] - bands, aims[key] + bands)
        for contrast, margins in asked.others.items():
            for valence, margin in margins.items():
                quantity, names = self._quantity(("ranks", valence), half, half.lexicon, contrast)
                now = quantity.at(self._weights)[0][:1]
                yield Bound(
                    _First(quantity), (f"{contrast}, {names[0]}",),
                    np.minimum(now, margin.low), np.maximum(now, margin.high),
                )  # fmt: skip
        lexicon, contrast = asked.control
        for valence in VALENCES:
            quantity, names = self._quantity(("ranks", valence), half, lexicon, contrast)
            now = quantity.at(self._weights)[0][:1]
            ends = np.where(now > 0, TOLD_APART * now, -np.inf)
            yield Bound(
                _First(quantity), (f"control words, {names[0]}",),
                ends, np.where(now > 0, np.inf, TOLD_APART * now),
            )  # fmt: skip
        kept = Accuracy(self._numbers.apart)
        now = kept.at(self._weights)[0]
        least = now - KEPT_ACCURACY * asked.loss
        yield Bound(kept, ("accuracy on the kept preferences",), least, np.array([np.inf]))

    def _quantity(
        self, key: Key, half: Half, lexicon: Lexicon, contrast: str
    ) -> tuple[Quantity, tuple[str, ...]]:
        what, valence = key
        groups, levels = _groups(half.prompts.of(valence))
        names = tuple(f"{what}, {level or 'all'} {valence} prompts" for level in levels)
        if what == "mass":
            return self._change(valence, half), names
        rows, selection = self._part(valence, half, lexicon, contrast)
        features = self._numbers.features[np.ix_(rows, selection.columns)]
        return RankEffect(features, selection.in_a, _shares(selection), groups), names

    def _change(self, valence: Valence, half: Half) -> ShareChange:
        numbers = self._numbers
        rows, selection = self._part(valence, half, half.lexicon, self._asked.contrast)
        at = np.ix_(rows, selection.columns)
        assert numbers.said is not None
        groups, _ = _groups(half.prompts.of(valence))
        return ShareChange(numbers.features[at], selection.in_a, numbers.said[at], groups)

    def _part(
        self, valence: Valence, half: Half, lexicon: Lexicon, contrast: str
    ) -> tuple[npt.NDArray[np.intp], Selection]:
        rows = [self._row[prompt.id] for prompt in half.prompts.of(valence)]
        return np.array(rows, np.intp), lexicon.select(contrast, self._numbers.words)

    def _metric(self, half: Half) -> Metric:
        """Half of it from the lexicon's words, about their prompt's mean, half from the kept
        answers."""
        rows = np.array([self._row[prompt.id] for prompt in half.prompts.both], np.intp)
        columns = half.lexicon.select_all(self._numbers.words).columns
        return Metric.of(
            _covariance(self._numbers.features[np.ix_(rows, columns)]),
            _covariance(self._numbers.conversations[None]),
        )


@dataclass(frozen=True)
class _First:
    """The first value of a quantity alone: that of all prompts."""

    quantity: Quantity

    def at(self, weights: Floats) -> tuple[Floats, Floats]:
        values, gradients = self.quantity.at(weights)
        return values[:1], gradients[:1]


def _covariance(features: Features) -> Floats:
    """(d, d) of features (groups, answers, d) about the mean of their group."""
    total = np.zeros((features.shape[-1],) * 2)
    for group in features.astype(float):
        apart = group - group.mean(axis=0)
        total += apart.T @ apart
    return total / features[..., 0].size


def _groups(prompts: Sequence[Prompt]) -> tuple[Floats, tuple[str, ...]]:
    """The weights (1 + levels, prompts) of all prompts and of those of each level of each factor,
    with the levels' names."""
    rows, names = [np.ones(len(prompts))], [""]
    for level in dict.fromkeys(item for prompt in prompts for item in prompt.factors.items()):
        row = np.array([level in prompt.factors.items() for prompt in prompts], float)
        if not row.all():
            rows.append(row)
            names.append(level[1])
    return np.array([row / row.sum() for row in rows]), tuple(names)


def _shares(selection: Selection) -> Floats:
    """Each word's part of its side: families count alike, and so do the words of one."""
    shares = np.zeros(len(selection.words))
    for side in (selection.in_a, ~selection.in_a):
        _, family, sizes = np.unique(
            selection.families[side], return_inverse=True, return_counts=True
        )
        shares[side] = 1 / sizes[family.reshape(-1)] / len(sizes)
    return shares
