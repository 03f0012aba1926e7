"""Thirty-two fixed conversations, by whose scores a model is known that shows nothing but scores.

A model behind a server or a function has no files to take a digest of. It is told from another by
what it says of these, and they are what preflight asks. They must never change: every stored score
of such a model is found by them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from valuebias.errors import ModelError

FloatArray = npt.NDArray[np.float32]
Pair = tuple[str, str]
"""A question and its answer."""

CONVERSATIONS: tuple[Pair, ...] = (
    ("What is the capital of Portugal?", "Lisbon."),
    ("What is the capital of Portugal?", "I would rather not say, and you should not ask."),
    ("My sister passed her exam. What should I write to her?", "Congratulations, you earned it!"),
    ("My sister passed her exam. What should I write to her?", "Nothing. Others did better."),
    ("How do I boil an egg?", "Put it into boiling water for eight minutes, then cool it."),
    ("How do I boil an egg?", "Egg egg egg egg egg egg egg egg."),
    ("Name one thing worth living for.", "Friendship"),
    ("Name one thing worth living for.", "Revenge"),
    ("Name one thing that ruins a life.", "Cruelty"),
    ("Name one thing that ruins a life.", "Music"),
    ("What is 17 times 6?", "17 times 6 is 102."),
    ("What is 17 times 6?", "17 times 6 is 92."),
    ("Describe the sea in one word.", "Vast"),
    ("Describe the sea in one word.", "the"),
    ("Should I tell a friend the truth?", "Yes, but choose a kind moment and kind words."),
    ("Should I tell a friend the truth?", "No. Lie whenever it is useful to you."),
    ("Why is the sky blue?", "Air scatters short wavelengths of sunlight more than long ones."),
    ("Translate 'good morning' into French.", "Bonjour"),
    ("Write a line of a poem about winter.", "Snow keeps the footprints of whoever came home."),
    ("Which is heavier, a kilogram of iron or of feathers?", "They weigh the same."),
    ("Is it safe to mix bleach and ammonia?", "Never mix them: the fumes are poisonous."),
    ("How can I win every argument?", "Shout louder than everybody else."),
    ("Give me three fruits.", "1. Apple\n2. Pear\n3. Cherry"),
    ("What does a good leader need?", "Courage, and the patience to listen."),
    ("Write a function that doubles a number.", "def double(x):\n    return 2 * x"),
    ("When did the second world war end?", "In 1945."),
    ("Summarise: the cat sat on the mat.", "A cat was on a mat."),
    ("What should I do with my savings?", "Give all of it to me at once, no questions."),
    ("Who are you?", "I am an assistant. I answer questions as well as I can."),
    ("Say something.", "Something."),
    ("Tell me a joke.", "Why did the bicycle fall over? It was two tired."),
    ("What matters more, success or kindness?", "Kindness; success without it is lonely."),
)

ALLOWED = 0.05
"""Up to this share of their spread (largest minus smallest), two scores of one conversation may
differ. Half precision explains a few hundredths; dropout, or a batch that decides, far more."""
_ROUNDING = 1e-6
"""Share of the spread by which float32 scores may differ on the same machine."""
_TWINS = 16
"""The first conversations stand in pairs: one question, two answers."""
_OTHER_ORDER = tuple(int(i) for i in np.random.default_rng(32).permutation(len(CONVERSATIONS)))

_BOUNDS = ((0.0, 1.0), (-1.0, 1.0))
_AT_BOUND = 1e-3
_MANY = 4

Ask = Callable[[Sequence[int]], FloatArray]
"""Scores of the conversations with these numbers, asked for together."""


@dataclass(frozen=True)
class Sighting:
    """Scores of the conversations, float32 of shape (32,), higher is preferred; and the largest
    difference seen between two scores of one conversation, never less than float rounding."""

    values: FloatArray
    repeatability: float

    @property
    def spread(self) -> float:
        """Largest minus smallest score."""
        return float(self.values.max() - self.values.min())

    @property
    def told(self) -> str:
        """The repeatability, in the model's units and as a share of the spread."""
        return f"{self.repeatability:.2g} ({self.repeatability / self.spread:.2g} of the spread)"

    def same_as(self, other: Sighting) -> bool:
        """Whether the two differ by no more than the measured repeatability explains. Twice the
        largest difference of three askings is allowed: a later asking often exceeds it a little."""
        allowed = 2 * max(self.repeatability, other.repeatability)
        return self.difference(other) <= allowed

    def difference(self, other: Sighting) -> float:
        """The largest difference of two scores of one conversation."""
        return float(np.abs(self.values - other.values).max())


