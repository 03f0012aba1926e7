"""Preferences as token ids: which pairs are trained on, in which order, and how they are cut.

Conversations are written by `valuebias.models.chat`, as the search writes them, so that a reward
model reads in training what it will read when it is scored.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.errors import ModelError, TrainingError
from valuebias.models.chat import Chat, common_prefix
from valuebias.training.recipe import Recipe
from valuebias.training.row_forms import Preference, PrefersNothing, Turns

_MEND = "change them: what a system turn says can begin the first user turn."
Ids = npt.NDArray[np.int32]


class PairRefused(ModelError):
    """A pair that a model's chat template does not take, such as one with a system turn."""


@dataclass(frozen=True)
class TokenPair:
    """Two conversations; ``response`` is where the chosen one's response begins."""

    chosen: Ids
    rejected: Ids
    response: int
    margin: float


@dataclass(frozen=True)
class Prepared:
    """The pairs of one run, in the order of its shuffle.

    Of the ``seen`` pairs ``overlong`` were left out, and ``same``, whose two sides a tokenizer does
    not tell apart; ``cut`` had their prompt shortened. ``refused`` lists those left out because the
    chat template does not take them, as messages. ``sha256`` is over the ids of all pairs.
    """

    pairs: tuple[TokenPair, ...]
    seen: int
    overlong: int
    same: int
    cut: int
    longest: int
    refused: tuple[str, ...]
    sha256: str


class Writer:
    """Writes pairs for one model: its chat template, its tokenizer, its limit in tokens."""

    def __init__(self, tokenizer: Any, limit: int, *, cut: bool) -> None:
        self.limit = limit
        self._chat = Chat(tokenizer)
        self._cut = cut

    def write(self, pair: Preference) -> tuple[list[list[int]], Turns] | None:
        """The ids of chosen and rejected, and the prompt they were written with; None where they
        are too long. Raises PairRefused naming the pair's line."""
        try:
            ids = self._ids(pair, pair.prompt)
            if max(map(len, ids)) <= self.limit:
                return ids, pair.prompt
            return self._shortened(pair) if self._cut else None
        except ModelError as error:  # the template took a plain question: it is about this pair
            raise PairRefused(
                f"{pair.where}: {error.what}",
                seen=error.seen,
                remedy="Set `invalid: leave-out` in the recipe to train without such pairs, or "
                + _MEND,
            ) from None

    def response_start(self, chosen: Sequence[int], prompt: Turns) -> int:
        """Index of the first token that does not belong to the prompt, or to the template before
        the response."""
        others = self._chat.turns([(*prompt, ("assistant", word)) for word in ("Zephyrs", "mango")])
        return len(common_prefix([chosen, *others]))

    def _ids(self, pair: Preference, prompt: Turns) -> list[list[int]]:
        return self._chat.turns([(*prompt, *pair.chosen), (*prompt, *pair.rejected)])

    def _shortened(self, pair: Preference) -> tuple[list[list[int]], Turns] | None:
        """With as little taken from the prompt's start as is needed; a system turn stays whole."""
        system = [turn for turn in pair.prompt if turn[0] == "system"]
        rest = [turn for turn in pair.prompt if turn[0] != "system"]
        total = sum(len(content) for _, content in rest)

        def without(characters: int) -> tuple[list[list[int]], Turns]:
            prompt = (*system, *_drop(rest, characters))
            return self._ids(pair, prompt), prompt

        def fits(ids: list[list[int]]) -> bool:
            return max(map(len, ids)) <= self.limit

        low, high = 0, total - 1
        if high < 1 or not fits(without(high)[0]):
            return None
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if fits(without(middle)[0]) else (middle, high)
        return without(high)


