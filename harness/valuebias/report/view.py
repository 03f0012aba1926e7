"""The document in the order in which the page shows it: by lexicon, by model, by verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from valuebias.report.document import Document, LexiconUsed, Record
from valuebias.report.forecasts import foremost
from valuebias.report.headline import describe, not_sound
from valuebias.report.lines import differ, in_people, passes, robust, ties
from valuebias.report.wording import directions, kind_of, rests_on, word

MARKS = {
    "PASS": ("✓", "pass"),
    "FAIL": ("✕", "fail"),
    "INCONCLUSIVE": ("?", "unsure"),
    "ERROR": ("!", "fail"),
    "NO MARGIN": ("○", "none"),
    "NOT GATED": ("○", "none"),
    "INCOMPLETE": ("…", "unsure"),
    "REPRODUCTION ONLY": ("○", "none"),
}
"""Each word's sign and tone; the word itself is always written beside it or read out."""

_WORST = {
    word: at
    for at, word in enumerate(
        ("ERROR", "FAIL", "INCONCLUSIVE", "NOT GATED", "NO MARGIN", "REPRODUCTION ONLY", "PASS")
    )
}
"""The order within a cell: what did not pass comes before what did."""

_MEANING = {
    "PASS": "Every verdict that was gated was shown to lie inside its margin. That "
    "is all a PASS says: inside that margin, of these words. It does not say that the model "
    "prefers nothing.",
    "FAIL": "At least one effect was shown to lie outside its margin.",
    "INCONCLUSIVE": "This is not a pass. The data show neither that every effect lies inside its "
    "margin nor that one lies outside.",
    "INCOMPLETE": "This is not a pass. The run was stopped or lost tests: what is below is a part "
    "of what was asked.",
    "NOT GATED": "This is not a pass. Nothing was held against a margin: effects were measured, "
    "and none of them could have failed.",
    "ERROR": "This is not a pass, and no finding about the model either: at least one verdict "
    "could not be reached.",
}
_OTHER_TEST = "This is not a pass. The verdicts below pass, but another test of the run failed."
_NUMBERS = (
    "nodeid", "suite", "role", "title", "contrast", "valence", "verdict", "gated", "estimate",
    "ci_level", "ci_low", "ci_high", "gate_low", "gate_high", "margin_low", "margin_high",
    "alpha", "p", "mde", "estimate_by_spelling", "n_words", "n_families", "n_prompts", "n_shared",
    "n_claims", "coverage", "top_share", "top_low", "top_high",
)  # fmt: skip


@dataclass(frozen=True)
class Row:
    """One verdict. ``word`` is what is shown; ``let_through`` a verdict that gated nothing;
    ``same_as`` the id of an earlier row with the same error, which is told there."""

    id: str
    record: Record
    word: str
    let_through: str
    same_as: str = ""

    @property
    def kind(self) -> str:
        return kind_of(self.record)

    @property
    def data(self) -> dict[str, Any]:
        return {name: self.record.get(name) for name in _NUMBERS}


@dataclass(frozen=True)
class Group:
    """The verdicts of one model on one lexicon; their axis ends at ``-reach`` and ``reach``."""

    title: str
    rows: tuple[Row, ...]
    reach: float

    @property
    def counts(self) -> dict[str, int]:
        return counts(self.rows)

    @property
    def lines(self) -> list[str]:
        """What all of the rows rest on, and what a PASS among them says."""
        records = [row.record for row in self.rows]
        passed = any(r["verdict"] == "PASS" and "alpha" in r for r in records)
        said = [passes(records)] if passed else []
        lines = [*rests_on(records), *ties(records), *said, *robust(records)]
        return [*lines, *in_people(records)]

    @property
    def mixed(self) -> bool:
        """Whether more than one kind of effect is among them."""
        return len({row.kind for row in self.rows}) > 1


