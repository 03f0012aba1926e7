"""The document of effects measured without pytest, and parts that every document has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from valuebias.errors import visible
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.word_ranks import WordRanks, word_ranks
from valuebias.prompts import PAPER, VALENCES, PromptSet, Valences
from valuebias.records.record import published, subject_of, versions
from valuebias.report.category_ranks import RankedFile
from valuebias.report.document import (
    FORMAT,
    VERSION,
    Document,
    LexiconUsed,
    PromptAsked,
    PromptSetUsed,
    Ranks,
    RunRecord,
    Subject,
    WordRow,
    Words,
)
from valuebias.report.headline import came_out, headline
from valuebias.scorers.protocol import Scorer
from valuebias.training.category_ranks import WHY, CategoryRanks


def lexicon_used(lexicon: Lexicon) -> LexiconUsed:
    """A lexicon's entry in the document."""
    return {
        "name": lexicon.name,
        "title": visible(lexicon.title),
        "sha256": lexicon.digest,
        "starter": lexicon.starter,
        "licence": visible(lexicon.licence),
        "words": len(lexicon.words()),
        "categories": {c: len(words) for c, words in lexicon.categories.items()},
        "notes": [visible(note) for note in lexicon.notes],
    }


def median_ranks(lexicon: str, subject: str, kind: str, ranks: WordRanks) -> Ranks:
    """One model's median rank of each category's words, prompt by prompt."""
    return {
        "subject": visible(subject),
        "kind": kind,
        "lexicon": lexicon,
        "n_words": len(ranks.words),
        "categories": list(ranks.members),
        "prompts": [visible(p.id) for p in ranks.prompts],
        "medians": ranks.medians.round(2).tolist(),
    }


def ranked_file(ranks: CategoryRanks) -> RankedFile:
    """A file of category ranks in the document."""
    return {
        "name": visible(ranks.label),
        "sides": [visible(side) for side in ranks.sides],
        "reason": WHY,
        "said": {name: visible(text) for name, text in ranks.said.items()},
        "repeated": ranks.repeated,
        "runs": [
            {
                "run": visible(run.label),
                "base": None if run.base is None else visible(run.base),
                "checkpoints": [
                    {"step": step, "ranks": list(pair), "difference": difference}
                    for step, pair, difference in zip(
                        run.steps, run.ranks, run.differences, strict=True
                    )
                ],
            }
            for run in ranks.runs
        ],
        "gaps": [
            {
                "first": visible(gap.first),
                "second": visible(gap.second),
                "checkpoints": [
                    {"step": step, "gap": value}
                    for step, value in zip(gap.steps, gap.differences, strict=True)
                ],
                "turns": list(gap.turns),
            }
            for gap in ranks.gaps
        ],
    }


def mean_ranks(lexicon: str, models: Iterable[tuple[str, str, WordRanks]]) -> Words:
    """Every word with its mean rank in each model, over the prompts of each valence; ``models`` are
    names, kinds and ranks."""
    rows: dict[str, WordRow] = {}
    columns: list[tuple[str, str, dict[str, Sequence[float]]]] = []
    for subject, kind, ranks in models:
        means = (ranks.mean(v).round(1).tolist() for v in ("positive", "negative"))
        pairs = zip(*means, strict=True)
        columns.append((subject, kind, dict(zip(ranks.words, pairs, strict=True))))
        for word, family in zip(ranks.words, ranks.families, strict=True):
            rows.setdefault(
                word, {"word": visible(word), "family": visible(family), "categories": []}
            )
        for category, at in ranks.members.items():
            for i in at:
                known = rows[ranks.words[i]]["categories"]
                if category not in known:
                    known.append(category)
    return {
        "lexicon": lexicon,
        "rows": list(rows.values()),
        "columns": [
            {
                "subject": visible(subject),
                "kind": kind,
                "positive": [ranks_of.get(word, (None, None))[0] for word in rows],
                "negative": [ranks_of.get(word, (None, None))[1] for word in rows],
            }
            for subject, kind, ranks_of in columns
        ],
    }


_KINDS: Mapping[str, str] = {
    "reward": "reward model",
    "language": "language model",
    "implicit": "implicit reward",
}


def document_of(
    verdicts: Sequence[RunRecord],
    lexicons: Iterable[Lexicon],
    scored: Iterable[tuple[Lexicon, Scorer, Valences]],
    prompts: PromptSet = PAPER,
) -> Document:
    """The document of effects that were measured without pytest, on prompts of one set.

    ``scored`` says which scorer was asked about which lexicon on which prompts: words are ranked
    where prompts of both valences were asked, so that nothing is scored for the report alone.
    """
    for at, verdict in enumerate(verdicts, 1):
        verdict["nodeid"] = f"effect {at}"
    numbered = [published(r) for r in verdicts]
    outcome = came_out(numbered, 0, complete=True)
    used = {lexicon.digest: lexicon for lexicon in lexicons}
    asked: dict[tuple[str, str], set[str]] = {}
    ranked: dict[str, list[tuple[str, str, WordRanks]]] = {lex.name: [] for lex in used.values()}
    for lexicon, scorer, valences in scored:
        valences_asked = asked.setdefault((lexicon.digest, scorer.fingerprint), set())
        complete = valences_asked >= set(VALENCES)
        valences_asked.update(valences.split("-"))
        if not complete and valences_asked >= set(VALENCES):
            ranks = word_ranks(scorer, lexicon, prompts=prompts)
            ranked[lexicon.name].append((scorer.name, _KINDS[scorer.kind], ranks))
    return {
        "format": FORMAT,
        "version": VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "tool": version("pytest-valuebias"),
        "command": "valuebias.report(...)",
        "versions": versions(),
        "profile": "ci",
        "prompt_set": prompt_set_used(prompts),
        "settings": [],
        "exit_status": 0,
        "complete": True,
        "not_run": 0,
        "outcome": outcome,
        "headline": headline(numbered, outcome, 0),
        "subjects": _subjects(verdicts),
        "verdicts": numbered,
        "lexicons": [lexicon_used(lexicon) for lexicon in used.values()],
        "prompts": prompts_asked(prompts),
        "ranks": [median_ranks(x, *each) for x, models in ranked.items() for each in models],
        "words": [mean_ranks(x, models) for x, models in ranked.items() if models],
        "matrices": [],
        "paper": "",
        "notes": [],
    }


def prompt_set_used(prompts: PromptSet) -> PromptSetUsed:
    """A prompt set's entry in the document."""
    return {"name": visible(prompts.name), "language": prompts.language, "sha256": prompts.digest}


def prompts_asked(prompts: PromptSet) -> list[PromptAsked]:
    """A set's prompts as the document lists them."""
    return [
        {"id": visible(p.id), "text": visible(p.text), "valence": p.valence}
        for p in prompts.prompts
        if p.valence
    ]


def _subjects(verdicts: Sequence[RunRecord]) -> list[Subject]:
    first: dict[str, RunRecord] = {}
    for r in verdicts:
        first.setdefault(r["title"], r)
    subjects = []
    for title, r in first.items():
        mine = [v for v in verdicts if v["title"] == title]
        outcome = came_out(mine, 0, complete=True)
        subjects.append(subject_of(r, outcome, headline(mine, outcome, 0), 0, None))
    return subjects
