"""Where the embedded models are. Imports nothing heavy: specs are parsed with it."""

from __future__ import annotations

from pathlib import Path

from valuebias.errors import SpecError

NAMES = ("agency", "communion", "neutral")
"""What each organism prefers on positive prompts; "neutral" has no planted preference."""

DATA = Path(__file__).parent / "data"

BASE, REWARD = "base", "reward"
"""Directories inside an organism's own: the language model, and the adapter trained on it. The
adapter's config names its base as ``../base``, relative to the adapter's directory."""


def base_model(name: str) -> Path:
    """Directory of the language model ``name``'s reward model was trained from."""
    return _directory(name, BASE)


def reward_model(name: str) -> Path:
    """PEFT adapter directory of the reward model; its base is ``base_model(name)``."""
    return _directory(name, REWARD)


def _directory(name: str, part: str) -> Path:
    if name not in NAMES:
        raise SpecError(
            "unknown embedded model",
            seen=name,
            remedy="Use " + ", ".join(f"demo:{known}" for known in NAMES) + ".",
        )
    return DATA / name / part
