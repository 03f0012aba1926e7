"""Responses as a prompt's frame holds them: whole answers."""

from __future__ import annotations

from valuebias.candidates import Candidates
from valuebias.errors import ScoresError
from valuebias.prompts import Prompt


def whole_answers(prompt: Prompt, candidates: Candidates) -> tuple[str, ...]:
    """The texts of the answers, in the candidates' order. Raises ScoresError as `check_whole`."""
    check_whole(prompt, candidates)
    return tuple(map(prompt.framed, candidates.responses))


def check_whole(prompt: Prompt, candidates: Candidates) -> None:
    """Raise ScoresError where the prompt has a frame, and what it would hold is no text: a token,
    or the spellings of a word together."""
    if prompt.answer and candidates.injection in ("token", "spellings"):
        raise ScoresError(
            "a frame of whole answers holds texts, each as it is written",
            seen=f"{candidates.injection} in {prompt.id}",
            remedy="Ask whole answers of a reward model, by words.",
        )
