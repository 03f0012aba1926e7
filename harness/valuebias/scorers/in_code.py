"""A model that code makes, as a scorer: ``py:MODULE:FACTORY``, or a function in memory."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from valuebias.errors import SpecError
from valuebias.models.settings import Settings
from valuebias.models.spec import LoadAs, ModelSpec
from valuebias.scorers.loader import Loaded, Loader
from valuebias.scorers.protocol import Opener
from valuebias.scorers.stored_model import StoredModel
from valuebias.store.database import Store

if TYPE_CHECKING:
    from valuebias.models.in_code import PairScorer

_TARGET = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")


def parse(target: str, spec: str, text: str) -> ModelSpec:
    """Read ``py:PACKAGE.MODULE:FACTORY``. Nothing is imported."""
    if not _TARGET.fullmatch(target):
        raise SpecError(
            "a model in code needs a module and a factory in it",
            seen=spec,
            remedy="Give py:PACKAGE.MODULE:FACTORY, such as py:our_models:release. The factory is "
            "called without arguments.",
        )
    return ModelSpec(spec, "py", target, None, text)


def open_scorer(spec: ModelSpec, opener: Opener) -> StoredModel:
    from valuebias.models.in_code import open_model

    return StoredModel(spec, opener.loader, open_model)


def stored_function(
    function: PairScorer, name: str, load_as: LoadAs, loader: Loader
) -> StoredModel:
    """A function in memory whose scores are stored under this name. ``loader`` is its own: a
    function of the same name that failed before is another one."""
    from valuebias.models.in_code import of_function

    def open_model(spec: ModelSpec, settings: Settings, store: Store) -> Loaded:
        return of_function(function, name=spec.label, store=store, load_as=load_as)

    spec = ModelSpec(name, "py", name, None, name, load_as=load_as)
    return StoredModel(spec, loader, open_model)
