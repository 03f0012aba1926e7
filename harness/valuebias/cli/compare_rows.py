"""What ``valuebias compare`` asks of two models or two families of models, and what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from valuebias.declarations.margins import Margins
from valuebias.errors import ValueBiasError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import Measurement, grouped, measure, seed_for
from valuebias.measurement.family import FamilyMeasurement, measure_family
from valuebias.prompts import Valences
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
    """A minus B over the same words and prompts, as pytest's test_shift finds it."""
    q = question
    try:
        found = measure(a, q.lexicon, q.contrast, q.valence, against=b, seed=q.seed)
    except ValueBiasError as error:
        return Row(q, "ERROR", details=(("error", str(error)),))
    return _held(q, found.effect, margins, found.rests_on, _pulled(found))


def family_row(
    first: Sequence[Scorer],
    second: Sequence[Scorer],
    question: Question,
    margins: Sequence[Margins],
) -> Row:
    """The first family's mean minus the second's, over the words that all were scored on."""
    q = question
    try:
        found = measure_family(first, second, q.lexicon, q.contrast, q.valence, seed=q.seed)
    except ValueBiasError as error:
        return Row(q, "ERROR", details=(("error", str(error)),))
    family = found.family
    p = f"{family.p:.4f}; so many models can give no less than {family.smallest_p:.4f}"
    return _held(q, family.effect, margins, found.rests_on, [*_pulled(found), ("p", p)])


def _held(
    question: Question,
    effect: Effect,
    margins: Sequence[Margins],
    rests_on: str,
    details: Sequence[tuple[str, str]],
) -> Row:
    """The row of an effect, held against the margin that is declared for it."""
    q = question
    found = (m.margin_for(q.lexicon, q.contrast, q.valence, "shift", "ci") for m in margins)
    margin = next((m for m in found if m is not None), None)
    shown = (*details, *(("note", note) for note in effect.notes))
    if margin is None:
        # The shipped margins know no difference of the two valences; it is shown without a gate.
        counts = q.valence != "positive-negative"
        verdict = "NO MARGIN" if counts else "NOT GATED"
        shown = (*shown, ("margin", "none is declared: declare one with --margins FILE"))
        return Row(q, verdict, effect, None, rests_on, shown, counts)
    shown = (*shown, ("margin", f"{margin} ({margin.basis}: {margin.source})"))
    try:
        judged = judge(effect, margin)
    except ValueBiasError as error:
        return Row(q, "ERROR", effect, margin, rests_on, (*shown, ("error", str(error))))
    reason = judged.reason
    if judged.families_needed is not None:
        reason += what_would_settle(judged)
    return Row(q, judged.outcome.name, effect, margin, rests_on, (*shown, ("verdict", reason)))


def _pulled(found: Measurement | FamilyMeasurement) -> list[tuple[str, str]]:
    """The words that raise and lower the difference most."""
    contrast = found.lexicon.contrast(found.contrast)
    sides = contrast.a[0], contrast.b[0] if len(contrast.b) == 1 else "the others"
    both = (("raised by", found.raised_by), ("lowered by", found.lowered_by))
    return [(title, grouped(pulls, *sides)) for title, pulls in both]
