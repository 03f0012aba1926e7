"""Typed values of a YAML mapping; every error names the file and the line."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import yaml

from valuebias.errors import SpecError, ValueBiasError
from valuebias.yaml_nodes import YamlFile

_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")


FILES = (".jsonl", ".jsonl.gz", ".parquet")
"""Ends of the names of files that preferences are read from; any other source is a data set's."""


class FieldReader:
    """The fields of one mapping of a recipe."""

    def __init__(
        self,
        file: YamlFile,
        root: yaml.Node,
        what: str,
        fields: Mapping[str, tuple[yaml.Node, yaml.Node]],
        folder: Path | None,
    ) -> None:
        self._file, self._root, self._what = file, root, what
        self._fields, self._folder = fields, folder

    @classmethod
    def of(
        cls, file: YamlFile, node: yaml.Node, what: str, known: tuple[str, ...], folder: Path | None
    ) -> Self:
        """The fields of a mapping that may hold the keys ``known``; relative paths count from
        ``folder``, and without one no path or model is looked for."""
        fields = file.mapping(node, what)
        for name, (key, _) in fields.items():
            if name not in known:
                raise file.fail(
                    key, f"{what} has an unknown key", f"Known are {', '.join(known)}.", name
                )
        return cls(file, node, what, fields, folder)

    def inside(self, node: yaml.Node, what: str, known: tuple[str, ...]) -> Self:
        """The fields of a mapping inside this one."""
        return self.of(self._file, node, what, known, self._folder)

    def __contains__(self, name: str) -> bool:
        return name in self._fields

    def require(self, name: str) -> None:
        if name not in self._fields:
            raise self._file.fail(
                self._root, f"{self._what} has no `{name}`", f"Give `{name}: ...`."
            )

    def node(self, name: str) -> yaml.Node:
        """The value of a field that is there."""
        return self._fields[name][1]

    def fail(self, name: str, what: str, remedy: str, seen: object = None) -> ValueBiasError:
        """The error to raise about a field."""
        node = self._fields[name][1] if name in self._fields else self._root
        return self._file.fail(node, what, remedy, seen)

    def text(self, name: str) -> str:
        return self._file.text(self.node(name), f"`{name}`")

    def choice(self, name: str, allowed: tuple[str, ...]) -> str:
        text = self.text(name)
        if text not in allowed:
            raise self.fail(name, f"unknown {name}", f"Give {' or '.join(allowed)}.", text)
        return text

    def switch(self, name: str) -> bool:
        return self.choice(name, ("true", "false")) == "true"

    def whole(self, name: str, node: yaml.Node | None = None) -> int:
        """An integer; ``node`` is an item of the field, where it holds several."""
        node = self.node(name) if node is None else node
        text = self._file.text(node, f"`{name}`")
        try:
            return int(text.replace("_", "").replace(",", ""))
        except ValueError:
            raise self._file.fail(
                node, f"`{name}` must be an integer", "Give for example 1000.", text
            ) from None

    def number(self, name: str) -> float:
        return self._file.number(self.node(name), f"`{name}`", "Give for example 0.5.")

    def items(self, name: str) -> list[yaml.Node]:
        """The items of a list that is not empty."""
        nodes = self._file.sequence(self.node(name), f"`{name}`")
        if not nodes:
            raise self.fail(name, f"`{name}` is empty", "List at least one.")
        return nodes

    def texts(self, name: str) -> tuple[str, ...]:
        """A text, or a list of them."""
        if isinstance(self.node(name), yaml.ScalarNode):
            return (self.text(name),)
        return tuple(self._file.text(node, f"an item of `{name}`") for node in self.items(name))

    def model(self, name: str, node: yaml.Node | None = None) -> str:
        """A model spec, checked; a local path becomes absolute."""
        from valuebias.scorers.schemes import parse_spec

        node = self.node(name) if node is None else node
        text = self._file.text(node, f"`{name}`")
        if self._folder is None:
            return text
        name, equals, rest = text.rpartition("=")
        beside = self._folder / Path(rest).expanduser()
        try:
            spec = parse_spec(f"{name}{equals}{beside}" if rest and beside.is_dir() else text)
            if not spec.has_files:
                raise SpecError(
                    "not a model that can be trained",
                    seen=text,
                    remedy="Give org/name or a directory.",
                )
        except SpecError as error:
            raise self._file.fail(node, error.what, error.remedy, error.seen) from None
        if not spec.is_local:
            return spec.text.strip()
        named = spec.label != Path(spec.target).name
        return f"{spec.label}={spec.target}" if named else spec.target

    def models(self, name: str) -> tuple[str, ...]:
        if isinstance(self.node(name), yaml.ScalarNode):
            return (self.model(name),)
        nodes = self._file.sequence(self.node(name), f"`{name}`")
        return tuple(self.model(name, node) for node in nodes)

    def source(self, node: yaml.Node) -> str:
        """A source of preferences: an existing file, made absolute, or a data set's name."""
        text = self._file.text(node, "a source of preferences")
        if self._folder is None:
            return text
        path = self._folder / Path(text).expanduser()
        if text.lower().endswith(FILES):
            if path.is_file():
                return os.path.abspath(path)
            what, remedy = "preference file not found", "Check the path."
        elif path.is_file():
            what = "unsupported format of a preference file"
            remedy = f"Give a file that ends in {', '.join(FILES)}."
        elif _HUB.fullmatch(text):
            return text
        else:
            what = "not a source of preferences"
            remedy = f"Give a file that ends in {', '.join(FILES)}, or a data set as org/name."
        raise self._file.fail(node, what, remedy, text)
