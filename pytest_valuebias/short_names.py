"""The short names ``--rm``, ``--llm``, ``--base``, ``--reference``: ours where nobody has them.

A second registration of an option raises in pytest, whichever plugin is the second (pytest#11514,
#12915), and a name cannot be given back. A conftest.py registers after every installed plugin, and
one below the initial ones after the command line was read. So no short name is ever registered:
when the initial conftests are loaded, those that nobody has are written out in the arguments, which
pytest parses only then. Plugins may change them in that hook, says pytest's "Dynamically adding
command line options".
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from types import CodeType

import pytest

from pytest_valuebias.option_table import OPTIONS

LONG = {option.short: option.long for option in OPTIONS if option.short is not None}
TAKEN = pytest.StashKey[Mapping[str, str]]()
"""The short names that others have, each with who that is."""


def keep_specs_apart(config: pytest.Config, args: list[str]) -> None:
    """Before the initial conftests: the model in ``--rm MODEL`` is not a path of tests.

    pytest looks for conftests in what it takes for paths: it would run a model folder's, and not
    find the suite's. What was parsed so far is in an attribute that pytest does not document;
    without it, ``--rm=MODEL`` is the safe way to write it.
    """
    known = getattr(config, "known_args_namespace", None)
    paths = getattr(known, "file_or_dir", None)
    if not isinstance(paths, list):
        return
    short = LONG.keys() - _taken(config).keys()
    given = _expanded(args)
    for name, value in pairwise(given):
        if name in short and value in paths and not _is_of_tests(value):
            paths.remove(value)


def spell_out(config: pytest.Config, args: list[str]) -> None:
    """After the initial conftests: write each short name that nobody else has as our long one."""
    taken = config.stash[TAKEN] = _taken(config)
    if LONG.keys() <= taken.keys():
        return
    given = _expanded(args)
    end = given.index("--") if "--" in given else len(given)
    args[:] = [_long(arg, taken) for arg in given[:end]] + given[end:]


def header(config: pytest.Config) -> list[str]:
    """Who has which of our short names."""
    taken = config.stash.get(TAKEN, {})
    if not taken:
        return []
    owners: dict[str, list[str]] = {}
    for name, owner in taken.items():
        owners.setdefault(owner, []).append(name)
    said = "; ".join(f"{owner} has {' and '.join(names)}" for owner, names in owners.items())
    return [f"valuebias: {said}; use {' and '.join(LONG[name] for name in taken)} for ours"]


def _long(arg: str, taken: Mapping[str, str]) -> str:
    name, equals, value = arg.partition("=")
    return arg if name in taken else f"{LONG.get(name, name)}{equals}{value}"


def _expanded(args: list[str]) -> list[str]:
    """The arguments, those in a file that is given as ``@FILE`` among them."""
    if not any(arg.startswith("@") for arg in args):
        return list(args)
    files = argparse.ArgumentParser(add_help=False, allow_abbrev=False, fromfile_prefix_chars="@")
    return files.parse_known_args(args)[1]


def _is_of_tests(value: str) -> bool:
    """Whether what follows a short name can be no model: a suite's own ``--llm`` may be a flag."""
    path = Path(value.partition("::")[0])
    configs = (path / name for name in ("config.json", "adapter_config.json"))
    return path.suffix == ".py" or (path.is_dir() and not any(map(Path.exists, configs)))


def _taken(config: pytest.Config) -> dict[str, str]:
    """The short names that are registered by now, each with who did so."""
    return {name: _owner(config, name) for name in LONG if _is_registered(config, name)}


def _is_registered(config: pytest.Config, name: str) -> bool:
    try:
        config.getoption(name)
    except ValueError as error:
        # Before pytest 9, an option without a default has no value until it is parsed: the error
        # then has the name of its value, and that of the option itself only if there is none.
        return repr(name) not in str(error)
    return True


def _owner(config: pytest.Config, option: str) -> str:
    """The plugin or conftest whose ``pytest_addoption`` names the option; pytest does not say."""
    named = (
        impl.plugin_name
        for impl in config.hook.pytest_addoption.get_hookimpls()
        if option in _texts(getattr(impl.function, "__code__", None))
    )
    owner = next(named, None)
    if owner is None:
        return "another plugin"
    path = Path(owner)
    inside = path.is_absolute() and path.is_relative_to(config.rootpath)
    return path.relative_to(config.rootpath).as_posix() if inside else owner


def _texts(code: CodeType | None) -> Iterator[object]:
    for constant in () if code is None else code.co_consts:
        if isinstance(constant, CodeType):
            yield from _texts(constant)
        elif isinstance(constant, tuple):
            yield from constant
        else:
            yield constant
