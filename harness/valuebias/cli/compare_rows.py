"""The rows of ``valuebias compare``, for two models or two families of models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from valuebias.declarations.margins import Margins
from valuebias.errors import ValueBiasError
from valuebias.format import p_text
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import Measurement, measure, seed_for
from valuebias.measurement.family import FamilyMeasurement, measure_family
from valuebias.measurement.influence import grouped
from valuebias.prompts import PromptSet, Valences
from valuebias.report.margin_words import origin
from valuebias.scorers.protocol import Scorer
from valuebias.stats.effect import Effect
from valuebias.stats.verdict import Margin, judge, what_would_settle

_TEST = "test_shift"
"""The shipped test that asks the same; the seed of its permutations follows from its name."""


@dataclass(frozen=True)
class Question:
    """A contrast that is asked of two sides."""

    suite: str
    lexicon: Lexicon
    contrast: str
    valence: Valences
    prompts: PromptSet

    @property
    def seed(self) -> int:
        """The seed that pytest's test_shift has by default."""
        key = (self.suite, _TEST, self.lexicon.name, self.contrast, self.valence, "shift")
        return seed_for(0, *key)


@dataclass(frozen=True)
class Row:
    """An answer: a verdict, what it rests on, and details, each with a title.

    ``effect`` is None where nothing could be measured. ``counts`` says whether the command's exit
    status rests on this row.
    """

    question: Question
    verdict: str
    effect: Effect | None = None
    margin: Margin | None = None
    rests_on: str = ""
    details: tuple[tuple[str, str], ...] = ()
    counts: bool = True


def pair_row(a: Scorer, b: Scorer, question: Question, margins: Sequence[Margins]) -> Row:
    """A minus B over the same words and prompts, as in pytest's test_shift."""
    q = question
    try:
        measurement = measure(
            a, q.lexicon, q.contrast, q.valence, against=b, prompts=q.prompts, seed=q.seed
        )
    except ValueBiasError as error:
        return Row(q, "ERROR", details=(("error", str(error)),))
    return _held(q, measurement.effect, margins, measurement.rests_on, _pulled(measurement))


def family_row(
    first: Sequence[Scorer],
    second: Sequence[Scorer],
    question: Question,
    margins: Sequence[Margins],
) -> Row:
    """The first family's mean minus the second's, over the words that all were scored on."""
    q = question
    try:
        measurement = measure_family(
            first, second, q.lexicon, q.contrast, q.valence, prompts=q.prompts, seed=q.seed
        )
    except ValueBiasError as error:
        return Row(q, "ERROR", details=(("error", str(error)),))
    family = measurement.family
    p = f"{p_text(family.p)}; the smallest with so many models: {p_text(family.smallest_p)}"
    return _held(q, family.effect, margins, measurement.rests_on, [*_pulled(measurement), ("p", p)])


def _held(
    question: Question,
    effect: Effect,
    margins: Sequence[Margins],
    rests_on: str,
    details: Sequence[tuple[str, str]],
) -> Row:
    """The row of an effect, held against the margin that is declared for it."""
    q = question
    declared = (
        m.margin_for(q.lexicon, q.contrast, q.valence, "shift", "ci", q.prompts.name)
        for m in margins
    )
    margin = next((m for m in declared if m is not None), None)
    shown = (*details, *(("note", note) for note in effect.notes))
    if margin is None:
        # There is no shipped margin for the difference of the two valences; it is not gated.
        counts = q.valence != "positive-negative"
        verdict = "NO MARGIN" if counts else "NOT GATED"
        shown = (*shown, ("margin", "none is declared: declare one with --margins FILE"))
        return Row(q, verdict, effect, None, rests_on, shown, counts)
    shown = (*shown, ("margin", f"{margin} ({origin(margin.basis)}: {margin.source})"))
    try:
        judged = judge(effect, margin)
    except ValueBiasError as error:
        return Row(q, "ERROR", effect, margin, rests_on, (*shown, ("error", str(error))))
    reason = judged.reason
    if judged.families_needed is not None:
        reason += what_would_settle(judged)
    return Row(q, judged.outcome.name, effect, margin, rests_on, (*shown, ("verdict", reason)))


def _pulled(measurement: Measurement | FamilyMeasurement) -> list[tuple[str, str]]:
    """The words that raise and lower the difference most."""
    contrast = measurement.lexicon.contrast(measurement.contrast)
    sides = contrast.a[0], contrast.b[0] if len(contrast.b) == 1 else "the others"
    both = (("raised by", measurement.raised_by), ("lowered by", measurement.lowered_by))
    return [(title, grouped(pulls, *sides)) for title, pulls in both]
