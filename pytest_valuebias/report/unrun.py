"""Which shipped tests were not run, for whatever reason: a partial run is reported as one."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_valuebias.claim import Claim, shipped
from pytest_valuebias.report.category_ranks import KIND, title
from valuebias.errors import visible
from valuebias.report.document import Record
from valuebias_suites import RANKS

if TYPE_CHECKING:
    from pytest_valuebias.inputs import Inputs
    from pytest_valuebias.outcome import Outcome


@dataclass(frozen=True)
class Unrun:
    """How many shipped tests of each subject have no verdict, by its title in reports.

    ``absent`` are the models, each with its kind, of which there is no verdict at all.
    """

    counts: Counter[str]
    absent: tuple[tuple[str, str], ...]

    @property
    def total(self) -> int:
        return self.counts.total()


def unrun(inputs: Inputs, outcome: Outcome) -> Unrun:
    """The claims of the suites in force that no record answers, selected or not."""
    answered = {_of_record(r) for r in outcome.records if r["shipped"]}
    seen = {(r["model"], r["kind"]) for r in outcome.records}
    seen |= {
        (r["reference"], r["kind"])
        for r in outcome.records
        if r["kind"] == "training run" and r["reference"] is not None
    }
    counts: Counter[str] = Counter()
    absent: dict[tuple[str, str], None] = {}
    for _, claim in shipped(inputs):
        key = _of_claim(claim)
        if key not in answered:
            counts[key[-1]] += 1
            model = (visible(claim.model.label), claim.kind)
            if model not in seen and claim.reference is None:
                absent[model] = None
    for each in inputs.category_ranks:
        if RANKS[0] in inputs.values["suite"] and (visible(each.label), KIND) not in seen:
            counts[visible(title(each))] += 1
            absent[visible(each.label), KIND] = None
    return Unrun(counts, tuple(absent))


def _of_record(r: Record) -> tuple[str, ...]:
    """What a verdict is about, as `_of_claim` has it."""
    return r["suite"], r["role"], r["lexicon_name"], r["contrast"], r["valence"], r["title"]


def _of_claim(claim: Claim) -> tuple[str, ...]:
    title = visible(claim.title)
    return claim.suite, claim.role, claim.lexicon, claim.contrast, claim.valence, title
