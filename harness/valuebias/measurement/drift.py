"""The questions of training: what a run did to a reward model's values, and two runs' gap."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from valuebias.candidates import VOCABULARY
from valuebias.errors import SpecError, visible
from valuebias.format import bare
from valuebias.lexicons.lexicon import Lexicon
from valuebias.lexicons.missing import unseen
from valuebias.measurement.contrast import Measurement, Step
from valuebias.measurement.contrast_scores import ContrastScores, in_common
from valuebias.measurement.influence import InfluentialWord, influential_words
from valuebias.measurement.repaired import caveat, qualified
from valuebias.measurement.tokens import VOCABULARY_LIMIT, table
from valuebias.measurement.top_share import AtTop, at_top
from valuebias.prompts import PAPER, Prompt, PromptSet, Valence
from valuebias.scorers.bench import Bench
from valuebias.stats.drift import Drift, drift
from valuebias.stats.effect import Effect
from valuebias.stats.facets import Facets
from valuebias.stats.gap import Gap, gap
from valuebias.stats.movement import Move, movers
from valuebias.stats.trajectory import Trajectory
from valuebias.training.checkpoints import TrainingRun

_MOVED = 5


@dataclass(frozen=True)
class RunScores:
    """A contrast's scores at every checkpoint of a run: the same words in one order."""

    run: TrainingRun
    scored: tuple[ContrastScores, ...]
    valence: Valence
    asked: PromptSet

    @classmethod
    def of(
        cls,
        bench: Bench,
        run: TrainingRun,
        lexicon: Lexicon,
        contrast: str,
        valence: Valence,
        prompts: PromptSet,
    ) -> RunScores:
        """Raises what loading or scoring a checkpoint raises; LexiconError if they have too few
        words in common."""
        scored = [
            ContrastScores.of(bench.scorer(spec), lexicon, contrast, valence, prompts)
            for spec in run.models
        ]
        return cls(run, tuple(scored), valence, prompts).on(scored)

    def on(self, others: Iterable[ContrastScores]) -> RunScores:
        """The same, restricted to the words that all of these also have."""
        first = self.scored[0]
        for other in others:
            first, _ = in_common(first, other)
        common = tuple(in_common(first, scored)[1] for scored in self.scored)
        return replace(self, scored=common)

    @property
    def first(self) -> ContrastScores:
        return self.scored[0]

    @property
    def checkpoints(self) -> list[tuple[float, npt.NDArray[np.float32]]]:
        """The checkpoints as `stats.drift` takes them."""
        values = (scored.values[self.valence] for scored in self.scored)
        return list(zip(map(float, self.run.steps), values, strict=True))

    @property
    def prompts(self) -> tuple[Prompt, ...]:
        return self.first.prompts[self.valence]

    @property
    def facets(self) -> Facets | None:
        """The words' facets, None where the lexicon declares none of them."""
        return Facets.declared(self.first.selection.facets)


def measure_drift(
    bench: Bench,
    run: TrainingRun,
    lexicon: Lexicon,
    contrast: str,
    valence: Valence,
    *,
    prompts: PromptSet = PAPER,
    alpha: float = 0.05,
    seed: int = 0,
) -> tuple[Measurement, Drift]:
    """The change from a run's first checkpoint to its last, and every checkpoint between.

    Raises ModelError, ScoresError, LexiconError or StatisticsError.
    """
    mine = RunScores.of(bench, run, lexicon, contrast, valence, prompts)
    drifted = run_drift(mine, alpha=alpha, seed=seed)
    measured = _measurement(
        bench,
        mine,
        lexicon,
        drifted.change,
        influential_words(mine.scored[-1].ranks() - mine.first.ranks(), mine.first.selection),
        detail="; ".join((_words(mine, drifted), _tokens(bench, run, prompts.lead))),
        trajectory=_steps(run, drifted.trajectory, drifted.tau),
        top_share=at_top([*mine.scored[-1].terms(), *mine.first.terms(-1.0)], mine.first.selection),
    )
    return measured, drifted


def measure_gap(
    bench: Bench,
    run: TrainingRun,
    against: TrainingRun,
    lexicon: Lexicon,
    contrast: str,
    valence: Valence,
    *,
    prompts: PromptSet = PAPER,
    alpha: float = 0.05,
    seed: int = 0,
) -> tuple[Measurement, Gap]:
    """How much wider the gap of two runs is at the end than at the beginning (below zero it
    narrowed), and the gap at every step. Raises as `measure_drift` does, and SpecError where the
    runs have fewer than two steps in common."""
    mine, other = (
        RunScores.of(bench, each, lexicon, contrast, valence, prompts) for each in (run, against)
    )
    mine, other = mine.on(other.scored), other.on(mine.scored)
    measured_gap = run_gap(mine, other, alpha=alpha, seed=seed)
    begin, end = (mine.scored[i].ranks() - other.scored[i].ranks() for i in (0, -1))
    # Of a gap that ends below zero, what lowers it widens it.
    away, same = measured_gap.narrowing.signs
    measured = _measurement(
        bench,
        mine,
        lexicon,
        measured_gap.narrowing,
        influential_words(end - same * begin, mine.first.selection, away),
        against=against,
        detail=measured_gap.summary,
        trajectory=_steps(run, measured_gap.trajectory, None),
    )
    return measured, measured_gap


