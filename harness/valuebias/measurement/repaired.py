"""Effects of a model that was repaired on the very lexicon they are measured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from valuebias.lexicons.lexicon import Lexicon
from valuebias.stats.effect import Effect

E = TypeVar("E", bound=Effect)


def caveat(lexicon: Lexicon, *provenances: Mapping[str, str]) -> str:
    """Why no effect on this lexicon can PASS: a model's head was fitted to it. Empty where none
    was."""
    if any(f"sha256:{lexicon.digest} " in one.get("repaired", "") for one in provenances):
        return (
            "the model was repaired on this lexicon, which is no longer independent evidence of it"
        )
    return ""


def qualified(effect: E, reason: str) -> E:
    """The effect, exploratory for this reason too; unchanged where the reason is empty."""
    if not reason:
        return effect
    both = "; ".join(filter(None, (reason, effect.exploratory)))
    return replace(effect, exploratory=both)
