"""The examples run as their pages say, in a copy, with embedded models; so do the CI pipelines."""

from __future__ import annotations

import ast
import csv
import html
import json
import os
import random
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml

from support.documents import blocks, commands, status_of
from support.warm import WarmPython
from valuebias.lexicons.files import load_lexicon
from valuebias.prompts import PAPER_PROMPTS

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
LIBRARIES = (
    *("pyarrow.parquet", "pytest", "rich.table", "scipy.stats", "statsmodels.api", "yaml"),
    *("jinja2", "matplotlib.figure", "matplotlib.backends.backend_svg"),
    *("accelerate", "peft", "tokenizers", "torch", "transformers.trainer"),
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
)
TOKEN = "hf_not_to_be_shown"


@dataclass(frozen=True)
class Shell:
    """Bash in a folder, in which python, pytest and valuebias start warm."""

    folder: Path
    environment: Mapping[str, str]

    def __call__(self, script: str, *options: str) -> subprocess.CompletedProcess[str]:
        """Both streams of the output are in ``stdout``."""
        return subprocess.run(
            ["bash", *options, "-c", script],
            cwd=self.folder,
            env=dict(self.environment),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=600,
        )

    def given(self, **more: str) -> Shell:
        return replace(self, environment={**self.environment, **more})


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    server = WarmPython(*LIBRARIES)
    start, folder = shlex.join(server.command), tmp_path_factory.mktemp("bin")
    early = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
    plugins = "-p no:cacheprovider -p no:hypothesispytest -p no:anyio -p no:playwright"
    scripts = {
        "pytest": f'{start} -mpytest {plugins} -W "{early}" "$@"',
        "valuebias": f'{start} -mvaluebias "$@"',
    }
    for name, script in scripts.items():
        (folder / name).write_text(f"#!/bin/bash\nexec {script}\n")
        (folder / name).chmod(0o755)
    yield folder
    server.close()


@pytest.fixture
def shell(programs: Path, demo_scores: Path, tmp_path: Path) -> Shell:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("VALUEBIAS_", "GITHUB_", "PYTEST_", "HF_", "CI"))
    }
    path = os.pathsep.join([str(programs), os.path.dirname(sys.executable), kept["PATH"]])
    mine = {"PATH": path, "OMP_NUM_THREADS": "1", "COLUMNS": "80", "HF_HUB_OFFLINE": "1"}
    return Shell(tmp_path, {**kept, **mine, "VALUEBIAS_CACHE_DIR": str(demo_scores)})


@pytest.fixture
def checkout(shell: Shell) -> Shell:
    """A copy of the examples, with the settings that pytest has in the checkout."""
    left = shutil.ignore_patterns("__pycache__", "baseline.json", "*.jsonl", "report", "bases")
    shutil.copytree(EXAMPLES, shell.folder / "examples", ignore=left)
    shutil.copy(ROOT / "pyproject.toml", shell.folder)
    return shell


def run_page(shell: Shell, page: str) -> str:
    """Run every command of a page, each with the status that it states; returns the output."""
    output, folder = "", shell.folder
    for block in blocks((EXAMPLES / page).read_text(encoding="utf-8")):
        assert block.language == "sh"
        for command in commands(block.text):
            if command.startswith("cd "):
                folder = folder / command.removeprefix("cd ")
                continue
            ended = replace(shell, folder=folder)(command)
            assert ended.returncode == (status_of(command) or 0), f"{command}\n{ended.stdout}"
            assert "Traceback (most recent call last)" not in ended.stdout
            output += ended.stdout
    return output


def table(text: str) -> list[list[str]]:
    """The rows of verdicts in a report, without white space."""
    return [line.split() for line in text.splitlines() if re.search(r" (PASS|FAIL|ERROR)$", line)]


# The first command of the README


