"""Remembers errors, so that what failed once is not tried again in the same process."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from valuebias.errors import ModelError, StoreError, ValueBiasError
from valuebias.models.spec import ModelSpec


class Failures:
    """The errors of models and of their jobs, by key."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], ValueBiasError] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    @contextmanager
    def remembered(self, spec: ModelSpec, *rest: object) -> Iterator[None]:
        """Remember the error that is raised inside, under the model and the rest of the key.

        An error of another class than ours becomes a ModelError.
        """
        try:
            yield
        except StoreError:  # says nothing of the model
            raise
        except ValueBiasError as error:
            # A copy: the traceback of the original would keep the model's tensors alive.
            self._known[spec, *rest] = copy.copy(error)
            raise
        except Exception as error:
            failure = ModelError(
                f"{spec.label} stopped with an unexpected error",
                seen=f"{type(error).__name__}: {error}",
                remedy="If the cause is unclear, report it with the traceback.",
            )
            self._known[spec, *rest] = copy.copy(failure)
            raise failure from error

    def first(self, keys: Iterable[tuple[object, ...]]) -> ValueBiasError | None:
        """The first of these that failed, or None."""
        known = next((self._known[key] for key in keys if key in self._known), None)
        return None if known is None else copy.copy(known)

    def whose(self, error: ValueBiasError) -> str | None:
        """The label of the model that has this error, or None."""
        labels = (
            spec.label
            for (spec, *_), known in self._known.items()
            if isinstance(spec, ModelSpec) and str(known) == str(error)
        )
        return next(labels, None)

    def raise_again(self, *key: object) -> None:
        """Raise the error remembered under the key, if there is one."""
        known = self.first([key])
        if known is not None:
            raise known
