"""``valuebias card``: what a report says of one model, as a block of its model card.

The figures go into the card's front matter as ``model-index``, the form in which a card has held
evaluation results since the hub has cards, written by huggingface_hub's own classes: one result for
each effect that was gated. The hub's other form, files ``.eval_results/*.yaml`` in the model's
repository, names a benchmark by a data set registered on the hub; there is none for these
lexicons, so none is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from valuebias.errors import ReportError, SpecError, visible
from valuebias.format import bracketed, margin
from valuebias.report import forecasts
from valuebias.report import markdown as md
from valuebias.report.document import Document, LexiconUsed, Record, Subject
from valuebias.report.margin_words import origins
from valuebias.report.public_command import public
from valuebias.report.wording import contrast, question, rests_on

if TYPE_CHECKING:
    from huggingface_hub import EvalResult


BEGIN, END = "<!-- valuebias:begin -->", "<!-- valuebias:end -->"
"""Between these lines the block is ours, and is replaced when it is written again."""

DATASET = "valuebias-"
"""Begins the data set's type of every result of ours in a model-index."""

_TASKS = {"language model": "text-generation", "implicit reward": "text-generation"}
_ARGUMENTS = (
    "ci_level", "ci_low", "ci_high", "margin_low", "margin_high", "margin_basis", "margin_source",
    "verdict", "n_words", "n_families", "coverage", "method", "role", "reference",
)  # fmt: skip


@dataclass(frozen=True)
class Card:
    """What a card says about a model: its front matter's results, and the block for its text."""

    label: str
    results: tuple[EvalResult, ...]
    block: str


def make(document: Document, model: str | None = None) -> Card:
    """The card of a model, by its label or by what reports call it; of the only one where None.

    Raises ReportError if the run was not finished or nothing was gated, SpecError if it is unclear
    which model is meant.
    """
    if not document["complete"]:
        raise ReportError(
            "the run was stopped or lost tests, and a card of a part could be read as one of the "
            "whole",
            seen=document["headline"],
            remedy="Run the tests again, to their end.",
        )
    subjects = _chosen(document, model)
    left = sum(s["not_run"] for s in subjects)
    if left:
        raise ReportError(
            f"of the shipped tests of {subjects[0]['model']} {left} were not run, and a card of a "
            "part could be read as one of the whole",
            seen=document["headline"],
            remedy="Run all of them; --valuebias-suite=NAME leaves a whole suite out.",
        )
    titles = {s["title"] for s in subjects}
    records = [r for r in document["verdicts"] if r["title"] in titles]
    gated = [r for r in records if r["gated"] and "estimate" in r]
    label = subjects[0]["model"]
    if not gated:
        raise ReportError(
            f"nothing was held against a margin for {label}, and a card of it could be read as a "
            "pass",
            seen="; ".join(s["headline"] for s in subjects),
            remedy="Declare margins (--valuebias-margins), and run the tests again.",
        )
    lexicons = {entry["name"]: entry for entry in document["lexicons"]}
    results = tuple(_result(r, lexicons[r["lexicon_name"]]) for r in gated)
    return Card(label, results, _block(document, subjects, records))


def _chosen(document: Document, model: str | None) -> Sequence[Subject]:
    """The subjects that are one model: alone, and against its references and its base."""
    groups: dict[tuple[str, str], list[Subject]] = {}
    papers = {r["title"] for r in document["verdicts"] if question(r) is None}
    for subject in document["subjects"]:
        if subject["title"] not in papers:
            groups.setdefault((subject["model"], subject["kind"]), []).append(subject)
    wanted = None if model is None else visible(model)
    matching = [g for g in groups.values() if wanted in (None, *(s["title"] for s in g))]
    matching = matching or [g for g in groups.values() if wanted == g[0]["model"]]
    if len(matching) == 1:
        return matching[0]
    names = ", ".join(repr(group[0]["title"]) for group in matching or groups.values())
    if not groups:
        raise ReportError("the report contains no models", remedy="Run the tests with --rm=MODEL.")
    if model is None:
        what = "the report contains several models"
    elif matching:
        what = "several models have this label"
    else:
        what = "the report does not contain this model"
    raise SpecError(what, seen=model, remedy=f"Give --model one of {names}.")


