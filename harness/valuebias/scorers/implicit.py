"""Implicit rewards: what would have to be rewarded to turn one language model into another."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import numpy.typing as npt

from valuebias.candidates import Candidates
from valuebias.errors import ScoresError, SpecError, visible
from valuebias.format import bare, unsigned
from valuebias.prompts import Prompt
from valuebias.scorers.alignment import Alignment, align, mass
from valuebias.scorers.implicit_measures import (
    ANTISYMMETRIC,
    MEASURES,
    check_measure,
    implicit_reward,
)
from valuebias.scores import Scores

__all__ = [
    "ANTISYMMETRIC",
    "MEASURES",
    "ImplicitReward",
    "LanguageScorer",
    "SharedMassWarning",
    "implicit_reward",
]

FloatArray = npt.NDArray[np.float64]

ENOUGH_MASS = 0.9
"""Below this share of a model's probability on the shared texts, a warning."""
LEAST_MASS = 0.5
"""Below this, an error."""
_MOST_MASS = 1.01  # more is no probability; float32 adds up to 1 within a thousandth of that
_MASS_RATIO = 0.1
_ROUNDING = 1e-5
"""float32 log-probabilities that were summed may come out this far above 0."""


class SharedMassWarning(UserWarning):
    """The texts that two models share have too little of their probability, or unequal parts."""


class LanguageScorer(Protocol):
    """What an implicit reward needs of a language model."""

    @property
    def name(self) -> str:
        """The label under which reports show it."""

    @property
    def fingerprint(self) -> str:
        """A digest of everything that decides its numbers."""

    def score(self, prompts: Sequence[Prompt], candidates: Candidates) -> Scores:
        """Natural-log probabilities of shape (len(prompts), len(candidates))."""

    def vocabulary(self) -> Candidates:
        """Its tokens, for ``token`` injection, with the exact text of each as response."""


