"""What the document says of the same contrast in people's ratings."""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Estimated(TypedDict):
    """An effect and its 95% interval."""

    estimate: float
    low: float
    high: float


class InPeople(TypedDict):
    """The contrast in people's ratings, and the model's over the same words: effects are there
    where enough words were rated, and None where they cannot be computed."""

    ratings: str
    source: str
    fingerprint: str
    rated: list[int]
    entries: list[int]
    said: str
    people: NotRequired[Estimated]
    model: NotRequired[Estimated]
    difference: NotRequired[Estimated | None]
    held: NotRequired[Estimated | None]
