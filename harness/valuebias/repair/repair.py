"""One repair from beginning to end: read, fit, judge on the other half, write."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from valuebias.errors import InstrumentError, SpecError
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast_scores import lexicon_scores
from valuebias.measurement.instrument import State, check_instrument, control_lexicon
from valuebias.models.files import locate
from valuebias.models.loading import load_reward_model
from valuebias.models.repaired import RepairedOn
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.prompts import VALENCES, PromptSet, Valence
from valuebias.questions import Declared
from valuebias.repair.fit import Asked, Fitted, Key, Numbers, fit
from valuebias.repair.halves import Half, halves
from valuebias.repair.held_out import Finding, Moved, Trial, moved
from valuebias.repair.keep import kept_pairs
from valuebias.repair.linear import Floats, LinearReward
from valuebias.repair.table import Table
from valuebias.scorers.in_memory import InMemory
from valuebias.scorers.protocol import Scorer
from valuebias.stats.verdict import Margin

SHAMS = 5
"""Edits of the same size in random directions, none of which may do what the repair does."""
Say = Callable[[str], None]


@dataclass(frozen=True)
class Order:
    """What is to be repaired, and what it must not cost.

    ``margins`` are those of the contrast by quantity and valence; without a policy of its ranks
    alone. ``others`` are the other contrasts of the lexicon with theirs. ``besides`` are contrasts
    whose movement the certificate shows, by the name of their lexicon. ``loss`` is the accuracy on
    the preferences in ``keep`` that may be lost, as a share.
    """

    model: ModelSpec
    lexicon: Lexicon
    contrast: str
    margins: Mapping[Key, Margin]
    others: Mapping[str, Mapping[Valence, Margin]]
    besides: Mapping[str, tuple[Lexicon, tuple[str, ...]]]
    prompts: PromptSet
    keep: Path
    loss: float


@dataclass(frozen=True, eq=False)
class Repaired:
    """A repair as it came out. ``target`` is what it was to do, ``besides`` what it must not do,
    each judged where nothing was fitted; ``shams`` what edits of the same size in random directions
    do; ``moved`` what else moved. ``size`` is the edit's, as a share of the head's own;
    ``spearman`` the mean correlation of the words' scores with the old ones. ``refused`` says what
    it failed by; nothing may be written then."""

    order: Order
    files: str
    fingerprint: str
    policy: str
    fitted: Fitted
    weights: Floats
    own: Floats
    target: tuple[Finding, ...]
    besides: tuple[Finding, ...]
    shams: tuple[tuple[Finding, ...], ...]
    moved: tuple[Moved, ...]
    size: float
    spearman: float
    families: tuple[int, int]
    prompts: tuple[int, int]
    linear: LinearReward
    trial: Trial

    @property
    def on(self) -> RepairedOn:
        lexicon = self.order.lexicon
        return RepairedOn(lexicon.name, lexicon.digest, self.order.contrast)

    @property
    def refused(self) -> tuple[str, ...]:
        lost = [f"{f.name}: {f.reason}" for f in (*self.target, *self.besides) if not f.shown]
        if any(all(f.shown for f in sham) for sham in self.shams):
            lost.append("an edit of the same size in a random direction does the same")
        if lost and self.fitted.edit.unmet:
            names = "; ".join(self.fitted.edit.unmet)
            lost.append(f"no edit of the head was found that meets, where it was fitted: {names}")
        return tuple(lost)


def repair(order: Order, settings: Settings, policy: Scorer | None, say: Say) -> Repaired:
    """Fit and judge a repair; writes nothing. ``say`` is told what is being done.

    Raises ModelError, SpecError, LexiconError, StatisticsError, TrainingError, or InstrumentError
    for a model that does not read the questions.
    """
    model = load_reward_model(order.model, settings)
    linear = LinearReward.of(model)
    scorer = InMemory(model, "reward", model.head.model)  # type: ignore[attr-defined]
    say(f"reading what the head of {model.name} reads")
    lexicons = [order.lexicon, control_lexicon(order.prompts)]
    lexicons += [lexicon for lexicon, _ in order.besides.values()]
    words = tuple(dict.fromkeys(w for each in lexicons for w in scorer.candidates(each).responses))
    asked_of = order.prompts.both
    features = np.stack([linear.features(prompt, words) for prompt in asked_of])
    counts = model.token_counts(words)
    tokens = None if counts is None else tuple(counts)

    def table(weights: Floats) -> Table:
        return Table(
            model.name, "", "reward", asked_of, words,
            (features @ weights.astype(np.float32)).astype(np.float32), tokens=tokens,
        )  # fmt: skip

    own = linear.weights
    checked = check_instrument(table(own), order.lexicon, prompts=order.prompts)
    if checked.state is not State.SOUND:
        raise InstrumentError(
            checked.reason, remedy="Repair a model that is shown to read the questions."
        )
    said = None if policy is None else _said(policy, order, words)
    say(f"reading the preferences to keep: {order.keep.name}")
    chosen, rejected = kept_pairs(order.keep, order.model, model, linear)
    fit_on, judge_on = halves(order.lexicon, order.prompts, words)
    control = control_lexicon(order.prompts), "virtue~vice"
    if order.lexicon.control:
        control = order.lexicon, order.lexicon.control
    asked = Asked(order.contrast, order.margins, order.others, control, order.loss)
    numbers = Numbers(
        asked_of, words, features, (chosen - rejected)[::2],
        np.concatenate([chosen[::2], rejected[::2]]),
        None if said is None else _filled(said, words),
    )  # fmt: skip
    trial = Trial(
        table, said, judge_on, order.lexicon, order.prompts, asked, (chosen - rejected)[1::2], own
    )
    if all(finding.shown for finding in trial.target(own)):
        raise SpecError(
            "there is nothing to repair: the contrast is inside its margins on the words and "
            "prompts that a repair would be judged on",
            seen=order.contrast,
            remedy="Declare narrower margins with --margins, or leave the model as it is.",
        )
    say("fitting the smallest edit, with cross-validation")
    fitted = fit(own, fit_on, numbers, asked)
    weights = own + fitted.edit.change
    say("judging it on the other half")
    shams = [own + fitted.metric.random(fitted.edit.size, seed) for seed in range(SHAMS)]
    return Repaired(
        order,
        locate(order.model, settings).name,
        model.fingerprint,
        "" if policy is None else policy.name,
        fitted,
        weights,
        own,
        tuple(trial.target(weights)),
        tuple(trial.besides(weights)),
        tuple(tuple(trial.target(sham)) for sham in shams),
        tuple(moved(table(own), table(weights), order.besides, order.prompts)),
        fitted.edit.size / fitted.metric.size(own),
        trial.alike(weights),
        (_families(fit_on, order.contrast, words), _families(judge_on, order.contrast, words)),
        (len(fit_on.prompts.both), len(judge_on.prompts.both)),
        linear,
        trial,
    )


def _said(policy: Scorer, order: Order, words: Sequence[str]) -> Table:
    """What the policy says of the lexicon's words. Raises SpecError for another kind of model."""
    if policy.kind != "language":
        raise SpecError(
            "a policy must be a language model",
            seen=policy.name,
            remedy="Give one that --llm takes.",
        )
    scores = lexicon_scores(policy, order.lexicon, order.prompts.both)
    return Table(
        policy.name, policy.fingerprint, "language", order.prompts.both,
        scores.candidates.responses, scores.values, dict(scores.provenance),
    )  # fmt: skip


