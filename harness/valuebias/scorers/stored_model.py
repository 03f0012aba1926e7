"""A model whose scores come from the store: it is loaded only for scores that are not stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

import numpy as np
import numpy.typing as npt

from valuebias.candidates import VOCABULARY, Candidates, Injection, Vocabulary
from valuebias.errors import ScoresError, SearchError, SpecError, StoreError, ValueBiasError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.models.opaque import ASK_FOR_WORDS, OpaqueModel, no_vocabulary
from valuebias.models.spec import DEMOS, ModelSpec
from valuebias.prompts import Prompt
from valuebias.scorers import ends
from valuebias.scorers.loader import Loaded, Loader, OpenModel
from valuebias.scorers.protocol import Kind, Opener, injection_of, words
from valuebias.scores import Job, Scores
from valuebias.store.model_scores import ModelScores

if TYPE_CHECKING:
    from valuebias.models.reward import RewardModel

_TOKENS = "token counts"
"""What an error of counting them is remembered under."""


def parse(target: str, spec: str, text: str) -> ModelSpec:
    """Read ``demo:TARGET``, an embedded model."""
    if target not in DEMOS:
        raise SpecError(
            "unknown embedded model",
            seen=spec,
            remedy=f"Use {', '.join('demo:' + name for name in DEMOS)}.",
        )
    return ModelSpec(spec, "demo", target, None, text)


def open_scorer(spec: ModelSpec, opener: Opener) -> StoredModel:
    return StoredModel(spec, opener.loader)


class StoredModel:
    """A reward model or language model; a scorer (`scorers.protocol.Scorer`).

    One without files is opened by ``open_model``, to find out its fingerprint. Errors of the model
    (it cannot be loaded, preflight refused it, its scores are not finite) are raised again at once
    for whatever else this process asks of it, and are never stored.
    """

    parts = ()

    def __init__(
        self, spec: ModelSpec, loader: Loader, open_model: OpenModel | None = None
    ) -> None:
        self.spec = spec
        self._loader = loader
        self._open_model = open_model
        self._has_vocabulary = True
        self._stored: ModelScores | None = None
        self._fingerprint = ""

    @property
    def name(self) -> str:
        return self.spec.label

    @property
    def fingerprint(self) -> str:
        """A digest of everything that decides the model's numbers; its weights are not loaded,
        unless it has no files."""
        if not self._fingerprint and self._open_model is not None:
            self._loader.failures.raise_again(self.spec)
            model = self._loader.open(self.spec, self._open_model)
            self._fingerprint, self._has_vocabulary = model.fingerprint, model.has_vocabulary
        elif not self._fingerprint:
            from valuebias.models.fingerprint import fingerprint

            with self._loader.failures.remembered(self.spec):
                self._fingerprint = fingerprint(self.spec, self._loader.settings)
        return self._fingerprint

    @property
    def kind(self) -> Kind:
        return "reward" if self.spec.load_as == "rm" else "language"

    @property
    def injection(self) -> Injection:
        return injection_of(self.kind)

    @property
    def has_vocabulary(self) -> bool:
        if self._open_model is not None:
            _ = self.fingerprint  # opens it: known only then
        return self._has_vocabulary

    def candidates(self, lexicon: Lexicon) -> Candidates:
        return words(lexicon, self)

    def score(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> Scores:
        self._check_kind(candidates)
        job = Job(tuple(prompts), candidates, time_limit)
        self.prepare([job])
        reason = self._scores.left_out(job)
        if reason is not None:
            raise SearchError(
                f"{self.name} was not searched",
                seen=reason,
                remedy="Give it more time, or a faster device.",
            )
        failure = self._failure(job)
        if failure is not None:
            raise failure
        return self._scores.read(job, self.name)

    def prepare(self, jobs: Sequence[Job]) -> None:
        self._loader.failures.raise_again(self.spec)
        if not self.has_vocabulary:
            jobs = [job for job in jobs if isinstance(job.candidates, Candidates)]
        if all(map(self._settled, jobs)):
            return
        with self._loader.turn(self.spec, self.fingerprint):
            if all(map(self._settled, jobs)):
                return  # another process did it while we waited
            model = self._load()
            with self._scoring(model):
                for job in jobs:
                    self._try(model, job)

    @contextmanager
    def _scoring(self, model: Loaded) -> Iterator[None]:
        if isinstance(model, OpaqueModel):
            with self._loader.failures.remembered(self.spec), model.unchanged():
                yield
            return
        from valuebias.models.threads import used

        with used(model.threads):
            yield

    def _try(self, model: Loaded, job: Job) -> None:
        if self._failure(job) is not None:
            return
        try:
            self._compute(model, job)
        except StoreError:
            raise
        except ValueBiasError:
            pass  # remembered, and raised to whoever asks for this job

    def left_out(
        self,
        prompts: Sequence[Prompt],
        candidates: Candidates | Vocabulary,
        *,
        time_limit: float | None = None,
    ) -> str | None:
        """Computes missing scores first if they can be computed within the limit."""
        if isinstance(candidates, Vocabulary) and not self.has_vocabulary:
            return no_vocabulary(self.name)
        job = Job(tuple(prompts), candidates, time_limit)
        self.prepare([job])
        return self._scores.left_out(job)

    def vocabulary(self) -> Candidates:
        """The tokens of the vocabulary that stand for text, by id; loads the model if necessary."""
        self._loader.failures.raise_again(self.spec)
        self._check_kind(VOCABULARY)
        if self._scores.candidates(VOCABULARY) is None:
            with self._loader.turn(self.spec, self.fingerprint):
                if self._scores.candidates(VOCABULARY) is None:
                    self._keep_vocabulary(self._load())
        candidates = self._scores.candidates(VOCABULARY)
        assert candidates is not None
        return candidates

    def token_counts(self, words: Sequence[str]) -> list[int] | None:
        """The number of tokens of each word as an answer; loads the model if necessary."""
        if not self.has_vocabulary:
            return None
        candidates = Candidates.words(words)
        counts = self._scores.token_counts(candidates)
        if counts is None:
            with (
                self._loader.turn(self.spec, self.fingerprint),
                self._loader.failures.remembered(self.spec, _TOKENS),
            ):
                counts = self._scores.token_counts(candidates)  # another process may have counted
                if counts is None:
                    counts = self._count_tokens(self._load(), words)
        return counts

    @property
    def _scores(self) -> ModelScores:
        if self._stored is None:
            self._stored = ModelScores(self._loader.store, self.fingerprint)
        return self._stored

    def _check_kind(self, candidates: Candidates | Vocabulary) -> None:
        """Raise ScoresError if the vocabulary of a model is asked for that has none here."""
        if isinstance(candidates, Vocabulary) and not self.has_vocabulary:
            raise ScoresError(no_vocabulary(self.name), remedy=ASK_FOR_WORDS)

    def _failure(self, job: Job) -> ValueBiasError | None:
        """The error that stopped the job before in this process, or None."""
        if not self._loader.failures:
            return None
        keys: list[tuple[object, ...]] = [(self.spec,)]
        if isinstance(job.candidates, Vocabulary):
            keys.append((self.spec, job.candidates))
        elif job.candidates.injection != "token":
            keys.append((self.spec, _TOKENS))
        candidates = self._scores.candidates(job.candidates)
        if candidates is not None:
            keys += [(self.spec, candidates.digest, prompt.key) for prompt in job.prompts]
        return self._loader.failures.first(keys)

    def _settled(self, job: Job) -> bool:
        """Whether nothing is left to compute: everything is stored, known to fail or too slow."""
        scores = self._scores
        if self._failure(job) or scores.left_out(job):
            return True
        return scores.complete(job) and not self._without_ends(job)

    def _without_ends(self, job: Job) -> Sequence[Prompt]:
        """The prompts whose best and worst tokens are still to be scored in float32."""
        candidates = self._scores.candidates(job.candidates)
        if candidates is None or isinstance(job.candidates, Candidates):
            return ()
        if not ends.are_wanted(self.spec, self._loader.settings):
            return ()
        return [p for p in job.prompts if self._scores.ends(p, candidates) is None]

    # Computing

    def _load(self) -> Loaded:
        if self._open_model is not None:
            return self._loader.open(self.spec, self._open_model, self.fingerprint)
        return self._loader.load(self.spec, self.fingerprint)

    def _compute(self, model: Loaded, job: Job) -> None:
        if isinstance(job.candidates, Candidates):
            if job.candidates.injection != "token" and self.has_vocabulary:
                with self._loader.failures.remembered(self.spec, _TOKENS):
                    self._count_tokens(model, job.candidates.responses)
            self._search(model, job, job.candidates)
            return
        self._keep_vocabulary(model)
        stored = self._scores
        candidates, tokens = stored.candidates(job.candidates), stored.candidates(VOCABULARY)
        assert candidates is not None
        assert tokens is not None
        if self._search(model, job, candidates) and stored.round_trip is None:
            with self._loader.failures.remembered(self.spec, job.candidates):
                stored.put_round_trip(float(model.round_trip(tokens)))
        unlisted = self._without_ends(job)
        if unlisted and stored.complete(job):
            read = stored.read(job, self.name)
            rewarding = cast("RewardModel", model)
            for prompt in unlisted:
                values = read.values[job.prompts.index(prompt)]
                again = ends.score_again(rewarding, prompt, candidates, values)
                stored.put_ends(prompt, candidates, again)

    def _count_tokens(self, model: Loaded, words: Sequence[str]) -> list[int]:
        """Store the number of tokens of each word, so that the model is not loaded again for it."""
        counts = model.token_counts(words) or []
        self._scores.put_token_counts(Candidates.words(words), counts)
        return counts

    def _keep_vocabulary(self, model: Loaded) -> None:
        with self._loader.failures.remembered(self.spec, VOCABULARY):
            if self._scores.candidates(VOCABULARY) is None:
                vocabulary = model.vocabulary()  # says what it leaves out once it is made
                left_out = model.provenance.get("left_out", "")
                self._scores.put_vocabulary(vocabulary, left_out)

    def _search(self, model: Loaded, job: Job, candidates: Candidates) -> bool:
        """Score what is missing, chunk by chunk into the store; False if it is left out."""
        from valuebias.search import TooSlow

        scores, failures = self._scores, self._loader.failures
        missing = scores.missing(job, candidates)
        total = len(candidates) * len({prompt.key for prompt in job.prompts})
        before = total - sum(int((~done).sum()) for done in missing.values())
        described = False

        def keeper(
            prompt: Prompt, done: npt.NDArray[np.bool_]
        ) -> Callable[[npt.NDArray[np.integer], npt.NDArray[np.float32]], None]:
            def keep(indices: npt.NDArray[np.integer], values: npt.NDArray[np.float32]) -> None:
                nonlocal described
                if not described:  # the rung is known only now
                    scores.put_provenance(candidates, model.provenance)
                    described = True
                new = ~done[indices]
                scores.put(prompt, candidates, indices[new], values[new])
                advance(int(new.sum()))

            return keep

        # The first missing prompt decides for all: they cost the same.
        limit = None if job.time_limit is None else job.time_limit / max(1, len(missing))
        with self._loader.progress.task(self.name, total, done=before) as advance:
            for prompt, done in missing.items():
                keep = keeper(prompt, done)
                with failures.remembered(self.spec, candidates.digest, prompt.key):
                    try:
                        model.score_prompt(
                            prompt, candidates, done=done, on_chunk=keep, time_limit=limit
                        )
                    except TooSlow as slow:
                        scores.put_left_out(job, candidates, slow.estimate * len(missing))
                        return False
                limit = None
        scores.put_left_out(job, candidates, None)
        return True
