"""The question of a forecast: what would a policy say after it was optimised against a model?"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from valuebias.errors import SpecError
from valuebias.format import bare, percent, signed
from valuebias.lexicons.lexicon import Lexicon, Selection
from valuebias.lexicons.missing import unseen
from valuebias.measurement.contrast import Measurement
from valuebias.measurement.contrast_scores import ContrastScores, in_common
from valuebias.measurement.influence import InfluentialWord, MovedWord
from valuebias.measurement.tokens import NOT_SEARCHED
from valuebias.prompts import PAPER, PromptSet, Valence
from valuebias.scorers.protocol import Scorer
from valuebias.stats.forecast import Forecast, forecast

_NAMED, _MOVED = 5, 10
_MISSING = (
    "less than 95% of a category was scored, and what the policy says of the rest is not known"
)


@dataclass(frozen=True)
class Foreseen:
    """A forecast with what it is of: ``measured``, whose model is optimised against and whose
    reference is the policy. ``gain`` and ``lose`` are the words whose share grows and shrinks
    most."""

    measured: Measurement
    forecast: Forecast
    gain: tuple[MovedWord, ...]
    lose: tuple[MovedWord, ...]

    def measurement(self) -> Measurement:
        """The same as tests judge it and reports show it, of role "forecast"."""
        return replace(self.measured, detail=f"{self.sentence} {self.trust}")

    @property
    def trust(self) -> str:
        """What a reader needs to trust it."""
        found = self.forecast
        ladder = ", ".join(f"{step.name} {_share(step.share)}" for step in found.steps)
        without = ", ".join(f"{w.family} {signed(w.estimate)}" for w in found.without)
        return (
            f"The share by nats and draws: {ladder}. Effective word families: "
            f"{found.steps[0].effective:.1f} before, {found.judged.effective:.1f} after. At most "
            f"{found.attainable[0]:.2f} nats can be reached. Without a word family: {without}."
        )

    @property
    def sentence(self) -> str:
        """What it says, for people."""
        return sentence(self.measured, self.forecast)


def sentence(measured: Measurement, found: Forecast) -> str:
    """What a forecast says, for people; ``measured`` says of what it is."""
    before, after = found.steps[0], found.judged
    policy = measured.reference
    return (
        f"Among the {sum(found.n_words)} words of the lexicon ({percent(found.lexicon_mass)} "
        f"of what {policy} says), the share of {measured.sides[0]} goes from "
        f"{_share(before.share)} to {_share(after.share)} when {policy} is optimised by "
        f"{after.amount:g} nat against {measured.model}."
    )


def measure_forecast(
    rewarded: Scorer,
    policy: Scorer,
    lexicon: Lexicon,
    contrast: str,
    valence: Valence,
    *,
    prompts: PromptSet = PAPER,
) -> Foreseen:
    """Forecast one contrast: the policy's log-probabilities of the words that both models scored,
    optimised against the other's scores of them.

    Words are met by their text, so that the two may have different tokenizers. Raises SpecError
    where ``policy`` is no language model, and ModelError, ScoresError, LexiconError or
    StatisticsError.
    """
    if policy.kind != "language":
        raise SpecError(
            "a policy must be a language model",
            seen=policy.name,
            remedy="Give one that --llm takes.",
        )
    rewards, said = in_common(
        *(ContrastScores.of(each, lexicon, contrast, valence, prompts)
          for each in (rewarded, policy))
    )  # fmt: skip
    selection = rewards.selection
    first: dict[str, str] = {}  # a family is shown by its first word, not by its stem
    for word, family in zip(selection.words, selection.families, strict=True):
        first.setdefault(str(family), word)
    found = forecast(
        said.values[valence],
        rewards.values[valence],
        selection.in_a,
        [first[str(family)] for family in selection.families],
        prompts=[p.factors for p in rewards.prompts[valence]],
    )
    if unseen(lexicon, selection):
        found = replace(found, exploratory=_MISSING)
    order = np.argsort(found.gained, kind="stable")
    moved = [MovedWord(selection.words[i], bool(selection.in_a[i]), found.gained[i]) for i in order]
    gain = tuple(each for each in moved[::-1][:_MOVED] if each.change > 0)
    lose = tuple(each for each in moved[:_MOVED] if each.change < 0)
    raised, lowered = _pulling(found, selection)
    measured = Measurement(
        model=rewarded.name,
        reference=policy.name,
        fingerprint=rewarded.fingerprint,
        reference_fingerprint=policy.fingerprint,
        lexicon=lexicon,
        contrast=selection.contrast.name,
        valence=valence,
        role="forecast",
        effect=found,
        coverages=selection.coverage,
        shared=selection.shared,
        raised_by=raised,
        lowered_by=lowered,
        provenance=rewards.provenance,
        top=NOT_SEARCHED,
        prompts=prompts,
        moved=(*gain, *lose),
    )
    return Foreseen(measured, found, gain[:_NAMED], lose[:_NAMED])


def _pulling(
    found: Forecast, selection: Selection
) -> tuple[tuple[InfluentialWord, ...], tuple[InfluentialWord, ...]]:
    """The words that raise the estimate most, and those that lower it."""
    change = np.array(found.gained)
    pull = np.where(selection.in_a, change, -change)
    order = np.argsort(-pull, kind="stable")
    raised, lowered = (
        tuple(
            InfluentialWord(selection.words[i], bool(selection.in_a[i]), bool(change[i] > 0))
            for i in indices
            if sign * pull[i] > 0
        )
        for sign, indices in ((1, order[:_NAMED]), (-1, order[::-1][:_NAMED]))
    )
    return raised, lowered


def _share(value: float) -> str:
    """A share of two digits: .48."""
    return bare(f"{value:.2f}")
