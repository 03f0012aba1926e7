"""The output of ``valuebias plan``: text of 80 columns, and the same as a document."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from valuebias.errors import visible
from valuebias.format import bracketed
from valuebias.measurement.answers_work import AnswersWork
from valuebias.measurement.plan import POSITIONS, Claim
from valuebias.measurement.planned_run import Plan, Three
from valuebias.measurement.workload import Workload
from valuebias.progress import duration
from valuebias.prompts import PromptSet
from valuebias.stats.needed import LEVELS, POWER, TIMES, Needed

_WIDTH = 80


def shown(
    plan: Plan, work: Workload, prompts: PromptSet, basis: str, notes: Sequence[str]
) -> RenderableType:
    """The whole answer: chances, what is needed, forwards and time."""
    parts: list[RenderableType] = [*_lines(f"variances: {basis}"), *_lines(_prompts(prompts, plan))]
    if plan.claims:
        parts += ["", *_lines(_HOW), "", _chances(plan)]
    if plan.needed is not None:
        parts += ["", _needs(plan, plan.needed)]
    for note in (*notes, *_notes(plan)):
        parts += ["", *_lines(note)]
    parts += ["", *_lines(_work(work))]
    return Group(*parts)


_HOW = (
    "PASS/FAIL/INCONCLUSIVE in % where the true effect is none, half the margin, the margin, twice "
    "the margin; of the whole run: all PASS, at least one FAIL, neither."
)


def _lines(text: str) -> list[Text]:
    return [Text(line) for line in wrap(visible(text), _WIDTH, break_on_hyphens=False)]


def _prompts(prompts: PromptSet, plan: Plan) -> str:
    levels = ""
    if plan.claims and plan.factor:
        counts = sorted({c.asked.levels.get(plan.factor, 0) for c in plan.claims})
        levels = f", {' or '.join(map(str, counts))} {_plural(plan.factor)} a valence"
    return f"asked: {prompts.title}{levels}"


def _plural(factor: str) -> str:
    return f"{factor}s" if factor == "adjective" else f'levels of "{factor}"'


def _table(*heads: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False)
    for head in heads:
        table.add_column(Text(head), no_wrap=True, overflow="fold")
    return table


def _chances(plan: Plan) -> Table:
    table = _table("contrast", "valence", "margin", "none", "half", "margin", "twice")
    for claim, by_effect in zip(plan.claims, plan.chances, strict=True):
        table.add_row(*_named(claim), *map(_percent, by_effect))
    table.add_row(Text("whole run"), "", "", *map(_percent, plan.whole))
    return table


def _named(claim: Claim) -> tuple[Text, Text, Text]:
    assert claim.margin is not None
    low, high = claim.margin.low, claim.margin.high
    return Text(visible(claim.contrast)), Text(claim.valence), Text(bracketed(low, high))


def _percent(three: Three) -> Text:
    return Text("/".join(f"{100 * p:.0f}" for p in three))


def _needs(plan: Plan, need: Needed) -> RenderableType:
    """A line for each claim that is not likely to PASS, and one for the run."""
    table = _table(
        "needed for 80% PASS, no effect",
        "families",
        "or adjectives" if plan.factor == "adjective" else "or levels",
    )
    rows = zip(plan.claims, plan.chances, need.families, need.levels, strict=True)
    for claim, by_effect, times, levels in rows:
        if by_effect[0][0] >= POWER:
            continue
        now = sum(claim.asked.families)
        wanted = (
            f"over {TIMES[-1]} x {now}" if times is None else f"{round(times * now)} (now {now})"
        )
        name = f"{visible(claim.contrast)}, {claim.valence}"
        table.add_row(Text(name), Text(wanted), Text(_levels(levels, plan)))
    times = need.whole_families
    wanted = f"over {TIMES[-1]} times as many" if times is None else f"{times:.1f} times as many"
    if plan.whole[0][0] >= POWER:
        table.add_row(Text("whole run"), Text("enough"), Text("enough"))
    else:
        table.add_row(Text("whole run"), Text(wanted), Text(_levels(need.whole_levels, plan)))
    return table


def _levels(levels: int | None, plan: Plan) -> str:
    if levels is None:
        return f"over {LEVELS[-1]}" if plan.factor else ""
    return str(levels)


def _notes(plan: Plan) -> Iterator[str]:
    for claim in plan.without_margin:
        yield (f"{claim.contrast}, {claim.valence}: no margin is declared, so the claim is skipped")
    if plan.claims:
        yield (
            "Left out: what else a PASS needs (prompts and facets that lie inside the margin, few "
            "ties, no difference of frequency, length or tokens that hides an effect, no "
            "specification outside), so that P(PASS) is a little less; the claims of test_top and "
            "test_shift. The claims' errors correlate as the lexicons are laid out."
        )


def _work(work: Workload) -> str:
    text = f"{work.words:,} forwards (words x {work.prompts} prompts)"
    if work.tokens is not None:
        text += f" of {work.tokens:,} tokens"
    if work.vocabulary is not None:
        text += f", and {work.vocabulary:,} of the vocabulary"
    elif work.vocabulary_prompts:
        text += ", and the model's vocabulary"
    if work.vocabulary_prompts:
        on = work.vocabulary_prompts
        text += f" on {on} prompt{'s' * (on != 1)}"
    if work.policy_tokens:
        text += f", and {work.policy_tokens:,} of policies' tokens as answers"
    if work.left is None:
        return f"{text}. Give --rm for the time."
    return f"{text}. Not stored yet: {_left(work)}."


def whole_answers(work: AnswersWork) -> str:
    """What the suite of whole answers takes."""
    text = f"Whole answers: {work.answers:,} forwards (words x {work.frames} frames)"
    return f"{text}." if work.left is None else f"{text}, not stored yet: {_left(work)}."


def _left(work: Workload | AnswersWork) -> str:
    """What is left, and how long it takes."""
    text = f"{work.left:,}"
    if work.rate is not None:
        text += f", at {work.rate:,.0f} a second"
    if work.seconds is not None:
        text += f": {duration(work.seconds)}"
    return text


def document(
    plan: Plan, work: Workload, prompts: PromptSet, basis: str, alpha: float
) -> dict[str, Any]:
    """The plan for programs. Probabilities are in the order PASS, FAIL, INCONCLUSIVE."""
    need = plan.needed
    claims = []
    for i, claim in enumerate(plan.claims):
        assert claim.margin is not None
        claims.append(
            {
                "lexicon": claim.lexicon.name,
                "contrast": claim.contrast,
                "valence": claim.valence,
                "margin": [claim.margin.low, claim.margin.high],
                "families": list(claim.asked.families),
                "at": _at(plan.effects[i], plan.chances[i]),
                "families_needed": _times(need.families[i] if need else None, claim),
                "levels_needed": need and need.levels[i],
            }
        )
    return {
        "variances": basis,
        "prompts": prompts.name,
        "n_prompts": len(prompts.prompts),
        "factor": plan.factor,
        "alpha": alpha,
        "claims": claims,
        "without_margin": [f"{c.contrast}, {c.valence}" for c in plan.without_margin],
        "whole": _at((None,) * len(plan.whole), plan.whole),
        "whole_families_needed": need and need.whole_families,
        "whole_levels_needed": need and need.whole_levels,
        "work": {name: getattr(work, name) for name in work.__dataclass_fields__},
    }


def _at(effects: Sequence[float | None], chances: Sequence[Three]) -> list[dict[str, Any]]:
    rows = []
    for where, effect, (passed, failed, neither) in zip(POSITIONS, effects, chances, strict=False):
        row: dict[str, Any] = {"where": where}
        if effect is not None:
            row["effect"] = effect
        rows.append(row | {"PASS": passed, "FAIL": failed, "INCONCLUSIVE": neither})
    return rows


def _times(times: float | None, claim: Claim) -> int | None:
    return None if times is None else round(times * sum(claim.asked.families))
