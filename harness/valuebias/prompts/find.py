"""Which prompts are meant, by id or text."""

from __future__ import annotations

from collections.abc import Sequence

from valuebias.errors import SpecError, visible
from valuebias.prompts.answers import ANSWERS
from valuebias.prompts.sets import Prompt, PromptSet
from valuebias.prompts.words import PAPER, SHIPPED


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
