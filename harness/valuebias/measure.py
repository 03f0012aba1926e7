"""From a model, a lexicon, a contrast and a valence to an effect, with all it rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from valuebias.candidates import Candidates
from valuebias.errors import LexiconError, ScoresError
from valuebias.lexicon import Coverage, Lexicon, Selection
from valuebias.models.spec import ModelSpec
from valuebias.prompts import GREATEST, Prompt, Valence, select
from valuebias.scores import Scores
from valuebias.scoring import VOCABULARY, Bench, Job, Role
from valuebias.stats.effect import Effect, pair, single

VOCABULARY_LIMIT = 300.0
"""Seconds a search of the whole vocabulary may take before it is left out of the table."""

_PULLS = 5
_TOKENS = 10


@dataclass(frozen=True)
class TopTokens:
    """The best and worst candidates of one prompt, with their scores, best (or worst) first.

    ``left_out`` says why there are none; ``kind`` what was ranked, ``n`` how many; ``round_trip``
    which share of the tokens is the same token again when written as text.
    """

    prompt: Prompt
    kind: str
    n: int
    best: tuple[tuple[str, float], ...] = ()
    worst: tuple[tuple[str, float], ...] = ()
    left_out: str | None = None
    round_trip: str = ""


@dataclass(frozen=True)
class Pull:
    """A word that moves the estimate: on which side of the contrast, ranked high or low there."""

    word: str
    in_a: bool
    high: bool


@dataclass(frozen=True)
class Measurement:
    """An effect and everything a reader needs to know it by.

    ``reference`` is the model it was compared with, None for a single model. Positive means that
    the contrast's first side is preferred (more than by the reference). ``pulls_up`` and
    ``pulls_down`` are the words that raise and lower the estimate most.
    """

    model: str
    reference: str | None
    fingerprint: str
    reference_fingerprint: str | None
    lexicon: Lexicon
    contrast: str
    valence: Valence
    effect: Effect
    coverages: tuple[Coverage, ...]
    shared: tuple[str, ...]
    raised_by: tuple[Pull, ...]
    lowered_by: tuple[Pull, ...]
    provenance: Mapping[str, str]
    top: TopTokens

    @property
    def role(self) -> Literal["range", "shift"]:
        return "range" if self.reference is None else "shift"

    @property
    def title(self) -> str:
        return self.model if self.reference is None else f"{self.model} minus {self.reference}"

    @property
    def sides(self) -> tuple[str, str]:
        """The contrast's two sides, as a reader names them."""
        parsed = self.lexicon.contrast(self.contrast)
        return ", ".join(parsed.a), parsed.b[0] if len(parsed.b) == 1 else "the others"

    @property
    def coverage(self) -> float:
        """Share of the contrast's lexicon entries that were scored."""
        return sum(c.matched for c in self.coverages) / sum(c.total for c in self.coverages)

    @property
    def lexicon_title(self) -> str:
        kind = " (starter, not validated)" if self.lexicon.starter else ""
        return f"{self.lexicon.name}{kind} sha256:{self.lexicon.digest[:12]}"

    @property
    def covered(self) -> str:
        """Coverage in words: of the whole contrast, and of each category where it is not full."""
        covered = "coverage 100%"
        if self.coverage < 1:
            parts = (f"{c.category} {c.matched} of {c.total}" for c in self.coverages)
            covered = f"coverage {self.coverage:.1%} ({', '.join(parts)})"
        if self.shared:
            covered += f", {len(self.shared)} words of both sides left out"
        return covered

    @property
    def rests_on(self) -> str:
        """One line: lexicon, words, families, coverage, prompts, units."""
        words, families = self.effect.n_words, self.effect.n_families
        return (
            f"{self.lexicon_title}: {sum(words)} words in {sum(families)} families, "
            f"{self.covered}; {self.effect.n_prompts} prompts; "
            f"rank-biserial correlation, {self.effect.method} by word family"
        )


