"""The prompt set of a run that names none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from valuebias.models.spec import ModelSpec
from valuebias.prompts import BALANCED, PAPER, PromptSet


def default_prompts(specs: Iterable[ModelSpec]) -> PromptSet:
    """The balanced set, which asks more adjectives at the same cost; but what was recorded is asked
    as it was recorded: scores on the paper's prompts, as the published ones were, and a baseline on
    the shipped set that it names."""
    for spec in _parts(specs):
        if spec.scheme == "scores":
            return PAPER
        if spec.is_baseline:
            from valuebias.scorers.baseline_file import recorded_on

            return recorded_on(Path(spec.target)) or BALANCED
    return BALANCED


def _parts(specs: Iterable[ModelSpec]) -> Iterator[ModelSpec]:
    for spec in specs:
        yield spec
        yield from _parts(spec.parts)
