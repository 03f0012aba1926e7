"""Errors that are remembered, so that what failed once is not tried again in one process."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from valuebias.errors import ModelError, StoreError, ValueBiasError
from valuebias.models.spec import ModelSpec


class Failures:
    """What stopped a model, or one of its jobs, by what was asked."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], ValueBiasError] = {}

    def __bool__(self) -> bool:
        return bool(self._known)

    @contextmanager
    def remembered(self, spec: ModelSpec, *rest: object) -> Iterator[None]:
        """Remember the error that is raised inside, under the model and the rest of the key.

        An error that is none of ours becomes a ModelError.
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
                f"{spec.label} stopped with an error that was not foreseen",
                seen=f"{type(error).__name__}: {error}",
                remedy="If that does not say what to do, report it with the traceback.",
            )
            self._known[spec, *rest] = copy.copy(failure)
            raise failure from error

    def first(self, keys: Iterable[tuple[object, ...]]) -> ValueBiasError | None:
        """The first of these that failed, or None."""
        known = next((self._known[key] for key in keys if key in self._known), None)
        return None if known is None else copy.copy(known)

    def raise_again(self, *key: object) -> None:
        """Raise what is known under the key, if anything is."""
        known = self.first([key])
        if known is not None:
            raise known
