"""What the ``checkpoints`` and ``training_runs`` fixtures hand to a test: how values drifted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from pytest_valuebias.assertions.effects import Assertable
from pytest_valuebias.gate import Gate
from pytest_valuebias.inputs import Inputs
from valuebias.errors import SpecError
from valuebias.format import unsigned
from valuebias.lexicons.lexicon import contrast_of
from valuebias.measurement.contrast import Measurement
from valuebias.measurement.drift import measure_drift, measure_gap
from valuebias.model import Model
from valuebias.prompts import Valence
from valuebias.stats.drift import Drift
from valuebias.stats.gap import Gap, closed, not_closed
from valuebias.stats.quantities import Quantities, Trend, quantities
from valuebias.stats.verdict import Answer, Margin, judge
from valuebias.training.checkpoints import TrainingRun, differ_in_base


@dataclass(frozen=True, repr=False)
class DriftEffect(Assertable):
    """The change from a run's first checkpoint to its last; ``drift`` has every checkpoint."""

    drift: Drift


@dataclass(frozen=True, repr=False)
class GapEffect(Assertable):
    """How much wider the gap of two runs is at the end than at the beginning, which is what
    ``assert_below(0)`` ("narrowed") and the like test; ``gap`` has every checkpoint."""

    gap: Gap

    def assert_closed(self, within: float, *, by: float | None = None) -> None:
        """Pass only if the gap is shown to lie inside ±``within`` from some step no later than
        ``by`` (the last one) to the last, by the simultaneous band."""
        self.gate.check_answer(self.measurement, closed(self._banded(), within, by=by))

    def assert_not_closed(self, within: float, *, since: float | None = None) -> None:
        """Pass only if the gap is shown to lie outside ±``within`` at every checkpoint from
        ``since`` (the first one) to the last. It says nothing about later steps."""
        self.gate.check_answer(self.measurement, not_closed(self._banded(), within, since=since))

    def assert_area_below(self, bound: float) -> None:
        """Pass only if the area under the gap is shown to be below this share of what it would be
        had the gap stayed as it began."""
        if self.gap.area is None:
            raise SpecError(
                "the area under this gap cannot be given as a share",
                seen="; ".join(self.gap.notes),
                remedy="Assert on the gap at its last step instead.",
            )
        alpha = self.gate.level(self.measurement)
        verdict = judge(self.gap.area, Margin.below(bound), alpha=alpha)
        self.gate.check_answer(self.measurement, Answer.of(verdict))

    def _banded(self) -> Gap:
        """The gap with the band at the level of this claim."""
        path, level = self.gap.trajectory, 1 - self.gate.level(self.measurement)
        low, high = path.band(level)
        return replace(self.gap, trajectory=replace(path, low=low, high=high, level=level))


@dataclass(frozen=True)
class RunHandle:
    """A training run of ``--valuebias-checkpoints``: its checkpoints, and their drift."""

    run: TrainingRun
    inputs: Inputs
    gate: Gate

    @property
    def steps(self) -> tuple[int, ...]:
        return self.run.steps

    @property
    def models(self) -> tuple[Model, ...]:
        """The checkpoints as reward models, in order."""
        return tuple(map(self.inputs.model, self.run.models))

    def drift(
        self, lexicon: str, category: str, other: str | None = None, *, valence: Valence
    ) -> DriftEffect:
        """The change of the preference for ``category`` over ``other`` in training; above zero the
        last checkpoint prefers it more than the first."""
        contrast = contrast_of(category, other, valence)
        terms = self.gate.terms(lexicon, contrast, valence, "drift")
        measured, drift = measure_drift(
            self.inputs.bench,
            self.run,
            self.inputs.lexicon(lexicon),
            contrast,
            valence,
            prompts=self.inputs.prompts,
            alpha=terms.alpha,
            seed=terms.seed,
        )
        return DriftEffect(measured, self.gate, drift)

    def gap(
        self,
        against: RunHandle,
        lexicon: str,
        category: str,
        other: str | None = None,
        *,
        valence: Valence,
    ) -> GapEffect:
        """The difference of two runs at the steps that both have; an estimate above zero means that
        it is wider at the end than at the beginning."""
        if not isinstance(against, RunHandle):
            raise SpecError(
                "a gap needs another training run",
                seen=repr(against),
                remedy="Give one of the fixture training_runs.",
            )
        contrast = contrast_of(category, other, valence)
        terms = self.gate.terms(lexicon, contrast, valence, "gap")
        measured, gap = measure_gap(
            self.inputs.bench,
            self.run,
            against.run,
            self.inputs.lexicon(lexicon),
            contrast,
            valence,
            prompts=self.inputs.prompts,
            alpha=terms.alpha,
            seed=terms.seed,
        )
        return GapEffect(measured, self.gate, gap)


