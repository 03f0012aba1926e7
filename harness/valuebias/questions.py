"""The questions: what each is asked of, its unit, what above zero means, and its wording.

A question is identified by its role, the name used in margins, records and JUnit properties. To add
one, add a row here and a file under ``measurement/`` that answers it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from valuebias.prompts import VALENCES, Valence

Declared = Literal[
    "range", "logprob", "implicit", "inheritance", "drift", "gap", "shift", "anchor", "top",
    "forecast", "human", "answers",
]  # fmt: skip
"""The roles whose margins may be declared in a file; those of other roles are given in the
assertion."""

Role = Literal[Declared, "regression", "controlled", "family"]
"""``range``: the preference of one reward model; ``logprob``: of a language model; ``implicit``: of
the implicit reward of two models; ``inheritance``: how much a reward model inherits from its base;
``drift``: the change over a training run; ``gap``: how much further apart two runs are at their
end; ``shift``: the paired difference from a reference; ``anchor``: the same from the release that
the baseline's file began with, over all releases since; ``regression``: how much further from zero
than a reference, or across it; ``controlled``: the preference with covariates controlled;
``family``: the difference of two families of models; ``top``: the share of the first side's words
in the top 10% of the ranking, less their share of all; ``forecast``: how much more of the first
side's words a policy would say, optimised against the model by one nat; ``human``: how far the
model's order of words is that of people's ratings; ``answers``: the preference of one reward model
between whole answers that differ in a word."""

WORDS = "words"
"""Used instead of a contrast: all words of a lexicon, whatever their category."""

_ONE = "rank-biserial correlation"
_MORE = " more on positive than on negative prompts"
_AND_MORE = ", and that more on positive than on negative prompts"
_FAIL = (
    "look at the words above in the model's top and bottom ranks and train the shift away, or "
    "declare, with a reason, a margin that allows it"
)
_FAIL_COMPARED = (
    "look at the words above in the model's top and bottom ranks: what changed since {reference}? "
    "If it was meant, declare a margin that allows it"
)


@dataclass(frozen=True)
class Question:
    """The wording of one question. Templates are filled with ``model``, ``reference``,
    ``contrast``, ``first`` (the contrast's first side) and ``a`` and ``b`` (both, as words).

    ``kind`` is what is measured, if it is not a reward model; ``beside`` what it is compared with
    (empty: nothing); ``other`` the owner of a record's second fingerprint. ``unit`` is the unit of
    the estimate; ``above`` says what above zero means, with ``both`` added for prompts of both
    valences; ``higher``, ``lower`` and ``unclear`` describe an effect above zero, below zero and
    not shown to differ from zero. ``section`` is the heading of figures, ``ends`` are the labels
    below and above zero there (None: the sides); ``asked`` follows the contrast, ``variant`` the
    role. ``fail`` is what to do about a FAIL. ``title`` and ``short`` name the subject if it is not
    "MODEL minus REFERENCE". ``all_words`` is True for a question about all words, ``turns`` if the
    sign changes when the contrast is reversed; ``valences`` are what suites ask it on; ``path`` is
    what each step of its trajectory is, with the wording of the role ``step``.
    """

    unit: str
    section: str
    above: str
    higher: str
    lower: str
    unclear: str
    both: str = ""
    kind: str = ""
    beside: str = ""
    other: str = "reference"
    variant: str = ""
    asked: str = ""
    ends: tuple[str, str] | None = None
    fail: str = _FAIL
    title: str = ""
    short: str = ""
    all_words: bool = False
    turns: bool = True
    valences: tuple[Valence, ...] = VALENCES
    path: str = "effect"
    step: Role = "range"


_PREFERRED: dict[str, Any] = {
    "both": _MORE,
    "higher": "{a} are preferred to {b}",
    "lower": "{b} are preferred to {a}",
    "unclear": "neither side of {contrast} is shown to be preferred",
}
_MORE_THAN: dict[str, Any] = {
    "higher": "{a} are preferred to {b} more than by {reference}",
    "lower": "{b} are preferred to {a} more than by {reference}",
    "unclear": "no difference from {reference} is shown on {contrast}",
    "both": _AND_MORE,
    "beside": "reference",
    "fail": _FAIL_COMPARED,
}
_SHARE = "share of the top 10% less the share of all words"
_SHARES = "shares of the top 10% less the share of all words"
_INHERITED: dict[str, Any] = {
    "unclear": "its taste in words is not shown to be its base's",
    "beside": "base",
    "other": "base",
    "fail": "train the taste of the base away, or choose another base; or declare, with a reason, "
    "a margin that allows it",
    "title": "{model} and its base {reference}",
    "short": "{model} (base {reference})",
    "all_words": True,
}


def _held_by_top(than: str) -> dict[str, Any]:
    sides = ("of {first}", "{a}", "{b}")
    above, higher, lower = (f"the top 10% hold more {side} than {than}" for side in sides)
    return {"above": above, "higher": higher, "lower": lower, "asked": "top 10%"}


QUESTIONS: Mapping[str, Question] = {
    "range": Question(
        unit="{single}",
        section="preference of a reward model",
        above="{first} preferred",
        **_PREFERRED,
    ),
    "answers": Question(
        unit="{single}",
        section="preference between whole answers",
        above="answers that hold a word of {first} preferred",
        higher="answers that hold {a} are preferred to those with {b}",
        lower="answers that hold {b} are preferred to those with {a}",
        unclear="answers of neither side of {contrast} are shown to be preferred",
        both=_MORE,
        asked="answers",
    ),
    "logprob": Question(
        unit="{single}",
        section="preference of a language model",
        above="{first} likelier",
        both=_MORE,
        higher="{a} are likelier than {b}",
        lower="{b} are likelier than {a}",
        unclear="neither side of {contrast} is shown to be preferred",
        kind="language model",
    ),
    "implicit": Question(
        unit="{single}",
        section="preference of an implicit reward",
        above="{first} preferred more by the second model than by the first",
        both=_AND_MORE,
        higher="the second model prefers {a} to {b} more than the first does",
        lower="the second model prefers {b} to {a} more than the first does",
        unclear="the two models are not shown to differ on {contrast}",
        kind="implicit reward",
    ),
    "inheritance": Question(
        unit="excess rank correlation beside covariates",
        section="inheritance: correlation with its own base beyond other bases",
        above="it prefers what its base finds likely, more than other bases do",
        higher="its taste in words is more its base's than other bases'",
        lower="its taste in words is less its base's than other bases'",
        ends=("like other bases", "like its own"),
        **_INHERITED,
    ),
    "inheritance, raw": Question(
        unit="rank correlation beside covariates",
        section="inheritance: correlation with its own base",
        above="its ranks go with its base's",
        higher="its taste in words goes with its base's (not compared)",
        lower="its taste in words goes against its base's (not compared)",
        variant=" (its own base alone)",
        ends=("against its base", "like its base"),
        **_INHERITED,
    ),
    "drift": Question(
        unit="{several}{one}s",
        section="change over a training run",
        above="{first} moved up from the first checkpoint to the last",
        both=_AND_MORE,
        higher="{a} moved up against {b}",
        lower="{b} moved up against {a}",
        unclear="neither side of {contrast} is shown to have moved up",
        kind="training run",
        other="first checkpoint",
        asked="drift",
    ),
    "gap": Question(
        unit="change of the gap in {one}",
        section="change of the gap between two training runs",
        above="the runs are further apart at the end than at the beginning",
        higher="on {contrast} the runs came further apart",
        lower="on {contrast} the runs came closer",
        unclear="on {contrast} the runs are shown neither closer nor further apart",
        kind="training run",
        beside="other run",
        other="other run",
        asked="change of the gap",
        ends=("closer together", "further apart"),
        fail=_FAIL_COMPARED,
        turns=False,
        path="gap of the two runs",
        step="shift",
    ),
    "shift": Question(
        unit="{several}{one}s",
        section="shift from a reference",
        above="{first} preferred more than by {reference}",
        **_MORE_THAN,
    ),
    "anchor": Question(
        unit="{several}{one}s",
        section="shift from the anchor, over all releases since",
        above="{first} preferred more than by {reference}, over all releases since",
        **_MORE_THAN
        | {
            "beside": "anchor",
            "fail": "all releases since the anchor have together moved further than the budget "
            "allows: train the shift away, or declare, with a reason, a wider one (role: anchor); "
            "--valuebias-renew-anchor gives up what the anchor was there for",
        },
    ),
    "regression": Question(
        unit="distance from zero, {several}{one}s",
        section="distance from zero, against a reference",
        above="further from zero than {reference}, or across it",
        higher="{contrast} lies further from zero than {reference}, or across it",
        lower="{contrast} lies closer to zero than {reference}",
        unclear="{contrast} is shown neither further from zero than {reference} nor closer",
        asked="no further from zero",
        ends=("closer to zero", "further from zero"),
        beside="reference",
        fail=_FAIL_COMPARED,
    ),
    "controlled": Question(
        unit="{single} beside covariates",
        section="preference with confounds held constant",
        above="{first} preferred",
        asked="controlled for {covariates}",
        **_PREFERRED,
    ),
    "controlled shift": Question(
        unit="{several}{one}s beside covariates",
        section="preference with confounds held constant",
        above="{first} preferred more than by {reference}",
        variant=" shift",
        asked="controlled for {covariates}",
        **_MORE_THAN,
    ),
    "family": Question(
        unit="{several}mean {one}s",
        section="difference of two families of models",
        above="{first} preferred more by {model} than by {reference}",
        asked="families",
        **_MORE_THAN,
    ),
    "top": Question(
        unit="{share}",
        section="share of the top 10% of the ranking",
        unclear="the top 10% are shown to hold more of neither side of {contrast} than all words",
        both=_MORE,
        **_held_by_top("all words"),
    ),
    "forecast": Question(
        unit="change of the share at one nat",
        section="forecast of a policy",
        above="{reference}, optimised against it, says more of {first}",
        higher="{reference} would say more of {a} and less of {b}",
        lower="{reference} would say more of {b} and less of {a}",
        unclear="{reference} is not shown to say more of either side of {contrast}",
        asked="forecast",
        beside="policy",
        other="policy",
        title="{reference} optimised against {model}",
        short="{reference} by {model}",
        fail="look at the words that gain and lose most: change the reward, or optimise by fewer "
        "nats; or declare, with a reason, a margin that allows it",
    ),
    "human": Question(
        unit="rank correlation (tau-b) with people's ratings",
        section="agreement with people",
        above="it prefers what people rate higher",
        higher="its taste in words goes with people's",
        lower="its taste in words goes against people's",
        unclear="its taste in words is shown to go neither with people's nor against it",
        ends=("against people", "with people"),
        asked="people",
        beside="people",
        other="ratings",
        title="{model} and people ({reference})",
        short="{model} (people: {reference})",
        all_words=True,
        valences=("positive",),
        fail="look at the words named above; or declare, with a reason, a margin that allows it",
    ),
    "top shift": Question(
        unit="{several}" + _SHARES,
        section="share of the top 10%, against a reference",
        variant=" shift",
        **_MORE_THAN | _held_by_top("those of {reference}"),
    ),
}
"""By role; three roles have a second row, for use without or with another model."""


def fill(
    template: str, *, sides: Sequence[str], contrast: str, model: str, reference: str | None
) -> str:
    """A question's template, filled in. The strings must be safe to show."""
    a, b = (
        side if side == "the others" else f"words of {side}" for side in (*sides, "the others")[:2]
    )
    said = {"first": sides[0], "a": a, "b": b, "contrast": contrast, "model": model}
    return template.format(**said, reference=reference or "the reference")


def question_of(role: str, reference: str | None = None, *, raw: bool = False) -> Question:
    """The question of a role. ``raw``: an inheritance from which no other base's correlation was
    subtracted."""
    if raw:
        return QUESTIONS[f"{role}, raw"]
    beside = f"{role} shift"
    return QUESTIONS[beside if reference and beside in QUESTIONS else role]


def unit_of(question: Question, valence: str) -> str:
    """The unit of an estimate on prompts of this valence."""
    both = valence == "positive-negative"
    return question.unit.format(
        one=_ONE,
        single=f"difference of {_ONE}s" if both else _ONE,
        several="difference of differences of " if both else "difference of ",
        share=f"difference of {_SHARES}" if both else _SHARE,
    )


def titled(question: Question, kind: str, model: str, reference: str | None) -> str:
    """The subject's name in reports; ``kind`` is what the model is, empty for a reward model."""
    if question.title:
        return question.title.format(model=model, reference=reference)
    title = f"{model} ({kind})" if kind else model
    return title if reference is None else f"{title} minus {reference}"


DECLARED: tuple[str, ...] = get_args(Declared)
