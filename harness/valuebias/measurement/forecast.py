"""The question of a forecast: what would a policy say after it was optimised against a model?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from valuebias.errors import SpecError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast_scores import ContrastScores, in_common
from valuebias.prompts import PAPER, PromptSet, Valence
from valuebias.scorers.protocol import Scorer
from valuebias.stats.forecast import Forecast, forecast

_NAMED = 5


@dataclass(frozen=True)
class Moved:
    """A word, and by how much its share of the lexicon changes at one nat, averaged over
    prompts."""

    word: str
    change: float


@dataclass(frozen=True)
class Foreseen:
    """A forecast with the words that it is of.

    ``rewarded`` is the model whose scores are optimised, ``policy`` the language model that is.
    ``gain`` and ``lose`` are the words whose share grows and shrinks most.
    """

    rewarded: str
    policy: str
    lexicon: Lexicon
    contrast: str
    valence: Valence
    prompts: PromptSet
    sides: tuple[str, str]
    forecast: Forecast
    gain: tuple[Moved, ...]
    lose: tuple[Moved, ...]

    @property
    def sentence(self) -> str:
        """What it says, for people."""
        found = self.forecast
        before, after = found.steps[0], found.judged
        return (
            f"Among the {sum(found.n_words)} words of the lexicon ({_percent(found.lexicon_mass)} "
            f"of what {self.policy} says), the share of {self.sides[0]} goes from "
            f"{before.share:.2f} to {after.share:.2f} when {self.policy} is optimised by "
            f"{after.amount:g} nat against {self.rewarded}."
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
    found = forecast(
        said.values[valence],
        rewards.values[valence],
        *rewards.sides,
        prompts=[p.factors for p in rewards.prompts[valence]],
    )
    selection = rewards.selection
    order = np.argsort(found.gained, kind="stable")
    moved = [Moved(selection.words[i], found.gained[i]) for i in order]
    parsed = lexicon.contrast(selection.contrast.name)
    return Foreseen(
        rewarded=rewarded.name,
        policy=policy.name,
        lexicon=lexicon,
        contrast=selection.contrast.name,
        valence=valence,
        prompts=prompts,
        sides=(", ".join(parsed.a), parsed.b[0] if len(parsed.b) == 1 else "the others"),
        forecast=found,
        gain=tuple(each for each in moved[::-1][:_NAMED] if each.change > 0),
        lose=tuple(each for each in moved[:_NAMED] if each.change < 0),
    )


def _percent(share: float) -> str:
    """A share as a percentage of two digits: 12%, .031%."""
    return f"{100 * share:.2g}%"
