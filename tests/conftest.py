"""How the tests are shared out over workers."""

from __future__ import annotations

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    # Tests differ in length by a thousand times: whoever has none left takes another's. Here and
    # not in addopts: the README's first command runs where xdist is not installed.
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"
