"""Measures the effect of a contrast, with everything it is based on."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Real
from zlib import crc32

import numpy as np
import numpy.typing as npt

from valuebias import stats
from valuebias.candidates import VOCABULARY
from valuebias.errors import SpecError, StatisticsError, visible
from valuebias.lexicons.lexicon import Coverage, Lexicon, Selection
from valuebias.measurement.contrast_scores import ContrastScores, in_common
from valuebias.measurement.tokens import NOT_SEARCHED, VOCABULARY_LIMIT, TopTokens, table
from valuebias.prompts import GREATEST, Valences, select
from valuebias.questions import WORDS, Question, Role, question_of, titled, unit_of
from valuebias.scorers.protocol import Kind, Scorer
from valuebias.scores import Job
from valuebias.stats.facets import Facets
from valuebias.stats.inheritance import Inheritance
from valuebias.stats.word_families import WordFamilies

Covariate = Mapping[str, float] | Callable[[str], float]
"""A number for each word, such as its log frequency: by a mapping or a function."""

_PULLS = 5


@dataclass(frozen=True)
class InfluentialWord:
    """A word that moves the estimate: on which side of the contrast, ranked high or low there."""

    word: str
    in_a: bool
    high: bool


@dataclass(frozen=True)
class Step:
    """One checkpoint of a trajectory: the effect, or the gap of two runs, with its simultaneous
    band; ``pairs`` are the preference pairs shown by then, ``tau`` Kendall's tau-b of the words'
    ranks with those of the last checkpoint, where they are known."""

    step: int
    pairs: int | None
    estimate: float
    low: float
    high: float
    tau: float | None = None


@dataclass(frozen=True)
class Measurement:
    """An effect and everything that a reader needs to interpret it.

    ``kind`` says what the model is, if it is not a reward model. ``reference`` is the model it was
    compared with, None for a single model. ``detail`` says what the effect consists of, if that is
    more than the words; ``trajectory`` is the path of a training run. ``covariates`` are the names
    of what was controlled for. Positive means that the contrast's first side is preferred
    (more than by the reference). ``raised_by`` and ``lowered_by`` are the words that raise and
    lower the estimate most.
    """

    model: str
    reference: str | None
    fingerprint: str
    reference_fingerprint: str | None
    lexicon: Lexicon
    contrast: str
    valence: Valences
    role: Role
    effect: stats.Effect
    coverages: tuple[Coverage, ...]
    shared: tuple[str, ...]
    raised_by: tuple[InfluentialWord, ...]
    lowered_by: tuple[InfluentialWord, ...]
    provenance: Mapping[str, str]
    top: TopTokens
    kind: str = ""
    detail: str = ""
    trajectory: tuple[Step, ...] = ()
    covariates: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        return titled(self.question, self.kind, self.model, self.reference)

    @property
    def question(self) -> Question:
        """The question that was asked, with its wording."""
        return question_of(self.role, self.reference, raw=self.raw)

    @property
    def sides(self) -> tuple[str, str]:
        """The contrast's two sides, as a reader names them."""
        if self.contrast == WORDS:  # an inheritance
            return "all words", "none"
        parsed = self.lexicon.contrast(self.contrast)
        return ", ".join(parsed.a), parsed.b[0] if len(parsed.b) == 1 else "the others"

    @property
    def unit(self) -> str:
        """The unit of the estimate."""
        return unit_of(self.question, self.valence)

    @property
    def raw(self) -> bool:
        """Whether this is an inheritance that no other base's correlation was subtracted from."""
        return isinstance(self.effect, Inheritance) and not self.effect.rho_others

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
            f"{self.unit}, {self.effect.method} by word family"
        )


def prepare(
    scorer: Scorer,
    lexicons: Iterable[Lexicon],
    *,
    quick: bool,
    vocabulary: bool = True,
    besides: Sequence[Job] = (),
) -> None:
    """Score everything that measuring one model needs, loading it once: the lexicons' words on
    every prompt, the vocabulary on one, and the jobs in ``besides``.

    Raises what loading the model raises; an error of one lexicon is raised where it is measured.
    """
    prompts = select("positive", quick=quick) + select("negative", quick=quick)
    jobs = [Job(prompts, scorer.candidates(lexicon)) for lexicon in lexicons]
    if vocabulary:
        jobs.append(Job((GREATEST,), VOCABULARY, time_limit=VOCABULARY_LIMIT))
    scorer.prepare([*jobs, *besides])


