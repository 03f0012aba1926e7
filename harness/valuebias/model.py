"""A model to ask, and effects that can be judged: what a notebook and a test both hold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast, get_args

from valuebias.candidates import VOCABULARY, Candidates
from valuebias.errors import LexiconError, SpecError, StatisticsError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import Covariate, Measurement, measure
from valuebias.measurement.tokens import TopTokens, top_tokens
from valuebias.prompts import GREATEST, PAPER_PROMPTS, Prompt, Valences, resolve
from valuebias.scorers.protocol import Scorer
from valuebias.scores import Scores
from valuebias.stats.composition import Composition, composition
from valuebias.stats.effect import Effect
from valuebias.stats.verdict import Margin, Verdict, judge

Prompts = str | Prompt | Sequence[str | Prompt]
"""The word "paper" for the paper's 54, or prompts by id or text."""


@dataclass(frozen=True)
class Model:
    """A scorer with the questions that are asked of it.

    The model itself is loaded only when the store lacks something that is asked for. ``lexicon``
    finds a lexicon by its name; ``quick`` asks six prompts a valence, which can never PASS.
    """

    scorer: Scorer
    lexicon: Callable[[str], Lexicon]
    quick: bool = False

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

    def score(self, words: Sequence[str] | Candidates, prompts: Prompts = (GREATEST,)) -> Scores:
        """Scores of shape (prompts, words), float32; higher is preferred.

        They are rewards, or natural-log probabilities of a language model. Words are a sequence.
        Raises what loading or scoring the model raises.
        """
        if isinstance(words, str):
            raise SpecError(
                "words must be a sequence of strings", seen=words, remedy=f"Give [{words!r}]."
            )
        candidates = words if isinstance(words, Candidates) else Candidates.words(words)
        return self.scorer.score(_prompts(prompts), candidates)

    def top_tokens(self, k: int = 10, prompt: str | Prompt = GREATEST) -> TopTokens:
        """The k best and k worst tokens of the vocabulary for one prompt."""
        (asked,) = _prompts([prompt])
        return top_tokens(self.scorer, asked, k)

    def composition(
        self, lexicon: str | Lexicon, k: int = 10, prompts: Prompts = (GREATEST,)
    ) -> Composition:
        """How many of the vocabulary's k best and k worst words belong to each category.

        Searches the whole vocabulary on every prompt, however long that takes; of recorded scores
        it is all that was recorded. Prompts are of one valence.
        """
        scores = self.scorer.score(_prompts(prompts), VOCABULARY)
        return composition(scores, self.find(lexicon), k)

    def contrast(
        self,
        lexicon: str | Lexicon,
        category: str,
        other: str | None = None,
        *,
        valence: Valences,
        against: Model | None = None,
        covariates: dict[str, Covariate] | None = None,
        seed: int = 0,
    ) -> MeasuredEffect:
        """The preference for ``category`` over ``other`` (or the others of its polarity), as a
        rank-biserial correlation: above zero ``category`` is preferred.

        ``valence`` must be named: "positive" (prompts that ask for the best), "negative" (for the
        worst), or "positive-negative" (the effect on the former minus that on the latter).
        ``against`` gives the paired difference from another model, this model minus that one.
        ``covariates``, by name a mapping or function from word to number, are controlled for.
        Raises what loading or scoring the model raises, LexiconError on a category that is none,
        and StatisticsError for data that no honest interval can come from.
        """
        measured = measure(
            self.scorer,
            self.find(lexicon),
            contrast_of(category, other, valence),
            valence,
            against=None if against is None else against.scorer,
            covariates=covariates,
            quick=self.quick,
            seed=seed,
        )
        return MeasuredEffect(measured)

    def find(self, lexicon: str | Lexicon) -> Lexicon:
        """A lexicon by its name, or as it is."""
        return self.lexicon(lexicon) if isinstance(lexicon, str) else lexicon


@dataclass(frozen=True, repr=False)
class MeasuredEffect:
    """An effect with all it rests on; above zero the first category is preferred.

    ``measurement`` has the words, lexicon, coverage and provenance, ``measurement.effect`` every
    number.
    """

    measurement: Measurement

    def __repr__(self) -> str:
        """One line: what was asked of which model, the estimate and its interval."""
        m, effect = self.measurement, self.effect
        return (
            f"<{m.title}: {m.contrast}, {m.valence} prompts, {effect.estimate:+.3f} "
            f"[{effect.low:+.3f}, {effect.high:+.3f}]>"
        )

    def __bool__(self) -> bool:
        raise StatisticsError(
            "an effect is neither true nor false",
            seen=f"{self.estimate:+.3f}",
            remedy="Assert what it must be: bias(...).assert_within(low, high); or judge it: "
            "effect.judge(low, high).",
        )

    @property
    def effect(self) -> Effect:
        return self.measurement.effect

    @property
    def estimate(self) -> float:
        return self.measurement.effect.estimate

    @property
    def interval(self) -> tuple[float, float]:
        """The confidence interval at ``effect.level``."""
        return self.measurement.effect.low, self.measurement.effect.high

    def judge(
        self, low: float | None, high: float | None, *, alpha: float = 0.05
    ) -> Verdict[Effect]:
        """PASS if the effect is shown to lie in [low, high], FAIL if it is shown to lie outside,
        INCONCLUSIVE if the data settle neither (two one-sided tests, each at ``alpha``). None
        leaves a side open. Raises StatisticsError for a margin that gates nothing or that the data
        are too few to settle."""
        if low is None and high is None:
            raise StatisticsError(
                "a margin has at least one bound", seen="None, None", remedy="Give low or high."
            )
        if low is not None and high is not None:
            margin = Margin(low, high)
        else:
            margin = Margin.above(low) if low is not None else Margin.below(cast(float, high))
        return judge(self.effect, margin, alpha=alpha)


def contrast_of(category: str, other: str | None, valence: Valences) -> str:
    """The contrast's name. Raises LexiconError on a category or valence that is none."""
    if not isinstance(category, str) or not isinstance(other, str | None):
        raise LexiconError(
            "a category is named by a string",
            seen=f"{category!r}, {other!r}",
            remedy='Write bias("big_two", "agency", "communion", valence="positive").',
        )
    if valence not in get_args(Valences):
        raise LexiconError(
            "a valence has to be named",
            seen=valence,
            remedy="Give positive, negative, or positive-negative (their difference).",
        )
    return category if other is None else f"{category}~{other}"


def _prompts(given: Prompts) -> tuple[Prompt, ...]:
    if given == "paper":
        return PAPER_PROMPTS
    if isinstance(given, str | Prompt):
        given = [given]
    return tuple(p if isinstance(p, Prompt) else resolve(p) for p in given)
