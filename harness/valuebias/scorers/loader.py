"""Loads models: one at a time, in turn with other processes, each failure once.

Processes that want the same model take turns: the first computes, the others find its scores in the
store and never load the model.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TypeAlias, cast

from filelock import FileLock, Timeout

from valuebias.errors import ModelError, StoreError
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.progress import Progress
from valuebias.scorers.failures import Failures
from valuebias.store.database import Store, address

if TYPE_CHECKING:
    from valuebias.models.language import LanguageModel
    from valuebias.models.opaque import OpaqueModel
    from valuebias.models.reward import RewardModel

Loaded: TypeAlias = "RewardModel | LanguageModel | OpaqueModel"
OpenModel: TypeAlias = Callable[[ModelSpec, Settings, Store], Loaded]
"""Opens a model that has no files: its fingerprint is known once it is open."""


class Loader:
    """The one model that is loaded, and the errors of others."""

    def __init__(self, store: Store, settings: Settings, progress: Progress) -> None:
        self.store = store
        self.settings = settings
        self.progress = progress
        self.failures = Failures()
        self._loaded: tuple[str, Loaded] | None = None

    def release(self) -> None:
        """Free the loaded model, if there is one; a later call that needs it loads it again."""
        if self._loaded is None:
            return
        self._loaded = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def load(self, spec: ModelSpec, fingerprint: str) -> RewardModel | LanguageModel:
        """The model of this fingerprint, loaded if necessary."""
        if self._loaded is not None and self._loaded[0] == fingerprint:
            return cast("RewardModel | LanguageModel", self._loaded[1])
        from valuebias.models import loading

        self.progress.note(f"loading {spec.label}")
        with self.failures.remembered(spec):
            model = loading.load(spec, self.settings)
            if model.fingerprint != fingerprint:
                raise ModelError(
                    f"the files of {spec.label} changed while it was being loaded",
                    remedy="Wait until they are written, and run again.",
                )
        if model.threads == 1 and not self.settings.threads:
            self.progress.note(f"{spec.label} is small: it is computed on one thread")
        self.store.record_load(fingerprint)
        self._loaded = (fingerprint, model)
        return model

    def open(
        self, spec: ModelSpec, open_model: OpenModel, fingerprint: str | None = None
    ) -> Loaded:
        """A model without files, opened if necessary; it stays open. ``fingerprint`` is that of an
        earlier time. Raises ModelError if it has another one now."""
        if self._loaded is not None and self._loaded[0] == fingerprint:
            return self._loaded[1]
        self.release()
        # Processes take turns: whoever sees a model first decides what it is known by.
        with self.turn(spec, address(opened=spec.text)), self.failures.remembered(spec):
            self.progress.note(f"opening {spec.label}")
            model = open_model(spec, self.settings, self.store)
            if fingerprint not in (None, model.fingerprint):
                raise ModelError(
                    f"{spec.label} is another model than it was at the beginning of this run",
                    seen=f"fingerprint {model.fingerprint[:12]}, not {str(fingerprint)[:12]}",
                    remedy="Run again once its weights stay the same.",
                )
        self.store.record_load(model.fingerprint)
        self._loaded = (model.fingerprint, model)
        return model

    @contextmanager
    def turn(self, spec: ModelSpec, fingerprint: str) -> Iterator[None]:
        """This process's turn with the model; the lock ends with the process, however it ends."""
        if self._loaded is not None and self._loaded[0] != fingerprint:
            self.release()  # the process that has the turn may need the memory
        folder = self.store.path.parent / "locks"
        lock = FileLock(folder / f"{address(model=fingerprint)[:32]}.lock")
        try:
            folder.mkdir(exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                self.progress.note(f"waiting for another process that is scoring {spec.label}")
                lock.acquire()
        except (OSError, NotImplementedError) as error:
            raise StoreError(
                f"cannot lock files next to the score store ({error})",
                seen=folder,
                remedy="Give a writable folder on a local disk as cache-dir.",
            ) from None
        try:
            yield
        finally:
            lock.release()
