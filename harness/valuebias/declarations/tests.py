"""Tests declared in YAML, without Python: each has a lexicon, a contrast, a valence, a margin."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import yaml

from valuebias.declarations.margins import Profile, interval, number
from valuebias.errors import SuiteError, ValueBiasError
from valuebias.lexicons.lexicon import Lexicon, normal_contrast
from valuebias.prompts import Valences
from valuebias.stats.verdict import Margin
from valuebias.yaml_nodes import YamlFile

Against = Literal["reference", "baseline", "anchor", "base"]
Demand = Literal["within", "above", "below", "no_regression", "top"]

_TWO = ("within", "top")
"""The demands with two bounds."""
_DEFAULTS = ("lexicon", "contrast", "valence")
_LONGEST = 100
"""Characters of a name, which is part of a node id and of report lines."""

Node = yaml.Node
_Fields = Mapping[str, tuple[Node, Node]]


@dataclass(frozen=True)
class DeclaredTest:
    """One entry of a suite file; ``line`` is where it begins, from 1.

    ``bounds`` holds, by profile, what the ``demand`` asks: (low, high) for ``within`` and for
    ``top``, which holds the share of the top 10%, else one
    number. An absent profile has no bounds. ``against`` is the model that the effect is compared
    with; None for the effect of the model alone.
    """

    name: str
    line: int
    lexicon: str
    contrast: str
    valence: Valences
    demand: Demand
    bounds: Mapping[Profile, tuple[float, ...]]
    against: Against | None = None

    @property
    def sides(self) -> tuple[str, str | None]:
        """The two sides of the contrast; None for the others of the first one's polarity."""
        a, _, b = self.contrast.partition("~")
        return a, b or None


def read_suite(path: Path, lexicon: Callable[[str], Lexicon | None]) -> tuple[DeclaredTest, ...]:
    """Read a file of declared tests, in the file's order.

    Its form is ``tests:``, a list of entries with the keys ``name``, ``lexicon``, ``contrast``
    ("agency~communion", "care.virtue"), ``valence`` (positive, negative, or positive-negative for
    the one effect minus the other), exactly one of ``within`` ([low, high]), ``above``, ``below``,
    ``no_regression`` (a number) and ``top`` ([low, high]: the share of the top 10% less the share
    of all), and, if wanted, ``against`` (reference, baseline, anchor, base: the paired difference
    from it). In place of an interval or number may stand one for each profile, as in
    {ci: [-0.2, 0.2], paper: [-0.1, 0.1]}. Beside ``tests:`` may stand what holds for every
    entry without its own: ``lexicon``, ``contrast``, ``valence``.

    ``lexicon`` gives the lexicon in force under a name, to check contrasts by, or None where that
    is not known yet. Raises SuiteError naming file and line.
    """
    file = YamlFile.read(path, "the file of tests", SuiteError)
    top = _known(file, file.root, "the file", (*_DEFAULTS, "tests"))
    if "tests" not in top:
        raise file.fail(file.root, "there is no `tests` list", "Begin with `tests:`.")
    key, listed = top["tests"]
    nodes = file.sequence(listed, "`tests`")
    if not nodes:
        raise file.fail(key, "`tests` is empty", "Declare a test, or remove the file.")
    tests: dict[str, DeclaredTest] = {}
    for node in nodes:
        test = _Entry(file, node, top).read(lexicon)
        if test.name in tests:
            raise file.fail(
                node,
                "two tests have the same name",
                f"Rename this one or that of line {tests[test.name].line}.",
                test.name,
            )
        tests[test.name] = test
    return tuple(tests.values())


def _known(file: YamlFile, node: Node, what: str, known: tuple[str, ...]) -> _Fields:
    """A mapping that may have only these keys."""
    fields = file.mapping(node, what)
    for name, (key, _) in fields.items():
        if name not in known:
            raise file.fail(
                key, f"{what} has an unknown key", f"Use one of {', '.join(known)}.", name
            )
    return fields