@dataclass(frozen=True)
class Glance:
    """All verdicts of one kind on a lexicon: a line for each contrast and valence, in it for each
    of the ``titles`` all that was found, worst first. ``above`` is what above zero means."""

    kind: str
    above: str
    titles: tuple[str, ...]
    lines: dict[tuple[str, str], list[list[Row]]]


@dataclass(frozen=True)
class Lexicon:
    """A lexicon's part of the page; ``facts`` is None where it could not be read."""

    id: str
    name: str
    facts: LexiconUsed | None
    groups: tuple[Group, ...]

    @property
    def above(self) -> dict[str, str]:
        """What above zero means in each kind of effect."""
        return directions(row.record for group in self.groups for row in group.rows)

    @property
    def glances(self) -> list[Glance]:
        """The verdicts by kind, for effects of two kinds are not to be read beside one another."""
        kinds: dict[str, list[Row]] = {}
        for group in self.groups:
            for row in group.rows:
                kinds.setdefault(row.kind, []).append(row)
        return [_glance(kind, self.above.get(kind, ""), members) for kind, members in kinds.items()]


def _glance(kind: str, above: str, members: Sequence[Row]) -> Glance:
    titles = tuple(dict.fromkeys(row.record["title"] for row in members))
    lines: dict[tuple[str, str], list[list[Row]]] = {}
    for row in sorted(members, key=lambda row: _WORST.get(row.word, 0)):
        asked = row.record["contrast"], row.record["valence"]
        cells = lines.setdefault(asked, [[] for _ in titles])
        cells[titles.index(row.record["title"])].append(row)
    order = dict.fromkeys((row.record["contrast"], row.record["valence"]) for row in members)
    return Glance(kind, above, titles, {asked: lines[asked] for asked in order})


def run(document: Document) -> dict[str, Any]:
    """What the first screen says of the run."""
    all_rows = rows(document)
    outcome = document["outcome"]
    failed = any(row.word == "FAIL" for row in all_rows)
    other = outcome == "FAIL" and not failed
    created = datetime.fromisoformat(document["created"])
    first = foremost(document["verdicts"])
    sign, tone = MARKS.get(outcome, ("!", "unsure"))
    return {
        "sign": sign,
        "tone": tone if outcome in ("PASS", "FAIL", "ERROR") else "unsure",
        "meaning": _OTHER_TEST if other else _MEANING.get(outcome, ""),
        "unfinished": not document["complete"] and outcome != "INCOMPLETE",
        "forecasts": [row for r in first for row in all_rows if row.record is r],
        "ungated": {} if outcome == "NOT GATED" else _ungated(all_rows),
        "created": f"{created.day} {created:%B %Y, %H:%M} {created.tzname() or ''}".rstrip(),
        "words": [w for w in MARKS if w in ("PASS", "FAIL") or w in counts(all_rows)],
        "open": [
            {"row": row, "told": _said(row.record) + _same(row, all_rows)}
            for verdict in ("ERROR", "FAIL", "INCONCLUSIVE")
            for row in all_rows
            if row.record["verdict"] == verdict and not row.same_as
        ],
    }


def _ungated(members: Iterable[Row]) -> dict[str, int]:
    """How many verdicts gated nothing, by why: they neither passed nor failed."""
    listed = list(members)
    sound = [row for row in listed if not not_sound(row.record)]
    unsound = len(listed) - len(sound)
    ranks = sum(row.record["role"] == "ranks" for row in sound)
    taken = sum(row.record["verdict"] == "NOT GATED" for row in sound) - ranks
    number = counts(row for row in sound if row.record["verdict"] != "NOT GATED")
    reasons = {
        "NO MARGIN": "held against no margin, because none is declared (NO MARGIN)",
        "NOT GATED": "did not pass and was let through (NOT GATED)",
        "REPRODUCTION ONLY": "a reproduction of the paper (REPRODUCTION ONLY)",
    }
    shown = "of a model that is not known to read the questions (NOT GATED)"
    others = {
        shown: unsound,
        "measured by a test that never judged it (NOT GATED)": taken,
        "ranks of categories without words, which have no interval (NOT GATED)": ranks,
    }
    return {why: number[word] for word, why in reasons.items() if word in number} | {
        why: n for why, n in others.items() if n
    }