def prepare(
    bench: Bench,
    spec: ModelSpec,
    lexicons: Iterable[Lexicon],
    *,
    quick: bool,
    vocabulary: bool = True,
    role: Role = "rm",
) -> None:
    """Score all that measuring one model reads, loading it once: the lexicons' words on every
    prompt, and the vocabulary on one.

    Raises what loading the model raises; an error of one lexicon is raised where it is measured.
    """
    prompts = select("positive", quick=quick) + select("negative", quick=quick)
    jobs = []
    if spec.scheme != "scores":
        jobs += [Job(prompts, words(bench, spec, lexicon, role=role)) for lexicon in lexicons]
    if vocabulary:
        jobs.append(Job((GREATEST,), VOCABULARY, time_limit=VOCABULARY_LIMIT))
    bench.prepare(spec, jobs, role=role)


def words(bench: Bench, spec: ModelSpec, lexicon: Lexicon, *, role: Role = "rm") -> Candidates:
    """A lexicon's words as candidates; a wildcard stands for words of the model's vocabulary."""
    found = list(lexicon.words())
    if any(entry.endswith("*") for entries in lexicon.categories.values() for entry in entries):
        texts = {text.strip().lower() for text in bench.vocabulary(spec, role=role).responses}
        known = sorted(text for text in texts - set(found) if text.isalpha())
        expanded = lexicon.expand(known)
        found += [word for category in expanded.values() for word in category]
    return Candidates.words(found)


def measure(
    bench: Bench,
    spec: ModelSpec,
    lexicon: Lexicon,
    contrast: str,
    valence: Valence,
    *,
    against: ModelSpec | None = None,
    role: Role = "rm",
    against_role: Role = "rm",
    quick: bool = False,
    seed: int = 0,
) -> Measurement:
    """Measure one contrast of one model, or its paired difference from another.

    Raises the ModelError, ScoresError, LexiconError or StatisticsError of whatever stands in the
    way; nothing is measured on part of the prompts.
    """
    prompts = select(valence, quick=quick)
    prepare(bench, spec, [lexicon], quick=quick, role=role)
    scores, selection = _score(bench, spec, lexicon, contrast, prompts, role)
    values = scores.values[:, selection.columns]
    if against is None:
        effect = single(values, selection.in_a, selection.families, seed=seed)
        ranks = _ranks(values)
        coverages = selection.coverage
    else:
        theirs, second = _score(bench, against, lexicon, contrast, prompts, against_role)
        mine, same = _common(selection, second)
        values, other = values[:, mine], theirs.values[:, second.columns[same]]
        selection = _restrict(selection, mine)
        effect = pair(values, other, selection.in_a, selection.families, seed=seed)
        ranks = _ranks(values) - _ranks(other)
        coverages = tuple(
            _common_coverage(*parts)
            for parts in zip(selection.coverage, second.coverage, strict=True)
        )
    lowered, raised = _pulls(ranks, selection)
    return Measurement(
        model=spec.label,
        reference=None if against is None else against.label,
        fingerprint=bench.fingerprint(spec, role=role),
        reference_fingerprint=(
            None if against is None else bench.fingerprint(against, role=against_role)
        ),
        lexicon=lexicon,
        contrast=selection.contrast.name,
        valence=valence,
        effect=effect,
        coverages=coverages,
        shared=selection.shared,
        raised_by=raised,
        lowered_by=lowered,
        provenance=scores.provenance,
        top=top_tokens(bench, spec, GREATEST, _TOKENS, role=role),
    )


