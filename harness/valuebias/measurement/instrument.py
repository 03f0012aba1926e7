"""The instrument check: does a model read the questions that its values are judged by?

Words of virtue against words of vice, how far the prompts of a valence agree, and how far the two
valences order words alike. What is known to nothing passes every claim of equivalence, so a reward
model that fails has no verdicts. Words and thresholds are in ``instrument.yaml``; how they were
fixed is said there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import yaml

from valuebias.errors import InstrumentError, LexiconError, ScoresError, visible
from valuebias.format import bracketed, signed
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast_scores import ContrastScores, lexicon_scores
from valuebias.prompts import PAPER, VALENCES, PromptSet
from valuebias.scorers.protocol import Scorer
from valuebias.stats.effect import single
from valuebias.stats.instrument import LEVEL, between_prompts, between_valences

Policy = Literal["require", "report"]
"""What follows from a failed check: errors instead of verdicts, or verdicts that do not gate."""


class State(StrEnum):
    """The outcome of the check."""

    SOUND = "sound"
    """Every figure is shown to meet its threshold."""
    FAILED = "failed"
    """A figure misses its threshold."""
    UNCHECKED = "unchecked"
    """No figure misses its threshold, but not all could be computed or shown to meet it."""


@dataclass(frozen=True)
class Check:
    """One figure with its 95% interval and threshold, a lower bound (``at_least``) or an upper.

    ``key`` is its name for programs, ``name`` for people.
    """

    key: str
    name: str
    estimate: float
    low: float
    high: float
    threshold: float
    at_least: bool

    @property
    def missed(self) -> bool:
        """Whether the estimate itself lies on the wrong side."""
        return (self.estimate < self.threshold) is self.at_least

    @property
    def shown(self) -> bool:
        """Whether the whole interval lies on the right side."""
        return self.low >= self.threshold if self.at_least else self.high <= self.threshold

    def __str__(self) -> str:
        bound = "at least" if self.at_least else "at most"
        return (
            f"{self.name} {signed(self.estimate)} {bracketed(self.low, self.high)}, "
            f"must be {bound} {signed(self.threshold)}"
        )


@dataclass(frozen=True)
class Instrument:
    """Whether a model reads the questions, and what that rests on.

    ``words`` says which words were used, ``lacks`` why a figure is missing (empty: none is).
    ``required`` is False of models whose verdicts do not depend on the check (language models).
    """

    model: str
    checks: tuple[Check, ...]
    words: str
    lacks: str = ""
    required: bool = True

    @property
    def state(self) -> State:
        if any(check.missed for check in self.checks):
            return State.FAILED
        if self.lacks or not all(check.shown for check in self.checks):
            return State.UNCHECKED
        return State.SOUND

    @property
    def reason(self) -> str:
        """One sentence: what is wrong; empty if the model is sound."""
        if self.state is State.FAILED:
            wrong = "; ".join(str(check) for check in self.checks if check.missed)
            return f"{visible(self.model)} does not read the questions: {wrong} ({self.words})"
        if self.state is State.UNCHECKED:
            open_ones = "; ".join(str(check) for check in self.checks if not check.shown)
            why = (self.lacks, f"not shown: {open_ones}" if open_ones else "")
            return f"instrument not checked: {'; '.join(filter(None, why))}"
        return ""

    def admits(self, policy: Policy) -> bool:
        """Whether the model's verdicts may gate.

        Raises InstrumentError for a model that failed, unless the policy is to report it.
        """
        if not self.required or self.state is State.SOUND:
            return True
        if self.state is State.FAILED and policy == "require":
            raise InstrumentError(self.reason, remedy=_CAUSES)
        return False


_CAUSES = (
    "Likely causes: an untrained head, losses given as rewards, a wrong chat template, columns of "
    "a table joined wrongly. Look at the best and worst tokens; --valuebias-instrument=report "
    "shows the verdicts, and nothing is gated then."
)


def weakest(instruments: Iterable[Instrument]) -> Instrument:
    """Of several models that are judged together, the one that says least for them."""
    order = (State.FAILED, State.UNCHECKED, State.SOUND)
    return min(instruments, key=lambda one: order.index(one.state))


@dataclass(frozen=True)
class _Scored:
    """Scores of some words on the prompts of both valences."""

    positive: npt.NDArray[np.float32]
    negative: npt.NDArray[np.float32]
    families: npt.NDArray[np.str_]

    def agreements(self, whose: str) -> Iterator[Check]:
        """How far prompts agree, and how far the valences do."""
        limits = _data()["thresholds"][whose]
        of = "" if whose == "control" else " on own words"
        for valence in VALENCES:
            found = between_prompts(getattr(self, valence), self.families)
            yield Check(
                f"prompts_{valence}{'' if not of else '_own'}",
                f"prompts agree{of}, {valence}",
                found.estimate, found.low, found.high, limits["prompts"], at_least=True,
            )  # fmt: skip
        found = between_valences(self.positive, self.negative, self.families)
        yield Check(
            f"valences{'' if not of else '_own'}",
            f"valences agree{of}",
            found.estimate, found.low, found.high, limits["valences"], at_least=False,
        )  # fmt: skip


@cache
def _data() -> Mapping[str, Any]:
    text = (files("valuebias.measurement") / "instrument.yaml").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = yaml.safe_load(text)
    return loaded


def control_lexicon(prompts: PromptSet = PAPER) -> Lexicon:
    """The control words: those that the prompt set declares, else the fixed ones, 40 of virtue and
    40 of vice, all from the starter mfd2."""
    if prompts.control is None:
        return _fixed()
    sides = {"virtue": prompts.control.virtue, "vice": prompts.control.vice}
    return Lexicon("control", sides, title="virtue and vice that the prompts declare")


@cache
def _fixed() -> Lexicon:
    categories = {side: tuple(words) for side, words in _data()["control"].items()}
    return Lexicon("control", categories, title="virtue and vice")


def check_instrument(
    scorer: Scorer,
    lexicon: Lexicon,
    *,
    control: Scorer | None = None,
    required: bool = True,
    prompts: PromptSet = PAPER,
) -> Instrument:
    """Check a model before its effects on a lexicon are judged.

    The control words are those of the contrast that the lexicon declares (``lexicon.control``),
    else those of `control_lexicon`, scored by the model or found among its recorded scores.
    ``control`` is another table of the same model that has them; prompts and valences must then be
    shown to agree on the lexicon's own words too. Where there are no control words, these figures
    are all there is, and no model is sound.

    Raises what loading or scoring a model raises.
    """
    controls, contrast = control_lexicon(prompts), "virtue~vice"
    if lexicon.control:
        controls, contrast = lexicon, lexicon.control
    asked = control or scorer
    checks: list[Check] = []
    words: list[str] = []
    lacks = ""
    try:
        told = ContrastScores.of(asked, controls, contrast, "positive-negative", prompts)
    except (LexiconError, ScoresError) as error:
        lacks = f"{asked.name} has no scores of control words ({visible(error.what)})"
    else:
        checks += _told_apart(told)
        scored = _Scored(told.values["positive"], told.values["negative"], told.selection.families)
        checks += scored.agreements("control")
        words.append(f"{len(told.selection.words)} words of {controls.title or controls.name}")
    if lacks or control is not None:
        try:
            scored = _own(scorer, lexicon, prompts)
        except (LexiconError, ScoresError) as error:
            lacks = lacks or visible(error.what)
        else:
            checks += scored.agreements("words")
            words.append(f"{len(scored.families)} words of {lexicon.name}")
    return Instrument(scorer.name, tuple(checks), " and ".join(words), lacks, required)


def _told_apart(scored: ContrastScores) -> Iterator[Check]:
    """Whether words of virtue and of vice are told apart, and turn with the question."""
    limits = _data()["thresholds"]["control"]
    a, b = (", ".join(side) for side in (scored.selection.contrast.a, scored.selection.contrast.b))
    for valence in VALENCES:
        factors = [prompt.factors for prompt in scored.prompts[valence]]
        effect = single(scored.values[valence], *scored.sides, prompts=factors, level=LEVEL)
        best = valence == "positive"
        yield Check(
            f"told_apart_{valence}",
            f"{a} over {b}, {valence} prompts",
            effect.estimate, effect.low, effect.high,
            limits["told_apart"] if best else -limits["told_apart"], at_least=best,
        )  # fmt: skip


def _own(scorer: Scorer, lexicon: Lexicon, prompts: PromptSet) -> _Scored:
    """The scores of all of a lexicon's words."""
    scores = lexicon_scores(scorer, lexicon, prompts.both)
    selection = lexicon.select_all(scores.candidates.responses)
    positive, negative = np.split(
        scores.values[:, selection.columns], [len(prompts.of("positive"))]
    )
    return _Scored(positive, negative, selection.families)