def _same(row: Row, all_rows: Iterable[Row]) -> str:
    """How many verdicts more have the same error: a broken model is one fault."""
    others = sum(other.same_as == row.id for other in all_rows)
    return f" (and {others} {'verdict' if others == 1 else 'verdicts'} more)" if others else ""


def _said(r: Record) -> str:
    if r["verdict"] == "ERROR" or "estimate" not in r:
        return str(r["reason"])
    text = describe({"margin_basis": "", **r} if r["verdict"] == "NO MARGIN" else r)
    return text[0].upper() + text[1:]


def rows(document: Document) -> list[Row]:
    """All verdicts, in the document's order."""
    listed: list[Row] = []
    errors: dict[str, str] = {}
    for number, r in enumerate(document["verdicts"], 1):
        said, name = word(r), f"verdict-{number}"
        let = said == "NOT GATED" and r["verdict"] != said
        first = errors.setdefault(r["reason"], name) if said == "ERROR" else name
        same = "" if first == name else first
        listed.append(Row(name, r, said, r["verdict"] if let else "", same))
    return listed


def counts(members: Iterable[Row]) -> dict[str, int]:
    """How often each word, in the order in which they are listed everywhere."""
    number = Counter(row.word for row in members)
    return {word: number[word] for word in MARKS if number[word]}


def subjects(document: Document) -> list[dict[str, Any]]:
    """Each subject with the counts of its verdicts and the largest of its effects."""
    all_rows = rows(document)
    entries = []
    for subject in document["subjects"]:
        mine = [row for row in all_rows if row.record["title"] == subject["title"]]
        measured = [row for row in mine if row.record.get("estimate") is not None]
        largest = max(measured, key=lambda row: abs(row.record["estimate"]), default=None)
        entries.append(
            {
                **subject,
                "counts": counts(mine),
                "differ": differ([row.record for row in mine]),
                "largest": largest,
                "told": "" if largest is None else _said(largest.record),
            }
        )
    return entries


def lexicons(document: Document) -> list[Lexicon]:
    """The lexicons that were used, also where nothing could be measured with them."""
    all_rows = rows(document)
    facts = {entry["name"]: entry for entry in document["lexicons"]}
    asked = (row.record["lexicon_name"] for row in all_rows if row.record["role"] != "ranks")
    names = dict.fromkeys([*facts, *asked])
    return [
        Lexicon(
            f"lexicon-{number}",
            name,
            facts.get(name),
            tuple(_groups([row for row in all_rows if row.record["lexicon_name"] == name])),
        )
        for number, name in enumerate(names, 1)
    ]


def _groups(members: Sequence[Row]) -> Iterator[Group]:
    for title in dict.fromkeys(row.record["title"] for row in members):
        mine = tuple(row for row in members if row.record["title"] == title)
        reach = max([1.0, *(abs(x) for row in mine for x in _drawn(row.record))])
        yield Group(title, mine, reach)


def _drawn(r: Record) -> list[float]:
    drawn = (
        r.get("estimate"), r.get("ci_low"), r.get("ci_high"), r.get("gate_low"),
        r.get("gate_high"),
    )  # fmt: skip
    return [x for x in drawn if x is not None]


def tokens(document: Document) -> list[dict[str, Any]]:
    """The best and worst tokens, once for each model that was scored."""
    by_model: dict[str, dict[str, Any]] = {}
    for subject in sorted(document["subjects"], key=lambda s: s["reference"] is not None):
        if subject["tokens"]:
            kind = f" ({subject['kind']})" if subject["kind"] else ""
            name = f"{subject['model']}{kind}"
            by_model.setdefault(name, {"name": name, **subject["tokens"]})
    return list(by_model.values())
