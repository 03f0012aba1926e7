"""The command line, its environment and ini settings, and the order in which they are read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from pytest_valuebias.option_table import OPTIONS, Option
from pytest_valuebias.short_names import TAKEN


def add_options(parser: pytest.Parser) -> None:
    """Register every option on the command line and as an ini setting."""
    group = parser.getgroup("valuebias", "values of reward models")
    for option in OPTIONS:
        # The short names are not registered: see short_names.
        also = f"; also {option.short}, unless another plugin has it" if option.short else ""
        help_text = option.help + also
        kwargs: dict[str, Any] = {"dest": option.ini, "help": help_text, "default": None}
        if option.flag:
            kwargs |= {"action": "store_const", "const": "true"}
        else:
            kwargs |= {"action": "append" if option.many else "store", "metavar": option.metavar}
        group.addoption(option.long, **kwargs)
        kind: Literal["linelist", "bool", "string"]
        kind = "linelist" if option.many else "bool" if option.flag else "string"
        parser.addini(option.ini, option.help, type=kind, default=None)


@dataclass(frozen=True)
class Values:
    """The settings in force; ``sources`` says the origin of each that is not a default."""

    values: Mapping[str, Any]
    sources: Mapping[str, str]

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


def read(config: pytest.Config) -> Values:
    """Read every option: command line, environment, ini, default.

    Raises pytest.UsageError on an empty or malformed value, naming the option and the value.
    """
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for option in OPTIONS:
        given, source = _given(config, option)
        if given is None:
            values[option.name] = option.default
            continue
        texts = given if option.many else given[-1:]
        if not texts or any(not text.strip() for text in texts):
            raise pytest.UsageError(
                f"{source} is empty. Give it a value ({option.help}), or leave it out."
            )
        parsed = tuple(_parse(option, source, text) for text in texts)
        values[option.name] = parsed if option.many else parsed[0]
        sources[option.name] = source
    if "none" in values["suite"]:
        values["suite"] = ()
    values["suite"] = tuple(dict.fromkeys(values["suite"]))
    return Values(values, sources)


def _given(config: pytest.Config, option: Option) -> tuple[list[str] | None, str]:
    on_line = config.getoption(option.ini, default=None)
    if on_line is not None:
        taken = config.stash.get(TAKEN, {})
        name = option.long if option.short is None or option.short in taken else option.short
        return (on_line if option.many else [on_line]), name
    in_env = os.environ.get(option.env)
    if in_env is not None:
        lines = (
            [line.strip() for line in in_env.splitlines() if line.strip()]
            if option.many
            else [in_env]
        )
        return lines, f"environment variable {option.env}"
    source = f"ini setting {option.ini}"
    try:
        in_ini = config.getini(option.ini)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{source}: {error}") from None
    if in_ini is None:
        return None, ""
    texts = [str(text) for text in (in_ini if isinstance(in_ini, list) else [in_ini])]
    return [_from_ini_file(config, option, text) for text in texts], source


def _from_ini_file(config: pytest.Config, option: Option, text: str) -> str:
    """A path in an ini file is relative to that file, not to where pytest was started."""
    if not (option.path and config.inipath) or text in option.names:
        return text
    found = re.search(option.settings, text) if option.settings else None
    settings = found[0] if found else ""
    name, equals, path = text.removesuffix(settings).rpartition("=")
    if path in option.names:
        return text
    scheme = option.scheme if path.startswith(option.scheme) else ""
    resolved = config.inipath.parent / Path(path.removeprefix(scheme)).expanduser()
    whole = f"{name}{equals}{scheme}{resolved}{settings}"
    return whole if resolved.exists() or not equals else text


def _parse(option: Option, source: str, text: str) -> Any:
    try:
        return option.parse(text if option.verbatim else text.strip())
    except ValueError as error:
        raise pytest.UsageError(f"{source} is {text!r}: {error}.") from None
