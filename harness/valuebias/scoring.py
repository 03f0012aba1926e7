"""The bench: a model spec in, stored scores out. A model is loaded only for what is not stored yet.

Statistics always read from the store. Processes that want the same model take turns: the first
computes, the others find its scores in the store and never load the model.
"""

from __future__ import annotations

import copy
import gc
import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from importlib import metadata
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from filelock import FileLock, Timeout

from valuebias.candidates import Candidates, Injection
from valuebias.errors import ModelError, ScoresError, SearchError, StoreError, ValueBiasError
from valuebias.models.files import Role as Role
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.progress import Progress, duration
from valuebias.prompts import Prompt
from valuebias.scores import Scores
from valuebias.store import ENGINE, Store, address

if TYPE_CHECKING:
    from valuebias.models.language import LanguageModel
    from valuebias.models.reward import RewardModel
    from valuebias.recorded import RecordedScores

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Vocabulary:
    """Candidates still to be named: every token of the model's own vocabulary that is text.

    Under ``text`` injection tokens that decode to the same text are one candidate, under the id
    that comes first.
    """

    injection: Injection = "token"


VOCABULARY = Vocabulary()


@dataclass(frozen=True)
class Job:
    """Prompts x candidates to score with one model. ``time_limit`` is in seconds, for the whole
    job: one that would take longer is left out, not begun."""

    prompts: tuple[Prompt, ...]
    candidates: Candidates | Vocabulary
    time_limit: float | None = None


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
        self._recorded: dict[ModelSpec, RecordedScores] = {}
        self._vocabularies: dict[tuple[str, Injection], Candidates] = {}
        self._failures: dict[tuple[object, ...], ValueBiasError] = {}

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

    def __enter__(self) -> Bench:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def fingerprint(self, spec: ModelSpec, *, role: Role = "rm") -> str:
        """A digest of everything that decides the model's numbers; its weights are not loaded."""
        if spec.scheme == "scores":
            return self._records(spec).fingerprint
        known = self._fingerprints.get((spec, role))
        if known is None:
            from valuebias.models.fingerprint import fingerprint

            with self._remember_failure(spec, role):
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

        Raises what loading or scoring the model raises; SearchError where the search was left out
        for its time limit (ask ``left_out`` first); ScoresError on scores that are not finite.
        """
        job = Job(tuple(prompts), candidates, time_limit)
        if spec.scheme == "scores":
            return self._read_records(spec, job)
        self.prepare(spec, [job], role=role)
        reason = self._left_out(spec, job, role)
        if reason is not None:
            raise SearchError(
                f"{spec.label} was not searched",
                seen=reason,
                remedy="Give it more time, or a faster device.",
            )
        self._raise_failure(spec, role, job)
        return self._read(spec, job, role)

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
        job = Job(tuple(prompts), candidates, time_limit)
        if spec.scheme == "scores":
            recorded = {prompt.text for prompt in self._records(spec).prompts}
            absent = [prompt.id for prompt in prompts if prompt.text not in recorded]
            return f"{spec.label} holds no score for {', '.join(absent)}" if absent else None
        self.prepare(spec, [job], role=role)
        return self._left_out(spec, job, role)

    def prepare(self, spec: ModelSpec, jobs: Sequence[Job], *, role: Role = "rm") -> None:
        """Make sure that every job is in the store, loading the model at most once for all of them.

        Raises the model's error where it cannot be loaded. An error of one job (its scores are not
        finite, say) is raised when that job's scores are asked for, and stops no other job.
        """
        if spec.scheme == "scores":
            self._records(spec)
            return
        self._raise_failure(spec, role)
        if all(self._settled(spec, job, role) for job in jobs):
            return
        with self._turn(spec, role):
            if all(self._settled(spec, job, role) for job in jobs):
                return  # another process did it while we waited
            model = self._load(spec, role)
            for job in jobs:
                if (spec, role, job) not in self._failures:
                    try:
                        with self._remember_failure(spec, role, job):
                            self._compute(model, spec, job, role)
                    except StoreError:
                        raise
                    except ValueBiasError:
                        pass  # remembered, and raised to whoever asks for this job

    # Reading

    def _read(self, spec: ModelSpec, job: Job, role: Role) -> Scores:
        candidates = self._resolve(spec, job.candidates, role)
        assert candidates is not None, "a settled job has its vocabulary stored"
        n = len(candidates)
        values = np.empty((len(job.prompts), n), dtype=np.float32)
        for row, prompt in zip(values, job.prompts, strict=True):
            row[:], done = self.store.partial(self._address(spec, role, prompt, candidates), n)
            if not done.all():
                raise SearchError(
                    f"{n - done.sum()} of {n} scores of {spec.label} on {prompt.id} are missing",
                    remedy="This is a defect of the search; please report it.",
                )
        stored = self.store.get_meta(self._key("provenance", spec, role, candidates)) or {}
        provenance = {str(key): str(value) for key, value in stored.items()}
        provenance |= {"model": spec.label, "injection": candidates.injection}
        provenance.pop("left_out", None)  # of a vocabulary, which words are not
        if isinstance(job.candidates, Vocabulary):
            vocabulary = self.store.get_meta(self._vocabulary_key(spec, role)) or {}
            trip = self.store.get_meta(self._round_trip_key(spec, role)) or {}
            provenance["left_out"] = vocabulary.get("left_out", "")
            provenance["round_trip"] = f"{trip.get('share', math.nan):.4f}"
        scores = Scores(values, job.prompts, candidates, provenance)
        scores.check_finite()
        return scores

    def _resolve(
        self, spec: ModelSpec, candidates: Candidates | Vocabulary, role: Role
    ) -> Candidates | None:
        """The candidates; None for a vocabulary that no process has read from the model yet."""
        if isinstance(candidates, Candidates):
            return candidates
        key = self._identity(spec, role)
        known = self._vocabularies.get((key, candidates.injection))
        if known is None:
            stored = self.store.get_meta(self._vocabulary_key(spec, role))
            if stored is None:
                return None
            ids, texts = tuple(stored["ids"]), tuple(stored["texts"])
            if candidates.injection == "text":
                first: dict[str, int] = {}
                for token, text in zip(ids, texts, strict=True):
                    first.setdefault(text, token)
                known = Candidates(tuple(first), tuple(first.values()), injection="text")
            else:
                known = Candidates(texts, ids, injection="token")
            self._vocabularies[key, candidates.injection] = known
        return known

    def _settled(self, spec: ModelSpec, job: Job, role: Role) -> bool:
        """Whether nothing is to be computed: all is stored, known to fail or known to take long."""
        if (spec, role, job) in self._failures or self._left_out(spec, job, role) is not None:
            return True
        candidates = self._resolve(spec, job.candidates, role)
        if candidates is None or self._missing(spec, job, role, candidates):
            return False
        return (
            isinstance(job.candidates, Candidates)
            or self.store.get_meta(self._round_trip_key(spec, role)) is not None
        )

    def _missing(
        self, spec: ModelSpec, job: Job, role: Role, candidates: Candidates
    ) -> dict[str, tuple[Prompt, BoolArray]]:
        """By address, the prompts not scored on every candidate, and which candidates are done."""
        missing: dict[str, tuple[Prompt, BoolArray]] = {}
        for prompt in job.prompts:
            where = self._address(spec, role, prompt, candidates)
            _, done = self.store.partial(where, len(candidates))
            if not done.all():
                missing[where] = (prompt, done)
        return missing

    def _left_out(self, spec: ModelSpec, job: Job, role: Role) -> str | None:
        candidates = self._resolve(spec, job.candidates, role)
        if candidates is None or job.time_limit is None:
            return None
        known = self.store.get_meta(self._key("left out", spec, role, candidates, job.prompts))
        if known is None or known["estimate"] <= job.time_limit:
            return None
        return (
            f"{len(candidates):,} candidates on {len(job.prompts)} prompts would take about "
            f"{duration(known['estimate'])}, over the limit of {duration(job.time_limit)}"
        )

    # Computing

    def _compute(
        self, model: RewardModel | LanguageModel, spec: ModelSpec, job: Job, role: Role
    ) -> None:
        whole = isinstance(job.candidates, Vocabulary)
        if whole:
            self._store_vocabulary(model, spec, role)
        candidates = self._resolve(spec, job.candidates, role)
        assert candidates is not None
        if self._search(model, spec, job, role, candidates) and whole:
            key = self._round_trip_key(spec, role)
            tokens = self._resolve(spec, VOCABULARY, role)
            if self.store.get_meta(key) is None and tokens is not None:
                self.store.put_meta(key, {"share": float(model.round_trip(tokens))})

    def _search(
        self,
        model: RewardModel | LanguageModel,
        spec: ModelSpec,
        job: Job,
        role: Role,
        candidates: Candidates,
    ) -> bool:
        """Score what is missing, chunk by chunk into the store; False where it is left out."""
        from valuebias.search import TooSlow

        missing = self._missing(spec, job, role, candidates)
        n = len(candidates)
        total = n * len({prompt.text for prompt in job.prompts})
        before = total - sum(int((~done).sum()) for _, done in missing.values())
        left_out = self._key("left out", spec, role, candidates, job.prompts)
        described = False

        def keep(
            where: str,
            prompt: Prompt,
            done: BoolArray,
            indices: npt.NDArray[np.integer],
            values: npt.NDArray[np.float32],
        ) -> None:
            nonlocal described
            new = ~done[indices]
            indices, values = indices[new], values[new]
            _check(values, indices, prompt, candidates)
            if not described:  # before the first chunk: scores are never without provenance
                provenance = {**model.provenance, **_versions()}
                self.store.put_meta(self._key("provenance", spec, role, candidates), provenance)
                described = True
            self.store.write(where, n, indices, values)
            advance(len(indices))

        # The first missing prompt decides for all: they cost the same.
        limit = None if job.time_limit is None else job.time_limit / max(1, len(missing))
        with self.progress.task(spec.label, total, done=before) as advance:
            for where, (prompt, done) in missing.items():
                on_chunk = partial(keep, where, prompt, done)
                try:
                    model.score_prompt(
                        prompt, candidates, done=done, on_chunk=on_chunk, time_limit=limit
                    )
                except TooSlow as slow:
                    self.store.put_meta(left_out, {"estimate": slow.estimate * len(missing)})
                    return False
                limit = None
        self.store.drop_meta(left_out)
        return True

    def _store_vocabulary(
        self, model: RewardModel | LanguageModel, spec: ModelSpec, role: Role
    ) -> None:
        key = self._vocabulary_key(spec, role)
        if self.store.get_meta(key) is None:
            vocabulary = model.vocabulary()
            left_out = model.provenance.get("left_out", "")
            content = {"ids": vocabulary.token_ids, "texts": vocabulary.responses}
            self.store.put_meta(key, content | {"left_out": left_out})

    def _load(self, spec: ModelSpec, role: Role) -> RewardModel | LanguageModel:
        key = self.fingerprint(spec, role=role)
        if self._loaded is not None and self._loaded[0] == key:
            return self._loaded[1]
        self.release()
        from valuebias.models import loading

        self.progress.note(f"loading {spec.label}")
        load = loading.load_reward_model if role == "rm" else loading.load_language_model
        with self._remember_failure(spec, role):
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
        folder = self.store.path.parent / "locks"
        lock = FileLock(folder / f"{address(model=self.fingerprint(spec, role=role))[:32]}.lock")
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

    # Failures

    @contextmanager
    def _remember_failure(self, *key: object) -> Iterator[None]:
        try:
            yield
        except StoreError:
            raise
        except ValueBiasError as error:
            # A copy: the traceback of the original would keep the model's tensors alive.
            self._failures[key] = copy.copy(error)
            raise

    def _raise_failure(self, *key: object) -> None:
        known = self._failures.get(key)
        if known is not None:
            raise copy.copy(known)

    # Addresses

    def _identity(self, spec: ModelSpec, role: Role) -> str:
        return address(fingerprint=self.fingerprint(spec, role=role), **_versions())

    def _vocabulary_key(self, spec: ModelSpec, role: Role) -> str:
        return f"vocabulary {self._identity(spec, role)}"

    def _round_trip_key(self, spec: ModelSpec, role: Role) -> str:
        return f"round trip {self._identity(spec, role)}"

    def _address(self, spec: ModelSpec, role: Role, prompt: Prompt, candidates: Candidates) -> str:
        # Revision, head, dtype, template and role are in the fingerprint; the injection mode is in
        # the candidates' digest. A prompt counts by its text: its id is only a name.
        return address(
            identity=self._identity(spec, role), prompt=prompt.text, candidates=candidates.digest
        )

    def _key(
        self,
        kind: str,
        spec: ModelSpec,
        role: Role,
        candidates: Candidates,
        prompts: Sequence[Prompt] = (),
    ) -> str:
        texts = {f"prompt{i}": prompt.text for i, prompt in enumerate(prompts)}
        identity = self._identity(spec, role)
        return f"{kind} {address(identity=identity, candidates=candidates.digest, **texts)}"

    # Recorded scores

    def _records(self, spec: ModelSpec) -> RecordedScores:
        known = self._recorded.get(spec)
        if known is None:
            from pathlib import Path

            from valuebias.recorded import RecordedScores

            self._raise_failure(spec)
            with self._remember_failure(spec):
                known = RecordedScores.from_file(Path(spec.target), name=spec.label)
            self._recorded[spec] = known
        return known

    def _read_records(self, spec: ModelSpec, job: Job) -> Scores:
        records = self._records(spec)
        candidates = job.candidates
        if isinstance(candidates, Vocabulary):
            candidates = records.recorded.candidates
        return records.score(job.prompts, candidates)


@cache
def _versions() -> dict[str, str]:
    """What besides the model decides its numbers: our arithmetic, and that of the libraries."""
    versions = {"engine": ENGINE}
    for library in ("torch", "transformers"):
        try:
            versions[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            versions[library] = "none"
    return versions


def _check(
    values: npt.NDArray[np.float32],
    indices: npt.NDArray[np.integer],
    prompt: Prompt,
    candidates: Candidates,
) -> None:
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ScoresError(
            f"{len(bad)} of {len(values)} scores of a chunk are not finite; the first is for "
            f"{candidates.responses[indices[bad[0]]]!r} on {prompt.id}",
            seen=values[bad[0]],
            remedy="Score in float32 (dtype=float32) and look at the model's weights.",
        )