def _drop(turns: Sequence[tuple[str, str]], characters: int) -> Turns:
    """Turns without their first so many characters; what is left begins with a user's turn."""
    kept: list[tuple[str, str]] = []
    for role, content in turns:
        if characters >= len(content):
            characters -= len(content)
            continue
        if kept or role == "user":
            kept.append((role, content[characters:].lstrip() if characters else content))
        characters = 0
    return tuple(kept) or ((turns[-1][0], turns[-1][1][-1:]),)


def prepare(
    recipe: Recipe,
    preferences: Sequence[Preference],
    writer: Writer,
    others: Sequence[Writer] = (),
) -> Prepared:
    """Choose and write a run's pairs.

    The preferences are shuffled by the recipe's seed; in that order, pairs that do not fit
    ``writer`` and all ``others`` are left out until the recipe's quantity is reached. Hence a
    smaller quantity is the beginning of a larger one, and bases that name each other see the same
    pairs. Raises TrainingError if too many are too long, or too few are left.
    """
    order = list(range(len(preferences)))
    random.Random(recipe.seed).shuffle(order)
    pairs: list[TokenPair] = []
    refused: list[PairRefused] = []
    seen = overlong = same = cut = longest = 0
    digest = hashlib.sha256()
    example = ""
    for index in order:
        if recipe.pairs is not None and len(pairs) == recipe.pairs:
            break
        pair = preferences[index]
        seen += 1
        try:
            written, *elsewhere = [each.write(pair) for each in (writer, *others)]
        except PairRefused as error:
            if recipe.invalid == "error":
                raise
            refused.append(error)
            continue
        if written is None or None in elsewhere:
            overlong += 1
            example = example or pair.where
            continue
        if any(here is not None and here[0][0] == here[0][1] for here in (written, *elsewhere)):
            same += 1
            if recipe.invalid == "error":
                raise PrefersNothing(
                    f"{pair.where}: the two conversations are the same tokens to the model",
                    seen=pair.chosen[-1][1],
                    remedy="Remove the pair, or set `invalid: leave-out` in the recipe.",
                )
            continue
        (chosen, rejected), prompt = written
        cut += prompt != pair.prompt
        longest = max(longest, len(chosen), len(rejected))
        start = 0 if recipe.regularizer == "none" else writer.response_start(chosen, prompt)
        margin = pair.margin if recipe.margin == "data" else recipe.margin
        assert margin is not None
        pairs.append(
            TokenPair(np.array(chosen, np.int32), np.array(rejected, np.int32), start, margin)
        )
        for side in (pairs[-1].chosen, pairs[-1].rejected):
            digest.update(len(side).to_bytes(4, "little") + side.astype("<i4").tobytes())
        digest.update(repr((margin, start)).encode())
    if overlong > recipe.max_overlong * seen:
        raise TrainingError(
            f"{overlong:,} of {seen:,} pairs ({overlong / seen:.1%}) are longer than "
            f"{writer.limit:,} tokens, more than the {recipe.max_overlong:.1%} allowed",
            seen=f"{example}, for one",
            remedy="Set `truncate: prompt-left` to shorten prompts, raise `max_length` if the "
            "model reads more, or allow it: `max_overlong: 0.2`.",
        )
    if refused and len(refused) == seen:
        raise TrainingError(
            f"the chat template refuses all {seen:,} pairs",
            seen=f"{refused[0].what}: {refused[0].seen}",
            remedy=f"Start from a model whose template takes them, or {_MEND}",
        )
    if not pairs or (recipe.pairs is not None and len(pairs) < recipe.pairs):
        raise TrainingError(
            "there are fewer pairs than the recipe asks for",
            seen=f"{len(pairs):,} of {recipe.pairs or 1:,}, {overlong:,} left out as too long"
            + (f", {len(refused):,} as refused by the chat template" if refused else ""),
            remedy="Ask for fewer `pairs`, or give more preferences.",
        )
    messages = tuple(error.what for error in refused)
    return Prepared(tuple(pairs), seen, overlong, same, cut, longest, messages, digest.hexdigest())