@dataclass(frozen=True)
class QuantityEffect:
    """What the final gap of two bases does with the amount of data; seeds are the sample.

    ``quantities`` has the means by amount, the slope per doubling and the contrast of the extremes.
    """

    quantities: Quantities
    measurement: Measurement
    gate: Gate

    def __post_init__(self) -> None:
        self.gate.take(self.measurement)

    def assert_slope_within(self, low: float, high: float) -> None:
        """Pass only if the change of the gap per doubling of the data is in [low, high]."""
        self._check(self.quantities.slope, Margin(low, high))

    def assert_slope_below(self, bound: float) -> None:
        """Pass only if the change of the gap per doubling is shown to lie below the bound."""
        self._check(self.quantities.slope, Margin.below(bound))

    def _check(self, trend: Trend, margin: Margin) -> None:
        verdict = judge(trend, margin, alpha=self.gate.level(self.measurement))
        self.gate.check_answer(self.measurement, Answer.of(verdict))


@dataclass(frozen=True)
class QuantityFixture:
    """The ``data_quantities`` fixture: does more data close the gap between two bases?"""

    inputs: Inputs
    gate: Gate

    def __call__(
        self, lexicon: str, category: str, other: str | None = None, *, valence: Valence
    ) -> QuantityEffect:
        """The gap of the last checkpoints of runs from two bases, by amount of data and seed.

        Its size counts, whichever base is ahead. Raises StatisticsError below three seeds of an
        amount, SpecError where the runs do not say what they were made from, or have more than two
        bases, one source of data, or one run of a seed: seeds are the sample, and those are none.
        """
        pairs = [(a, b) for a, b in combinations(self.inputs.runs, 2) if differ_in_base(a, b)]
        _check_one_study(pairs)
        gaps: dict[float, list[float]] = {}
        measured, exploratory = None, ""
        for a, b in pairs:
            assert a.origin is not None
            first, second = (RunHandle(run, self.inputs, self.gate) for run in (a, b))
            gap = first.gap(second, lexicon, category, other, valence=valence)
            path = gap.gap.trajectory
            self.gate.use(gap.measurement)
            gaps.setdefault(a.origin.amount, []).append(abs(path.estimates[-1]))
            measured, exploratory = gap.measurement, exploratory or path.exploratory
        if measured is None:
            raise SpecError(
                "no two runs differ in their base alone",
                seen=", ".join(run.label for run in self.inputs.runs),
                remedy="Give the directory of a grid: --valuebias-checkpoints=DIR.",
            )
        by_amount = quantities(gaps, scale=(0.0, measured.effect.span))
        by_amount = replace(by_amount, slope=replace(by_amount.slope, exploratory=exploratory))
        cells = zip(by_amount.pairs, by_amount.means, by_amount.seeds, strict=True)
        detail = "; ".join(f"{n:,.0f} pairs {unsigned(mean)} ({k} seeds)" for n, mean, k in cells)
        about = replace(measured, detail=f"mean size of the final gap: {detail}", trajectory=())
        return QuantityEffect(by_amount, about, self.gate)


def _check_one_study(pairs: Sequence[tuple[TrainingRun, TrainingRun]]) -> None:
    """Raise SpecError where gaps of one amount of data differ in more than their seed."""
    origins = [run.origin for pair in pairs for run in pair if run.origin is not None]
    bases = {one.base for one in origins}
    sources = {one.data for one in origins}
    firsts = [(a.origin.amount, a.origin.seed) for a, _ in pairs if a.origin is not None]
    if len(bases) > 2 or len(sources) > 1 or len(set(firsts)) < len(firsts):
        raise SpecError(
            "data_quantities needs two bases, one source of data, and one run per amount and seed",
            seen=f"{', '.join(sorted(bases))} on {', '.join(sorted(sources))}, {len(firsts)} gaps "
            f"of {len(set(firsts))} amounts and seeds",
            remedy="Give the directory of a grid with two bases and one source.",
        )
