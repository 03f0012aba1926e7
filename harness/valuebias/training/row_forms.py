"""One row of a preference data set, in any of the usual forms, as a pair of conversations.

* ``chosen`` and ``rejected`` as texts, with a ``prompt`` (a text or messages); where both texts
  begin with it, it is taken off;
* the same as messages ({"role", "content"}), with a ``prompt`` or with the turns they begin alike;
* as transcripts, "\\n\\nHuman: ...\\n\\nAssistant: ..." (Anthropic's hh-rlhf), the prompt being the
  turns they begin alike; two messages of one speaker in a row are one turn;
* ``conv_A`` and ``conv_B`` as messages, with ``conv_A_rating`` and ``conv_B_rating`` (Unified
  Feedback): the higher rated is chosen.

Messages may be JSON in a text (`serialised.py`).
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from valuebias.errors import TrainingError
from valuebias.training.recipe import DataSource
from valuebias.training.serialised import messages

Turns = tuple[tuple[str, str], ...]
"""Turns of a conversation, each (role, content)."""

_SPEAKER = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


class PrefersNothing(TrainingError):
    """A well-formed pair that prefers nothing: an empty response, two identical ones, a tie."""


@dataclass(frozen=True)
class Preference:
    """``chosen`` and ``rejected`` are what follows ``prompt``; both end in an assistant's turn.

    ``margin`` is the pair's own, in reward units, if it has one; ``where`` its file and line;
    ``stripped`` says that both were texts that began with the prompt.
    """

    prompt: Turns
    chosen: Turns
    rejected: Turns
    where: str
    margin: float | None = None
    stripped: bool = field(default=False, compare=False)


def preference(row: Any, where: str, source: DataSource) -> Preference:
    """Read one row. Raises PrefersNothing, or TrainingError on a malformed row, with ``where``."""
    if not isinstance(row, Mapping):
        raise _fail(
            where, "not a pair of responses", type(row).__name__, "Give an object with fields."
        )
    margin = _margin(row, where)
    if "chosen" not in row and "conv_A" in row:
        row = _rated(row, where)
    for name in ("chosen", "rejected"):
        if row.get(name) is None:
            raise _fail(
                where,
                f"the pair has no `{name}`",
                ", ".join(map(str, row)) or "no fields",
                "Give `chosen` and `rejected`.",
            )
    chosen, rejected, prompt = (
        messages(row.get(name), name, where) for name in ("chosen", "rejected", "prompt")
    )
    stripped = False
    if isinstance(chosen, str) != isinstance(rejected, str):
        raise _fail(
            where,
            "one of `chosen` and `rejected` is a text, the other is not",
            f"{type(chosen).__name__} and {type(rejected).__name__}",
            "Give both in one form.",
        )
    if isinstance(chosen, str) and prompt is None:
        opening, first, second = _split_texts(chosen, rejected, where, source)
    else:
        if _are_transcripts(chosen, rejected):
            first, second = _transcript(chosen), _transcript(rejected)
        else:
            first, second = _turns(chosen, "chosen", where), _turns(rejected, "rejected", where)
        if prompt is None:
            opening, first, second = _split(first, second)
        else:
            opening = _opening(prompt, where)
            rests = [_rest(side, opening) for side in (first, second)]
            if rests[0] is not None and rests[1] is not None:
                first, second = rests[0], rests[1]
                stripped = isinstance(chosen, str)
    pair = Preference(opening, first, second, where, margin, stripped)
    _check(pair)
    return pair


def _check(pair: Preference) -> None:
    for _, content in (*pair.prompt, *pair.chosen, *pair.rejected):
        try:
            content.encode("utf-8")
        except UnicodeEncodeError as error:
            raise _fail(
                pair.where,
                "a text contains half a character (a lone surrogate)",
                content[max(error.start - 20, 0) : error.start + 20],
                "Remove it, or write the whole character.",
            ) from None
    if not pair.prompt or not any(content.strip() for _, content in pair.prompt):
        raise _fail(
            pair.where,
            "the pair has no prompt, and its conversations share no opening",
            None,
            "Give a `prompt`, or two conversations that begin alike.",
        )
    for name, turns in (("chosen", pair.chosen), ("rejected", pair.rejected)):
        if turns and turns[-1][0] != "assistant":
            raise _fail(
                pair.where,
                f"`{name}` does not end in a response",
                f"the last turn is the {turns[-1][0]}'s",
                "End both conversations in an assistant's turn.",
            )
        if not turns or not turns[-1][1].strip():
            raise PrefersNothing(
                f"{pair.where}: the response in `{name}` is empty",
                remedy="Remove the pair, or set `invalid: leave-out` in the recipe.",
            )
    if [(role, text.strip()) for role, text in pair.chosen] == [
        (role, text.strip()) for role, text in pair.rejected
    ]:
        raise PrefersNothing(
            f"{pair.where}: the two responses are identical",
            seen=pair.chosen[-1][1],
            remedy="Remove the pair, or set `invalid: leave-out` in the recipe.",
        )


def _turns(side: Any, name: str, where: str) -> Turns:
    if isinstance(side, str):
        return (("assistant", side),)
    if not isinstance(side, list | tuple) or not side:
        raise _fail(
            where,
            f"`{name}` is neither a text nor messages",
            side,
            'Give a text, or a list of {"role": ..., "content": ...}.',
        )
    turns = []
    for message in side:
        role = message.get("role") if isinstance(message, Mapping) else None
        content = message.get("content") if isinstance(message, Mapping) else None
        if role not in ("system", "user", "assistant") or not isinstance(content, str):
            raise _fail(
                where,
                f"a message of `{name}` cannot be used",
                message,
                'Give {"role": "user", "content": "..."}; the roles are system, user, assistant.',
            )
        turns.append((str(role), content))
    return tuple(turns)


def _opening(prompt: Any, where: str) -> Turns:
    if not isinstance(prompt, str):
        return _turns(prompt, "prompt", where)
    if _SPEAKER.match(prompt) is None:
        return (("user", prompt),)
    turns = _transcript(prompt)
    return turns[:-1] if turns[-1] == ("assistant", "") else turns


def _rest(turns: Turns, opening: Turns) -> Turns | None:
    """What follows the opening that the turns begin with, as turns or as text in their first one,
    whatever the white space; None if they do not begin so."""
    head = turns[: len(opening)]
    if [(role, text.split()) for role, text in head] == [(r, text.split()) for r, text in opening]:
        return turns[len(opening) :]
    if len(turns) == 1 and opening and opening[-1][0] == "user":
        after = _after(opening[-1][1], turns[0][1])
        return None if after is None else (("assistant", after),)
    return None


def _after(prompt: str, text: str) -> str | None:
    """What follows the prompt that a text begins with. Its last word must end there: an answer to
    "Hello" that says "Hello!" does not begin with a prompt."""
    words = prompt.split()
    parts = text.split(None, max(len(words) - 1, 0))
    if not words or len(parts) < len(words) or parts[:-1] != words[:-1]:
        return None
    last, rest = words[-1], parts[-1].removeprefix(words[-1])
    if not parts[-1].startswith(last):
        return None
    spaced = last[-1].isalnum() and unicodedata.east_asian_width(last[-1]) not in ("W", "F")
    return None if spaced and rest and not rest[0].isspace() else rest.lstrip()


def _split(first: Turns, second: Turns) -> tuple[Turns, Turns, Turns]:
    """The turns that both begin with, and the rest of each."""
    shared = 0
    for one, other in zip(first, second, strict=False):
        if one != other:
            break
        shared += 1
    if shared and shared == len(first) == len(second):
        shared -= 1  # identical conversations: the last turn is the response
    return first[:shared], first[shared:], second[shared:]


def _split_texts(
    chosen: str, rejected: str, where: str, source: DataSource
) -> tuple[Turns, Turns, Turns]:
    if _are_transcripts(chosen, rejected):
        return _split(_transcript(chosen), _transcript(rejected))
    if source.prompt == "shared-prefix":
        alike = 0
        for one, other in zip(chosen, rejected, strict=False):
            if one != other:
                break
            alike += 1
        line = (
            chosen.rfind("\n", 0, alike) + 1
        )  # whole lines: a response's first word belongs to it
        responses = ((("assistant", text[line:].strip()),) for text in (chosen, rejected))
        opening = chosen[:line].strip()
        first, second = responses
        return ((("user", opening),) if opening else ()), first, second
    raise _fail(
        where,
        "the pair has no `prompt`, and its texts are not transcripts of Human and Assistant",
        chosen,
        "Give a `prompt`; or say `prompt: shared-prefix` beside the source if both texts begin "
        "with the prompt's lines.",
    )


def _are_transcripts(*texts: Any) -> bool:
    return all(isinstance(text, str) and _SPEAKER.match(text) for text in texts)


def _transcript(text: str) -> Turns:
    """The turns of a transcript, stripped; consecutive ones of one speaker are one turn."""
    parts = _SPEAKER.split(text)
    turns: list[tuple[str, str]] = []
    for speaker, content in zip(parts[1::2], parts[2::2], strict=True):
        role, content = _ROLES[speaker], content.strip()
        if turns and turns[-1][0] == role:
            turns[-1] = (role, f"{turns[-1][1]}\n\n{content}".strip())
        else:
            turns.append((role, content))
    return tuple(turns)


def _rated(row: Mapping[str, Any], where: str) -> Mapping[str, Any]:
    """A rated pair as chosen and rejected."""
    a: Any = row.get("conv_A_rating")
    b: Any = row.get("conv_B_rating")
    if row.get("conv_B") is None or not (_is_number(a) and _is_number(b)):
        raise _fail(
            where,
            "a rated pair lacks `conv_B` or a rating",
            f"{', '.join(map(str, row))}; ratings {a} and {b}",
            "Give `conv_A`, `conv_B`, and numbers as `conv_A_rating` and `conv_B_rating`.",
        )
    if a == b:
        raise PrefersNothing(
            f"{where}: the two responses are rated alike",
            seen=a,
            remedy="Remove the pair, or set `invalid: leave-out` in the recipe.",
        )
    better, worse = ("conv_A", "conv_B") if a > b else ("conv_B", "conv_A")
    return {"chosen": row[better], "rejected": row[worse]}


def _margin(row: Mapping[str, Any], where: str) -> float | None:
    value = row.get("margin")
    if value is None:
        return None
    if not _is_number(value):
        raise _fail(
            where, "`margin` must be a finite number", value, "Give a number, or leave it out."
        )
    return float(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _fail(where: str, what: str, seen: object, remedy: str) -> TrainingError:
    return TrainingError(f"{where}: {what}", seen=seen, remedy=remedy)
