"""YAML read as text with line numbers: `null`, `no` and `1e3` stay words."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Self

import yaml

from valuebias.errors import ValueBiasError
from valuebias.files import decoded


class YamlFile:
    """One YAML document. Its methods raise ``error`` (a ValueBiasError), naming file and line."""

    def __init__(self, path: Path, text: str, error: type[ValueBiasError]) -> None:
        self._path = path
        self._error = error
        try:
            root = yaml.compose(text, Loader=yaml.BaseLoader)
        except yaml.YAMLError as e:
            mark = getattr(e, "problem_mark", None)
            problem = getattr(e, "problem", None) or str(e).splitlines()[0]
            where = str(path) if mark is None else f"{path}, line {mark.line + 1}"
            raise error(
                f"{where} is not YAML", seen=problem, remedy="Fix the line, or quote its words."
            ) from None
        except RecursionError:
            raise error(f"{path} is nested too deeply", remedy="Give a plain file.") from None
        if root is None:
            raise error(f"{path} is empty", remedy="Give a file with content.")
        self.root: yaml.Node = root

    @classmethod
    def read(cls, path: Path, what: str, error: type[ValueBiasError]) -> Self:
        """Read the file; messages call it ``what``."""
        try:
            data = path.read_bytes()
        except OSError as e:
            raise error(
                f"cannot read {what} {path}", seen=e, remedy="Give a YAML file in UTF-8."
            ) from None
        return cls(path, decoded(data, f"cannot read {what} {path}", error), error)

    def fail(self, node: yaml.Node, what: str, remedy: str, seen: object = None) -> ValueBiasError:
        """The error to raise about this node."""
        where = f"{self._path}, line {self.line(node)}"
        return self._error(f"{where}: {what}", seen=seen, remedy=remedy)

    def line(self, node: yaml.Node) -> int:
        """The line a node begins on, from 1."""
        return int(node.start_mark.line) + 1

    def mapping(self, node: yaml.Node, what: str) -> dict[str, tuple[yaml.Node, yaml.Node]]:
        """Key -> (key's node, value's node); a duplicate key is an error."""
        if not isinstance(node, yaml.MappingNode):
            raise self.fail(node, f"{what} is not a mapping", "Write it as `key: value` lines.")
        entries: dict[str, tuple[yaml.Node, yaml.Node]] = {}
        for key, value in node.value:
            name = self.text(key, "a key")
            if name in entries:
                raise self.fail(key, f"{what} has a duplicate key", "Keep one of them.", name)
            entries[name] = (key, value)
        return entries

    def sequence(self, node: yaml.Node, what: str) -> list[yaml.Node]:
        """The nodes of a list."""
        if not isinstance(node, yaml.SequenceNode):
            raise self.fail(node, f"{what} is not a list", "Write it as `[one, two]` or `- one`.")
        return list(node.value)

    def text(self, node: yaml.Node, what: str) -> str:
        """A plain or quoted scalar, as written."""
        if not isinstance(node, yaml.ScalarNode):
            raise self.fail(node, f"{what} is not a text", "Write one word or quoted text.")
        value: str = node.value
        return value

    def number(self, node: yaml.Node, what: str, remedy: str) -> float:
        """A finite number."""
        text = self.text(node, what)
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.fail(node, f"{what} must be a finite number", remedy, text)
        return value
