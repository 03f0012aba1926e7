"""Warns where other plugins run our tests again: they are deterministic, and a verdict is final.

Running such a test again changes nothing at best. If it did change something, the test would have
two chances to pass, and its allowed error would be exceeded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import pytest

_WHY = (
    "value tests are deterministic: running one again cannot change its verdict, and picking the "
    "best of several runs would void it. Leave them out of it."
)


@dataclass(frozen=True)
class _Plugin:
    """A plugin that runs tests again; ``names`` it is registered under, installed or given by -p.

    ``options`` are its options by destination, ``once`` the value that means a single run; ``ini``
    its ini setting, ``marker`` its marker, ``attribute`` what its decorator leaves on a function.
    """

    title: str
    names: tuple[str, ...]
    options: Mapping[str, str]
    once: int = 0
    ini: str | None = None
    marker: str | None = None
    attribute: str | None = None


_PLUGINS = (
    _Plugin(
        "pytest-rerunfailures",
        ("rerunfailures", "pytest_rerunfailures"),
        {"reruns": "--reruns", "force_reruns": "--force-reruns"},
        ini="reruns",
        marker="flaky",
    ),
    _Plugin(
        "flaky",
        ("flaky", "flaky.flaky_pytest_plugin"),
        {"force_flaky": "--force-flaky"},
        marker="flaky",
        attribute="_flaky_max_runs",
    ),
    _Plugin(
        "pytest-retry",
        ("pytest-retry", "pytest_retry", "pytest_retry.retry_plugin"),
        {"retries": "--retries"},
        ini="retries",
        marker="flaky",
    ),
    _Plugin(
        "pytest-repeat",
        ("repeat", "pytest_repeat"),
        {"count": "--count"},
        once=1,
        marker="repeat",
    ),
    _Plugin(
        "pytest-flakefinder",
        ("flakefinder", "pytest_flakefinder"),
        {"flake_finder_enable": "--flake-finder"},
    ),
)
_FIRST = pytest.StashKey[pytest.Item | None]()


def header(config: pytest.Config) -> list[str]:
    """A line for each plugin that was asked to run every test again."""
    return [
        f"valuebias: {plugin.title} runs tests again ({setting}): {_WHY}"
        for plugin in _present(config)
        if (setting := _setting(plugin, config)) is not None
    ]


def warn(item: pytest.Item) -> None:
    """Warn, once a session, on the first of the value tests that a plugin may run again.

    The first of all that were selected, so that of several workers one warns.
    """
    stash = item.session.stash
    if _FIRST not in stash:
        present = any(_present(item.config))
        rerun = (i for i in item.session.items if present and _rerun_by(i) is not None)
        stash[_FIRST] = next(rerun, None)
    if stash[_FIRST] is not item:
        return
    from pytest_valuebias.gate import ValueBiasWarning

    item.warn(ValueBiasWarning(f"{_rerun_by(item)} runs this test again; {_WHY}"))
    stash[_FIRST] = None  # not reached where warnings are errors: then every attempt is one


def _rerun_by(item: pytest.Item) -> str | None:
    """The plugin that may run one of our tests again; None for any other test."""
    if not _ours(item):
        return None
    for plugin in _present(item.config):
        marked = plugin.marker is not None and item.get_closest_marker(plugin.marker) is not None
        function = getattr(item, "function", None)
        marked |= plugin.attribute is not None and hasattr(function, plugin.attribute)
        setting = _setting(plugin, item.config)
        if setting is not None or marked:
            return f"{plugin.title} ({setting or f'marked {plugin.marker}'})"
    return None


def _ours(item: pytest.Item) -> bool:
    """Whether a test reaches verdicts: it is shipped, declared, or uses our fixtures."""
    from pytest_valuebias.yaml_tests import DeclaredItem

    fixtures: Iterable[str] = getattr(item, "fixturenames", ())
    return isinstance(item, DeclaredItem) or not {"bias", "_valuebias_gate"}.isdisjoint(fixtures)


def _present(config: pytest.Config) -> Iterator[_Plugin]:
    for plugin in _PLUGINS:
        if any(config.pluginmanager.hasplugin(name) for name in plugin.names):
            yield plugin


def _setting(plugin: _Plugin, config: pytest.Config) -> str | None:
    """The option or ini setting, with its value, by which every test is run again."""
    for destination, option in plugin.options.items():
        value = config.getoption(destination, None)
        if value and value != plugin.once:
            return option if value is True else f"{option}={value}"
    if plugin.ini is None:
        return None
    try:
        value = config.getini(plugin.ini)
    except ValueError:  # a release of the plugin that has no such setting
        return None
    return f"{plugin.ini}={value}" if value and str(value) != "0" else None
