"""How the tests are shared out over workers, and what they share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    # Tests differ in length by a thousand times: whoever has none left takes another's. Here and
    # not in addopts: the README's first command runs where xdist is not installed.
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all workers of this run."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if "PYTEST_XDIST_WORKER" in os.environ else own


@pytest.fixture(scope="session")
def demo_scores(shared_folder: Path) -> Path:
    """One store for all tests of the embedded models that do not count what is computed: what a
    score was computed from is its address."""
    folder = shared_folder / "demo-scores"
    folder.mkdir(exist_ok=True)
    return folder
