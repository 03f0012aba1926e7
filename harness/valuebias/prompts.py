"""The prompts that ask for a value in one word, and the sets of them: the paper's (section 2), and
one of more adjectives."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import combinations, product
from typing import Literal

from valuebias import answers
from valuebias.errors import SpecError, visible

Valence = Literal["positive", "negative"]
VALENCES: tuple[Valence, ...] = ("positive", "negative")
Valences = Literal["positive", "negative", "positive-negative"]
"""The prompts of an effect: one valence, or the effect on positive prompts minus that on negative
ones."""

_PAPER: Mapping[Valence, Mapping[str, str]] = {
    "positive": {"best": "best", "greatest": "greatest", "good": "most good"},
    "negative": {"worst": "worst", "bad": "most bad", "terrible": "most terrible"},
}
_BALANCED: Mapping[Valence, Mapping[str, str]] = {
    "positive": {
        "greatest": "greatest",
        "best": "best",
        "finest": "finest",
        "wonderful": "most wonderful",
        "excellent": "most excellent",
        "admirable": "most admirable",
        "valuable": "most valuable",
        "precious": "most precious",
        "desirable": "most desirable",
    },
    "negative": {
        "worst": "worst",
        "terrible": "most terrible",
        "vilest": "vilest",
        "horrible": "most horrible",
        "awful": "most awful",
        "despicable": "most despicable",
        "harmful": "most harmful",
        "loathsome": "most loathsome",
        "dreadful": "most dreadful",
    },
}
_SCOPES = {"ever": "ever", "world": "in the world", "time": "of all time"}
_STYLES = {
    "one": "What, in one word, is the {thing}?",
    "single": "What, in a single word, is the {thing}?",
    "please": "What is the {thing}? Please answer in one word only.",
}


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
        return self.find(GREATEST.text) or (*self.of("positive"), *self.prompts)[0]

    @property
    def is_paper(self) -> bool:
        """Whether these are the paper's prompts, which panel margins were made with."""
        return self.name == PAPER.name

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


def _prompt(valence: Valence, adjective: str, words: str, scope: str, style: str) -> Prompt:
    return Prompt(
        id=f"{adjective}_{scope}_{style}",
        text=_STYLES[style].format(thing=f"{words} thing {_SCOPES[scope]}"),
        valence=valence,
        factors={"adjective": adjective, "scope": scope, "style": style},
    )


def _full() -> tuple[Prompt, ...]:
    """Every adjective with every scope and style."""
    return tuple(
        _prompt(valence, adjective, words, scope, style)
        for valence, adjectives in _PAPER.items()
        for (adjective, words), scope, style in product(adjectives.items(), _SCOPES, _STYLES)
    )


def _fraction() -> tuple[Prompt, ...]:
    """Every adjective with every scope once and every style once, by a Latin square: the k-th
    adjective meets the s-th scope in the style s + k (modulo 3). Over a valence each scope meets
    each style three times, so that the main effects of the three factors are orthogonal."""
    styles = tuple(_STYLES)
    return tuple(
        _prompt(valence, adjective, words, scope, styles[(s + k) % len(styles)])
        for valence, adjectives in _BALANCED.items()
        for k, (adjective, words) in enumerate(adjectives.items())
        for s, scope in enumerate(_SCOPES)
    )


PAPER_PROMPTS: tuple[Prompt, ...] = _full()
"""The paper's 54 prompts: 2 valences x 3 adjectives x 3 scopes x 3 styles, in its order."""

GREATEST = next(prompt for prompt in PAPER_PROMPTS if prompt.id == "greatest_ever_one")
"""The paper's running example; its best and worst tokens are what the terminal shows."""

# Two prompts per adjective, so that each scope and each style appears twice in a valence.
_PAPER_QUICK = (
    ("ever_one", "world_single"),
    ("time_please", "ever_single"),
    ("world_please", "time_one"),
)

PAPER: PromptSet = PromptSet(
    "paper",
    PAPER_PROMPTS,
    short=frozenset(
        f"{adjective}_{rest}"
        for adjectives in _PAPER.values()
        for adjective, rests in zip(adjectives, _PAPER_QUICK, strict=True)
        for rest in rests
    ),
)
"""The paper's prompts: three adjectives a valence."""
BALANCED: PromptSet = PromptSet("balanced", _fraction())
"""As many prompts of nine adjectives a valence, each in three of them."""

SHIPPED: Mapping[str, PromptSet] = {each.name: each for each in (PAPER, BALANCED)}
"""The shipped prompt sets by name."""

ANSWERS: PromptSet = PromptSet(
    "answers",
    tuple(
        Prompt(row.id, row.question, v, {"situation": row.situation}, row.answer)
        for v in VALENCES
        for row in answers.rows()
        if row.valence == v
    ),
    control=Control(answers.VIRTUE, answers.VICE),
)
"""Thirty frames of whole answers, fifteen a valence, three of each of five situations. Frames and
situations are draws from many; what else differs between frames is balanced (`answers`)."""


def select(valence: Valence, *, quick: bool = False) -> tuple[Prompt, ...]:
    """The paper's prompts of one valence: all 27, or the quick profile's six."""
    return (PAPER.quick if quick else PAPER).of(valence)


def resolve(text_or_id: str, prompts: PromptSet = PAPER) -> Prompt:
    """A prompt by id or exact text, of ``prompts`` or else of a shipped set; or a new one with the
    given text.

    Raises SpecError for an empty text, and for a single word that is not a known id: a mistyped id
    would otherwise be sent to the model as a question.
    """
    found = prompts.find(text_or_id) or known(text_or_id)
    if found is not None:
        return found
    if not any(c.isspace() for c in text_or_id.strip()):
        raise SpecError(
            "neither a prompt id nor a question",
            seen=text_or_id,
            remedy=f"Give an id of {prompts.title}, such as {visible(prompts.lead.id)}, or the "
            "whole question in quotes.",
        )
    return Prompt(id=text_or_id, text=text_or_id)


def known(header: str) -> Prompt | None:
    """The shipped prompt with this id or text, or None."""
    sets = (*SHIPPED.values(), ANSWERS)
    return next((p for s in sets if (p := s.find(header)) is not None), None)


Prompts = str | Prompt | PromptSet | Sequence[str | Prompt]
"""The name of a shipped prompt set, a prompt set, or prompts by id or text."""


def resolve_all(given: Prompts, prompts: PromptSet = PAPER) -> tuple[Prompt, ...]:
    """The prompts that are meant; ids are looked for in ``prompts`` first. Raises SpecError as
    `resolve` does."""
    if isinstance(given, PromptSet):
        return given.prompts
    if isinstance(given, str) and given in SHIPPED:
        return SHIPPED[given].prompts
    if isinstance(given, str | Prompt):
        given = [given]
    return tuple(p if isinstance(p, Prompt) else resolve(p, prompts) for p in given)
