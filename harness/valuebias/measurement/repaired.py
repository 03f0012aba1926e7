"""Effects of a model that was repaired on the very lexicon they are measured with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from valuebias.lexicons.lexicon import Lexicon
from valuebias.lexicons.whole_answers import SUFFIX
from valuebias.stats.effect import Effect

E = TypeVar("E", bound=Effect)


def caveat(lexicon: Lexicon, *provenances: Mapping[str, str]) -> str:
    """Why no effect on this lexicon can PASS: a model's head was fitted to it, or to the lexicon
    that it is the words of whole answers of. Empty where none was."""
    fitted = [f"sha256:{lexicon.digest} "]
    if lexicon.name.endswith(SUFFIX):
        fitted.append(f"{lexicon.name.removesuffix(SUFFIX)} sha256:")
    told = "; ".join(one.get("repaired", "") for one in provenances)
    if any(each in told for each in fitted):
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