def _filled(said: Table, words: Sequence[str]) -> Floats:
    """The policy's log-probabilities (prompts, words) of all words; NaN of those that nothing asks
    of it."""
    column = {response: i for i, response in enumerate(said.responses)}
    filled = np.full((len(said.prompts), len(words)), np.nan)
    for i, word in enumerate(words):
        if word in column:
            filled[:, i] = said.values[:, column[word]]
    return filled


def _families(half: Half, contrast: str, words: Sequence[str]) -> int:
    return len(set(half.lexicon.select(contrast, words).families))


def margins_for(
    order_margin: Callable[[str, Valence, Declared], Margin | None], contrast: str, *, mass: bool
) -> dict[Key, Margin]:
    """The margins of a contrast by quantity and valence. Raises SpecError where none is
    declared."""
    found: dict[Key, Margin] = {}
    asked: list[tuple[str, Declared]] = [("ranks", "range")]
    if mass:
        asked.append(("mass", "forecast"))
    for what, role in asked:
        for valence in VALENCES:
            margin = order_margin(contrast, valence, role)
            if margin is None or not np.isfinite([margin.low, margin.high]).all():
                raise SpecError(
                    "a repair needs a margin with two bounds",
                    seen=f"{contrast}, {valence} prompts, role {role}",
                    remedy="Declare it in a file and give that with --margins.",
                )
            found[what, valence] = margin
    return found
