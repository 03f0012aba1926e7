"""``--version``: of the command, and of the module where its script is not on the path."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from valuebias.cli.main import main

EXPECTED = f"valuebias {metadata.version('pytest-valuebias')}\n"


def test_the_command_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == 0
    assert capsys.readouterr() == (EXPECTED, "")


def test_the_version_is_looked_up_only_when_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(name: str) -> str:
        raise AssertionError(f"the version of {name} was looked up")

    monkeypatch.setattr(metadata, "version", refuse)
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "--version" in capsys.readouterr().out
    with pytest.raises(AssertionError, match="pytest-valuebias"):
        main(["--version"])


def test_the_module_says_the_same(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "valuebias", "--version"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, EXPECTED, "")
