"""The bench: a model spec in, a scorer out. Scores of any model are computed at most once."""

from __future__ import annotations

from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.progress import Progress
from valuebias.prompts import PAPER, PromptSet
from valuebias.scorers.loader import Loader
from valuebias.scorers.protocol import Scorer
from valuebias.scorers.schemes import SCHEMES
from valuebias.store.database import Store


class Bench:
    """Opens scorers; statistics always read from the store behind them.

    ``prompts`` is the prompt set in force, by which recorded scores and baselines are read.
    A context manager that frees the loaded model and closes the store.
    """

    def __init__(
        self,
        store: Store,
        settings: Settings,
        *,
        prompts: PromptSet = PAPER,
        progress: Progress | None = None,
    ) -> None:
        self.store = store
        self.settings = settings
        self.prompts = prompts
        self.progress = progress if progress is not None else Progress()
        self.loader = Loader(store, settings, self.progress)
        self._scorers: dict[ModelSpec, Scorer] = {}

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the loaded model and close the store."""
        self.release()
        self.store.close()

    def release(self) -> None:
        """Free the loaded model, if there is one; a later call that needs it loads it again."""
        self.loader.release()

    def scorer(self, spec: ModelSpec) -> Scorer:
        """The scorer of a spec. No model is loaded; a file of recorded scores or a baseline is
        read, and raises ScoresError if it cannot be used."""
        known = self._scorers.get(spec)
        if known is None:
            failures = self.loader.failures
            failures.raise_again(spec)
            with failures.remembered(spec):
                known = SCHEMES[spec.scheme].open_scorer(spec, self)
            self._scorers[spec] = known
        return known
