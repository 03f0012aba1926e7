"""One model's part of the store: its scores, its vocabulary, and facts about them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import metadata

import numpy as np
import numpy.typing as npt

from valuebias.candidates import Candidates, Injection, Vocabulary
from valuebias.errors import ScoresError, SearchError
from valuebias.progress import duration
from valuebias.prompts import Prompt
from valuebias.scores import Job, Scores
from valuebias.store.database import ENGINE, Store, address

BoolArray = npt.NDArray[np.bool_]


@cache
def versions() -> dict[str, str]:
    """What decides the numbers besides the model: the versions of our arithmetic, of the libraries,
    and of the head families that other installed packages add."""
    by_library = {"engine": ENGINE}
    for library in ("torch", "transformers"):
        try:
            by_library[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            by_library[library] = "none"
    added = (entry.dist for entry in metadata.entry_points(group="valuebias.heads"))
    by_library["heads"] = ", ".join(sorted({f"{d.name} {d.version}" for d in added if d}))
    return by_library


class ModelScores:
    """The stored scores of the model with this fingerprint, for the versions in use.

    Revision, head, dtype, device, template and role are in the fingerprint; the injection mode is
    in the candidates' digest. A prompt counts by its text and frame: its id is only a name.
    """

    def __init__(self, store: Store, fingerprint: str) -> None:
        self._store = store
        self._identity = address(fingerprint=fingerprint, **versions())
        self._vocabularies: dict[Injection, Candidates] = {}

    # Scores

    def missing(self, job: Job, candidates: Candidates) -> dict[Prompt, BoolArray]:
        """The prompts not scored on every candidate, one per question and frame, each with a mask
        of those done."""
        unfinished: dict[str, tuple[Prompt, BoolArray]] = {}
        for prompt in job.prompts:
            _, done = self._store.partial(self._address(prompt, candidates), len(candidates))
            if not done.all():
                unfinished[prompt.key] = (prompt, done)
        return dict(unfinished.values())

    def put(
        self,
        prompt: Prompt,
        candidates: Candidates,
        indices: npt.NDArray[np.integer],
        values: npt.NDArray[np.float32],
    ) -> None:
        """Commit one finished chunk. Raises ScoresError if a score is not finite."""
        bad = np.flatnonzero(~np.isfinite(values))
        if len(bad):
            raise ScoresError(
                f"{len(bad)} of {len(values)} scores of a chunk are not finite; the first is for "
                f"{candidates.responses[indices[bad[0]]]!r} on {prompt.id}",
                seen=values[bad[0]],
                remedy="Score in float32 (dtype=float32) and look at the model's weights.",
            )
        self._store.write(self._address(prompt, candidates), len(candidates), indices, values)

    def put_provenance(self, candidates: Candidates, provenance: Mapping[str, str]) -> None:
        """Keep how the candidates are scored. Call it before the first chunk, so that no score is
        without provenance."""
        self._store.put_meta(self._key("provenance", candidates), {**provenance, **versions()})

    def complete(self, job: Job) -> bool:
        """Whether everything that the job needs is stored."""
        candidates = self.candidates(job.candidates)
        if candidates is None or self.missing(job, candidates):
            return False
        return isinstance(job.candidates, Candidates) or self.round_trip is not None

    def read(self, job: Job, label: str) -> Scores:
        """The scores of a job that is complete. Raises ScoresError if one is not finite."""
        candidates = self.candidates(job.candidates)
        if candidates is None or self.missing(job, candidates):
            raise SearchError(
                f"the search of {label} ended without all of its scores",
                remedy="Report this as a bug.",
            )
        n = len(candidates)
        rows = [self._store.partial(self._address(p, candidates), n)[0] for p in job.prompts]
        stored = self._store.get_meta(self._key("provenance", candidates)) or {}
        provenance = {str(key): str(value) for key, value in stored.items()}
        provenance |= {"model": label, "injection": candidates.injection}
        provenance.pop("left_out", None)  # applies to a vocabulary only
        again: tuple[Mapping[int, float], ...] = ()
        if isinstance(job.candidates, Vocabulary):
            vocabulary = self._store.get_meta(self._key("vocabulary")) or {}
            provenance["left_out"] = str(vocabulary.get("left_out", ""))
            share = self.round_trip
            provenance["round_trip"] = f"{math.nan if share is None else share:.4f}"
            ends = [self.ends(prompt, candidates) for prompt in job.prompts]
            provenance["ends"] = _in_words(ends, provenance.get("dtype", ""))
            again = tuple({} if isinstance(e, str) or e is None else e for e in ends)
        scores = Scores(np.array(rows, np.float32), job.prompts, candidates, provenance, again)
        scores.check_finite()
        return scores

    def ends(self, prompt: Prompt, candidates: Candidates) -> Mapping[int, float] | str | None:
        """What candidates at both ends score in float32, by index; why they could not be scored
        again; None if it was not tried."""
        stored = self._store.get_meta(self._key("ends", candidates, (prompt,)))
        if stored is None or "why" in stored:
            return None if stored is None else str(stored["why"])
        return {int(index): float(value) for index, value in stored.items()}

    def put_ends(
        self, prompt: Prompt, candidates: Candidates, ends: Mapping[int, float] | str
    ) -> None:
        """Keep what ``ends`` gives back."""
        content = {"why": ends} if isinstance(ends, str) else {str(i): v for i, v in ends.items()}
        self._store.put_meta(self._key("ends", candidates, (prompt,)), content)

    # Vocabularies

    def candidates(self, wanted: Candidates | Vocabulary) -> Candidates | None:
        """The candidates; None for a vocabulary that no process has read from the model yet."""
        if isinstance(wanted, Candidates):
            return wanted
        known = self._vocabularies.get(wanted.injection)
        if known is None:
            stored = self._store.get_meta(self._key("vocabulary"))
            if stored is None:
                return None
            ids, texts = tuple(stored["ids"]), tuple(stored["texts"])
            known = wanted.of(Candidates(texts, ids, "token"))
            self._vocabularies[wanted.injection] = known
        return known

    def put_vocabulary(self, vocabulary: Candidates, left_out: str) -> None:
        """Keep the vocabulary's ids and texts, and which ids it leaves out."""
        content = {"ids": vocabulary.token_ids, "texts": vocabulary.responses}
        self._store.put_meta(self._key("vocabulary"), content | {"left_out": left_out})

    @property
    def round_trip(self) -> float | None:
        """The share of the vocabulary that survives decoding and tokenising; None if not known."""
        stored = self._store.get_meta(self._key("round trip"))
        return None if stored is None else float(stored["share"])

    def put_round_trip(self, share: float) -> None:
        self._store.put_meta(self._key("round trip"), {"share": share})

    def token_counts(self, words: Candidates) -> list[int] | None:
        """The number of tokens of each word; None if not known."""
        stored = self._store.get_meta(self._key("tokens", words))
        return None if stored is None else list(stored["counts"])

    def put_token_counts(self, words: Candidates, counts: Sequence[int]) -> None:
        self._store.put_meta(self._key("tokens", words), {"counts": list(counts)})

    # Searches that would take too long

    def left_out(self, job: Job) -> str | None:
        """Why the job is left out, as a line for a report; None if it is not."""
        candidates = self.candidates(job.candidates)
        if candidates is None or job.time_limit is None:
            return None
        stored = self._store.get_meta(self._key("left out", candidates, job.prompts))
        if stored is None or stored["seconds"] <= job.time_limit:
            return None
        return (
            f"{len(candidates):,} candidates on {len(job.prompts)} "
            f"prompt{'s' if len(job.prompts) > 1 else ''} would take about "
            f"{duration(stored['seconds'])}, over the limit of {duration(job.time_limit)}"
        )

    def put_left_out(self, job: Job, candidates: Candidates, seconds: float | None) -> None:
        """Record how long the job would take; None if it was done after all."""
        key = self._key("left out", candidates, job.prompts)
        if seconds is None:
            self._store.drop_meta(key)
        else:
            self._store.put_meta(key, {"seconds": seconds})

    # Addresses

    def _address(self, prompt: Prompt, candidates: Candidates) -> str:
        return address(model=self._identity, prompt=prompt.key, candidates=candidates.digest)

    def _key(
        self, kind: str, candidates: Candidates | None = None, prompts: tuple[Prompt, ...] = ()
    ) -> str:
        parts = {f"prompt {i}": prompt.key for i, prompt in enumerate(prompts)}
        if candidates is not None:
            parts["candidates"] = candidates.digest
        return f"{kind} {address(model=self._identity, **parts)}"


def _in_words(ends: Sequence[Mapping[int, float] | str | None], dtype: str) -> str:
    """In which precision the best and worst of a vocabulary were scored, for reports."""
    if not any(ends):
        return ""
    why = next((each for each in ends if isinstance(each, str)), None)
    if why is None:
        return f"scored in {dtype}, the best and worst again in float32"
    return f"scored in {dtype}, the best and worst not again in float32: {why}"