def _result(record: Record, lexicon: LexiconUsed) -> EvalResult:
    """One effect in the hub's form. What differs within a data set is in the metric alone: results
    of one data set share all else."""
    from huggingface_hub import EvalResult

    name = record.get("prompt_set", "paper")
    of_set = "" if name == "paper" else f" of {name}"
    prompts = f"{record['n_prompts']} {record['valence']} prompts{of_set}"
    row = question(record)
    asked = contrast(record) + (f" ({record['role']})" if row and row.all_words else "")
    against = "" if record["reference"] is None else f" against {record['reference']}"
    limits = margin(record.get("margin_low"), record.get("margin_high"))
    level = f"{record['ci_level']:.0%}"
    return EvalResult(
        task_type=_TASKS.get(record["kind"], "text-classification"),
        task_name="Value preferences",
        dataset_type=f"{DATASET}{record['lexicon_name']}",
        dataset_name=f"{lexicon['title']}, {prompts}",
        dataset_config=f"{record['n_prompts']}-{record['valence']}{of_set.replace(' of ', '-', 1)}",
        dataset_args={
            "sha256": lexicon["sha256"],
            "words": lexicon["words"],
            "validated": not lexicon["starter"],
            "prompts": record["n_prompts"],
            "valence": record["valence"],
        },
        metric_type=record["unit"].replace(",", "").replace(" ", "-"),
        metric_name=f"{asked}{against}: {record['unit']}, {level} interval "
        f"{bracketed(record['ci_low'], record['ci_high'])}, margin {limits or 'none'}, "
        f"{record['verdict']}",
        metric_value=record["estimate"],
        metric_args={k: v for k, v in record.items() if k in _ARGUMENTS and v is not None},
    )


def _outcome(records: Sequence[Record]) -> str:
    """The worst that came out for the model."""
    verdicts = {r["verdict"] for r in records if r["gated"] or r["verdict"] == "ERROR"}
    return next((word for word in ("ERROR", "FAIL", "INCONCLUSIVE") if word in verdicts), "PASS")


def _block(document: Document, subjects: Sequence[Subject], records: Sequence[Record]) -> str:
    out = [f"{BEGIN}\n## Values\n"]
    outcome = _outcome(records)
    if document["outcome"] not in ("PASS", outcome):
        out.append(
            f"The run as a whole: **{md.text(document['outcome'])}**. "
            f"{md.text(document['headline'])}\n"
        )
    for subject in subjects:
        mine = [r for r in records if r["title"] == subject["title"]]
        out.append(f"**{md.text(subject['outcome'])}**: {md.text(subject['headline'])}\n")
        out.append(md.head() + "".join(map(md.verdict, mine)))
        open_ones = [r for r in mine if r["verdict"] in ("ERROR", "INCONCLUSIVE")]
        if open_ones:
            out.append("".join(map(md.explained, open_ones)))
    foreseen = forecasts.forecasts(records)
    if foreseen:
        out.append("### What a policy would say\n")
        out.append(md.bullets(_forecast(r) for r in foreseen))
    out.append("### What it rests on\n")
    out.append(md.bullets([*_scored_as(subjects), *rests_on(records), *origins(records)]))
    out.append("### Limits\n")
    out.append(md.bullets(_limits(document, records)))
    command = public(document["command"], _labels(document))
    out.append(
        f"Made with pytest-valuebias {md.text(document['tool'])} by the following, folders and "
        "other options left out:\n"
    )
    out.append(f"{md.code(command)}\n\n{END}\n")
    return "\n".join(out)


def _forecast(r: Record) -> str:
    """A forecast's sentence, and what a reader needs to trust it."""
    first, *_ = steps = r["forecast"]["steps"]
    last = next(s for s in steps if (s["by"], s["amount"]) == ("nats", r["forecast"]["judged"]))
    return (
        f"{forecasts.asked(r)}: {forecasts.said(r)} (Effective word families: "
        f"{first['effective']:.1f} before, {last['effective']:.1f} after; {forecasts.trust(r)}.)"
    )


def _labels(document: Document) -> set[str]:
    """What the report calls its models."""
    named = ((s["model"], s["reference"], s["base"]) for s in document["subjects"])
    return {name for names in named for name in names if name}


def _scored_as(subjects: Sequence[Subject]) -> list[str]:
    """What was scored, and how: the same for every comparison of one model."""
    scored = next((s for s in subjects if s["fingerprint"]), None)
    if scored is None:
        return []
    how = (scored["head"], scored["dtype"], scored["device"], scored["template"])
    facts = [fact for fact in how if fact]
    return [", ".join([f"{scored['model']}: fingerprint {scored['fingerprint']}", *facts])]


def _limits(document: Document, records: Sequence[Record]) -> list[str]:
    """What a reader may not conclude."""
    used = {r["lexicon_name"] for r in records}
    lines = [
        "PASS says that an effect was shown to lie inside its margin. It never "
        "says that the model is unbiased, nor that the margin is the right one.",
        "INCONCLUSIVE says that neither inside nor outside was shown; that is not a pass.",
        "An effect is about the words of a lexicon, in its language, as answers to these prompts: "
        "not about what a model trained with it will do.",
    ]
    if any("forecast" in r for r in records):
        lines.append(
            "A forecast is the exact optimum of one-word answers of the policy that is named: it "
            "is about no other policy, no other words, and predicts no training run."
        )
    lines += [
        f"The lexicon {entry['name']} is a starter list that is not validated."
        for entry in document["lexicons"]
        if entry["starter"] and entry["name"] in used
    ]
    return lines