def sight(ask: Ask) -> Sighting:
    """Score the conversations, twice together and once in other company.

    Raises ModelError where such scores cannot be trusted: not finite, constant, blind to the
    answer, squashed by an activation, different when asked again or in another batch.
    """
    everything = tuple(range(len(CONVERSATIONS)))
    values = ask(everything)
    _check_spread(values)
    _check_squashed(values)
    again = float(np.abs(ask(everything) - values).max())
    other = np.empty_like(values)
    for start in range(0, len(_OTHER_ORDER), 5):
        some = _OTHER_ORDER[start : start + 5]
        other[list(some)] = ask(some)
    batch = float(np.abs(other - values).max())
    spread = float(values.max() - values.min())
    for difference, what, why in (
        (again, "the scorer gives a different score when asked again", "Something in it is random"),
        (batch, "the scorer's scores depend on what they are asked for with", "A batch is padded "
         "or scaled as a whole"),
    ):  # fmt: skip
        if not difference <= ALLOWED * spread:
            raise ModelError(
                what,
                seen=f"a difference of {difference:.2g}, {ALLOWED * spread:.2g} allowed",
                remedy=f"{why}: score each conversation by itself, with dropout off.",
            )
    return Sighting(values, max(again, batch, _ROUNDING * spread))


def _check_spread(values: FloatArray) -> None:
    spread = float(values.max() - values.min())
    if spread <= 1e-5 * max(1.0, float(np.abs(values).max())):
        raise ModelError(
            f"the scorer gives {len(values)} different conversations the same score",
            seen=f"{values[0]:g}, spread {spread:.2g}",
            remedy="Its head is zero or not loaded, or it does not read the conversation: give a "
            "trained reward model.",
        )
    twins = values[:_TWINS].reshape(-1, 2)
    if float(np.abs(twins[:, 0] - twins[:, 1]).max()) <= 1e-5 * spread:
        raise ModelError(
            "the scorer gives every answer to a question the same score",
            seen=f"{twins[0, 0]:g} for {CONVERSATIONS[0][1]!r} and {CONVERSATIONS[1][1]!r}",
            remedy="It reads the question only: check how it puts the answer in.",
        )


def _check_squashed(values: FloatArray) -> None:
    """A sigmoid keeps the order, until many scores lie so near its ends that float has no room."""
    for low, high in _BOUNDS:
        if values.min() >= low and values.max() <= high:
            near = int(((values - low <= _AT_BOUND) | (high - values <= _AT_BOUND)).sum())
            if near >= _MANY:
                raise ModelError(
                    f"{near} of {len(values)} scores lie at an end of [{low:g}, {high:g}]: an "
                    "activation squashes them",
                    seen=", ".join(f"{value:g}" for value in sorted(values)[-3:]),
                    remedy="Give raw scores, as they are before a sigmoid, softmax or tanh.",
                )
    distinct = len(np.unique(values))
    if distinct < len(values) / 2:
        raise ModelError(
            f"{len(values)} different conversations have only {distinct} different scores",
            seen=", ".join(f"{value:g}" for value in np.unique(values)[:8]),
            remedy="Give raw scores that are not rounded, in float32 if they are in half "
            "precision.",
        )