def measure(
    scorer: Scorer,
    lexicon: Lexicon,
    contrast: str,
    valence: Valences,
    *,
    against: Scorer | None = None,
    regression: bool = False,
    covariates: Mapping[str, Covariate] | None = None,
    quick: bool = False,
    vocabulary: bool = True,
    alpha: float = 0.05,
    seed: int = 0,
) -> Measurement:
    """Measure one contrast of one model, or its paired difference from another.

    ``regression`` measures how much further from zero the model lies than the other, instead.
    ``covariates``, by name a mapping or function from word to number, are controlled for.
    ``vocabulary`` says whether the best and worst tokens are searched for too. ``alpha`` is the
    level of the later verdict: a permutation continues until its p is settled there.

    Raises ModelError, ScoresError, LexiconError or StatisticsError; nothing is measured on part of
    the prompts.
    """
    prepare(scorer, [lexicon], quick=quick, vocabulary=vocabulary)
    mine = ContrastScores.of(scorer, lexicon, contrast, valence, quick)
    if against is None:
        if regression:
            raise SpecError(
                "a regression needs a model to compare with", remedy="Give the model as against."
            )
        terms, moved, facets = mine.terms(), mine.ranks(), mine.facets()
    else:
        other = ContrastScores.of(against, lexicon, contrast, valence, quick)
        mine, other = in_common(mine, other)
        terms, moved = [*mine.terms(), *other.terms(-1.0)], mine.ranks() - other.ranks()
        facets = mine.facets(other)
    away = 1.0
    if regression:
        effect: stats.Effect
        effect = regressed = stats.regression(
            mine.terms(),
            other.terms(),
            *mine.sides,
            facets=facets
            and Facets(facets.names),  # of the difference and of the sum, each its own
            alpha=alpha,
            seed=seed,
        )
        # The words that increase the distance from zero: below zero, those that lower the effect.
        away, same = regressed.signs
        moved = mine.ranks() - same * other.ranks()
    elif covariates is not None:
        columns = {name: _column(name, given, mine) for name, given in covariates.items()}
        effect = stats.controlled(terms, *mine.sides, columns, alpha=alpha, seed=seed)
    else:
        effect = stats.contrast(terms, *mine.sides, facets=facets, alpha=alpha, seed=seed)
        if facets is not None:
            effect = replace(effect, facets=stats.facet_effects(terms, *mine.sides, facets))
    selection = mine.selection
    lowered, raised = influential_words(moved, selection, away)
    return Measurement(
        model=scorer.name,
        reference=None if against is None else against.name,
        fingerprint=scorer.fingerprint,
        reference_fingerprint=None if against is None else against.fingerprint,
        lexicon=lexicon,
        contrast=selection.contrast.name,
        valence=valence,
        role=role_of(scorer, against, regression=regression, covariates=covariates),
        effect=effect,
        coverages=selection.coverage,
        shared=selection.shared,
        raised_by=raised,
        lowered_by=lowered,
        provenance=mine.provenance,
        top=table(scorer) if vocabulary else NOT_SEARCHED,
        kind=question_of(role_of(scorer)).kind,
        covariates=tuple(covariates or ()),
    )


def role_of(
    scorer: Scorer,
    against: Scorer | None = None,
    *,
    regression: bool = False,
    covariates: Mapping[str, Covariate] | None = None,
) -> Role:
    """The role of a measurement, from the kind of model and what it is measured with."""
    if regression:
        return "regression"
    if covariates is not None:
        return "controlled"
    if against is not None:
        return "shift"
    return _OF_ONE[scorer.kind]


_OF_ONE: Mapping[Kind, Role] = {
    "reward": "range",
    "language": "logprob",
    "implicit": "implicit",
}


def _column(name: str, given: Covariate, scored: ContrastScores) -> npt.NDArray[np.float64]:
    """A covariate's number for each word. Raises StatisticsError if a word has none."""
    look_up = given if callable(given) else given.get
    values = [look_up(word) for word in scored.selection.words]
    numbers = [_is_finite(v) for v in values]
    if not all(numbers):
        lost = [w for w, ok in zip(scored.selection.words, numbers, strict=True) if not ok]
        raise StatisticsError(
            f"the covariate {name} has no finite number for {len(lost)} of {len(values)} words",
            seen=", ".join(lost[:8]) + (", …" if len(lost) > 8 else ""),
            remedy="Give one for every word; a frequency of zero counts, as log(1 + 0).",
        )
    return np.array(values, dtype=np.float64)


def _is_finite(value: object) -> bool:
    return isinstance(value, Real) and math.isfinite(value)


def seed_for(suite_seed: int, *key: str) -> int:
    """The seed of a test's permutations: from the run's and what is tested, in any process, order
    or selection. ``key`` is the test's key and never holds a model's name."""
    entropy = [suite_seed, crc32("\x1f".join(key).encode())]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])


def influential_words(
    moved: npt.NDArray[np.float64], selection: Selection, away: float = 1.0
) -> tuple[tuple[InfluentialWord, ...], tuple[InfluentialWord, ...]]:
    """The words that lower and that raise the estimate most, which grows as A's words move up
    (``away`` 1) or down (-1); a word has its share of its family's weight."""
    in_a, above = selection.in_a, moved - moved.mean()
    family = np.unique(selection.families, return_inverse=True)[1]
    share = WordFamilies(in_a, family).weights
    share = share / np.where(in_a, share[in_a].sum(), -share[~in_a].sum())
    pull = away * above * share
    order = np.argsort(pull, kind="stable")

    def named(indices: npt.NDArray[np.intp]) -> tuple[InfluentialWord, ...]:
        return tuple(
            InfluentialWord(selection.words[i], bool(in_a[i]), bool(above[i] > 0)) for i in indices
        )

    return named(order[:_PULLS]), named(order[::-1][:_PULLS])


def grouped(influential: Iterable[InfluentialWord], a: str, b: str) -> str:
    """The words in groups: "communion low: duty, help; agency high: power"."""
    groups: dict[str, list[str]] = {}
    for pull in influential:
        side = f"{a if pull.in_a else b} {'high' if pull.high else 'low'}"
        groups.setdefault(side, []).append(visible(pull.word))
    return "; ".join(f"{side}: {', '.join(words)}" for side, words in groups.items())
