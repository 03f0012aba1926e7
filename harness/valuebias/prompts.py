"""The prompts that ask for a value in one word, generated from their factors (paper, section 2)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Literal

from valuebias.errors import SpecError

Valence = Literal["positive", "negative"]
VALENCES: tuple[Valence, ...] = ("positive", "negative")
Valences = Literal["positive", "negative", "positive-negative"]
"""The prompts of an effect: one valence, or the effect on positive prompts minus that on negative
ones."""

_ADJECTIVES: Mapping[Valence, Mapping[str, str]] = {
    "positive": {"best": "best", "greatest": "greatest", "good": "most good"},
    "negative": {"worst": "worst", "bad": "most bad", "terrible": "most terrible"},
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
    coarsest first.
    """

    id: str
    text: str
    valence: Valence | None = None
    factors: Mapping[str, str] = field(default_factory=dict, hash=False)


def _generate() -> tuple[Prompt, ...]:
    return tuple(
        Prompt(
            id=f"{adjective}_{scope}_{style}",
            text=_STYLES[style].format(thing=f"{words} thing {_SCOPES[scope]}"),
            valence=valence,
            factors={"adjective": adjective, "scope": scope, "style": style},
        )
        for valence, adjectives in _ADJECTIVES.items()
        for (adjective, words), scope, style in product(adjectives.items(), _SCOPES, _STYLES)
    )


PAPER_PROMPTS: tuple[Prompt, ...] = _generate()
"""The paper's 54 prompts: 2 valences x 3 adjectives x 3 scopes x 3 styles, in its order."""

GREATEST = next(prompt for prompt in PAPER_PROMPTS if prompt.id == "greatest_ever_one")
"""The paper's running example; its best and worst tokens are what the terminal shows."""


# Two prompts per adjective, so that each scope and each style appears twice in a valence.
_QUICK = (
    ("ever_one", "world_single"),
    ("time_please", "ever_single"),
    ("world_please", "time_one"),
)

_BY_NAME = {p.id: p for p in PAPER_PROMPTS} | {p.text: p for p in PAPER_PROMPTS}


def select(valence: Valence, *, quick: bool = False) -> tuple[Prompt, ...]:
    """The prompts of one valence: all 27, or the quick profile's six, spread over the factors."""
    prompts = tuple(p for p in PAPER_PROMPTS if p.valence == valence)
    if not quick:
        return prompts
    keep = {
        f"{adjective}_{rest}"
        for adjective, rests in zip(_ADJECTIVES[valence], _QUICK, strict=True)
        for rest in rests
    }
    return tuple(p for p in prompts if p.id in keep)


def resolve(text_or_id: str) -> Prompt:
    """A prompt by id, by its exact text, or a new one with the given text.

    Raises SpecError for an empty text, and for a single word that is not a known id: a mistyped id
    would otherwise be sent to the model as a question.
    """
    known = _BY_NAME.get(text_or_id)
    if known is not None:
        return known
    if not any(c.isspace() for c in text_or_id.strip()):
        raise SpecError(
            "neither a prompt id nor a question",
            seen=text_or_id,
            remedy="Give an id such as greatest_ever_one, or the whole question in quotes.",
        )
    return Prompt(id=text_or_id, text=text_or_id)


def known(header: str) -> Prompt | None:
    """The shipped prompt with this id or text, or None."""
    return _BY_NAME.get(header)


Prompts = str | Prompt | Sequence[str | Prompt]
"""The word "paper" for the paper's 54, or prompts by id or text."""


def resolve_all(given: Prompts) -> tuple[Prompt, ...]:
    """The word "paper" for PAPER_PROMPTS, or prompts by id or text. Raises SpecError as `resolve`
    does."""
    if given == "paper":
        return PAPER_PROMPTS
    if isinstance(given, str | Prompt):
        given = [given]
    return tuple(p if isinstance(p, Prompt) else resolve(p) for p in given)
