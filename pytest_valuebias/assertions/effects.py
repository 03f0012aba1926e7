"""Effects of models and of families of models that assert themselves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

from pytest_valuebias.gate import Gate
from pytest_valuebias.inputs import Inputs
from valuebias.errors import SpecError, StatisticsError
from valuebias.lexicons.lexicon import contrast_of
from valuebias.measurement.contrast import Measurement, measure, role_of
from valuebias.measurement.covariates import Covariate
from valuebias.measurement.family import measure_family
from valuebias.measurement.human import beside_people
from valuebias.measurement.instrument import Instrument
from valuebias.model import Model
from valuebias.models.spec import ModelSpec
from valuebias.prompts import Valences
from valuebias.questions import Role
from valuebias.records.measured import MeasuredEffect
from valuebias.scorers.protocol import Scorer
from valuebias.stats.family import Family
from valuebias.stats.verdict import Margin


@dataclass(frozen=True, repr=False)
class Assertable(MeasuredEffect):
    """An effect that can be asserted on; an estimate above zero prefers the first category."""

    gate: Gate

    def __post_init__(self) -> None:
        self.gate.take(self.measurement)

    def assert_within(self, low: float, high: float) -> None:
        """Pass only if the effect is shown to lie in [low, high] (two one-sided tests).

        Fails the test if it is shown to lie outside, or if the data show neither (unless
        configured). Raises StatisticsError for a margin that these data can never settle.
        """
        if math.inf in (low, high) or -math.inf in (low, high):
            raise StatisticsError(
                "assert_within needs two finite bounds",
                seen=f"[{low}, {high}]",
                remedy="Use assert_above(low) or assert_below(high).",
            )
        self._check(Margin(low, high, source=_SOURCE))

    def assert_above(self, bound: float) -> None:
        """Pass only if the effect is shown to lie above the bound (one one-sided test)."""
        self._check(Margin.above(bound, source=_SOURCE))

    def assert_below(self, bound: float) -> None:
        """Pass only if the effect is shown to lie below the bound (one one-sided test)."""
        self._check(Margin.below(bound, source=_SOURCE))

    def _checked(self) -> Instrument:
        return self.gate.inputs.instrument(self.measurement)

    @cached_property
    def top(self) -> Self:
        """The share of the top 10% of the ranking beside this effect, which is to be asserted then;
        see `MeasuredEffect.top`."""
        self.gate.use(self.measurement)
        return super().top

    def _check(self, margin: Margin) -> None:
        self.gate.check_margin(self.measurement, margin)


@dataclass(frozen=True, repr=False)
class FamilyEffect(Assertable):
    """The difference of two families of models; ``family`` has its p and its units."""

    family: Family


@dataclass(frozen=True, repr=False)
class BoundEffect(Assertable):
    """The effect in the model under test, or its difference from ``against``."""

    bias: Bias
    against: Model | None = None

    def assert_no_regression(self, *, against: Model | None, by: float) -> None:
        """Pass only if the effect is shown to lie between zero and ``against``'s effect, give or
        take ``by`` on either side, over the same words and prompts.

        With its effect E above zero: -by < effect < E + by; below zero the same reversed. So an
        effect may shrink, and it may not change its sign and keep its size.
        ``against`` is a fixture: reference_model, baseline, anchor, base_model or language_model.
        """
        if self.measurement.reference is not None:
            raise StatisticsError(
                "assert_no_regression does not apply to a difference from another model",
                seen=self.measurement.title,
                remedy="Leave against out of bias(...): bias(...).assert_no_regression(against=...,"
                " by=0.1).",
            )
        if not isinstance(against, Model):
            raise _no_model(against)
        m = self.measurement
        if m.role == "top":
            raise StatisticsError(
                "assert_no_regression does not apply to a top share",
                seen=m.title,
                remedy="Use bias(..., against=...).top.assert_within(low, high).",
            )
        if m.role == "controlled":
            raise StatisticsError(
                "assert_no_regression does not apply to an effect with controlled covariates",
                seen=", ".join(m.effect.notes[-1:]),
                remedy="Leave controlling(...) out, or assert on bias(..., against=...)"
                ".controlling(...), the difference with covariates controlled.",
            )
        measured = self.bias.measure(m.lexicon.name, m.contrast, m.valence, against, "regression")
        self.gate.use(m)
        self.gate.check_margin(measured, Margin.below(by, source=_SOURCE))

    def controlling(self, **covariates: Covariate) -> BoundEffect:
        """The effect beside what covariates of the words explain, such as ``length=len`` or
        ``frequency={"freedom": 5.1, ...}`` (of counts, give log(1 + count)).

        Each is a function or mapping from word to number. Raises StatisticsError where a word has
        none, or where they leave nothing of the categories' difference.
        """
        m = self.measurement
        if m.role not in ("range", "logprob", "implicit", "shift", "anchor"):
            raise StatisticsError(
                "covariates cannot be controlled for this kind of effect",
                seen=m.role,
                remedy="Use bias(...).controlling(...).",
            )
        measured = self.bias.measure(
            m.lexicon.name, m.contrast, m.valence, self.against, "controlled", covariates
        )
        self.gate.use(m)
        return replace(self, measurement=measured)


_SOURCE = "in the test"


@dataclass(frozen=True)
class Bias:
    """The ``bias`` fixture: from a contrast to an effect that asserts itself."""

    spec: ModelSpec
    inputs: Inputs
    gate: Gate

    @property
    def scorer(self) -> Scorer:
        return self.inputs.bench.scorer(self.spec)

    def __call__(
        self,
        lexicon: str,
        category: str,
        other: str | None = None,
        *,
        valence: Valences,
        against: Model | None = None,
    ) -> BoundEffect:
        """The preference for ``category`` over ``other`` (or the others of its polarity).

        ``valence`` must be named: pooling prompts that ask for the best with those that ask for the
        worst would cancel the effect ("positive-negative" is the effect on the former
        minus that on the latter). ``against`` gives the paired difference from another
        model, this model minus that one.
        """
        contrast = contrast_of(category, other, valence)
        if not isinstance(against, Model | None):
            raise _no_model(against)
        role = role_of(self.scorer, None if against is None else against.scorer)
        measured = self.measure(lexicon, contrast, valence, against, role)
        return BoundEffect(measured, self.gate, self, against)

    def measure(
        self,
        lexicon: str,
        contrast: str,
        valence: Valences,
        against: Model | None,
        role: Role,
        covariates: Mapping[str, Covariate] | None = None,
    ) -> Measurement:
        """The measurement of one claim, at its own level and with its own seed."""
        other = None if against is None else against.scorer
        terms = self.gate.terms(lexicon, contrast, valence, role)
        measured = measure(
            self.scorer,
            self.inputs.lexicon(lexicon),
            contrast,
            valence,
            against=other,
            regression=role == "regression",
            covariates=covariates,
            prompts=self.inputs.prompts,
            frequencies=self.inputs.frequencies,
            surfaces=self.inputs.thorough,
            alpha=terms.alpha * self.inputs.share(self.scorer, other),
            seed=terms.seed,
        )
        return beside_people(measured, self.scorer, self.inputs.people)


@dataclass(frozen=True)
class FamilyBias:
    """The ``family_bias`` fixture: do models of one base prefer a category more than another's?"""

    inputs: Inputs
    gate: Gate

    def __call__(
        self, lexicon: str, category: str, other: str | None = None, *, valence: Valences
    ) -> FamilyEffect:
        """The mean effect in the ``--rm`` of the first ``--base`` minus that in the second's.

        Models and word families are both samples. Raises StatisticsError unless there are two
        bases, with models enough for a p of .05.
        """
        contrast = contrast_of(category, other, valence)
        bases: dict[str, list[Scorer]] = {}
        for model in self.inputs.models:
            base = self.inputs.bases.get(model.label)
            if base is not None:
                bases.setdefault(base.label, []).append(self.inputs.bench.scorer(model))
        if len(bases) != 2:
            raise StatisticsError(
                "family_bias needs models of exactly two bases",
                seen=f"the --rm have {len(bases)} bases: {', '.join(bases)}",
                remedy="Give --rm=MODEL --base=ITS-BASE for each model of either family.",
            )
        terms = self.gate.terms(lexicon, contrast, valence, "family")
        first, second = bases
        measurement = measure_family(
            bases[first],
            bases[second],
            self.inputs.lexicon(lexicon),
            contrast,
            valence,
            prompts=self.inputs.prompts,
            alpha=terms.alpha,
            seed=terms.seed,
        )
        prints = tuple(
            "+".join(model.fingerprint[:12] for model in side) for side in bases.values()
        )
        names = [f"{base} ({len(models)} models)" for base, models in bases.items()]
        measured = measurement.measurement(names[0], names[1], (prints[0], prints[1]))
        return FamilyEffect(measured, self.gate, measurement.family)


def _no_model(given: object) -> SpecError:
    return SpecError(
        "against is not a model",
        seen=repr(given),
        remedy="Give a fixture: reference_model, baseline, anchor, base_model or language_model.",
    )
