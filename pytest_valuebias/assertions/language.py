"""What fixtures of language models hand to a test: implicit rewards, and inheritance."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pytest_valuebias.assertions.effects import Assertable
from pytest_valuebias.gate import Gate
from pytest_valuebias.inputs import Inputs
from valuebias.candidates import Candidates
from valuebias.measurement.inheritance import measure_inheritance
from valuebias.model import Model
from valuebias.models.spec import ModelSpec
from valuebias.prompts import Prompt, Valence
from valuebias.scorers.implicit_stored import StoredImplicit
from valuebias.stats.inheritance import Inheritance


@dataclass(frozen=True, repr=False)
class ImplicitModel(Model):
    """The implicit reward that would turn one language model into another (MWLR)."""

    def by(self, measure: str) -> ImplicitModel:
        """The same by another measure: LLR, LR-20, LR-10, p1LR, p2LR, MWLR, GMLR or JSR."""
        assert isinstance(self.scorer, StoredImplicit)
        return replace(self, scorer=self.scorer.by(measure))

    def gap(self, first: str, second: str, prompt: str | Prompt | None = None) -> float:
        """The implicit reward of one word minus that of another, each in all its spellings; above
        zero the second model prefers the first word more than the first model does. Without a
        prompt the one that leads the set in force is asked."""
        words = Candidates.words([first, second], "spellings")
        a, b = map(float, self.score(words, prompt).values[0])
        return a - b


@dataclass(frozen=True, repr=False)
class InheritanceEffect(Assertable):
    """What a reward model's preferences for words owe to its base; ``found`` has its parts."""

    found: Inheritance


@dataclass(frozen=True)
class InheritanceFixture:
    """The ``inheritance`` fixture: how much of a reward model's taste is its base's?"""

    spec: ModelSpec
    base: Model
    inputs: Inputs
    gate: Gate

    def __call__(self, lexicon: str, *, valence: Valence) -> InheritanceEffect:
        """The correlation of the model's ranks of a lexicon's words with its base's, beside their
        length, frequency and number of tokens; minus the mean one with the other ``--base``."""
        measured = measure_inheritance(
            self.inputs.bench.scorer(self.spec),
            self.base.scorer,
            self.inputs.other_bases(self.spec),
            self.inputs.lexicon(lexicon),
            valence,
            frequencies=self.inputs.frequencies,
            prompts=self.inputs.prompts,
        )
        effect = measured.effect
        assert isinstance(effect, Inheritance)
        return InheritanceEffect(measured, self.gate, effect)
