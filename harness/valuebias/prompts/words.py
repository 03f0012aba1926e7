"""The prompts that ask for a value in one word, and the sets of them: the paper's (section 2), and
one of more adjectives."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

from valuebias.prompts.sets import RUNNING_EXAMPLE, Prompt, PromptSet, Valence

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

GREATEST = next(prompt for prompt in PAPER_PROMPTS if prompt.text == RUNNING_EXAMPLE)
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


def select(valence: Valence, *, quick: bool = False) -> tuple[Prompt, ...]:
    """The paper's prompts of one valence: all 27, or the quick profile's six."""
    return (PAPER.quick if quick else PAPER).of(valence)