def top_tokens(
    bench: Bench, spec: ModelSpec, prompt: Prompt, k: int, *, role: Role = "rm"
) -> TopTokens:
    """The k best and worst of a model's vocabulary, or of what was recorded, for one prompt."""
    kind = "recorded responses" if spec.scheme == "scores" else "tokens of its vocabulary"
    reason = bench.left_out(spec, (prompt,), VOCABULARY, role=role, time_limit=VOCABULARY_LIMIT)
    if reason is not None:
        return TopTokens(prompt, kind, 0, left_out=reason)
    try:
        scores = bench.scores(spec, (prompt,), VOCABULARY, role=role, time_limit=VOCABULARY_LIMIT)
    except ScoresError:
        if spec.scheme != "scores":
            raise
        return TopTokens(prompt, kind, 0, left_out="the file does not hold this prompt")
    return _top(prompt, kind, scores, k)


def _top(prompt: Prompt, kind: str, scores: Scores, k: int) -> TopTokens:
    values, responses = scores.values[0], scores.candidates.responses
    order = np.argsort(-values, kind="stable")

    def rows(indices: npt.NDArray[np.intp]) -> tuple[tuple[str, float], ...]:
        return tuple((responses[i], float(values[i])) for i in indices)

    share = scores.provenance.get("round_trip")
    return TopTokens(
        prompt,
        kind,
        len(values),
        rows(order[:k]),
        rows(order[::-1][:k]),
        round_trip=f"{float(share):.0%}" if share else "",
    )


def _score(
    bench: Bench,
    spec: ModelSpec,
    lexicon: Lexicon,
    contrast: str,
    prompts: tuple[Prompt, ...],
    role: Role,
) -> tuple[Scores, Selection]:
    """Scores of a model's candidates, and which of them the contrast rests on."""
    if spec.scheme == "scores":
        scores = bench.scores(spec, prompts, VOCABULARY)
    else:
        candidates = words(bench, spec, lexicon, role=role)
        scores = bench.scores(spec, prompts, candidates, role=role)
    return scores, lexicon.select(contrast, scores.candidates.responses)


def _ranks(values: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Prompt-averaged midranks (words,) scaled to (0, 1), higher is preferred."""
    ranks: npt.NDArray[np.float64] = (rankdata(values, axis=1) - 0.5) / values.shape[1]
    mean: npt.NDArray[np.float64] = ranks.mean(axis=0)
    return mean


def _pulls(
    ranks: npt.NDArray[np.float64], selection: Selection
) -> tuple[tuple[Pull, ...], tuple[Pull, ...]]:
    """The words that lower and that raise the estimate most."""
    in_a, above = selection.in_a, ranks - ranks.mean()
    order = np.argsort(np.where(in_a, above / in_a.sum(), -above / (~in_a).sum()), kind="stable")

    def named(indices: npt.NDArray[np.intp]) -> tuple[Pull, ...]:
        return tuple(Pull(selection.words[i], bool(in_a[i]), bool(above[i] > 0)) for i in indices)

    return named(order[:_PULLS]), named(order[::-1][:_PULLS])


def _common(
    first: Selection, second: Selection
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Positions of the words that both selections hold, in the first one's order."""
    where = {word: i for i, word in enumerate(second.words)}
    mine = [i for i, word in enumerate(first.words) if word in where]
    if not mine:
        raise LexiconError(
            "the two models have no scored word in common",
            seen=f"{len(first.words)} and {len(second.words)} words",
            remedy="Score the same lexicon on both.",
        )
    return np.array(mine), np.array([where[first.words[i]] for i in mine])


def _common_coverage(first: Coverage, second: Coverage) -> Coverage:
    """Of a category's entries, those that both models were scored on. Raises LexiconError where
    they are too few."""
    missing = tuple(dict.fromkeys((*first.missing, *second.missing)))
    common = replace(first, matched=first.total - len(missing), missing=missing)
    common.check()
    return common


def _restrict(selection: Selection, keep: npt.NDArray[np.intp]) -> Selection:
    return replace(
        selection,
        columns=selection.columns[keep],
        words=tuple(selection.words[i] for i in keep),
        in_a=selection.in_a[keep],
        families=selection.families[keep],
    )
