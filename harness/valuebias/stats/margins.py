"""Declared margins, read from YAML: which interval an effect must be shown to lie in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import yaml

from valuebias.errors import LexiconError, StatisticsError
from valuebias.lexicon import Lexicon, normal_contrast
from valuebias.prompts import Valence
from valuebias.stats.verdict import Margin
from valuebias.yaml_nodes import YamlFile

Role = Literal["range", "shift"]
"""``range`` holds a single scorer; ``shift`` its paired difference from a reference."""

_Key = tuple[str, str, Valence, Role]
_REQUIRED = ("lexicon", "contrast", "valence", "role", "interval")
_OPTIONAL = ("basis", "source", "name")


@dataclass(frozen=True)
class Margins:
    """Margins by (lexicon's digest or name, contrast, valence, role)."""

    entries: Mapping[_Key, Margin]

    def margin_for(
        self, lexicon: Lexicon, contrast: str, valence: Valence, role: Role
    ) -> Margin | None:
        """The margin declared for this very lexicon, or None. A digest counts before a name."""
        for key in (lexicon.digest, lexicon.name):
            margin = self.entries.get((key, normal_contrast(contrast), valence, role))
            if margin is not None:
                return margin
        return None


def load_margins(path: Path) -> Margins:
    """Read a margins file.

    Its form is ``margins:``, a list of entries with the keys ``lexicon`` (a digest, or a name),
    ``contrast`` ("agency~communion", "care.virtue"), ``valence`` (positive, negative), ``role``
    (range, shift), ``interval`` ([low, high]), and, if wanted, ``basis``, ``source`` (one line)
    and ``name`` (for the reader of a digest).

    Raises StatisticsError naming file and line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as e:
        raise StatisticsError(
            f"cannot read the margins file {path}", seen=e, remedy="Give a YAML file in UTF-8."
        ) from None
    file = YamlFile(path, text, StatisticsError)
    top = file.mapping(file.root, "the file")
    for name, (key, _) in top.items():
        if name != "margins":
            raise file.fail(key, "unknown key", "The one key of the file is `margins`.", name)
    if "margins" not in top:
        raise file.fail(file.root, "there is no `margins` list", "Begin with `margins:`.")
    entries: dict[_Key, Margin] = {}
    for node in file.sequence(top["margins"][1], "`margins`"):
        where, margin = _entry(file, node, path)
        if where in entries:
            raise file.fail(node, "this margin is declared twice", "Keep one of them.", where)
        entries[where] = margin
    return Margins(entries)


def _entry(file: YamlFile, node: yaml.Node, path: Path) -> tuple[_Key, Margin]:
    fields = file.mapping(node, "an entry of `margins`")
    for name, (key, _) in fields.items():
        if name not in _REQUIRED + _OPTIONAL:
            raise file.fail(
                key, "unknown key", f"Known are {', '.join(_REQUIRED + _OPTIONAL)}.", name
            )
    for name in _REQUIRED:
        if name not in fields:
            raise file.fail(node, f"an entry has no `{name}`", f"Give `{name}: ...`.")
    text = {
        name: file.text(value, f"`{name}`")
        for name, (_, value) in fields.items()
        if name != "interval"
    }
    for name, allowed in (("valence", get_args(Valence)), ("role", get_args(Role))):
        if text[name] not in allowed:
            raise file.fail(
                fields[name][1], f"unknown {name}", f"Give {' or '.join(allowed)}.", text[name]
            )
    bounds = [_number(file, item) for item in file.sequence(fields["interval"][1], "`interval`")]
    if len(bounds) != 2:
        raise file.fail(
            fields["interval"][1], "an interval is two numbers", "Give [low, high].", len(bounds)
        )
    try:
        contrast = normal_contrast(text["contrast"])
        margin = Margin(
            bounds[0], bounds[1], text.get("basis", "declared"), text.get("source", path.name)
        )
    except (LexiconError, StatisticsError) as e:
        raise file.fail(node, e.what, e.remedy, e.seen) from None
    valence, role = cast(Valence, text["valence"]), cast(Role, text["role"])
    return (text["lexicon"], contrast, valence, role), margin


def _number(file: YamlFile, node: yaml.Node) -> float:
    text = file.text(node, "a bound")
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise file.fail(node, "a bound is not a finite number", "Give for example 0.28.", text)
    return value
