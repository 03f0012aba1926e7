"""Which human values a reward model prefers: the public API. Names are loaded on first use.

import valuebias as vb

model = vb.load("demo:agency")
effect = model.contrast("big_two", "agency", "communion", valence="positive")
effect.judge(-0.276, 0.276)
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from valuebias.candidates import Candidates as Candidates
    from valuebias.errors import ValueBiasError as ValueBiasError
    from valuebias.lexicons.files import load_lexicon as load_lexicon
    from valuebias.lexicons.lexicon import Lexicon as Lexicon
    from valuebias.lexicons.ratings import load_ratings as load_ratings
    from valuebias.model import Model as Model
    from valuebias.model import compare as compare
    from valuebias.model import forecast as forecast
    from valuebias.opening import load as load
    from valuebias.outcomes import Cause as Cause
    from valuebias.outcomes import Outcome as Outcome
    from valuebias.prompts import PAPER_PROMPTS as PAPER_PROMPTS
    from valuebias.prompts import Prompt as Prompt
    from valuebias.records.measured import Judgement as Judgement
    from valuebias.records.measured import MeasuredEffect as MeasuredEffect
    from valuebias.records.report import report as report
    from valuebias.scorers.protocol import Scorer as Scorer
    from valuebias.scores import Scores as Scores

_HOMES = {
    "Candidates": "candidates",
    "Cause": "outcomes",
    "Judgement": "records.measured",
    "Lexicon": "lexicons.lexicon",
    "MeasuredEffect": "records.measured",
    "Model": "model",
    "Outcome": "outcomes",
    "PAPER_PROMPTS": "prompts",
    "Prompt": "prompts",
    "Scorer": "scorers.protocol",
    "Scores": "scores",
    "ValueBiasError": "errors",
    "compare": "model",
    "forecast": "model",
    "load": "opening",
    "load_lexicon": "lexicons.files",
    "load_ratings": "lexicons.ratings",
    "report": "records.report",
}

__all__ = [
    "PAPER_PROMPTS",
    "Candidates",
    "Cause",
    "Judgement",
    "Lexicon",
    "MeasuredEffect",
    "Model",
    "Outcome",
    "Prompt",
    "Scorer",
    "Scores",
    "ValueBiasError",
    "compare",
    "forecast",
    "load",
    "load_lexicon",
    "load_ratings",
    "report",
]


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'valuebias' has no attribute {name!r}")
    attribute = getattr(import_module(f"valuebias.{home}"), name)
    globals()[name] = attribute
    return attribute


def __dir__() -> list[str]:
    return sorted(__all__)


class _Package(ModuleType):
    """Importing the package ``valuebias.report`` must not replace the function."""

    def __setattr__(self, name: str, value: object) -> None:
        if not (name in _HOMES and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
