"""A pytest plugin: the workers of a run under xdist are warm interpreters (see ``warm``).

WARM_PYTHON holds their commands, a JSON list of lists; the workers take them in turn.
"""

from __future__ import annotations

import json
import os
import shlex
from typing import Any

import pytest


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(specs: list[Any]) -> None:
    commands = json.loads(os.environ["WARM_PYTHON"])
    for number, spec in enumerate(specs):
        spec.python = shlex.join(commands[number % len(commands)])
