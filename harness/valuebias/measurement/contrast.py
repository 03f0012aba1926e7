"""Measures the effect of a contrast, with everything it is based on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

import numpy as np

from valuebias import stats
from valuebias.candidates import VOCABULARY
from valuebias.errors import SpecError, StatisticsError
from valuebias.format import bracketed, signed
from valuebias.lexicons.frequencies import Frequencies
from valuebias.lexicons.lexicon import Coverage, Lexicon
from valuebias.lexicons.missing import unseen
from valuebias.measurement.balance import Balance, balance, beside, properties
from valuebias.measurement.contrast_scores import ContrastScores, in_common
from valuebias.measurement.covariates import Covariate, column, of_rated
from valuebias.measurement.influence import InfluentialWord, MovedWord, influential_words
from valuebias.measurement.people import InPeople
from valuebias.measurement.surfaces import alternatives, surface_jobs
from valuebias.measurement.tokens import NOT_SEARCHED, VOCABULARY_LIMIT, TopTokens, table
from valuebias.measurement.top_share import AtTop, at_top
from valuebias.prompts import PAPER, PromptSet, Valences
from valuebias.questions import WORDS, Question, Role, question_of, titled, unit_of
from valuebias.scorers.baseline import BaselineScorer
from valuebias.scorers.protocol import Kind, Scorer
from valuebias.scores import Job
from valuebias.stats.inheritance import Inheritance


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
    compared with, None for a single model; ``prompts`` the set that was asked. ``detail`` says
    what the effect consists of, if that is more than the words; ``trajectory`` is the path of a
    training run. ``covariates`` are the names of what was controlled for; ``balance`` says how the
    sides differ in frequency, length and tokens; ``at_top`` is the top share beside the effect,
    None where none was asked or it has no interval; ``in_people`` is the same contrast in people's
    ratings, where some were given. Positive means that the contrast's first side
    is preferred (more than by the reference). ``raised_by`` and ``lowered_by`` are the words that
    raise and lower the estimate most; ``moved`` those whose share a forecast changes most.
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
    balance: tuple[Balance, ...] = ()
    prompts: PromptSet = PAPER
    at_top: AtTop | None = None
    moved: tuple[MovedWord, ...] = ()
    in_people: tuple[InPeople, ...] = ()

    def top_share(self) -> Measurement:
        """The measurement of the top share beside this effect, with role "top".

        Raises StatisticsError where there is none.
        """
        if self.at_top is None:
            raise StatisticsError(
                f"no top share was measured beside {self.role}",
                seen=f"{self.title}: {self.contrast}, {self.valence} prompts",
                remedy="Ask for that of a model alone, or of its difference from another.",
            )
        at_top = self.at_top
        return replace(
            self,
            role="top",
            effect=replace(at_top.effect, unseen=self.effect.unseen),
            raised_by=at_top.raised_by,
            lowered_by=at_top.lowered_by,
            at_top=None,
            in_people=(),
        )

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
            f"{self.covered}; {self.prompts.counted(self.effect.n_prompts)}; "
            f"{self.unit}, {self.effect.method} by word family"
        )


def prepare(
    scorer: Scorer,
    lexicons: Iterable[Lexicon],
    *,
    prompts: PromptSet,
    vocabulary: bool = True,
    besides: Sequence[Job] = (),
) -> None:
    """Score everything that measuring one model needs, loading it once: the lexicons' words on
    every prompt, the vocabulary on one, and the jobs in ``besides``.

    Raises what loading the model raises; an error of one lexicon is raised where it is measured.
    """
    jobs = [Job(prompts.both, scorer.candidates(lexicon)) for lexicon in lexicons]
    if vocabulary:
        jobs.append(Job((prompts.lead,), VOCABULARY, time_limit=VOCABULARY_LIMIT))
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
    prompts: PromptSet = PAPER,
    vocabulary: bool = True,
    frequencies: Frequencies | None = None,
    surfaces: bool = False,
    alpha: float = 0.05,
    seed: int = 0,
) -> Measurement:
    """Measure one contrast of one model, or its paired difference from another.

    ``regression`` measures how far the model lies outside the span from zero to the other, instead.
    ``covariates``, by name a mapping or function from word to number, are controlled for; of
    ratings by people (`Ratings`), over the words that were rated. ``prompts`` are what is asked.
    ``vocabulary`` says whether the best and worst tokens are searched for too; ``frequencies`` are
    looked at for whether the sides are alike in them. ``surfaces`` has the effect computed from
    other forms of the words besides (`surfaces`). ``alpha`` is the level of the later verdict: a
    permutation continues until its p is settled there.

    Raises ModelError, ScoresError, LexiconError or StatisticsError; nothing is measured on part of
    the prompts.
    """
    surfaces = surfaces and not prompts.is_framed
    more = surface_jobs(scorer, lexicon, prompts) if surfaces else ()
    prepare(scorer, [lexicon], prompts=prompts, vocabulary=vocabulary, besides=more)
    mine = ContrastScores.of(scorer, lexicon, contrast, valence, prompts)
    mine = of_rated(mine, lexicon, covariates)
    if against is None:
        if regression:
            raise SpecError(
                "a regression needs a model to compare with", remedy="Give the model as against."
            )
        terms, moved, facets = mine.terms(), mine.ranks(), mine.facets()
        models = [(scorer, mine, 1.0)]
    else:
        other = ContrastScores.of(against, lexicon, contrast, valence, prompts)
        mine, other = in_common(mine, other)
        models = [(scorer, mine, 1.0), (against, other, -1.0)]
        terms, moved = [*mine.terms(), *other.terms(-1.0)], mine.ranks() - other.ranks()
        facets = mine.facets((other, -1.0))
    away, detail = 1.0, ""
    if regression:
        effect: stats.Effect
        effect = regressed = stats.outside(
            mine.terms(),
            other.terms(),
            *mine.sides,
            facets=facets and facets.alone,  # each of its contrasts has a component of its own
            alpha=alpha,
            seed=seed,
        )
        # The words that take it further out: below zero, those that lower the effect.
        away, minus = regressed.weights
        moved = mine.ranks() + away * minus * other.ranks()
        detail = _signed_shift(regressed)
    elif covariates is not None:
        columns = {name: column(name, given, mine) for name, given in covariates.items()}
        effect = stats.controlled(
            terms, *mine.sides, columns, facets=facets, alpha=alpha, seed=seed
        )
    else:
        effect = stats.contrast(terms, *mine.sides, facets=facets, alpha=alpha, seed=seed)
        if facets is not None:
            effect = replace(effect, facets=stats.facet_effects(terms, *mine.sides, facets))
    selection = mine.selection
    effect = replace(effect, unseen=unseen(lexicon, selection))
    properties_of = properties(scorer, lexicon, selection.words, frequencies)
    sides = balance(properties_of, selection)
    if not (regression or covariates is not None):
        effect = beside(effect, sides, properties_of, terms, selection, facets, alpha)
        ways = alternatives(models, lexicon, properties_of, surfaces=surfaces)
        effect = replace(effect, alternatives=ways)
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
        top=table(scorer, prompts.lead) if vocabulary else NOT_SEARCHED,
        kind=question_of(role_of(scorer)).kind,
        detail=detail,
        covariates=tuple(covariates or ()),
        prompts=prompts,
        at_top=at_top(terms, selection) if covariates is None else None,
        balance=sides,
    )


def _signed_shift(found: stats.Outside) -> str:
    """What is behind a distance: the two effects, and the shift with its sign."""
    shift, new = found.difference, found.alone
    across = " ACROSS ZERO" if found.crossed else ""
    return (
        f"{signed(found.old)} there, {signed(new.estimate)} "
        f"{bracketed(new.low, new.high)} here: a shift of {signed(shift.estimate)} "
        f"{bracketed(shift.low, shift.high)}{across}"
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
        return "anchor" if isinstance(against, BaselineScorer) and against.is_anchor else "shift"
    return _OF_ONE[scorer.kind]


_OF_ONE: Mapping[Kind, Role] = {
    "reward": "range",
    "language": "logprob",
    "implicit": "implicit",
}


def seed_for(suite_seed: int, *key: str) -> int:
    """The seed of a test's permutations: from the run's and what is tested, in any process, order
    or selection. ``key`` is the test's key and never holds a model's name."""
    entropy = [suite_seed, crc32("\x1f".join(key).encode())]
    return int(np.random.SeedSequence(entropy).generate_state(1)[0])