class _Entry:
    """One entry while it is read; missing fields are taken from the file's defaults."""

    def __init__(self, file: YamlFile, node: Node, defaults: _Fields) -> None:
        known = ("name", *_DEFAULTS, "against", *get_args(Demand))
        self.file, self.node = file, node
        self.fields = {
            **{name: field for name, field in defaults.items() if name in _DEFAULTS},
            **_known(file, node, "a test", known),
        }

    def read(self, lexicon: Callable[[str], Lexicon | None]) -> DeclaredTest:
        valence = cast(Valences, self._choice("valence", get_args(Valences)))
        against: Against | None = None
        if "against" in self.fields:
            against = cast(Against, self._choice("against", get_args(Against)))
        demands = [name for name in get_args(Demand) if name in self.fields]
        if len(demands) != 1:
            raise self.file.fail(
                self.node,
                f"a test must have exactly one of {', '.join(get_args(Demand))}",
                "Declare the others as separate tests." if demands else "Declare one.",
                ", ".join(demands) or "none",
            )
        demand = cast(Demand, demands[0])
        if demand == "no_regression" and against is None:
            raise self.file.fail(
                self.fields[demand][0],
                "`no_regression` needs a model to compare with",
                "Add `against: reference`, `baseline`, `anchor` or `base`.",
            )
        # The difference of two effects, each in [-1, 1], lies in [-2, 2].
        limit = 2.0 if valence == "positive-negative" else 1.0
        if against is not None and demand != "no_regression":
            limit *= 2
        return DeclaredTest(
            name=self._name(),
            line=self.file.line(self.node),
            lexicon=self._text("lexicon"),
            contrast=self._contrast(lexicon),
            valence=valence,
            demand=demand,
            bounds=self._bounds(demand, limit),
            against=against,
        )

    def _value(self, name: str) -> Node:
        if name not in self.fields:
            raise self.file.fail(self.node, f"a test has no `{name}`", f"Give `{name}: ...`.")
        return self.fields[name][1]

    def _text(self, name: str) -> str:
        return self.file.text(self._value(name), f"`{name}`")

    def _choice(self, name: str, allowed: tuple[str, ...]) -> str:
        text = self._text(name)
        if text not in allowed:
            raise self.file.fail(
                self._value(name), f"unknown {name}", f"Give {' or '.join(allowed)}.", text
            )
        return text

    def _name(self) -> str:
        """A name that is safe in a node id, on a terminal and on a command line."""
        text = self._text("name")
        wrong = not text.isprintable() or text != text.strip() or not 0 < len(text) <= _LONGEST
        if wrong or "::" in text or any(c in text for c in "[]"):
            raise self.file.fail(
                self._value("name"),
                "invalid test name",
                f"Use up to {_LONGEST} printable characters, without [, ] and ::.",
                text,
            )
        return text

    def _contrast(self, lexicon: Callable[[str], Lexicon | None]) -> str:
        name, text = self._text("lexicon"), self._text("contrast")
        blamed = "lexicon"
        try:
            words = lexicon(name)
            blamed = "contrast"
            return normal_contrast(text) if words is None else words.contrast(text).name
        except ValueBiasError as e:
            raise self.file.fail(self._value(blamed), e.what, e.remedy, e.seen) from None

    def _bounds(self, demand: Demand, limit: float) -> Mapping[Profile, tuple[float, ...]]:
        """The bounds in each profile; a single value holds in all."""
        node = self._value(demand)
        if not isinstance(node, yaml.MappingNode):
            bounds = self._checked(demand, node, limit)
            return dict.fromkeys(get_args(Profile), bounds)
        fields = _known(self.file, node, f"`{demand}`", get_args(Profile))
        if not fields:
            raise self.file.fail(node, f"`{demand}` is empty", "Give it a value.")
        return {
            cast(Profile, profile): self._checked(demand, value, limit)
            for profile, (_, value) in fields.items()
        }

    def _checked(self, demand: Demand, node: Node, limit: float) -> tuple[float, ...]:
        what = f"`{demand}`"
        bounds: tuple[float, ...]
        if demand in _TWO:
            bounds = low, high = interval(self.file, node, what)
            try:
                Margin(low, high)
            except ValueBiasError as e:
                raise self.file.fail(node, e.what, e.remedy, e.seen) from None
        else:
            bounds = (number(self.file, node, what),)
        least = 0.0 if demand == "no_regression" else -limit
        inside = all(least <= bound <= limit for bound in bounds)
        if not inside or (demand not in _TWO and bounds[0] in (least, limit)):
            raise self.file.fail(
                node,
                f"{what} must lie inside the range of an effect",
                f"Give {'two numbers' if demand in _TWO else 'a number'} between {least:g} "
                f"and {limit:g}.",
                ", ".join(f"{bound:g}" for bound in bounds),
            )
        return bounds
