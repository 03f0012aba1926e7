"""A prompt, its frame if it has one, and a set of them."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations
from typing import Literal

from valuebias.errors import visible

Valence = Literal["positive", "negative"]
VALENCES: tuple[Valence, ...] = ("positive", "negative")
Valences = Literal["positive", "negative", "positive-negative"]
"""The prompts of an effect: one valence, or the effect on positive prompts minus that on negative
ones."""

RUNNING_EXAMPLE = "What, in one word, is the greatest thing ever?"
"""The paper's."""


@dataclass(frozen=True)
class Prompt:
    """One question to a model.

    ``valence`` says whether it asks for something good ("positive") or bad ("negative"); it is
    None for a user's own prompt without a valence. ``factors`` are what it was generated from,
    coarsest first. ``answer`` is the frame that a response is put into, "{word}" or "{Word}"
    standing for it, the latter with a capital; empty where the response is the whole answer.
    """

    id: str
    text: str
    valence: Valence | None = None
    factors: Mapping[str, str] = field(default_factory=dict, hash=False)
    answer: str = ""

    @property
    def key(self) -> str:
        """What tells it from other prompts: its text, and its frame if it has one."""
        return f"{self.text}\x1f{self.answer}" if self.answer else self.text

    def framed(self, response: str) -> str:
        """The whole answer that a response is, or stands in."""
        if not self.answer:
            return response
        capital = response[:1].upper() + response[1:]
        return self.answer.replace("{Word}", capital).replace("{word}", response)


@dataclass(frozen=True)
class Control:
    """Words that any model which reads the questions must tell apart: on positive prompts it
    prefers ``virtue`` to ``vice``, on negative ones the reverse."""

    virtue: tuple[str, ...]
    vice: tuple[str, ...]


@dataclass(frozen=True)
class PromptSet:
    """The prompts of a run, each with a valence.

    ``name`` is what reports and margins call it, ``language`` a BCP-47 tag. ``control`` are its
    control words, None where none are declared. ``short`` holds the ids of the quick profile's
    prompts where they are fixed; elsewhere they are spread over the factors. ``whole`` is the set
    that this is the quick profile's part of, None if it is whole.
    """

    name: str
    prompts: tuple[Prompt, ...]
    language: str = "en"
    control: Control | None = None
    short: frozenset[str] = frozenset()
    whole: PromptSet | None = field(default=None, repr=False, compare=False)

    def of(self, valence: Valence) -> tuple[Prompt, ...]:
        """The prompts of one valence, in order."""
        return tuple(p for p in self.prompts if p.valence == valence)

    @property
    def both(self) -> tuple[Prompt, ...]:
        """The prompts of both valences, positive ones first."""
        return self.of("positive") + self.of("negative")

    @cached_property
    def quick(self) -> PromptSet:
        """The set of the quick profile: six prompts a valence, spread over the factors."""
        keep = self.short or {p.id for v in VALENCES for p in _spread(self.of(v), _QUICK)}
        return replace(self, prompts=tuple(p for p in self.prompts if p.id in keep), whole=self)

    @property
    def lead(self) -> Prompt:
        """The prompt whose best and worst tokens are shown, the same under every profile: the
        paper's running example if the set has it, else its first positive prompt, else its first.
        """
        if self.whole is not None:
            return self.whole.lead
        found = self.find(RUNNING_EXAMPLE) or (*self.of("positive"), *self.prompts)[0]
        return replace(found, answer="") if found.answer else found  # tokens are whole answers

    @property
    def is_framed(self) -> bool:
        """Whether words stand in frames of whole answers."""
        return any(prompt.answer for prompt in self.prompts)

    @property
    def is_paper(self) -> bool:
        """Whether these are the paper's prompts, which panel margins were made with."""
        return self.name == "paper"

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the ids, texts and frames, in order."""
        text = "\x1e".join(f"{prompt.id}\x1f{prompt.key}" for prompt in self.prompts)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def title(self) -> str:
        """What messages call it: "the prompt set balanced (54 prompts)"."""
        return f"the prompt set {visible(self.name)} ({len(self.prompts)} prompts)"

    def counted(self, n: int) -> str:
        """ "27 prompts", with the set's name where it is not the paper's."""
        return f"{n} prompts" if self.is_paper else f"{n} prompts ({visible(self.name)})"

    def find(self, text_or_id: str) -> Prompt | None:
        """The prompt with this id or exact text, or None."""
        return self._by_name.get(text_or_id)

    @cached_property
    def _by_name(self) -> Mapping[str, Prompt]:
        return {p.key: p for p in self.prompts} | {p.id: p for p in self.prompts}


_QUICK = 6
"""Prompts of a valence that the quick profile asks."""


def _spread(prompts: Sequence[Prompt], n: int) -> list[Prompt]:
    """At most ``n`` of the prompts, one after the other that whose levels were chosen least; of
    equals that whose pairs of levels were, of equals the first."""
    chosen: list[Prompt] = []
    times: Counter[object] = Counter()
    while len(chosen) < min(n, len(prompts)):
        left = [p for p in prompts if p not in chosen]
        best = min(left, key=lambda p: [sum(times[x] for x in group) for group in _levels(p)])
        chosen.append(best)
        for group in _levels(best):
            times.update(group)
    return chosen


def _levels(prompt: Prompt) -> tuple[list[object], list[object]]:
    """A prompt's levels of its factors, and the pairs of them."""
    levels = list(prompt.factors.items())
    return [*levels], [*combinations(levels, 2)]
