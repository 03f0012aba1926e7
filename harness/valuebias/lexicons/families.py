"""The family of a word that no lexicon declares: by rules for English."""

from __future__ import annotations

from functools import cache
from typing import Any

import snowballstemmer  # type: ignore[import-untyped]


@cache
def family_by_rules(folded: str) -> str:
    """The name of a folded word's family: its stem by Snowball's English rules (for a phrase, the
    stem of every word)."""
    return " ".join(_stemmer().stemWords(folded.split()))


@cache
def _stemmer() -> Any:
    return snowballstemmer.stemmer("english")