@dataclass(frozen=True)
class ImplicitReward:
    """Two language models as one scorer: what the target ``q`` prefers more than the source ``p``.

    The probabilities are those the models really give (as in the paper), unless ``renormalize``:
    then each model's sum to 1 over the texts that are scored (the shared tokens, or the candidates
    given), on each prompt. Raises SpecError on an unknown measure.
    """

    p: LanguageScorer
    q: LanguageScorer
    measure: str = "MWLR"
    renormalize: bool = False

    def __post_init__(self) -> None:
        check_measure(self.measure)

    @property
    def name(self) -> str:
        return f"{self.measure}({self.p.name} to {self.q.name})"

    @property
    def fingerprint(self) -> str:
        parts = (self.p.fingerprint, self.q.fingerprint, self.measure, str(self.renormalize))
        return hashlib.sha256("\x1f".join(("implicit", *parts)).encode()).hexdigest()

    @cached_property
    def alignment(self) -> Alignment:
        """The two vocabularies' shared texts, and the fate of every token."""
        return align(*self._vocabularies)

    def vocabulary(self) -> Candidates:
        """The texts that are a token of both models, by code point."""
        return Candidates(self.alignment.texts)

    def score(self, prompts: Sequence[Prompt], candidates: Candidates) -> Scores:
        """Implicit rewards of shape (prompts, candidates) of responses that both models score as
        text, float32. Raises SpecError for token ids, which belong to one vocabulary, and
        ScoresError if a model's scores are not log-probabilities."""
        if candidates.injection == "token":
            raise SpecError(
                "two models have no token ids in common",
                seen=f"{len(candidates):,} token ids",
                remedy="Give texts, or compare the vocabularies (score_vocabulary).",
            )
        p, q = (model.score(prompts, candidates) for model in (self.p, self.q))
        values = self._values(
            prompts, lambda i: (_log_probabilities(p, i), _log_probabilities(q, i))
        )
        return Scores(values, tuple(prompts), candidates, self._provenance(p, q))

    def score_vocabulary(self, prompts: Sequence[Prompt]) -> Scores:
        """Implicit rewards of shape (prompts, shared) of the texts that are a token of both models.

        Where several tokens of a model stand for one text, their probabilities are added. Warns
        (SharedMassWarning) where the shared texts hold less than .9 of a model's probability on a
        prompt, or the two models' shares differ by a factor of more than exp(.1); raises
        ScoresError below .5.
        """
        p, q = self._vocabulary_scores(prompts)
        shares = self._shares(p, q)
        self._check_mass(prompts, shares)
        values = self._values(prompts, lambda i: self._merged(p, q, i))
        about = {
            **self._provenance(p, q),
            "source_tokens": self.alignment.p.account,
            "target_tokens": self.alignment.q.account,
            "shared_texts": f"{len(self.alignment):,}",
        }
        for side, share in zip(("source", "target"), shares, strict=True):
            several = f" to {share.max():.4f}" if len(share) > 1 else ""
            about[f"{side}_shared_mass"] = f"{share.min():.4f}{several}"
        return Scores(values, tuple(prompts), self.vocabulary(), about)

    def shared_mass(self, prompts: Sequence[Prompt]) -> FloatArray:
        """Share of each model's probability on the shared texts: (2, prompts), source first."""
        return self._shares(*self._vocabulary_scores(prompts))

    @cached_property
    def _vocabularies(self) -> tuple[Candidates, Candidates]:
        return self.p.vocabulary(), self.q.vocabulary()

    def _vocabulary_scores(self, prompts: Sequence[Prompt]) -> tuple[Scores, Scores]:
        p, q = self._vocabularies
        return self.p.score(prompts, p), self.q.score(prompts, q)

    def _merged(self, p: Scores, q: Scores, prompt: int) -> tuple[FloatArray, FloatArray]:
        sides = (self.alignment.p, p), (self.alignment.q, q)
        first, second = (
            np.minimum(side.merged(_log_probabilities(scores, prompt)), 0.0)
            for side, scores in sides
        )
        return first, second

    def _shares(self, p: Scores, q: Scores) -> FloatArray:
        """(2, prompts); one prompt at a time, to hold one vocabulary in float64."""
        rows = [[mass(side) for side in self._merged(p, q, i)] for i in range(len(p.prompts))]
        return np.array(rows, dtype=np.float64).reshape(-1, 2).T

    def _values(
        self, prompts: Sequence[Prompt], pair: Callable[[int], tuple[FloatArray, FloatArray]]
    ) -> npt.NDArray[np.float32]:
        rows = []
        for i in range(len(prompts)):
            log_p, log_q = pair(i)
            if self.renormalize:
                log_p, log_q = _normalised(log_p), _normalised(log_q)
            rows.append(implicit_reward(log_p, log_q, self.measure).astype(np.float32))
        return np.stack(rows)

    def _check_mass(self, prompts: Sequence[Prompt], shares: FloatArray) -> None:
        sides = list(zip((self.p, self.q), shares, strict=True))
        for model, share in sides:
            most, least = int(share.argmax()), int(share.argmin())
            if share[most] > _MOST_MASS:
                raise ScoresError(
                    f"{model.name}'s probabilities on {prompts[most].id} add up to more than 1",
                    seen=unsigned(share[most]),
                    remedy="Give two language models: an implicit reward compares their "
                    "log-probabilities.",
                )
            if share[least] < LEAST_MASS:
                raise ScoresError(
                    f"the tokens of both models have only {unsigned(share[least])} of "
                    f"{model.name}'s probability on {prompts[least].id}, too little for a "
                    "comparison",
                    remedy="Compare whole words, or models whose tokenizers share more; check that "
                    "both answer with text rather than with a token of their own.",
                )
        for model, share in sides:
            least, low = int(share.argmin()), int((share < ENOUGH_MASS).sum())
            if low:
                _warn(
                    f"the tokens of both models have only {unsigned(share[least])} of "
                    f"{model.name}'s probability on {prompts[least].id}, and less than "
                    f"{bare(str(ENOUGH_MASS))} on {low} of {len(prompts)} prompts; its other "
                    "answers are not compared"
                )
        unequal = np.abs(np.log(shares[1] / shares[0]))
        worst = int(unequal.argmax())
        if unequal[worst] > _MASS_RATIO:
            p, q = shares[:, worst]
            _warn(
                f"the tokens of both models have {unsigned(p)} of {self.p.name}'s probability on "
                f"{prompts[worst].id} and {unsigned(q)} of {self.q.name}'s: weighted measures "
                f"count the difference as a preference (renormalize=True removes it)"
            )

    def _provenance(self, p: Scores, q: Scores) -> Mapping[str, str]:
        about = {"model": self.name, "fingerprint": self.fingerprint, "head": "implicit reward"}
        about |= {"measure": self.measure, "renormalized": "yes" if self.renormalize else "no"}
        sides = (("source", self.p, p), ("target", self.q, q))
        for side, model, scores in sides:
            about |= {side: model.name, f"{side}_fingerprint": model.fingerprint}
            about[f"{side}_template"] = scores.provenance.get("template", "")
        for fact in ("dtype", "template", "template_sha256", "injection"):
            values = dict.fromkeys(s.provenance[fact] for s in (p, q) if fact in s.provenance)
            if values:
                about[fact] = ", ".join(values)
        return about


def _log_probabilities(scores: Scores, prompt: int) -> FloatArray:
    """One prompt's log-probabilities, float64; rounding just above 0 is taken off."""
    row = scores.values[prompt].astype(np.float64)
    wrong = np.flatnonzero(~(row <= _ROUNDING))
    if len(wrong):
        response = scores.candidates.responses[wrong[0]]
        raise ScoresError(
            f"{len(wrong):,} of {len(row):,} scores on {scores.prompts[prompt].id} are not "
            f"log-probabilities; the first is for {response!r}",
            seen=row[wrong[0]],
            remedy="Give two language models, loaded in float32.",
        )
    log_p: FloatArray = np.minimum(row, 0.0)
    return log_p


def _normalised(log_p: FloatArray) -> FloatArray:
    top = log_p.max()
    if np.isneginf(top):
        raise ScoresError(
            "a model gives every response the probability 0, which cannot be renormalised",
            remedy="Leave renormalize off.",
        )
    normalised: FloatArray = log_p - (top + np.log(np.exp(log_p - top).sum()))
    return normalised


def _warn(what: str) -> None:
    warnings.warn(SharedMassWarning(visible(what)), stacklevel=4)