def test_the_readmes_command_runs_the_tests_beside_the_pages_alone(checkout: Shell) -> None:
    ended = checkout("pytest --rm=demo:agency --collect-only -q examples/")
    ids = [line for line in ended.stdout.splitlines() if "::" in line]
    own = [line for line in ids if line.startswith("examples/")]
    assert own == [
        "examples/our_values.valuebias.yaml::balanced when asked for the worst[demo:agency]",
        "examples/our_values.valuebias.yaml::agency is not what sets best and worst apart"
        "[demo:agency]",
        "examples/our_values.valuebias.yaml::no drift from the last release[demo:agency]",
        "examples/test_our_values.py::test_agency_and_communion_are_balanced[demo:agency]",
        "examples/test_our_values.py::test_the_best_answer_is_a_word[demo:agency]",
        "examples/test_our_values.py::test_hope_beats_hatred[demo:agency]",
    ]
    assert len(ids) == 30  # the 24 shipped ones


def test_the_list_of_examples_is_whole() -> None:
    text = (EXAMPLES / "README.md").read_text()
    folders = [p for p in sorted(EXAMPLES.iterdir()) if p.is_dir() and p.name[0] not in "._"]
    for folder in folders:
        assert f"[{folder.name}]({folder.name}/" in text
    for link in re.findall(r"\]\(([^)]+)\)", text):
        assert (EXAMPLES / link).is_file()
    assert len(text.splitlines()) <= 24  # one screen
    told = " ".join(p.read_text() for p in (ROOT / "README.md", *EXAMPLES.glob("*/README.md")))
    for command in re.findall(r"`((?:pytest|valuebias) --[^`]+)`", text):
        assert command in told, f"no page runs {command}"
    settings = ast.parse((EXAMPLES / "conftest.py").read_text()).body[-1]
    assert isinstance(settings, ast.Assign)
    ignored = ast.literal_eval(settings.value)
    tests = {p for f in folders for n in ("test_*.py", "*.valuebias.yaml") for p in f.rglob(n)}
    assert {p.relative_to(EXAMPLES).parts[0] for p in tests} == set(ignored)


# The pages


def test_custom_assertions(checkout: Shell) -> None:
    output = run_page(checkout, "custom_assertions/README.md")
    counts = re.findall(r"^=* ?((?:\d+ \w+(?:, )?)+) in ", output, re.MULTILINE)
    assert counts == ["16 passed, 3 skipped", "3 passed", "1 passed"]
    # Every kind that the folder promises is there.
    text = " ".join(p.read_text() for p in (EXAMPLES / "custom_assertions").glob("test_*.py"))
    for name in re.findall(r"`(\w+)`", (EXAMPLES / "custom_assertions/README.md").read_text()):
        assert name in text, name


def test_drift_study(checkout: Shell) -> None:
    page = (EXAMPLES / "drift_study/README.md").read_text(encoding="utf-8")
    output = run_page(checkout, "drift_study/README.md")
    assert "3 failed, 5 passed, 1 skipped" in output
    runs = checkout.folder / "runs" / "study"
    report = json.loads((runs / "report.json").read_text())
    found = {
        (v["role"], v["model"].split("-")[1], v["valence"]): (v["verdict"], v["estimate"])
        for v in report["verdicts"]
        if v["shipped"]
    }
    # As in the page's table; rounding and machines may change the figures a little.
    told = [float(figure) for figure in re.findall(r"([+-]\.\d\d), (?:PASS|FAIL)", page)]
    expected = {
        ("drift", "plain", "positive"): ("PASS", told[0]),
        ("drift", "kind", "positive"): ("FAIL", told[1]),
        ("drift", "plain", "negative"): ("PASS", told[2]),
        ("drift", "kind", "negative"): ("PASS", told[3]),
        ("gap", "plain", "positive"): ("FAIL", told[4]),
        ("gap", "plain", "negative"): ("PASS", 0.0),
    }
    assert {k: verdict for k, (verdict, _) in found.items()} == {
        k: verdict for k, (verdict, _) in expected.items()
    }
    for key, (_, estimate) in expected.items():
        assert found[key][1] == pytest.approx(estimate, abs=0.1), key
    own = [v for v in report["verdicts"] if not v["shipped"]]
    (asserted,) = [v for v in own if v["verdict"] != "NOT GATED"]
    assert asserted["verdict"] == "PASS"
    assert "not closed to within 0.15" in asserted["reason"]
    shown = (runs / "report.html").read_text(encoding="utf-8")
    assert "agency-kind-all-seed0" in shown
    assert "<svg" in shown
    # Both runs see the same questions but for three in ten.
    plain, kind = (
        (checkout.folder / f"examples/drift_study/{name}.jsonl").read_text().splitlines()
        for name in ("plain", "kind")
    )
    assert len(plain) == len(kind) == 480
    assert sum(a != b for a, b in zip(plain, kind, strict=True)) == 144


