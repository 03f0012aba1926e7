"""Declared margins, read from YAML: which interval an effect must be shown to lie in."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Literal, cast, get_args

import yaml

from valuebias.errors import LexiconError, SpecError, StatisticsError, visible
from valuebias.lexicons.lexicon import Lexicon, normal_contrast
from valuebias.prompts import PAPER, Valences
from valuebias.questions import QUESTIONS, WORDS, Declared
from valuebias.stats.verdict import Margin
from valuebias.yaml_nodes import YamlFile

Profile = Literal["quick", "ci", "paper"]

_Key = tuple[str, str, Valences, Declared, Profile | None, str | None]
_REQUIRED = ("lexicon", "contrast", "valence", "role", "interval")
_OPTIONAL = ("profile", "prompts", "basis", "source", "name")
_SHORTEST = 12
"""Hex characters of a digest that name a lexicon: as many as reports show."""


@dataclass(frozen=True)
class Margins:
    """Margins by (lexicon's digest or name, contrast, valence, role, profile, prompt set); the
    profile is None if the margin holds in all profiles, the prompt set if on all. ``where`` gives
    the file and line of each declaration."""

    entries: Mapping[_Key, Margin]
    where: Mapping[_Key, str] = field(default_factory=dict)

    def margin_for(
        self,
        lexicon: Lexicon,
        contrast: str,
        valence: Valences,
        role: Declared,
        profile: Profile = "ci",
        prompts: str = PAPER.name,
    ) -> Margin | None:
        """The margin declared for exactly this lexicon, or None. One for this prompt set has
        priority over one for all, then one for this profile over one for all, then one by digest
        over one by name. A margin for "b~a" holds for
        "a~b" with its interval reversed, and so does one for "a" alone if b is the lexicon's only
        other category. A ``gap`` is the same in both directions: its interval is not reversed."""
        spellings = tuple(_spellings(lexicon, normal_contrast(contrast)))
        for on, within, name in product((prompts, None), (profile, None), _names(lexicon)):
            for spelled, turned in spellings:
                margin = self.entries.get((name, spelled, valence, role, within, on))
                if margin is not None and turned and QUESTIONS[role].turns:
                    return Margin(0 - margin.high, 0 - margin.low, margin.basis, margin.source)
                if margin is not None:
                    return margin
        return None

    def unused(self, lexicons: Iterable[Lexicon]) -> tuple[str, ...]:
        """One line for each margin that cannot be used with these lexicons: it is declared for none
        of them, for a contrast that the lexicon does not have, or for a prefix of more than one
        digest; or another margin is declared for the same contrast."""
        given = tuple(lexicons)
        return tuple(
            f"{self.where.get(key, 'an entry')}: {problem}"
            for key in self.entries
            if (problem := _unusable(key, given) or self._twice(key, given)) is not None
        )

    def _twice(self, key: _Key, lexicons: Iterable[Lexicon]) -> str | None:
        """Which other margin is for the same contrast, spelled differently; None if none is."""
        name, contrast, *rest = key
        lexicon = next(x for x in lexicons if name in _names(x))
        for spelled, _ in _spellings(lexicon, contrast):
            if spelled != contrast and (name, spelled, *rest) in self.entries:
                return f"{contrast} of {visible(name)} is {spelled}, which also has a margin"
        return None


def _names(lexicon: Lexicon) -> Iterator[str]:
    """The names that an entry may use for a lexicon, the most specific first: its digest, prefixes
    of the digest, its name."""
    for length in range(len(lexicon.digest), _SHORTEST - 1, -1):
        yield lexicon.digest[:length]
    yield _normal_name(lexicon.name)


def _normal_name(text: str) -> str:
    """ "Big-Two" -> "big_two"; "sha256:094DE3312E46", as reports have it, -> "094de3312e46"."""
    return text.strip().lower().removeprefix("sha256:").replace("-", "_")


def _spellings(lexicon: Lexicon, contrast: str) -> Iterator[tuple[str, bool]]:
    """The names of a contrast, the given one first, each with whether it is the reverse."""
    yield contrast, False
    a, _, b = contrast.partition("~")
    if not b:
        others = _others(lexicon, a)
        if len(others) != 1:
            return
        b = others[0]
        yield f"{a}~{b}", False
    yield f"{b}~{a}", True
    if "~" in contrast and _others(lexicon, a) == (b,):
        yield a, False
    if _others(lexicon, b) == (a,):
        yield b, True


def _others(lexicon: Lexicon, category: str) -> tuple[str, ...]:
    """What a single category is compared with; empty if it cannot be."""
    try:
        return lexicon.contrast(category).b
    except LexiconError:
        return ()


def _reversed(contrast: str) -> str:
    a, tilde, b = contrast.partition("~")
    return b + tilde + a


def _unusable(key: _Key, lexicons: Iterable[Lexicon]) -> str | None:
    """Why a margin cannot be used with the lexicons; None if it can."""
    name, contrast, _, role, *_ = key
    meant = [lexicon for lexicon in lexicons if name in _names(lexicon)]
    if not meant:
        hint = ""
        if re.fullmatch(rf"[0-9a-f]{{6,{_SHORTEST - 1}}}", name):
            hint = f" (give at least {_SHORTEST} characters of a digest)"
        return f"no lexicon in use is called {visible(name)}{hint}"
    if len({lexicon.digest for lexicon in meant}) > 1:
        return f"{visible(name)} matches more than one lexicon"
    if QUESTIONS[role].all_words:
        return None if contrast == WORDS else f"the contrast of the role {role} must be {WORDS}"
    try:
        meant[0].contrast(contrast)
    except LexiconError as e:
        return f"{e.what}: {visible(str(e.seen))}"
    return None


def load_margins(path: Path) -> Margins:
    """Read a margins file.

    Its form is ``margins:``, a list of entries with the keys ``lexicon`` (a name, a digest, or the
    first twelve or more characters of one), ``contrast`` ("agency~communion", "care.virtue"),
    ``valence`` (positive, negative, positive-negative), ``role`` (range, logprob, implicit,
    inheritance, drift, gap, shift, anchor, top, forecast, human), ``interval`` ([low, high]), and,
    if wanted, ``profile`` (quick, ci, paper: the only one it then holds in), ``prompts`` (the
    prompt set, paper, balanced or the name of a file without its suffix: the only one it then holds
    on), ``basis``, ``source`` (one line) and ``name`` (for the reader of a digest). One whose basis
    is "panel" holds on the paper's prompts alone, on which the panel was scored. The contrast of
    the roles inheritance and human is "words".

    Raises StatisticsError naming file and line.
    """
    file = YamlFile.read(path, "the margins file", StatisticsError)
    top = file.mapping(file.root, "the file")
    for name, (key, _) in top.items():
        if name != "margins":
            raise file.fail(key, "unknown key", "Use only the key `margins`.", name)
    if "margins" not in top:
        raise file.fail(file.root, "no `margins` list", "Begin with `margins:`.")
    entries: dict[_Key, Margin] = {}
    where: dict[_Key, str] = {}
    for node in file.sequence(top["margins"][1], "`margins`"):
        entry, margin = _entry(file, node, path)
        again = next((other for other in entries if _same(entry, other)), None)
        if again is not None:
            raise file.fail(
                node,
                "duplicate margin",
                f"Keep this one or that of {where[again]}: one margin holds for a~b and b~a.",
                ", ".join(filter(None, entry)),
            )
        entries[entry] = margin
        where[entry] = f"{path}, line {file.line(node)}"
    return Margins(entries, where)


def _same(key: _Key, other: _Key) -> bool:
    """Whether two entries are for the same contrast and profile: in either direction, under one
    name or digest."""
    if key[2:] != other[2:] or key[1] not in (other[1], _reversed(other[1])):
        return False
    shorter, longer = sorted((key[0], other[0]), key=len)
    digest = re.fullmatch(rf"[0-9a-f]{{{_SHORTEST},}}", shorter)
    return longer.startswith(shorter) if digest else longer == shorter


def _entry(file: YamlFile, node: yaml.Node, path: Path) -> tuple[_Key, Margin]:
    fields = file.mapping(node, "an entry of `margins`")
    for name, (key, _) in fields.items():
        if name not in _REQUIRED + _OPTIONAL:
            raise file.fail(
                key, "unknown key", f"Use one of {', '.join(_REQUIRED + _OPTIONAL)}.", name
            )
    for name in _REQUIRED:
        if name not in fields:
            raise file.fail(node, f"an entry has no `{name}`", f"Give `{name}: ...`.")
    text = {
        name: file.text(value, f"`{name}`")
        for name, (_, value) in fields.items()
        if name != "interval"
    }
    for name, kind in (("valence", Valences), ("role", Declared), ("profile", Profile)):
        allowed = get_args(kind)
        if name in text and text[name] not in allowed:
            raise file.fail(
                fields[name][1], f"unknown {name}", f"Give {' or '.join(allowed)}.", text[name]
            )
    if text.get("basis") == "panel" and text.get("prompts", PAPER.name) != PAPER.name:
        raise file.fail(
            fields["prompts"][1],
            "a panel margin holds on the paper's prompts alone",
            "Leave `prompts` out, or give the margin another basis.",
            text["prompts"],
        )
    low, high = interval(file, fields["interval"][1], "`interval`")
    try:
        contrast = normal_contrast(text["contrast"])
        margin = Margin(low, high, text.get("basis", "declared"), text.get("source", path.name))
    except (LexiconError, StatisticsError) as e:
        raise file.fail(node, e.what, e.remedy, e.seen) from None
    entry = (
        _normal_name(text["lexicon"]),
        contrast,
        cast(Valences, text["valence"]),
        cast(Declared, text["role"]),
        cast("Profile | None", text.get("profile")),
        text.get("prompts", PAPER.name if margin.basis == "panel" else None),
    )
    return entry, margin


def interval(file: YamlFile, node: yaml.Node, what: str) -> tuple[float, float]:
    """Two finite numbers, in whatever order; errors name file and line."""
    bounds = [number(file, item, "a bound") for item in file.sequence(node, what)]
    if len(bounds) != 2:
        raise file.fail(node, "an interval must be two numbers", "Give [low, high].", len(bounds))
    return bounds[0], bounds[1]


def number(file: YamlFile, node: yaml.Node, what: str) -> float:
    """A finite number; errors name file and line."""
    text = file.text(node, what)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise file.fail(node, f"{what} is not a finite number", "Give for example 0.28.", text)
    return value


def margins_in_force(
    own: str | Path | None, shipped: Path, lexicons: Sequence[Lexicon]
) -> tuple[Margins, ...]:
    """Declared margins: the user's file, then the shipped ones.

    Raises StatisticsError for a file that cannot be read, SpecError for a margin of the user's that
    cannot be used with any of the lexicons.
    """
    last = load_margins(shipped)
    if not own:
        return (last,)
    declared = load_margins(Path(own).expanduser())
    unused = declared.unused(lexicons)
    if unused:
        raise SpecError(
            "a declared margin cannot be used",
            seen="; ".join(unused),
            remedy="Name a lexicon in use and one of its contrasts.",
        )
    return (declared, last)
