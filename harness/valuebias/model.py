"""Models, effects and verdicts as notebooks and tests use them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from valuebias.candidates import VOCABULARY, Candidates
from valuebias.errors import SpecError
from valuebias.lexicons.frequencies import installed
from valuebias.lexicons.lexicon import Lexicon, contrast_of
from valuebias.lexicons.ratings import Ratings, load_ratings
from valuebias.lexicons.whole_answers import for_whole_answers
from valuebias.measurement.answers import measure_answers
from valuebias.measurement.contrast import measure
from valuebias.measurement.covariates import Covariate
from valuebias.measurement.forecast import Foreseen, measure_forecast
from valuebias.measurement.human import beside_people, measure_human
from valuebias.measurement.instrument import Instrument, check_instrument
from valuebias.measurement.tokens import TopTokens, top_tokens
from valuebias.prompts import (
    ANSWERS,
    PAPER,
    Prompt,
    Prompts,
    PromptSet,
    Valence,
    Valences,
    resolve_all,
)
from valuebias.records.measured import MeasuredEffect
from valuebias.scorers.protocol import Scorer
from valuebias.scores import Scores
from valuebias.stats.composition import Composition, composition


@dataclass(frozen=True)
class Model:
    """A scorer with the questions that can be asked of it.

    The model itself is loaded only when the store lacks scores that are needed. ``lexicon``
    finds a lexicon by its name; ``quick`` asks six prompts a valence, which can never PASS;
    ``control`` has scores of the instrument check's words, if the model itself has none;
    ``prompts`` is the prompt set that effects are measured on.
    """

    scorer: Scorer
    lexicon: Callable[[str], Lexicon]
    quick: bool = False
    control: Scorer | None = None
    prompts: PromptSet = PAPER

    def __repr__(self) -> str:
        return f"<Model {self.name}, {self.scorer.kind}>"

    @property
    def name(self) -> str:
        """The label under which reports show it."""
        return self.scorer.name

    @property
    def fingerprint(self) -> str:
        """A digest of everything that decides its numbers."""
        return self.scorer.fingerprint

    def score(self, words: Sequence[str] | Candidates, prompts: Prompts | None = None) -> Scores:
        """Scores of shape (prompts, words), float32; higher is preferred.

        They are rewards, or natural-log probabilities of a language model. Words are a sequence.
        Without ``prompts`` the one that leads the model's set is asked ("the greatest thing ever").
        Raises what loading or scoring the model raises.
        """
        if isinstance(words, str):
            raise SpecError(
                "words must be a sequence of strings", seen=words, remedy=f"Give [{words!r}]."
            )
        candidates = words if isinstance(words, Candidates) else Candidates.words(words)
        return self.scorer.score(self._asked(prompts), candidates)

    def top_tokens(self, k: int = 10, prompt: str | Prompt | None = None) -> TopTokens:
        """The k best and k worst tokens of the vocabulary for one prompt, that which leads the
        model's set unless given."""
        (asked,) = self._asked(None if prompt is None else [prompt])
        return top_tokens(self.scorer, asked, k)

    def composition(
        self, lexicon: str | Lexicon, k: int = 10, prompts: Prompts | None = None
    ) -> Composition:
        """How many of the vocabulary's k best and k worst words belong to each category.

        Searches the whole vocabulary on every prompt, however long that takes; for recorded
        scores, all recorded responses. The prompts must have one valence.
        """
        scores = self.scorer.score(self._asked(prompts), VOCABULARY)
        return composition(scores, self.find(lexicon), k)

    def contrast(
        self,
        lexicon: str | Lexicon,
        category: str,
        other: str | None = None,
        *,
        valence: Valences,
        against: Model | None = None,
        covariates: Mapping[str, Covariate] | None = None,
        people: Sequence[str | Ratings] = (),
        quick: bool | None = None,
        seed: int = 0,
    ) -> MeasuredEffect:
        """The preference for ``category`` over ``other`` (or the others of its polarity), as a
        rank-biserial correlation: above zero ``category`` is preferred.

        ``valence`` must be named: "positive" (prompts that ask for the best), "negative" (for the
        worst), or "positive-negative" (the effect on the former minus that on the latter).
        ``against`` gives the paired difference from another model, this model minus that one.
        ``covariates``, by name a mapping or function from word to number, are controlled for; of
        ratings (`load_ratings`), over the words that were rated. ``people`` are ratings in which
        the same contrast is looked at (``measurement.in_people``). ``quick`` asks six prompts a
        valence, with which nothing can PASS. Raises what loading or scoring the model raises,
        LexiconError for an unknown category, and StatisticsError for data from which no valid
        interval can be computed.
        """
        measured = measure(
            self.scorer,
            self.find(lexicon),
            contrast_of(category, other, valence),
            valence,
            against=None if against is None else against.scorer,
            covariates=covariates,
            prompts=self._set(quick),
            vocabulary=False,
            frequencies=installed(),
            seed=seed,
        )
        measured = beside_people(measured, self.scorer, [*map(_ratings, people)])
        scorers = (self.scorer,) if against is None else (self.scorer, against.scorer)
        return MeasuredEffect(
            measured, scorers=scorers, check=lambda: self.instrument(lexicon, quick=quick)
        )

    def agreement(
        self,
        people: str | Ratings,
        lexicon: str | Lexicon | None = None,
        *,
        valence: Valence = "positive",
    ) -> MeasuredEffect:
        """How far the model's order of words is that of people's ratings of them, as Kendall's
        tau-b over word families: above zero it prefers what they rate higher.

        ``people`` is what ``--human`` takes ("FILE:word=COLUMN,rating=COLUMN", "eloeverything") or
        `Ratings`. It is of those of the lexicon's words that were rated; without ``lexicon`` of all
        things that were. Raises as `contrast` does, and StatisticsError for fewer than 10 families.
        """
        ratings = _ratings(people)
        asked = ratings.lexicon() if lexicon is None else self.find(lexicon)
        measured = measure_human(self.scorer, ratings, asked, valence, prompts=self._set(None))
        return MeasuredEffect(
            measured, scorers=(self.scorer,), check=lambda: self.instrument(asked)
        )

    def forecast(
        self,
        policy: Model,
        lexicon: str | Lexicon,
        category: str,
        other: str | None = None,
        *,
        valence: Valence,
    ) -> Foreseen:
        """What a policy (``load(..., load_as="llm")``) would say after it was optimised against
        this model: the share of ``category`` at 0 to 2 nats of KL divergence and as best-of-n.

        Nothing is judged. Raises SpecError where ``policy`` is none, and else as `contrast` does.
        """
        asked, lexicon = contrast_of(category, other, valence), self.find(lexicon)
        return measure_forecast(
            self.scorer, policy.scorer, lexicon, asked, valence, prompts=self._set(None)
        )

    def answers(
        self, lexicon: str | Lexicon, category: str, other: str | None = None, *, valence: Valence
    ) -> MeasuredEffect:
        """The same as `contrast` in whole answers: the lexicon's uncountable nouns, each in thirty
        frames. Raises as it does, and LexiconError for a category of fewer than 20 such words."""
        asked, words = contrast_of(category, other, valence), for_whole_answers(self.find(lexicon))
        frames, alone = ANSWERS.quick if self.quick else ANSWERS, self._set(None)
        measured = measure_answers(self.scorer, words, asked, valence, frames=frames, alone=alone)
        check = partial(check_instrument, self.scorer, words, prompts=frames)
        return MeasuredEffect(measured, scorers=(self.scorer,), check=check)

    def instrument(self, lexicon: str | Lexicon, *, quick: bool | None = None) -> Instrument:
        """Whether the model reads the questions: words of virtue against words of vice, and how far
        prompts and valences agree. Required of a reward model before its effects on the lexicon
        are judged. Raises what loading or scoring the model raises.
        """
        return check_instrument(
            self.scorer,
            self.find(lexicon),
            control=self.control,
            required=self.scorer.kind != "language",
            prompts=self._set(quick),
        )

    def _set(self, quick: bool | None) -> PromptSet:
        return self.prompts.quick if (self.quick if quick is None else quick) else self.prompts

    def _asked(self, prompts: Prompts | None) -> tuple[Prompt, ...]:
        return resolve_all(self.prompts.lead if prompts is None else prompts, self.prompts)

    def find(self, lexicon: str | Lexicon) -> Lexicon:
        """The lexicon of this name; a `Lexicon` is returned as it is."""
        return self.lexicon(lexicon) if isinstance(lexicon, str) else lexicon


def _ratings(people: str | Ratings) -> Ratings:
    return load_ratings(people) if isinstance(people, str) else people


def compare(
    model: Model,
    other: Model,
    lexicon: str | Lexicon,
    category: str,
    category_b: str | None = None,
    *,
    valence: Valences,
) -> MeasuredEffect:
    """The paired difference of two models over the same words and prompts: above zero the first
    prefers ``category`` more. Same as `Model.contrast` with ``against``."""
    return model.contrast(lexicon, category, category_b, valence=valence, against=other)


def forecast(
    model: Model,
    policy: Model,
    lexicon: str | Lexicon,
    category: str,
    other: str | None = None,
    *,
    valence: Valence,
) -> Foreseen:
    """What a policy would say after it was optimised against a model: above zero it says more of
    ``category``. Same as `Model.forecast`."""
    return model.forecast(policy, lexicon, category, other, valence=valence)
