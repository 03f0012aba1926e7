"""The bench: a model spec in, stored scores out. A model is loaded only for what is not stored yet.

Statistics always read from the store. Processes that want the same model take turns: the first
computes, the others find its scores in the store and never load the model.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from valuebias.candidates import Candidates
from valuebias.errors import ModelError, ScoresError, SearchError, StoreError, ValueBiasError
from valuebias.models.files import Role as Role
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.progress import Progress
from valuebias.prompts import GREATEST, Prompt
from valuebias.scorers.failures import Failures
from valuebias.scores import Scores
from valuebias.store.database import Store, address
from valuebias.store.model_scores import VOCABULARY as VOCABULARY
from valuebias.store.model_scores import Job as Job
from valuebias.store.model_scores import Shelf
from valuebias.store.model_scores import Vocabulary as Vocabulary

if TYPE_CHECKING:
    from valuebias.models.language import LanguageModel
    from valuebias.models.reward import RewardModel
    from valuebias.scorers.baseline import Baseline
    from valuebias.scorers.implicit_stored import ImplicitModel
    from valuebias.scorers.recorded import RecordedScores


class Bench:
    """Scores of any model, computed at most once.

    Errors of a model (it cannot be loaded, preflight refused it, its scores are not finite) are
    raised again at once for whatever else this process asks of it, and are never stored.
    """

    def __init__(
        self, store: Store, settings: Settings, *, progress: Progress | None = None
    ) -> None:
        self.store = store
        self.settings = settings
        self.progress = progress if progress is not None else Progress()
        self._loaded: tuple[str, RewardModel | LanguageModel] | None = None
        self._fingerprints: dict[tuple[ModelSpec, Role], str] = {}
        self._shelves: dict[str, Shelf] = {}
        self._recorded: dict[ModelSpec, RecordedScores] = {}
        self._baselines: dict[ModelSpec, Baseline] = {}
        self._implicits: dict[ModelSpec, ImplicitModel] = {}
        self._failures = Failures()

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
        if self._loaded is None:
            return
        self._loaded = None
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()

    def fingerprint(self, spec: ModelSpec, *, role: Role = "rm") -> str:
        """A digest of everything that decides the model's numbers; its weights are not loaded."""
        if spec.scheme == "scores":
            return self._records(spec).fingerprint
        if spec.scheme == "baseline":
            return self.baseline(spec).fingerprint
        if spec.parts:
            return self._implicit(spec).reward.fingerprint
        known = self._fingerprints.get((spec, role))
        if known is None:
            from valuebias.models.fingerprint import fingerprint

            with self._failures.remembered(spec, role):
                known = fingerprint(spec, self.settings, role=role)
            self._fingerprints[spec, role] = known
        return known

    def scores(
        self,
        spec: ModelSpec,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        role: Role = "rm",
        time_limit: float | None = None,
    ) -> Scores:
        """Scores of shape (prompts, candidates), from the store; what is missing is computed first.

        Of recorded scores VOCABULARY is all that was recorded. Raises what loading or scoring the
        model raises; SearchError where the search was left out for its time limit (ask ``left_out``
        first); ScoresError on scores that are not finite.
        """
        self._refuse_baseline(spec)
        job = Job(tuple(prompts), candidates, time_limit)
        if spec.scheme == "scores":
            records = self._records(spec)
            whole = records.recorded.candidates
            scores = records.score(
                prompts, candidates if isinstance(candidates, Candidates) else whole
            )
            if role == "llm":
                scores.check_log_probabilities()
            return scores
        if spec.parts:
            return self._implicit(spec).scores(prompts, candidates)
        self.prepare(spec, [job], role=role)
        shelf = self._shelf(spec, role)
        reason = shelf.left_out(job)
        if reason is not None:
            raise SearchError(
                f"{spec.label} was not searched",
                seen=reason,
                remedy="Give it more time, or a faster device.",
            )
        failure = self._failure(spec, role, job)
        if failure is not None:
            raise failure
        return shelf.read(job, spec.label)

    def vocabulary(self, spec: ModelSpec, *, role: Role = "rm") -> Candidates:
        """The tokens of the model's vocabulary that stand for text, by id; loads it if it must."""
        self._refuse_baseline(spec)
        if spec.parts:
            return self._implicit(spec).vocabulary()
        shelf = self._shelf(spec, role)
        self._failures.raise_again(spec, role)
        if shelf.candidates(VOCABULARY) is None:
            with self._turn(spec, role):
                if shelf.candidates(VOCABULARY) is None:
                    self._keep_vocabulary(self._load(spec, role), spec, role)
        candidates = shelf.candidates(VOCABULARY)
        assert candidates is not None
        return candidates

    def token_counts(self, spec: ModelSpec, words: Sequence[str]) -> list[int]:
        """The number of tokens of each word, as a language model's answer; loads it if it must."""
        shelf = self._shelf(spec, "llm")
        candidates = Candidates.words(words)
        counts = shelf.token_counts(candidates)
        if counts is None:
            with self._turn(spec, "llm"), self._failures.remembered(spec, "llm", "token counts"):
                counts = shelf.token_counts(candidates)  # another process may have counted
                if counts is None:
                    counts = self._count_tokens(self._load(spec, "llm"), shelf, words)
        return counts

    def left_out(
        self,
        spec: ModelSpec,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        role: Role = "rm",
        time_limit: float | None = None,
    ) -> str | None:
        """Why these scores are left out, as a line for a report; None where there are scores.

        Computes them first where they are missing and can be had within the time limit.
        """
        if spec.scheme == "scores":
            recorded = {prompt.text for prompt in self._records(spec).prompts}
            absent = [prompt.id for prompt in prompts if prompt.text not in recorded]
            return f"{spec.label} holds no score for {', '.join(absent)}" if absent else None
        if spec.scheme == "baseline":
            return f"the baseline {spec.label} holds the ranks of its lexicons' words alone"
        if spec.parts:
            return self._implicit(spec).left_out(prompts, candidates, time_limit)
        job = Job(tuple(prompts), candidates, time_limit)
        self.prepare(spec, [job], role=role)
        return self._shelf(spec, role).left_out(job)

    def prepare(self, spec: ModelSpec, jobs: Sequence[Job], *, role: Role = "rm") -> None:
        """Make sure that every job is in the store, loading the model at most once for all of them.

        Raises the model's error where it cannot be loaded. An error of one job (its scores are not
        finite, say) is raised when that job's scores are asked for, and stops no other job.
        """
        if spec.scheme == "scores":
            self._records(spec)
            return
        if spec.scheme == "baseline":
            self.baseline(spec)
            return
        if spec.parts:
            self._implicit(spec).prepare(jobs)
            return
        self._failures.raise_again(spec, role)
        if all(self._settled(spec, role, job) for job in jobs):
            return
        with self._turn(spec, role):
            if all(self._settled(spec, role, job) for job in jobs):
                return  # another process did it while we waited
            model = self._load(spec, role)
            for job in jobs:
                if self._failure(spec, role, job) is None:
                    try:
                        self._compute(model, spec, role, job)
                    except StoreError:
                        raise
                    except ValueBiasError:
                        pass  # remembered, and raised to whoever asks for this job

    def baseline(self, spec: ModelSpec) -> Baseline:
        """The record of a release that a baseline spec names. Raises ScoresError where the file
        cannot be used."""
        known = self._baselines.get(spec)
        if known is None:
            from valuebias.scorers.baseline_file import read_baseline

            self._failures.raise_again(spec)
            with self._failures.remembered(spec):
                known = read_baseline(Path(spec.target))
            self._baselines[spec] = known
        return known

    def _implicit(self, spec: ModelSpec) -> ImplicitModel:
        known = self._implicits.get(spec)
        if known is None:
            from valuebias.scorers.implicit_stored import ImplicitModel

            known = self._implicits[spec] = ImplicitModel(self, spec)
        return known

    def _refuse_baseline(self, spec: ModelSpec) -> None:
        if spec.scheme == "baseline":
            raise ScoresError(
                "a baseline holds ranks, which are no scores",
                seen=spec.text,
                remedy="Compare a model with it: bias(..., against=baseline).",
            )

    def _failure(self, spec: ModelSpec, role: Role, job: Job) -> ValueBiasError | None:
        """What stopped the job before, in this process."""
        if not self._failures:
            return None
        keys: list[tuple[object, ...]] = [(spec, role)]
        if isinstance(job.candidates, Vocabulary):
            keys.append((spec, role, job.candidates))
        candidates = self._shelf(spec, role).candidates(job.candidates)
        if candidates is not None:
            keys += [(spec, role, candidates.digest, prompt.text) for prompt in job.prompts]
        return self._failures.first(keys)

    def _settled(self, spec: ModelSpec, role: Role, job: Job) -> bool:
        """Whether nothing is to be computed: all is stored, known to fail or known to take long."""
        shelf = self._shelf(spec, role)
        return bool(self._failure(spec, role, job) or shelf.left_out(job) or shelf.complete(job))

    def _shelf(self, spec: ModelSpec, role: Role) -> Shelf:
        fingerprint = self.fingerprint(spec, role=role)
        if fingerprint not in self._shelves:
            self._shelves[fingerprint] = Shelf(self.store, fingerprint)
        return self._shelves[fingerprint]

    def _records(self, spec: ModelSpec) -> RecordedScores:
        known = self._recorded.get(spec)
        if known is None:
            from valuebias.scorers.recorded import RecordedScores

            self._failures.raise_again(spec)
            with self._failures.remembered(spec):
                known = RecordedScores.from_file(Path(spec.target), name=spec.label)
            self._recorded[spec] = known
        return known

    # Computing

    def _compute(
        self, model: RewardModel | LanguageModel, spec: ModelSpec, role: Role, job: Job
    ) -> None:
        shelf = self._shelf(spec, role)
        if isinstance(job.candidates, Candidates):
            if role == "llm" and job.candidates.injection == "spellings":
                self._count_tokens(model, shelf, job.candidates.responses)
            self._search(model, spec, role, job, job.candidates)
            return
        self._keep_vocabulary(model, spec, role)
        candidates, tokens = shelf.candidates(job.candidates), shelf.candidates(VOCABULARY)
        assert candidates is not None
        assert tokens is not None
        if self._search(model, spec, role, job, candidates) and shelf.round_trip is None:
            with self._failures.remembered(spec, role, job.candidates):
                shelf.put_round_trip(float(model.round_trip(tokens)))

    def _count_tokens(
        self, model: RewardModel | LanguageModel, shelf: Shelf, words: Sequence[str]
    ) -> list[int]:
        """Keep the number of tokens of each word: the model need not be loaded again for it."""
        counts = [len(ids) for ids in model.chat.continuations(GREATEST.text, words)]
        shelf.put_token_counts(Candidates.words(words), counts)
        return counts

    def _keep_vocabulary(
        self, model: RewardModel | LanguageModel, spec: ModelSpec, role: Role
    ) -> None:
        shelf = self._shelf(spec, role)
        with self._failures.remembered(spec, role, VOCABULARY):
            if shelf.candidates(VOCABULARY) is None:
                shelf.put_vocabulary(model.vocabulary(), model.provenance.get("left_out", ""))

    def _search(
        self,
        model: RewardModel | LanguageModel,
        spec: ModelSpec,
        role: Role,
        job: Job,
        candidates: Candidates,
    ) -> bool:
        """Score what is missing, chunk by chunk into the store; False where it is left out."""
        from valuebias.search import TooSlow

        shelf = self._shelf(spec, role)
        missing = shelf.missing(job, candidates)
        total = len(candidates) * len({prompt.text for prompt in job.prompts})
        before = total - sum(int((~done).sum()) for done in missing.values())
        described = False

        def keeper(
            prompt: Prompt, done: npt.NDArray[np.bool_]
        ) -> Callable[[npt.NDArray[np.integer], npt.NDArray[np.float32]], None]:
            def keep(indices: npt.NDArray[np.integer], values: npt.NDArray[np.float32]) -> None:
                nonlocal described
                if not described:  # the rung is known only now
                    shelf.put_provenance(candidates, model.provenance)
                    described = True
                new = ~done[indices]
                shelf.put(prompt, candidates, indices[new], values[new])
                advance(int(new.sum()))

            return keep

        # The first missing prompt decides for all: they cost the same.
        limit = None if job.time_limit is None else job.time_limit / max(1, len(missing))
        with self.progress.task(spec.label, total, done=before) as advance:
            for prompt, done in missing.items():
                keep = keeper(prompt, done)
                with self._failures.remembered(spec, role, candidates.digest, prompt.text):
                    try:
                        model.score_prompt(
                            prompt, candidates, done=done, on_chunk=keep, time_limit=limit
                        )
                    except TooSlow as slow:
                        shelf.put_left_out(job, candidates, slow.estimate * len(missing))
                        return False
                limit = None
        shelf.put_left_out(job, candidates, None)
        return True

    def _load(self, spec: ModelSpec, role: Role) -> RewardModel | LanguageModel:
        key = self.fingerprint(spec, role=role)
        if self._loaded is not None and self._loaded[0] == key:
            return self._loaded[1]
        from valuebias.models import loading

        self.progress.note(f"loading {spec.label}")
        load = loading.load_reward_model if role == "rm" else loading.load_language_model
        with self._failures.remembered(spec, role):
            model = load(spec, self.settings)
            if model.fingerprint != key:
                raise ModelError(
                    f"the files of {spec.label} changed while it was being loaded",
                    remedy="Wait until they are written, and run again.",
                )
        self.store.record_load(key)
        self._loaded = (key, model)
        return model

    @contextmanager
    def _turn(self, spec: ModelSpec, role: Role) -> Iterator[None]:
        """This process's turn with the model; the lock goes with the process, however it ends."""
        key = self.fingerprint(spec, role=role)
        if self._loaded is not None and self._loaded[0] != key:
            self.release()  # whoever has the turn may need the memory that we would wait with
        folder = self.store.path.parent / "locks"
        lock = FileLock(folder / f"{address(model=key)[:32]}.lock")
        try:
            folder.mkdir(exist_ok=True)
            try:
                lock.acquire(timeout=0)
            except Timeout:
                self.progress.note(f"waiting for another process that is scoring {spec.label}")
                lock.acquire()
        except (OSError, NotImplementedError) as error:
            raise StoreError(
                f"files beside the score store cannot be locked ({error})",
                seen=folder,
                remedy="Name a folder on a local disk, which you may write to, as cache-dir.",
            ) from None
        try:
            yield
        finally:
            lock.release()
