"""Adds the shipped suites, under node ids that are the same in every directory."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest

from pytest_valuebias.claim import claims, within
from pytest_valuebias.inputs import KEY, Inputs
from valuebias_suites import RANKS, TESTS


class _Suites(pytest.Collector):
    """The virtual directory the shipped suites appear under."""

    def collect(self) -> Iterator[pytest.Collector]:
        for name in self.config.stash[_KEY]:
            module = importlib.import_module(f"valuebias_suites.test_{name}")
            yield _Suite.from_parent(
                self,
                path=Path(cast(str, module.__file__)),
                name=f"test_{name}.py",
                nodeid=f"valuebias/test_{name}.py",
            )


class _Suite(pytest.Module):
    """A shipped suite: a test module whose node id does not depend on where it is installed."""

    def _getobj(self) -> ModuleType:
        return importlib.import_module(f"valuebias_suites.{self.path.stem}")

    def funcnamefilter(self, name: str) -> bool:
        # Independent of the user's python_functions; tests without any claim are left out.
        suite = self.path.stem.removeprefix("test_")
        return _asked(suite, name, self.config.stash[KEY])


_KEY = pytest.StashKey[Sequence[str]]()


def shipped_items(session: pytest.Session, inputs: Inputs) -> list[pytest.Item]:
    """The items of the suites in force, collected like any others."""
    suites = [
        suite
        for suite in inputs.values["suite"]
        if any(_asked(suite, test, inputs) for test in (*TESTS[suite], RANKS[1]))
    ]
    session.config.stash[_KEY] = suites
    if not suites:
        return []
    # --lf leaves out whole files without a failure, known by their paths; ours have none, and are
    # chosen from by their ids like any others.
    if session.config.pluginmanager.hasplugin("lfplugin-collskip"):
        session.config.pluginmanager.unregister(name="lfplugin-collskip")
    root = _Suites.from_parent(session, name="valuebias", nodeid="valuebias")
    items = list(session.genitems(root))
    if not inputs.selection:
        return items
    return [i for i in items if any(within(i.nodeid, wanted) for wanted in inputs.selection)]


def _asked(suite: str, test: str, inputs: Inputs) -> bool:
    """Whether a shipped test has anything to ask."""
    role = TESTS[suite].get(test)
    if role is None:
        return (suite, test) == RANKS and bool(inputs.category_ranks)
    return bool(claims(suite, role, inputs))


def parametrize(metafunc: pytest.Metafunc, inputs: Inputs) -> None:
    """Give our own fixtures their values; a user's fixture of another name is never touched."""
    names = metafunc.fixturenames
    if "_valuebias_claim" in names:
        suite = getattr(metafunc.module, "VALUEBIAS_SUITE", None)
        role = TESTS.get(suite or "", {}).get(metafunc.function.__name__)
        if suite is None or role is None:
            raise pytest.UsageError(
                f"{metafunc.definition.nodeid} uses _valuebias_claim, which belongs to the shipped "
                "suites. Write your own assertion with the bias fixture."
            )
        cases = claims(suite, role, inputs)
        metafunc.parametrize(
            "_valuebias_claim", cases, indirect=True, ids=[c.id for c in cases], scope="function"
        )
    for fixture, specs in (
        ("_valuebias_rm", inputs.models),
        ("_valuebias_reference", inputs.references),
        ("_valuebias_llm", inputs.language_models),
        ("_valuebias_pair", inputs.pairs),
        ("_valuebias_run", inputs.runs),
        ("_valuebias_ranks", inputs.category_ranks),
    ):
        if fixture in names and specs:
            metafunc.parametrize(
                fixture, specs, indirect=True, ids=[s.label for s in specs], scope="session"
            )
