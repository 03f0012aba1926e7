"""The file of a baseline: JSON with one line per word, fully checked when it is read."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
from importlib import metadata
from pathlib import Path
from typing import Any, cast, get_args

import numpy as np

from valuebias.errors import ScoresError, visible
from valuebias.files import write_whole
from valuebias.prompts import PAPER, SHIPPED, PromptSet, Valence
from valuebias.scorers.baseline_record import (
    ANEW,
    Baseline,
    Ranking,
    RecordedEffect,
)
from valuebias.stats.spending import RULE

FORMAT = "valuebias baseline"
VERSION = 2
"""Version 1 had one release and no anchor; it is read too."""


_RECORD = ("tool", "recorded", "lexicons", "effects")


def tool_version() -> str:
    """The version of this package, which a baseline records."""
    return metadata.version("pytest-valuebias")


def write_baseline(baseline: Baseline, path: Path) -> None:
    """Write the file, or replace it at once; the same baseline always gives the same bytes.

    Raises OSError. To record a release after others: `baseline_history.add_release`.
    """
    write_whole(path, _text(baseline).encode())


def anchor_of(baseline: Baseline) -> Baseline | None:
    """The record of the release that the file began with, with a fingerprint that stays the same
    while releases are added; None where an earlier format knows of none."""
    first = baseline if baseline.release == 0 else baseline.anchor
    if first is None:
        return None
    digest = hashlib.sha256("\n".join(_record(first)).encode()).hexdigest()
    source = f"{baseline.source} (its anchor)" if baseline.source else "(its anchor)"
    return replace(first, source=source, fingerprint=digest, release=0)


def _text(baseline: Baseline) -> str:
    asked = baseline.prompts
    prompts = {"sha256": asked.digest, "ids": [prompt.id for prompt in asked.prompts]}
    lines = [
        "{",
        f'"format": {_json(FORMAT)},',
        f'"version": {VERSION},',
        f'"prompts": {_json(prompts)},',
        f'"release": {baseline.release},',
        f'"spending": {_json(RULE)},',
        *_record(baseline),
    ]
    lines[-1] += ","
    if baseline.anchor is None:
        return "\n".join([*lines, '"anchor": null', "}", ""])
    return "\n".join([*lines, '"anchor": {', *_record(baseline.anchor), "}", "}", ""])


def _record(baseline: Baseline) -> list[str]:
    """The lines of one release's record."""
    lines = [
        f'"tool": {_json(baseline.tool)},',
        f'"recorded": {_json({"model": baseline.model, **baseline.about})},',
        '"lexicons": {',
    ]
    for i, (name, ranking) in enumerate(baseline.lexicons.items(), 1):
        head = f'{_json(name)}: {{"sha256": "{ranking.sha256}", "words": {len(ranking.words)}, '
        lines.append(head + '"ranks": {')
        rows = zip(ranking.words, ranking.ranks.T.tolist(), strict=True)
        lines += _separated(f"{_json(word)}: {_json(ranks)}" for word, ranks in rows)
        lines.append("}}" if i == len(baseline.lexicons) else "}},")
    lines += ["},", '"effects": [']
    lines += _separated(_json(_effect(effect)) for effect in baseline.effects)
    return [*lines, "]"]


def _separated(items: Any) -> list[str]:
    rows = list(items)
    return [f"{row}," for row in rows[:-1]] + rows[-1:]


def _effect(effect: RecordedEffect) -> dict[str, Any]:
    margin = None if effect.margin is None else [round(x, 6) for x in effect.margin]
    numbers = {name: round(getattr(effect, name), 6) for name in ("estimate", "low", "high")}
    return {**vars(effect), **numbers, "margin": margin}


def _json(value: object) -> str:
    """JSON on one line: every script is readable, characters that act on a terminal are escaped."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return "".join(c if c.isprintable() else json.dumps(c)[1:-1] for c in text)


def read_baseline(path: Path, prompts: PromptSet = PAPER) -> Baseline:
    """Read the file of a baseline that was recorded on these prompts.

    Raises ScoresError, naming the file and what is wrong, for a file that cannot be read, is not a
    baseline, has a later version, was recorded with other prompts, or whose ranks are invalid: they
    must be integers, one for each prompt, without gaps.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ScoresError(
            f"cannot read the baseline {path}", seen=error.strerror, remedy="Give a readable file."
        ) from None
    return _Reader(path, prompts).baseline(data)


