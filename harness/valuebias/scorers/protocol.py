"""The interface of everything that scores candidates."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from valuebias.candidates import Candidates, Injection, Vocabulary
from valuebias.lexicons.lexicon import Lexicon
from valuebias.models.spec import ModelSpec
from valuebias.prompts import Prompt, PromptSet
from valuebias.scorers.loader import Loader
from valuebias.scores import Job, Scores

Kind = Literal["reward", "language", "implicit"]
"""What a scorer's numbers are: rewards, natural-log probabilities, or implicit rewards of two
language models."""


class Scorer(Protocol):
    """A stored model, a table of recorded scores, a baseline, an implicit reward, or a model in
    memory. Higher numbers are preferred.

    A model is loaded only when scores are asked for that are not stored. Errors are raised then: a
    ModelError, ScoresError, SearchError or SpecError.
    """

    @property
    def name(self) -> str:
        """The label under which reports show it."""

    @property
    def fingerprint(self) -> str:
        """A digest of everything that decides its numbers: weights, head, dtype, template."""

    @property
    def kind(self) -> Kind:
        """What its numbers are."""

    @property
    def injection(self) -> Injection:
        """How a lexicon's words are given to it."""

    @property
    def parts(self) -> tuple[Scorer, ...]:
        """The scorers that its numbers are computed from; empty for a single model."""

    @property
    def has_vocabulary(self) -> bool:
        """Whether VOCABULARY is a model's whole vocabulary; for recorded scores it is only what was
        recorded."""

    def candidates(self, lexicon: Lexicon) -> Candidates | Vocabulary:
        """What is scored for a lexicon: its words, or all that was recorded."""

    def score(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> Scores:
        """Scores of shape (prompts, candidates), float32 and finite.

        Raises SearchError if they are left out because they would take longer than ``time_limit``
        seconds: call ``left_out`` first.
        """

    def prepare(self, jobs: Sequence[Job]) -> None:
        """Compute every job's scores, loading a model at most once for all of them.

        An error of one job is raised when that job's scores are asked for, and does not stop
        another.
        """

    def left_out(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> str | None:
        """Why these scores are left out, as a line for a report; None if there are scores."""

    def vocabulary(self) -> Candidates:
        """The tokens of its vocabulary that stand for text."""

    def token_counts(self, words: Sequence[str]) -> list[int] | None:
        """The number of tokens of each word as an answer; None without a tokenizer."""


class Opener(Protocol):
    """What opening a scorer may need: the loader of models, the prompt set in force, and other
    scorers."""

    @property
    def loader(self) -> Loader: ...
    @property
    def prompts(self) -> PromptSet: ...
    def scorer(self, spec: ModelSpec) -> Scorer: ...


def injection_of(kind: Kind) -> Injection:
    """How words are given: a language model may use several spellings of one, a reward model is
    shown one."""
    return "text" if kind == "reward" else "spellings"


def words(lexicon: Lexicon, scorer: Scorer) -> Candidates:
    """A lexicon's words as candidates; a wildcard stands for words of the model's vocabulary."""
    wanted = list(lexicon.words())
    if any(entry.endswith("*") for entries in lexicon.categories.values() for entry in entries):
        texts = {text.strip().lower() for text in scorer.vocabulary().responses}
        known = sorted(text for text in texts - set(wanted) if text.isalpha())
        expanded = lexicon.expand(known)
        wanted += [word for category in expanded.values() for word in category]
    return Candidates.words(wanted, scorer.injection)
