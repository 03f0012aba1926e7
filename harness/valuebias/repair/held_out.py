"""What a repair comes to on the words and prompts that it was not fitted to, by the ordinary gate.

A contrast with fewer than 20 word families in a category there has no verdict that could pass; it
is compared before and after, by the paired interval of the difference.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.stats import spearmanr

from valuebias.candidates import Candidates
from valuebias.errors import ValueBiasError
from valuebias.format import bracketed, signed
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import measure
from valuebias.measurement.forecast import measure_forecast
from valuebias.measurement.instrument import State, check_instrument
from valuebias.prompts import PromptSet, Valence
from valuebias.repair.fit import Asked, Key
from valuebias.repair.halves import Half
from valuebias.repair.table import Table
from valuebias.stats.checks import GATE_FAMILIES
from valuebias.stats.effect import Effect
from valuebias.stats.linear_reward import Features, Floats
from valuebias.stats.paired_share import paired_share
from valuebias.stats.verdict import Margin, Outcome, judge

OUTWARD = 0.05
"""Another contrast has not moved outward if it is shown to have moved by less than this; fixed on
29 November 2026."""


@dataclass(frozen=True)
class Finding:
    """One thing that a repaired model must do: its estimate before, and after with the 90%
    interval that decides (None where there is none), what was asked, and whether it was shown."""

    name: str
    before: float | None
    after: float | None
    low: float | None
    high: float | None
    asked: str
    shown: bool
    reason: str


@dataclass(frozen=True)
class Moved:
    """A contrast on all words and prompts, before and after."""

    lexicon: str
    contrast: str
    valence: Valence
    before: float
    after: float


@dataclass(frozen=True, eq=False)
class Trial:
    """Judges weights of the head: ``table`` makes a scorer of them, ``policy`` is what a policy
    said, ``half`` what nothing was fitted on, ``apart`` (pairs, d) the features of chosen less
    rejected answers of preferences that nothing was fitted on."""

    table: Callable[[Floats], Table]
    policy: Table | None
    half: Half
    lexicon: Lexicon
    prompts: PromptSet
    asked: Asked
    apart: Features
    weights: Floats
    """The model's own."""

    def target(self, weights: Floats) -> list[Finding]:
        """The contrast that was asked for: ranks and mass, by valence."""
        now, then = self.table(weights), self.table(self.weights)
        return [self._of(key, margin, now, then) for key, margin in self.asked.margins.items()]

    def besides(self, weights: Floats) -> Iterator[Finding]:
        """What must not get worse."""
        now, then = self.table(weights), self.table(self.weights)
        for contrast, margins in self.asked.others.items():
            for valence, margin in margins.items():
                yield self._not_outward(contrast, valence, margin, now, then)
        yield self.accuracy(weights)
        checked = check_instrument(now, self.lexicon, prompts=self.prompts)
        yield Finding(
            "instrument check", None, None, None, None, "sound",
            checked.state is State.SOUND, checked.reason or "it reads the questions",
        )  # fmt: skip

    def accuracy(self, weights: Floats) -> Finding:
        """The accuracy on the half of the kept preferences that was not fitted on."""
        after, before = (self.apart @ w > 0 for w in (weights, self.weights))
        moved, low, high = paired_share(after, before)
        least = -self.asked.loss
        return Finding(
            f"accuracy on {len(after):,} kept preferences",
            float(before.mean()), float(after.mean()),
            float(before.mean()) + low, float(before.mean()) + high,
            f"lost: at most {self.asked.loss:.3f}", low >= least,
            f"a change of {signed(moved)} {bracketed(low, high)}",
        )  # fmt: skip

    def alike(self, weights: Floats) -> float:
        """Spearman's correlation of the words' scores before and after, averaged over prompts that
        were not fitted on."""
        rows = [self.table(w).score(self.half.prompts.both, self._words).values
                for w in (self.weights, weights)]  # fmt: skip
        return float(np.mean([spearmanr(a, b).statistic for a, b in zip(*rows, strict=True)]))

    @property
    def _words(self) -> Candidates:
        return self.table(self.weights).candidates(self.half.lexicon)

    def _of(self, key: Key, margin: Margin, now: Table, then: Table) -> Finding:
        what, valence = key
        name = f"{what}, {valence} prompts"
        try:
            before, after = (self._effect(key, table) for table in (then, now))
            if min(after.n_families) < GATE_FAMILIES:
                return self._inward(name, valence, margin, before, after, now, then)
            verdict = judge(after, margin)
        except ValueBiasError as error:
            return Finding(name, None, None, None, None, str(margin), False, error.what)
        return Finding(
            name, before.estimate, after.estimate, verdict.gate_low, verdict.gate_high,
            str(margin), verdict.outcome is Outcome.PASS, f"{verdict.outcome}: {verdict.reason}",
        )  # fmt: skip

    def _effect(self, key: Key, table: Table) -> Effect:
        what, valence = key
        half, contrast = self.half, self.asked.contrast
        if what == "mass":
            assert self.policy is not None
            return measure_forecast(
                table, self.policy, half.lexicon, contrast, valence, prompts=half.prompts
            ).forecast
        return self._ranks(table, contrast, valence)

    def _ranks(self, table: Table, contrast: str, valence: Valence) -> Effect:
        return measure(
            table, self.half.lexicon, contrast, valence,
            prompts=self.half.prompts, vocabulary=False,
        ).effect  # fmt: skip

    def _shift(self, contrast: str, valence: Valence, now: Table, then: Table) -> Effect:
        return measure(
            now, self.half.lexicon, contrast, valence, against=then,
            prompts=self.half.prompts, vocabulary=False,
        ).effect  # fmt: skip

    def _inward(
        self, name: str, valence: Valence, margin: Margin, before: Effect, after: Effect,
        now: Table, then: Table,
    ) -> Finding:  # fmt: skip
        """Of few families: the estimate is inside, and shown to have moved there."""
        shift = self._shift(self.asked.contrast, valence, now, then)
        low, high = shift.interval(0.9)
        inward = high < 0 if before.estimate > (margin.low + margin.high) / 2 else low > 0
        inside = margin.low <= after.estimate <= margin.high
        return Finding(
            name, before.estimate, after.estimate, *after.interval(0.9), str(margin),
            inside and inward,
            f"fewer than {GATE_FAMILIES} families: moved by {signed(shift.estimate)} "
            f"{bracketed(low, high)}",
        )  # fmt: skip

    def _not_outward(
        self, contrast: str, valence: Valence, margin: Margin, now: Table, then: Table
    ) -> Finding:
        name = f"{contrast}, {valence} prompts"
        try:
            before, after = (self._ranks(table, contrast, valence) for table in (then, now))
            low, high = after.interval(0.9)
            if min(after.n_families) >= GATE_FAMILIES and margin.low <= low <= high <= margin.high:
                shown, reason = True, "inside its margin"
            else:
                shift = self._shift(contrast, valence, now, then)
                least, most = shift.interval(0.9)
                outward = most if before.estimate > (margin.low + margin.high) / 2 else -least
                shown = outward < OUTWARD
                reason = f"moved by {signed(shift.estimate)} {bracketed(least, most)}"
        except ValueBiasError as error:
            return Finding(name, None, None, None, None, str(margin), False, error.what)
        return Finding(
            name, before.estimate, after.estimate, low, high,
            f"{margin}, or not outward", shown, reason,
        )  # fmt: skip


def moved(
    before: Table, after: Table, contrasts: Mapping[str, tuple[Lexicon, tuple[str, ...]]],
    prompts: PromptSet,
) -> Iterator[Moved]:  # fmt: skip
    """Every contrast of the lexicons on all their words and prompts."""
    for name, (lexicon, asked) in contrasts.items():
        for contrast in asked:
            for valence in ("positive", "negative"):
                found = [
                    measure(table, lexicon, contrast, valence, prompts=prompts, vocabulary=False)
                    for table in (before, after)
                ]
                yield Moved(name, contrast, valence, *(each.effect.estimate for each in found))