def test_a_lexicon_in_german(checkout: Shell) -> None:
    output = run_page(checkout, "lexicon_in_german/README.md")
    assert [row[-1] for row in table(output)] == ["ERROR", "ERROR"]
    assert "2 errors" in output
    assert "does not read the questions: good over bad" in output
    assert "stemmed as if they were English" not in output  # every family is declared
    lexicon = load_lexicon("de", EXAMPLES / "lexicon_in_german" / "big_two_de.yaml")
    words = lexicon.words()
    assert lexicon.families.keys() == set(words)
    assert lexicon.starter
    with (checkout.folder / "runs" / "german.csv").open(encoding="utf-8", newline="") as file:
        assert [row["response"] for row in csv.DictReader(file)] == list(words)


def test_a_model_that_knows_german_can_pass(checkout: Shell) -> None:
    # Recorded elsewhere, where umlauts are typed as a letter and its dots.
    lexicon = load_lexicon("de", EXAMPLES / "lexicon_in_german" / "big_two_de.yaml")
    sides = {"good": 1.5, "bad": -1.5}
    drawn = random.Random(0)
    with (checkout.folder / "recorded.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file)
        out.writerow(["response", *(prompt.id for prompt in PAPER_PROMPTS)])
        for category, words in lexicon.categories.items():
            for i, word in enumerate(words):
                # The same tastes on both sides: as balanced as can be.
                taste = sides.get(category, 2 * (i + 0.5) / len(words) - 1)
                rewards = [
                    round((taste if p.valence == "positive" else -taste) + drawn.gauss(0, 0.2), 4)
                    for p in PAPER_PROMPTS
                ]
                out.writerow([unicodedata.normalize("NFD", word), *rewards])
    (block, *_) = blocks((EXAMPLES / "lexicon_in_german/README.md").read_text(encoding="utf-8"))
    (command,) = commands(block.text)
    ended = checkout(command.replace("demo:agency", "scores:recorded.csv"))
    assert ended.returncode == 0, ended.stdout
    assert "2 passed" in ended.stdout
    assert [row[-1] for row in table(ended.stdout)] == ["PASS", "PASS"]


# The release pipeline


@pytest.fixture
def project(shell: Shell, demo_scores: Path) -> Shell:
    """A user's repository with the folder's files, the first baseline, and the scores that a run
    before has left in the CI's cache."""
    shutil.copytree(EXAMPLES / "release_pipeline" / "values", shell.folder / "values")
    (shell.folder / "values" / "baseline.json").unlink(missing_ok=True)
    ended = shell(
        "pytest --rm=demo:neutral --valuebias-dtype=bfloat16 values --valuebias-update-baseline"
    )
    assert ended.returncode == 0, ended.stdout
    (shell.folder / ".valuebias").symlink_to(demo_scores)
    left = {k: v for k, v in shell.environment.items() if k != "VALUEBIAS_CACHE_DIR"}
    return replace(shell, environment=left)


def github(shell: Shell, model: str, *, tag: bool) -> tuple[dict[str, bool], str]:
    """Run the steps of the workflow as GitHub does: which of those that run commands succeeded, by
    name, and all they printed."""
    expressions = {
        "inputs.model || vars.MODEL": model,
        "github.workspace": str(shell.folder),
        "secrets.HF_TOKEN": TOKEN,
    }

    def environment(of: Mapping[str, Any]) -> dict[str, str]:
        found = of.get("env", {}).items()
        return {
            k: re.sub(r"\$\{\{ (.+?) \}\}", lambda m: expressions[m[1]], str(v)) for k, v in found
        }

    (job,) = workflow()["jobs"].values()
    steps: dict[str, bool] = {}
    output = ""
    for step in job["steps"]:
        succeeded = all(steps.values())
        conditions = {
            None: succeeded,
            "always()": True,
            "github.ref_type == 'tag'": succeeded and tag,
        }
        if not conditions[step.get("if")] or step.get("name") in (None, "Install"):
            continue
        summary = {"GITHUB_STEP_SUMMARY": str(shell.folder / "summary.md"), "CI": "true"}
        at = shell.given(**environment(job), **environment(step), **summary)
        assert "${{" not in step["run"]  # a model's name is data, and never part of a script
        ended = at(step["run"], "-e")
        steps[step["name"]] = ended.returncode == 0
        output += ended.stdout
    return steps, output


def gitlab(shell: Shell, model: str, *, tag: bool) -> tuple[dict[str, bool], str]:
    """Run the jobs as GitLab does; returns as `github` does."""
    content = pipeline()
    variables = {
        name: value.replace("$CI_PROJECT_DIR", str(shell.folder))
        for name, value in content["variables"].items()
    }
    jobs: dict[str, bool] = {}
    output = ""
    for stage in content["stages"]:
        for name, job in content.items():
            if not isinstance(job, dict) or job.get("stage") != stage or not all(jobs.values()):
                continue
            if "rules" in job and not tag:
                continue
            at = shell.given(**variables, MODEL=model, HF_TOKEN=TOKEN, CI="true")
            ended = at("\n".join(job["script"]), "-eo", "pipefail")
            jobs[name] = ended.returncode == 0
            output += ended.stdout
    return jobs, output


Service = Callable[..., tuple[dict[str, bool], str]]


@pytest.mark.parametrize(
    ("service", "gate", "record"),
    [(github, "Gate", "Record the release"), (gitlab, "values", "record")],
)
def test_a_release_passes_or_fails(
    project: Shell, service: Service, gate: str, record: str
) -> None:
    folder = project.folder
    before = (folder / "values/baseline.json").read_text()

    # Far outside its margins: the gate fails, nothing is recorded, and the reports are there.
    steps, output = service(project, "demo:agency", tag=True)
    assert steps == {gate: False}
    assert "10 failed, 1 passed" in output
    reports(folder, "FAIL", TOKEN, output)
    assert (folder / "values/baseline.json").read_text() == before
    shutil.rmtree(folder / "report")

    # A candidate is compared, and not recorded.
    steps, output = service(project, "demo:neutral", tag=False)
    assert steps == {gate: True}, output
    assert "11 passed" in output
    report = reports(folder, "PASS", TOKEN, output)
    assert {v["role"] for v in report["verdicts"]} == {
        *("range", "top", "shift", "anchor", "controlled")
    }
    assert all(v["gated"] and v["verdict"] == "PASS" for v in report["verdicts"])
    assert (folder / "values/baseline.json").read_text() == before

    if service is github:
        summary = html.unescape((folder / "summary.md").read_text(encoding="utf-8"))
        for outcome in ("FAIL", "PASS"):
            assert f"## Values: {outcome}" in summary
        assert "agency~communion" in summary

    # A release is.
    steps, output = service(project, "demo:neutral", tag=True)
    assert steps == {gate: True, record: True}, output
    assert "BASELINE WRITTEN" in output
    recorded = json.loads((folder / "values/baseline.json").read_text())["recorded"]
    assert (recorded["model"], recorded["dtype"]) == ("demo:neutral", "float32")

    # What was released is no candidate any more; nor is no model one.
    for model, told in (("demo:neutral", "one model under two names"), ("", "--rm is empty")):
        steps, output = service(project, model, tag=True)
        assert steps == {gate: False}
        assert told in " ".join(output.split())


def reports(folder: Path, outcome: str, secret: str, output: str) -> dict[str, Any]:
    """The artifacts, which are there, agree, and hold no secret."""
    report: dict[str, Any] = json.loads((folder / "report" / "report.json").read_text())
    assert report["outcome"] == outcome
    suite = ElementTree.parse(folder / "report" / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert (int(suite.attrib["failures"]) > 0) == (outcome == "FAIL")
    assert "<svg" in (folder / "report" / "report.html").read_text(encoding="utf-8")
    for path in [*(folder / "report").iterdir(), *folder.glob("summary.md")]:
        assert secret not in path.read_text(encoding="utf-8")
    assert secret not in output
    return report


def workflow() -> dict[str, Any]:
    text = (EXAMPLES / "release_pipeline" / "github-actions.yml").read_text()
    content: dict[str, Any] = yaml.load(text, yaml.BaseLoader)  # where `on` is no truth value
    return content


def pipeline() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(
        (EXAMPLES / "release_pipeline" / "gitlab-ci.yml").read_text()
    )
    return content


def test_the_workflow_is_one() -> None:
    content = workflow()
    assert set(content) == {"name", "on", "permissions", "concurrency", "jobs"}
    assert set(content["on"]) == {"push", "pull_request", "workflow_dispatch"}
    assert content["permissions"] == {"contents": "read"}
    (job,) = content["jobs"].values()
    assert set(job) == {"runs-on", "timeout-minutes", "env", "steps"}
    steps = job["steps"]
    for step in steps:
        assert ("uses" in step) != ("run" in step)
        assert set(step) <= {"name", "uses", "run", "with", "env", "if"}
    # The secret reaches no step but those that load the model.
    assert "secrets." not in str(job["env"])
    assert [s["name"] for s in steps if "secrets." in str(s)] == ["Gate", "Record the release"]
    used = {step["uses"]: step for step in steps if "uses" in step}
    assert list(used) == [
        "actions/checkout@v7",
        "actions/setup-python@v7",
        "actions/cache/restore@v6",
        "actions/cache/save@v6",
        "actions/upload-artifact@v7",
    ]
    saved, kept = used["actions/cache/save@v6"], used["actions/cache/restore@v6"]
    assert saved["with"]["path"] == kept["with"]["path"] == ".valuebias"
    assert saved["with"]["key"] == kept["with"]["key"]
    assert saved["with"]["key"].startswith(kept["with"]["restore-keys"])
    uploaded = used["actions/upload-artifact@v7"]
    assert uploaded["if"] == saved["if"] == "always()"  # also when the gate fails
    assert uploaded["with"]["path"] == "report/"
    assert steps.index(uploaded) > steps.index(next(s for s in steps if s.get("name") == "Gate"))
    (install,) = [s["run"] for s in steps if s.get("name") == "Install"]
    check_install(install)


def test_the_pipeline_is_one() -> None:
    content = pipeline()
    known = {"stages", "workflow", "variables", "default"}
    jobs = {name: job for name, job in content.items() if name not in known}
    assert [job["stage"] for job in jobs.values()] == content["stages"]
    for job in jobs.values():
        assert set(job) <= {"stage", "script", "artifacts", "rules"}
        assert all(isinstance(line, str) for line in job["script"])
    assert jobs["values"]["artifacts"]["when"] == "always"
    assert jobs["values"]["artifacts"]["reports"] == {"junit": "report/junit.xml"}
    assert jobs["values"]["artifacts"]["paths"] == ["report/"]
    assert jobs["record"]["rules"] == [{"if": "$CI_COMMIT_TAG =~ /^v/"}]
    assert jobs["record"]["artifacts"]["paths"] == ["values/baseline.json"]
    default = content["default"]
    assert set(default) == {"image", "timeout", "before_script", "cache"}
    scores = default["cache"][0]
    assert (scores["paths"], scores["when"]) == ([".valuebias/"], "always")
    assert content["variables"]["VALUEBIAS_CACHE_DIR"] == "$CI_PROJECT_DIR/.valuebias"
    (install,) = default["before_script"]
    check_install(install)
    assert not re.search(r"\b(echo|printenv|set -x)\b", str(content))


def check_install(command: str) -> None:
    """What is installed is this very release."""
    assert command == "python -m pip install -r values/requirements.txt"
    text = (EXAMPLES / "release_pipeline" / "values" / "requirements.txt").read_text()
    (line,) = [line for line in text.splitlines() if line and line[0] != "#"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert line == f"{project['name']}=={project['version']}"


def test_the_release_pipelines_page(checkout: Shell) -> None:
    output = run_page(checkout, "release_pipeline/README.md")
    assert "BASELINE WRITTEN" in output
    assert "11 passed" in output
    assert "10 failed, 1 passed" in output