def _measurement(
    bench: Bench,
    mine: RunScores,
    lexicon: Lexicon,
    effect: Effect,
    pulled: tuple[tuple[InfluentialWord, ...], tuple[InfluentialWord, ...]],
    *,
    against: TrainingRun | None = None,
    detail: str,
    trajectory: tuple[Step, ...],
    top_share: AtTop | None = None,
) -> Measurement:
    run, selection = mine.run, mine.first.selection
    compared = run.models[0] if against is None else against.models[-1]
    last = bench.scorer(run.models[-1])
    lowered, raised = pulled
    return Measurement(
        model=run.label,
        reference=None if against is None else against.label,
        fingerprint=last.fingerprint,
        reference_fingerprint=bench.scorer(compared).fingerprint,
        lexicon=lexicon,
        contrast=selection.contrast.name,
        valence=mine.valence,
        role="drift" if against is None else "gap",
        effect=qualified(
            replace(effect, unseen=unseen(lexicon, selection)),
            caveat(lexicon, *(scores.provenance for scores in mine.scored)),
        ),
        coverages=selection.coverage,
        shared=selection.shared,
        raised_by=raised,
        lowered_by=lowered,
        provenance=mine.scored[-1].provenance,
        top=table(last, mine.asked.lead),
        kind="training run",
        detail=detail,
        trajectory=trajectory,
        prompts=mine.asked,
        at_top=top_share,
    )


def run_drift(scores: RunScores, *, alpha: float = 0.05, seed: int = 0) -> Drift:
    """The effect at every checkpoint of a run."""
    return drift(
        scores.checkpoints,
        *scores.first.sides,
        prompts=[prompt.factors for prompt in scores.prompts],
        facets=scores.facets,
        alpha=alpha,
        seed=seed,
        count=_MOVED,
    )


def run_gap(first: RunScores, second: RunScores, *, alpha: float = 0.05, seed: int = 0) -> Gap:
    """The gap of two runs at their common steps, on the same words.

    Raises SpecError if they have fewer than two steps in common.
    """
    common = sorted(set(first.run.steps) & set(second.run.steps))
    if len(common) < 2:
        raise SpecError(
            "two runs need at least two steps in common",
            seen=f"{first.run.steps} and {second.run.steps}",
            remedy="Train both with the same checkpoint_every.",
        )
    run_a, run_b = ([c for c in run.checkpoints if c[0] in common] for run in (first, second))
    in_a, families = first.first.sides
    return gap(
        run_a,
        run_b,
        in_a,
        families,
        prompts=[prompt.factors for prompt in first.prompts],
        facets=first.facets,
        alpha=alpha,
        seed=seed,
    )


def _steps(run: TrainingRun, path: Trajectory, tau: Sequence[float] | None) -> tuple[Step, ...]:
    pairs = {} if run.pairs is None else dict(zip(run.steps, run.pairs, strict=True))
    rows = zip(path.steps, path.estimates, path.low, path.high, strict=True)
    return tuple(
        Step(
            int(step),
            pairs.get(int(step)),
            estimate,
            low,
            high,
            None if tau is None else tau[i],
        )
        for i, (step, estimate, low, high) in enumerate(rows)
    )


def _words(scores: RunScores, drifted: Drift) -> str:
    words = scores.first.selection.words
    return _moved("words", words, drifted.movers.risen, drifted.movers.fallen)


def _tokens(bench: Bench, run: TrainingRun, prompt: Prompt) -> str:
    """The tokens of the vocabulary that moved most on one prompt."""
    ends = [bench.scorer(run.models[at]) for at in (0, -1)]
    for scorer in ends:
        reason = scorer.left_out((prompt,), VOCABULARY, time_limit=VOCABULARY_LIMIT)
        if reason is not None or not scorer.has_vocabulary:
            return f"tokens left out: {visible(reason or 'only words were recorded')}"
    first, last = (
        scorer.score((prompt,), VOCABULARY, time_limit=VOCABULARY_LIMIT) for scorer in ends
    )
    moved = movers(first.values, last.values, _MOVED)
    return _moved("tokens", first.candidates.responses, moved.risen, moved.fallen)


def _moved(what: str, names: Sequence[str], risen: Sequence[Move], fallen: Sequence[Move]) -> str:
    """ "words that rose most freedom +.31, …; fell most love -.28, …"."""

    def told(moves: Sequence[Move]) -> str:
        return ", ".join(
            f"{visible(names[m.index]).strip()} {bare(f'{m.change:+.2f}')}" for m in moves
        )

    return (
        f"{what} that rose most: {told(risen) or 'none'}; that fell most: {told(fallen) or 'none'}"
    )
