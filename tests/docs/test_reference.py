"""The reference is what the code says, figures are those of the benchmarks, and links lead
somewhere."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from support.documents import CHECKOUT, blocks, pages

RESULTS = CHECKOUT / "benchmarks" / "RESULTS.md"
_NUMBER = re.compile(r"(?<![\w.])(?:\d+)?\.\d{2,}\b")
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")

CONVENTIONS = {0.05, 0.95}
"""Levels."""


def test_the_reference_is_made_from_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(CHECKOUT / "docs"))
    made = runpy.run_path(str(CHECKOUT / "docs" / "generate.py"))["pages"]()
    folder = CHECKOUT / "docs" / "reference"
    assert {path.name for path in folder.iterdir()} == set(made)
    for name, text in made.items():
        committed = (folder / name).read_text(encoding="utf-8")
        assert committed == text, f"{name} is old: run python docs/generate.py"


def _anchor(heading: str) -> str:
    """GitHub's anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def _sections(page: Path) -> dict[str, str]:
    """The text below each heading, by its anchor."""
    found: dict[str, str] = {}
    anchor = ""
    for line in page.read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"#+ +(.+)", line):
            anchor = _anchor(re.sub(r"[`*]", "", heading[1]))
        found[anchor] = found.get(anchor, "") + line + "\n"
    return found


def test_figures_on_the_statistics_are_those_of_the_benchmarks() -> None:
    sections = _sections(RESULTS)
    text = (CHECKOUT / "docs" / "statistics.md").read_text(encoding="utf-8")
    checked = 0
    for paragraph in re.split(r"\n\n|\n(?=\* )", text):
        cited = re.findall(r"RESULTS\.md#([\w-]+)", paragraph)
        known = "".join(sections[anchor] for anchor in cited)
        numbers = {float(number) for number in _NUMBER.findall(known)} | CONVENTIONS
        for sentence in re.split(r"(?<=[.:;]) (?=[A-Z(])", " ".join(paragraph.split())):
            if "Cohen's d" in sentence:  # a convention's, no benchmark's
                continue
            own = re.sub(r"the paper: [^)]*", "", sentence)
            for number in map(float, _NUMBER.findall(own)):
                checked += 1
                assert number in numbers, f"{number} is not in what is cited: {sentence}"
    assert checked > 50


EVERY = sorted(
    path.relative_to(CHECKOUT).as_posix()
    for path in (
        *CHECKOUT.glob("*.md"),
        *(CHECKOUT / "docs").rglob("*.md"),
        *(CHECKOUT / "examples").rglob("README.md"),
    )
)


NOT_RUN = {
    "CHANGELOG.md": "shows no code",
    "examples/release_pipeline/values/README.md": "goes with the folder that users copy; the same "
    "commands stand in release_pipeline/README.md, and are run from there",
}


def test_every_page_is_run_by_some_test() -> None:
    """Those of the examples by test_examples.py, in a copy of each."""
    others = (CHECKOUT / "tests" / "examples" / "test_examples.py").read_text(encoding="utf-8")
    for name in set(EVERY) - set(pages()) - set(NOT_RUN):
        assert f'"{name.removeprefix("examples/")}"' in others, f"nothing runs {name}"


@pytest.mark.parametrize("name", EVERY)
def test_links_lead_somewhere(name: str) -> None:
    page = CHECKOUT / name
    text = page.read_text(encoding="utf-8")
    for block in blocks(text):
        text = text.replace(block.text, "")
    for target in _LINK.findall(text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{name}: {target}"
        assert CHECKOUT in there.parents
        if anchor:
            assert anchor in _sections(there), f"{name}: {target}"


@pytest.mark.parametrize("name", EVERY)
def test_no_page_names_a_machine_or_an_index(name: str) -> None:
    text = (CHECKOUT / name).read_text(encoding="utf-8")
    assert not re.search(r"(?<!\w)/(?:work|home|root|tmp)/|pypi\.org|--index-url|conda", text)
