"""What contributors and package indexes read agrees with the project: workflows, links, the
changelog's fragments, issue forms, versions of tools."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from support.documents import CHECKOUT

GITHUB = CHECKOUT / ".github"
PROJECT: dict[str, Any] = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
README = (CHECKOUT / "README.md").read_text(encoding="utf-8")

_TARGETS = (
    re.compile(r"\]\(<?([^)\s>]+)"),  # [text](target) and ![text](target)
    re.compile(r"(?m)^ {0,3}\[[^\]]+\]: *<?([^\s>]+)"),  # [label]: target
    re.compile(r"\b(?:href|src|srcset) *= *[\"']([^\"']+)"),
)
_ABSOLUTE = re.compile(r"(?i)[a-z][a-z0-9+.-]*:|#")


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


# Workflows


def classified_pythons(classifiers: Collection[str]) -> list[str]:
    found = (re.fullmatch(r"Programming Language :: Python :: (3\.\d+)", c) for c in classifiers)
    return [match[1] for match in found if match]


def used_actions(workflow: Mapping[Any, Any]) -> Iterator[str]:
    """Of other repositories."""
    for job in workflow["jobs"].values():
        for part in (job, *job.get("steps", ())):
            if not part.get("uses", "./").startswith("./"):
                yield part["uses"]


def test_ci_runs_on_the_pythons_of_the_classifiers() -> None:
    pythons = classified_pythons(PROJECT["project"]["classifiers"])
    job = read_yaml(GITHUB / "workflows" / "ci.yml")["jobs"]["test"]
    assert job["strategy"]["matrix"]["python-version"] == pythons
    assert any(".ci/run" in step.get("run", "") for step in job["steps"])
    assert PROJECT["project"]["requires-python"] == f">={pythons[0]}"


@pytest.mark.parametrize("name", ["ci.yml", "release.yml"])
def test_workflows_may_read_alone_end_in_time_and_use_major_tags(name: str) -> None:
    workflow = read_yaml(GITHUB / "workflows" / name)
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow["concurrency"]["group"]
    for job in workflow["jobs"].values():
        assert "timeout-minutes" in job or job["uses"].startswith("./")
    actions = list(used_actions(workflow))
    assert actions
    assert [a for a in actions if not re.fullmatch(r"[\w./-]+@(release/)?v\d+", a)] == []


def test_only_what_was_tested_and_built_is_published() -> None:
    jobs = read_yaml(GITHUB / "workflows" / "release.yml")["jobs"]
    assert [name for name, job in jobs.items() if "permissions" in job] == ["publish"]
    assert jobs["publish"]["permissions"] == {"id-token": "write"}
    assert jobs["publish"]["environment"] == "pypi"
    assert set(jobs["publish"]["needs"]) == {"test", "build"}


# The README, here and on the page of a package


def relative_links(text: str) -> list[str]:
    targets = (match[1] for pattern in _TARGETS for match in pattern.finditer(text))
    return [target for target in targets if not _ABSOLUTE.match(target)]


def on_the_index(text: str) -> str:
    """As hatch-fancy-pypi-readme writes it into the package."""
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    for one in hook["substitutions"]:
        text = re.sub(one["pattern"], one["replacement"], text)
    return text.replace("$HFPR_VERSION", PROJECT["project"]["version"])


def test_links_of_the_readme_lead_to_files() -> None:
    links = relative_links(README)
    assert links
    missing = [link for link in links if not (CHECKOUT / link.partition("#")[0]).is_file()]
    assert missing == []


def test_the_readme_of_the_package_has_no_relative_link() -> None:
    made = on_the_index(README)
    assert relative_links(made) == []
    source = PROJECT["project"]["urls"]["Source"]
    raw = source.replace("//github.com", "//raw.githubusercontent.com")
    tag = f"v{PROJECT['project']['version']}"
    absolute = [match[1] for pattern in _TARGETS for match in pattern.finditer(made)]
    for link in relative_links(README):
        image = Path(link).suffix in (".png", ".svg")
        assert (f"{raw}/{tag}/{link}" if image else f"{source}/blob/{tag}/{link}") in absolute


@pytest.mark.parametrize(
    ("text", "relative"),
    [
        ("[a](docs/a.md#b) [c](https://c.example) [d](#d) [e](mailto:e@e.example)", "docs/a.md#b"),
        ("![a picture](docs/a.png)", "docs/a.png"),
        ("[![a picture](https://a.example/a.png)](docs/a.md)", "docs/a.md"),
        ('<source srcset="docs/a.png"><img alt="a" src="https://a.example/a.png">', "docs/a.png"),
    ],
)
def test_a_relative_link_is_found_and_replaced(text: str, relative: str) -> None:
    assert relative_links(text) == [relative]
    made = on_the_index(text)
    assert relative_links(made) == []
    prefix = made.partition(relative)[0].rpartition("https://")[2]
    assert made.replace(f"https://{prefix}{relative}", relative) == text


@pytest.mark.parametrize("text", ["[a]: docs/a.md", '<a href="docs/a.md">a</a>'])
def test_a_relative_link_that_nothing_replaces_is_found(text: str) -> None:
    assert relative_links(on_the_index(text)) == ["docs/a.md"]


# The changelog


def fragment_faults(name: str, text: str) -> list[str]:
    """What is wrong with a fragment of the changelog."""
    types = [one["directory"] for one in PROJECT["tool"]["towncrier"]["type"]]
    match = re.fullmatch(r"(?:\d+|\+[\w-]+)\.(\w+)(?:\.\d+)?\.md", name)
    faults = []
    if match is None:
        faults.append("is not named ISSUE.TYPE.md or +NAME.TYPE.md")
    elif match[1] not in types:
        faults.append(f"has the type {match[1]}, which is none of {', '.join(types)}")
    if not text.strip():
        faults.append("is empty")
    return faults


def test_every_fragment_of_the_changelog_is_read_by_towncrier() -> None:
    settings = PROJECT["tool"]["towncrier"]
    assert settings["start_string"] in (CHECKOUT / settings["filename"]).read_text(encoding="utf-8")
    folder = CHECKOUT / settings["directory"]
    assert (folder / "README.md").is_file()
    faults = {
        path.name: found
        for path in folder.iterdir()
        if path.name != "README.md"
        and (found := fragment_faults(path.name, path.read_text(encoding="utf-8")))
    }
    assert faults == {}


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("12.fixed.md", "Said twice.", ""),
        ("12.fixed.1.md", "Said twice.", ""),
        ("+quiet-start.changed.md", "Starts quietly.", ""),
        ("+quiet-start.feature.md", "Starts quietly.", "has the type feature"),
        ("quiet-start.changed.md", "Starts quietly.", "is not named"),
        ("12.fixed", "Said twice.", "is not named"),
        ("12.fixed.md", "\n", "is empty"),
    ],
)
def test_a_wrong_fragment_is_found(name: str, text: str, fault: str) -> None:
    found = fragment_faults(name, text)
    assert len(found) == bool(fault)
    assert fault in "".join(found)


# Issue forms

_KINDS = {"markdown", "input", "textarea", "dropdown", "checkboxes"}


def form_faults(form: Mapping[str, Any]) -> list[str]:
    """What GitHub would refuse of an issue form."""
    faults = [f"no {key}" for key in ("name", "description", "body") if not form.get(key)]
    seen = set()
    for part in form.get("body") or ():
        kind, attributes = part.get("type"), part.get("attributes") or {}
        if kind not in _KINDS:
            faults.append(f"a part of type {kind}")
        needed = {"markdown": ["value"], "dropdown": ["label", "options"]}.get(kind, ["label"])
        faults += [f"{kind} without {key}" for key in needed if not attributes.get(key)]
        if kind != "markdown":
            if not part.get("id") or part["id"] in seen:
                faults.append(f"the id {part.get('id')}, twice or not at all")
            seen.add(part.get("id"))
    if not seen:
        faults.append("nothing to fill in")
    return faults


def test_issue_forms_are_such_as_github_takes() -> None:
    forms = set(GITHUB.glob("ISSUE_TEMPLATE/*.yml")) - {GITHUB / "ISSUE_TEMPLATE" / "config.yml"}
    assert len(forms) >= 3
    faults = {form.name: found for form in forms if (found := form_faults(read_yaml(form)))}
    assert faults == {}
    config = read_yaml(GITHUB / "ISSUE_TEMPLATE" / "config.yml")
    assert isinstance(config["blank_issues_enabled"], bool)
    for link in config["contact_links"]:
        assert link.keys() == {"name", "url", "about"}
        page = link["url"].partition("/blob/main/")[2]
        assert (CHECKOUT / page).is_file()


def test_a_report_of_a_wrong_verdict_holds_what_it_takes_to_look_into_it() -> None:
    form = read_yaml(GITHUB / "ISSUE_TEMPLATE" / "1-verdict.yml")
    required = {
        part["id"] for part in form["body"] if part.get("validations", {}).get("required") is True
    }
    assert {"verdict", "report", "command", "versions"} <= required


@pytest.mark.parametrize(
    ("form", "fault"),
    [
        ("{name: A, description: B}", "no body"),
        ("{description: B, body: [{type: input, id: a, attributes: {label: A}}]}", "no name"),
        ("{name: A, description: B, body: [{type: dial, id: a, attributes: {label: A}}]}", "dial"),
        ("{name: A, description: B, body: [{type: input, id: a}]}", "input without label"),
        ("{name: A, description: B, body: [{type: input, attributes: {label: A}}]}", "the id None"),
        ("{name: A, description: B, body: [{type: markdown, attributes: {value: A}}]}", "nothing"),
    ],
)
def test_a_wrong_issue_form_is_found(form: str, fault: str) -> None:
    assert fault in "; ".join(form_faults(yaml.safe_load(form)))


# Versions of tools


def test_versions_of_tools_are_pinned_and_hooks_use_these_tools() -> None:
    pins = set(re.findall(r"(?m)^([\w-]+)==", (CHECKOUT / "constraints.txt").read_text()))
    extras = PROJECT["project"]["optional-dependencies"]
    tools = {re.split(r"[<>=]", each)[0] for name in ("lint", "dev") for each in extras[name]}
    tools |= {"build", "twine"}  # of noxfile.py and the workflows
    stubs = {"scipy-stubs", "types-PyYAML", "types-jsonschema"}
    assert tools - pins - stubs == set()
    hooks = [
        hook
        for repository in read_yaml(CHECKOUT / ".pre-commit-config.yaml")["repos"]
        for hook in repository["hooks"]
    ]
    entries = {hook["entry"].split()[0] for hook in hooks}
    assert {"ruff", "mypy"} <= entries
    assert {hook["language"] for hook in hooks} == {"system"}


def test_nox_runs_every_benchmark_as_it_can_be_run() -> None:
    text = (CHECKOUT / "noxfile.py").read_text(encoding="utf-8")
    told = {
        name: set(re.findall(r'"(\w+)"', found[1]))
        for name in ("SLOW", "ON_PUBLISHED_DATA", "ON_VLLM", "ON_REAL_MODELS")
        if (found := re.search(rf"(?m)^{name} = {{(.*)}}$", text))
    }
    sources = {path.stem: path.read_text() for path in (CHECKOUT / "benchmarks").glob("*.py")}
    assert told == {
        "SLOW": {name for name, source in sources.items() if '"--quick"' not in source},
        "ON_PUBLISHED_DATA": {
            name
            for name, source in sources.items()
            if re.search(r'"--data", type=Path, required=True', source)
        },
        "ON_VLLM": {name for name, source in sources.items() if "support.vllm" in source},
        "ON_REAL_MODELS": {name for name, source in sources.items() if '"--models"' in source},
    }
