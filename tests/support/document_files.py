"""What reads the files and forms that documents show: lexicons, margins, workflows, settings."""

from __future__ import annotations

import configparser
import json
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.documents import CHECKOUT, Block, commands

MODELS = ("--rm=org/model", "--reference=org/last-release", "--valuebias-suite=none")
"""What a page's tests in Python or YAML are run with, where no command of the page runs them."""


def check_pip(command: str) -> None:
    """Its form alone: CI installs with it."""
    project = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]
    words = iter(shlex.split(command, comments=True)[2:])
    assert command.startswith("pip install ")
    for word in words:
        if word in ("-c", "-r"):
            assert (CHECKOUT / next(words)).is_file()
        elif word not in ("-e", "-q"):
            name, extras = re.fullmatch(r"([\w.-]+)(?:\[([\w,]+)\])?", word).groups()  # type: ignore[union-attr]
            assert name in (".", project["name"]), word
            assert set((extras or "").split(",")) - {""} <= set(project["optional-dependencies"])


def check_parsed(command: str) -> None:
    command = re.sub(r"^accelerate launch .* -m valuebias ", "valuebias ", command)
    if command.startswith("valuebias "):
        from valuebias.cli.main import _parser

        _parser().parse_args(shlex.split(command)[1:])


# What reads YAML


def _prompts(page: Any, path: Path, content: Any) -> None:
    from valuebias.declarations.prompts import load_prompts

    assert load_prompts(path).prompts


def _margins(page: Any, path: Path, content: Any) -> None:
    from valuebias.declarations.margins import load_margins

    assert load_margins(path).entries


def _claims(page: Any, path: Path, content: Any) -> None:
    from valuebias.declarations.claims import load_claims

    assert load_claims(path).weights


def _suite(page: Any, path: Path, content: Any) -> None:
    """Tests of a nameless file are run here; those of a named one by the page's commands."""
    from valuebias.declarations.tests import read_suite
    from valuebias.lexicons.files import STARTERS, starter

    assert read_suite(path, lambda name: starter(name) if name in STARTERS else None)
    if path.name.startswith("line_"):
        path = path.rename(path.with_name(f"{path.stem}.valuebias.yaml"))
        baseline = f"--valuebias-baseline={path.stem}.json"
        record = f"pytest -q --rm=org/last-release {baseline} --valuebias-update-baseline"
        page.workshop.run(f"{record} --valuebias-suite=big_two", page.folder)
        page.succeeded(shlex.join(["pytest", "-q", path.name, *MODELS, baseline]))


def _recipe(page: Any, path: Path, content: Any) -> None:
    from valuebias.training.grid import load

    assert load(path)


def _lexicon(page: Any, path: Path, content: Any) -> None:
    from valuebias.lexicons.files import load_lexicon

    assert load_lexicon("own", path).words()


def _judge(page: Any, path: Path, content: Any) -> None:
    from valuebias.declarations.judge_templates import judge_template

    assert judge_template(str(path)).ratings


def _workflow(page: Any, path: Path, content: Any) -> None:
    """GitHub's: every step uses an action or runs commands, and the commands are run."""
    for job in content["jobs"].values():
        assert job["runs-on"]
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), step
            for command in commands(step.get("run", "")):
                page.one(command)


YAML_KINDS: tuple[tuple[frozenset[str], Callable[[Any, Path, Any], None]], ...] = (
    (frozenset({"margins"}), _margins),
    (frozenset({"prompts"}), _prompts),
    (frozenset({"claims"}), _claims),
    (frozenset({"tests"}), _suite),
    (frozenset({"base", "bases"}), _recipe),
    (frozenset({"categories"}), _lexicon),
    (frozenset({"ratings"}), _judge),
    (frozenset({"jobs"}), _workflow),
)


# Other languages


def table(page: Any, block: Block) -> None:
    """A lexicon, or scores recorded elsewhere."""
    from valuebias.lexicons.files import load_lexicon
    from valuebias.scorers.recorded import RecordedScores

    path = page.keep(block)
    assert block.file, "name the file, as in ```csv words.csv"
    if block.text.startswith("response"):
        assert RecordedScores.from_file(path, name="recorded")
    else:
        assert load_lexicon("own", path).words()


def toml(page: Any, block: Block) -> None:
    content = tomllib.loads(block.text)
    page.keep(block)
    project = content.get("project", {})
    if "entry-points" in project:  # as pip would install it
        meta = page.folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
        meta.mkdir()
        lines = (f"{name}: {project[name.lower()]}\n" for name in ("Name", "Version"))
        (meta / "METADATA").write_text("Metadata-Version: 2.1\n" + "".join(lines))
        points = (
            f"[{group}]\n" + "".join(f"{name} = {target}\n" for name, target in entries.items())
            for group, entries in project["entry-points"].items()
        )
        (meta / "entry_points.txt").write_text("\n".join(points))
    _check_settings(content.get("pytest", content.get("tool", {}).get("pytest", {})))


def ini(page: Any, block: Block) -> None:
    parser = configparser.ConfigParser(interpolation=None)
    parser.read_string(block.text)
    page.keep(block)
    if parser.has_section("pytest"):
        _check_settings(dict(parser["pytest"]))


def _check_settings(settings: dict[str, Any]) -> None:
    from pytest_valuebias.option_table import OPTIONS

    known = {option.ini for option in OPTIONS}
    assert {name for name in settings if name.startswith("valuebias")} <= known


def json_file(page: Any, block: Block) -> None:
    json.loads(block.text)
    page.keep(block)