def recorded_on(path: Path) -> PromptSet | None:
    """The shipped prompt set that a baseline was recorded on; None for another, or where that
    cannot be told: `read_baseline` says why."""
    try:
        digest = json.loads(path.read_bytes())["prompts"]["sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    return next((each for each in SHIPPED.values() if each.digest == digest), None)


class _Reader:
    def __init__(self, path: Path, asked: PromptSet) -> None:
        self.path = path
        self.asked = asked

    def fail(self, what: str, seen: object = None, remedy: str = "") -> ScoresError:
        remedy = remedy or f"Restore the file from version control, or {ANEW}"
        return ScoresError(f"the baseline {self.path}: {what}", seen=seen, remedy=remedy)

    def baseline(self, data: bytes) -> Baseline:
        top = self.parse(data)
        if not isinstance(top, dict) or top.get("format") != FORMAT:
            raise self.fail("not a baseline", remedy=f"Give the right file, or {ANEW}")
        version = top.get("version")
        if version not in (1, VERSION) or isinstance(version, bool):
            raise self.fail(
                f"unsupported version; this release reads versions 1 and {VERSION}",
                version,
                "Upgrade pytest-valuebias, or record the release again with this one.",
            )
        names = ("format", "version", "prompts", *_RECORD)
        if version == 1:
            self.fields(top, names, "the file")
            release, anchor = None, None
        else:
            self.fields(top, (*names, "release", "spending", "anchor"), "the file")
            release, anchor = self.release(top)
        self.prompts(top["prompts"])
        digest = hashlib.sha256(data).hexdigest()
        record = self.record(top, "", str(self.path), digest)
        return replace(record, release=release, anchor=anchor)

    def release(self, top: Mapping[str, Any]) -> tuple[int, Baseline | None]:
        """The number of the release since the anchor, and the anchor's record."""
        if top["spending"] != RULE:
            raise self.fail(
                f"its error was spent by another rule than {RULE}",
                top["spending"],
                f"Use the version of pytest-valuebias that recorded it, or {ANEW}",
            )
        release = top["release"]
        if type(release) is not int or release < 0:
            raise self.fail("`release` must be an integer >= 0", repr(release))
        if (release == 0) != (top["anchor"] is None):
            raise self.fail("release 0 is the anchor, and any later one has one", release)
        if release == 0:
            return 0, None
        fields = self.fields(top["anchor"], _RECORD, "`anchor`")
        return release, self.record(fields, " of the anchor", f"{self.path} (its anchor)", "")

    def record(self, fields: Mapping[str, Any], of: str, source: str, fingerprint: str) -> Baseline:
        """One release's record, without its number."""
        about = self.mapping(fields["recorded"], f"`recorded`{of}")
        texts = {
            key: self.text(value, f"`{key}` of `recorded`{of}") for key, value in about.items()
        }
        model = texts.pop("model", None)
        if model is None:
            raise self.fail(f"`recorded`{of} names no model")
        lexicons = {
            name: self.ranking(name, value)
            for name, value in self.mapping(fields["lexicons"], f"`lexicons`{of}").items()
        }
        effects = tuple(
            self.effect(value, i, lexicons)
            for i, value in enumerate(self.sequence(fields["effects"], f"`effects`{of}"), 1)
        )
        return Baseline(
            model=model,
            about=texts,
            lexicons=lexicons,
            effects=effects,
            tool=self.text(fields["tool"], f"`tool`{of}"),
            source=source,
            fingerprint=fingerprint,
            prompts=self.asked,
        )

    def parse(self, data: bytes) -> Any:
        try:
            return json.loads(
                data.decode("utf-8-sig"),
                object_pairs_hook=self.distinct,
                parse_constant=lambda name: self.number(math.nan, name),
            )
        except UnicodeDecodeError as error:
            line = data.count(b"\n", 0, error.start) + 1
            raise self.fail(f"line {line} is not UTF-8") from None
        except json.JSONDecodeError as error:
            raise self.fail(f"line {error.lineno} is not JSON", error.msg) from None
        except (ValueError, RecursionError) as error:
            raise self.fail("not valid JSON", error) from None

    def distinct(self, pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        entries = dict(pairs)
        if len(entries) < len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for i, key in enumerate(keys) if key in keys[:i])
            raise self.fail("duplicate name", twice)
        return entries

    def prompts(self, value: Any) -> None:
        prompts = self.fields(value, ("sha256", "ids"), "`prompts`")
        digest, ids = prompts["sha256"], self.sequence(prompts["ids"], "`ids` of `prompts`")
        if digest == self.asked.digest and ids == [p.id for p in self.asked.prompts]:
            return
        others = (s for s in SHIPPED.values() if s.digest != self.asked.digest)
        recorded = next((s.title for s in others if s.digest == digest), None)
        raise self.fail(
            f"it was recorded on other prompts than {self.asked.title}, and ranks on different "
            "prompts are never compared",
            recorded or f"{len(ids)} prompts, sha256 {str(digest)[:12]}",
            "Give the prompt set it was recorded on (--valuebias-prompts; valuebias compare: "
            f"--prompts), or {ANEW}",
        )

    def ranking(self, name: str, value: Any) -> Ranking:
        fields = self.fields(value, ("sha256", "words", "ranks"), f"the lexicon {visible(name)}")
        rows = self.mapping(fields["ranks"], f"`ranks` of {visible(name)}")
        if not rows or type(fields["words"]) is not int or fields["words"] != len(rows):
            raise self.fail(
                f"wrong number of words of {visible(name)}",
                f"{len(rows)} lines for {fields['words']} words",
            )
        n = len(self.asked.prompts)
        for word, ranks in rows.items():
            if not isinstance(ranks, list) or len(ranks) != n:
                raise self.fail(f"{visible(word)} of {visible(name)} needs {n} ranks", ranks)
            wrong = next((r for r in ranks if type(r) is not int or not 0 < r <= len(rows)), None)
            if wrong is not None:
                raise self.fail(
                    f"a rank of {visible(word)} of {visible(name)} must be an integer from 1 to "
                    f"{len(rows)}",
                    repr(wrong),
                )
        table = np.array(list(rows.values()), np.int32).T
        for prompt, row in zip(self.asked.prompts, table, strict=True):
            if len(np.unique(row)) != row.max():
                raise self.fail(
                    f"the ranks of {visible(name)} on {prompt.id} have a gap",
                    f"{len(np.unique(row))} different ranks up to {row.max()}",
                )
        digest = self.text(fields["sha256"], f"`sha256` of {visible(name)}")
        return Ranking(digest, tuple(rows), np.ascontiguousarray(table))

    def effect(self, value: Any, number: int, lexicons: Mapping[str, Ranking]) -> RecordedEffect:
        where = f"effect {number}"
        names = tuple(RecordedEffect.__dataclass_fields__)
        fields = self.fields(value, names, where)
        text = {
            name: self.text(fields[name], f"`{name}` of {where}")
            for name in ("suite", "test", "lexicon", "contrast", "valence", "role", "verdict")
        }
        if text["valence"] not in get_args(Valence) or text["role"] != "range":
            raise self.fail(f"{where} has an invalid valence or role", text["valence"])
        if text["lexicon"] not in lexicons:
            raise self.fail(f"{where} has a lexicon that is not recorded", text["lexicon"])
        numbers = {
            name: self.number(fields[name], f"`{name}` of {where}")
            for name in ("estimate", "low", "high", "level")
        }
        margin = None
        if fields["margin"] is not None:
            bounds = self.sequence(fields["margin"], f"`margin` of {where}")
            if len(bounds) != 2:
                raise self.fail(f"the margin of {where} is not two numbers", bounds)
            low, high = (self.number(bound, f"a bound of {where}") for bound in bounds)
            margin = (low, high)
        valence = cast(Valence, text.pop("valence"))
        return RecordedEffect(**text, **numbers, valence=valence, margin=margin)  # type: ignore[arg-type]

    def fields(self, value: Any, names: tuple[str, ...], what: str) -> dict[str, Any]:
        entries = self.mapping(value, what)
        for name in names:
            if name not in entries:
                raise self.fail(f"{what} has no `{name}`")
        for name in entries:
            if name not in names:
                raise self.fail(f"{what} has an unknown entry", name)
        return entries

    def mapping(self, value: Any, what: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.fail(f"{what} is not a mapping", value)
        return value

    def sequence(self, value: Any, what: str) -> list[Any]:
        if not isinstance(value, list):
            raise self.fail(f"{what} is not a list", value)
        return value

    def text(self, value: Any, what: str) -> str:
        if not isinstance(value, str):
            raise self.fail(f"{what} is not a text", repr(value))
        return value

    def number(self, value: Any, what: str) -> float:
        if type(value) not in (int, float) or not math.isfinite(value):
            raise self.fail(f"{what} is not a finite number", repr(value))
        return float(value)
