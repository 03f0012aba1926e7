"""Every code block of the documents does what the page says: commands are run, files are read by
what reads them, and output is that of the command above it.

One test a page. Its blocks share a folder, in which the names that documents use exist (see
``conftest``), and are taken in order. What is not run stands in ``NOT_RUN`` below, with the reason.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from support.document_files import (
    MODELS,
    YAML_KINDS,
    check_parsed,
    check_pip,
    ini,
    json_file,
    table,
    toml,
)
from support.documents import CHECKOUT, Block, blocks, commands, pages, status_of


class Skipped(NamedTuple):
    page: str
    command: str
    reason: str


NOT_RUN = (
    Skipped("*", "python -m venv *", "makes the environment that the tests run in: see .ci/run"),
    Skipped("*", "ruff *", "is a step of .ci/run"),
    Skipped("README.md", "pytest -n 2", "is this very run: .ci/run takes the command from here"),
    Skipped("CONTRIBUTING.md", "pytest*", "is this very run"),
    Skipped("examples/paper/*", "valuebias *", "models of 2 to 27 billion parameters: only parsed"),
    Skipped("*", "python examples/miniature/grow.py*", "grows models for five minutes"),
    Skipped("*", "accelerate launch *", "needs GPUs: only the command behind it is parsed"),
    Skipped("*", "python train_with_trl.py", "needs TRL, and trains: its files are only compiled"),
    Skipped("*", "pytest --rm=served:*", "needs a server: the tests of the plugin have their own"),
    Skipped("*", "pytest --rm=judge:org/instruct*", "needs a model that follows instructions"),
    Skipped("*", "valuebias forecast *", "takes minutes: the command's tests ask of few words"),
    Skipped("*", "pytest *--valuebias-suite=answers*", "takes long: its tests ask recorded scores"),
    Skipped("*", "pytest * --policy=*", "takes minutes: the suite's tests ask of few words"),
    Skipped("*", "pytest * --human=*", "as any run: the suite's tests have recorded scores"),
    Skipped("*", "valuebias lexicon install eloeverything", "is fetched from the network"),
    Skipped("*", "git *", "there is no repository in the folder, and nobody's is touched"),
)
"""Patterns of pages and commands that are not run; a ``valuebias`` command is parsed at least."""


class Stated(NamedTuple):
    page: str
    command: str
    status: int
    said: str


STATED = (
    Stated("README.md", "pytest --rm=demo:agency examples/", 1, "It fails, as it should"),
    Stated("*", "pytest --valuebias-checkpoints=runs/a *", 1, "a run of them alone fails"),
    Stated(
        "docs/how-to/compare-language-models.md",
        "pytest * --valuebias-suite=inheritance",
        1,
        "gates nothing",
    ),
)
"""Exit statuses that a page states in its text, and not in a comment of the command."""

QUICK = (
    "pytest * --valuebias-lexicon=big_two=big-two *",
    "pytest --llm=*",
    "pytest --rm=dpo:*",
    "pytest --rm=org/model --base=org/base-a*",
    "pytest --rm=runs/a/checkpoint-1000",
    "pytest --valuebias-checkpoints=*",
)
"""Commands that are run with six prompts a valence and one lexicon for their length, with which
nothing passes: their status is 1 where the document promises 0, and no verdict may be an error."""

IN_CHECKOUT = (("README.md", "pytest --rm=demo:agency examples/"),)
"""Commands that the page says are given in a checkout."""

NEEDS_LEXICONS = ("valuebias lexicon install *", "pytest * --valuebias-lexicon=big_two=big-two *")
"""Run where VALUEBIAS_PUBLISHED_DATA has the published lexicons: tests use no network."""


class Page:
    """A page while its blocks are gone through."""

    def __init__(self, name: str, folder: Path, workshop: Any) -> None:
        self.name, self.folder, self.workshop = name, folder, workshop
        self.text = (CHECKOUT / name).read_text(encoding="utf-8")
        self.output = ""
        self.files: list[str] = []
        self.asked = ""

    def check(self) -> None:
        for block in blocks(self.text):
            where = f"{self.name}, line {block.line}"
            handle = HANDLERS.get(block.language)
            assert handle is not None, f"{where}: nothing runs blocks of {block.language!r}"
            try:
                handle(self, block)
            except Exception as error:
                raise AssertionError(f"{where}: {type(error).__name__}: {error}") from error
        for file in self.files:
            assert self.used(Path(file)), f"{self.name}: nothing on the page reads {file}"

    def used(self, file: Path) -> bool:
        """Whether a command names the file, pytest finds it, or another block imports it."""
        if file.name in self.asked or f"py:{file.stem}:" in self.asked:
            return True
        if fnmatch(file.name, "test_*.py") or fnmatch(file.name, "*.valuebias.y*ml"):
            return "pytest" in self.asked
        if file.name in ("conftest.py", "pytest.ini", "pytest.toml", "pyproject.toml"):
            return "pytest" in self.asked
        imports = rf"(?:import|from) {file.stem}\b|\"{file.stem}:"
        return any(re.search(imports, block.text) for block in blocks(self.text))

    def shell(self, block: Block) -> None:
        self.output = ""
        for command in commands(block.text):
            for part in command.split(" && ") if command.startswith("pip ") else [command]:
                self.one(part.strip())

    def one(self, command: str) -> None:
        if command.startswith("pip "):
            return check_pip(command)
        bare = " ".join(shlex.split(command, comments=True))
        self.asked += command + "\n"
        if any(fnmatch(self.name, s.page) and fnmatch(bare, s.command) for s in NOT_RUN):
            return check_parsed(bare)
        if any(fnmatch(bare, p) for p in NEEDS_LEXICONS) and not _published():
            return None
        folder = self.folder
        if (self.name, bare) in IN_CHECKOUT:
            folder = CHECKOUT
        quick = any(fnmatch(bare, pattern) for pattern in QUICK)
        extra = {"VALUEBIAS_PROFILE": "quick", "PYTEST_ADDOPTS": "-k big_two"} if quick else {}
        with Reached(self.folder, bare):
            ended = self.workshop.run(command, folder, **extra)
        expected = self.expected(command, bare)
        if "=cuda" in bare and not _has_gpu():
            expected = 1
            assert "torch does not see this device on this machine" in ended.stdout
        elif quick:
            expected = 1
            assert "ERROR" not in ended.stdout, ended.stdout
        assert ended.returncode == expected, (
            f"{command!r} ended with {ended.returncode}, not {expected}:\n{ended.stdout}"
        )
        assert "Traceback (most recent call last)" not in ended.stdout, ended.stdout
        self.output += ended.stdout

    def expected(self, command: str, bare: str) -> int:
        for stated in STATED:
            if fnmatch(self.name, stated.page) and fnmatch(bare, stated.command):
                assert stated.said in " ".join(self.text.split()), f"gone: {stated.said!r}"
                return stated.status
        return status_of(command) or 0

    def keep(self, block: Block) -> Path:
        """Write a block into a file, under its name where it has one."""
        path = self.folder / (block.file or f"line_{block.line}.{block.language}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text, encoding="utf-8")
        if block.file:
            told = block.text.startswith("# ") or self.text.count(block.file) > 1
            assert told, f"the page never says that it is {block.file}"
            self.files.append(block.file)
        return path

    def python(self, block: Block) -> None:
        path = self.keep(block)
        compile(block.text, str(path), "exec")
        if "def test_" not in block.text:
            if not block.file:
                self.output = self.succeeded(f"python {path.name}")
        elif not block.file:
            test = path.rename(path.with_name(f"test_line_{block.line}.py"))
            tests = shlex.join(["pytest", "-q", test.name, *self.models(block.text)])
            ended = self.workshop.run(tests, self.folder)
            counts = ended.stdout.splitlines()[-1]  # without a verdict the run itself fails
            assert re.fullmatch(r"\d+ passed in .*", counts), ended.stdout

    def models(self, text: str) -> tuple[str, ...]:
        """What tests need: reward models, or language models where they ask for such."""
        if re.search(r"language_model|language_bias|implicit", text):
            return ("--llm=org/base-a", "--llm=org/base-b", "--valuebias-suite=none")
        return (*MODELS, "--base=org/base-a")

    def succeeded(self, command: str) -> str:
        ended = self.workshop.run(command, self.folder)
        assert ended.returncode == 0, ended.stdout
        assert "skipped" not in ended.stdout, ended.stdout
        output: str = ended.stdout
        return output

    def yaml(self, block: Block) -> None:
        path = self.keep(block)
        content = yaml.safe_load(block.text)
        kinds = [read for keys, read in YAML_KINDS if keys & content.keys()]
        assert kinds, f"nothing here reads a mapping of {sorted(map(str, content))}"
        kinds[0](self, path, content)

    def lines_of_output(self, block: Block) -> None:
        """Lines as the last command printed them; ``...`` stands for others between them."""
        assert self.output, "there is no command above this output"
        given = [line.rstrip() for line in self.output.splitlines()]
        at = 0
        for part in re.split(r"(?m)^ *\.\.\.\n", block.text):
            wanted = [line.rstrip() for line in part.splitlines()]
            found = next(
                (i for i in range(at, len(given)) if given[i : i + len(wanted)] == wanted), None
            )
            assert found is not None, f"not printed: {wanted}\n" + "\n".join(given[at:])
            at = found + len(wanted)


class Reached:
    """While a command runs, ``runs/a/checkpoint-1000`` is the last checkpoint that the documents'
    training, of a few steps, came to."""

    def __init__(self, folder: Path, command: str) -> None:
        named = re.findall(r"runs/[\w-]+/checkpoint-\d+", command)
        self.links = [folder / name for name in named if not (folder / name).exists()]

    def __enter__(self) -> None:
        for link in self.links:
            last = max(link.parent.glob("checkpoint-*"), key=lambda p: int(p.name.split("-")[1]))
            link.symlink_to(last.name)

    def __exit__(self, *_: object) -> None:
        for link in self.links:
            link.unlink()


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _published() -> bool:
    return bool(os.environ.get("VALUEBIAS_PUBLISHED_DATA"))


HANDLERS: dict[str, Callable[[Page, Block], None]] = {
    "sh": Page.shell,
    "python": Page.python,
    "yaml": Page.yaml,
    "text": Page.lines_of_output,
    "csv": table,
    "dic": table,
    "toml": toml,
    "ini": ini,
    "json": json_file,
}


@pytest.mark.parametrize("name", pages())
def test_every_block_of_the_page_works(name: str, workshop: Any, tmp_path: Path) -> None:
    if not any(True for _ in blocks((CHECKOUT / name).read_text(encoding="utf-8"))):
        return
    workshop.fill(tmp_path)
    if name.startswith("examples/"):  # their commands are given in the checkout
        ours = shutil.ignore_patterns("__pycache__", "bases", "*.jsonl", "runs")
        shutil.copytree(CHECKOUT / "examples", tmp_path / "examples", ignore=ours)
    page = Page(name, tmp_path, workshop)
    if "valuebias train recipe.yaml --out runs/a" in page.text:
        shutil.rmtree(tmp_path / "runs" / "a")  # the page makes it
    page.check()


class Bash:
    """A workshop without anything in it."""

    def run(self, command: str, folder: Path, **_: str) -> subprocess.CompletedProcess[str]:
        asked = ["bash", "-c", command]
        return subprocess.run(asked, cwd=folder, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```cobol\nSTOP RUN.\n```", "nothing runs blocks of 'cobol'"),
        ("```\nwhat is this?\n```", "nothing runs blocks of ''"),
        ("```sh\ntrue\nfalse\n```", "'false' ended with 1, not 0"),
        ("```sh\ntrue  # exits 1: never\n```", "ended with 0, not 1"),
        ("```sh\necho '+.859 PASS'\n```\n```text\n+.858 PASS\n```", "not printed"),
        ("```sh\nprintf 'a\\nb\\nc\\n'\n```\n```text\na\nc\n```", "not printed"),
        ("```text\n+.859\n```", "no command above"),
        ("```sh\npip install 'pytest-valuebias[nothing]'\n```", "AssertionError"),
        ("```sh\npip install pytest-valuebiased\n```", "pytest-valuebiased"),
        ("```yaml\nmarginz: []\n```", "nothing here reads"),
        ("```yaml\nmargins:\n  - {lexicon: big_two}\n```", "has no `contrast`"),
        ("```ini\n[pytest]\nvaluebias_suit = big_two\n```", "AssertionError"),
        ("```python\n# alone.py\nx = 1\n```", "nothing on the page reads alone.py"),
        ("```sh\necho 'open\n```", "bash cannot read"),
        ("```sh\ntrue\n", "is not closed"),
    ],
)
def test_a_block_that_does_not_work_is_found(text: str, said: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(text + "\n", encoding="utf-8")
    with pytest.raises(AssertionError, match=re.escape(said)):
        Page(str(page), tmp_path, Bash()).check()


def test_omitted_lines_of_output_are_marked(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```sh\nprintf 'a\\nb\\nc\\n'\n```\n```text\na\n...\nc\n```\n", encoding="utf-8"
    )
    Page(str(page), tmp_path, Bash()).check()
