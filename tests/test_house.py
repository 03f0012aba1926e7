"""The floor plan: which rooms there are, that no two know each other, and how large a file is."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from support.documents import CHECKOUT

ROOTS = {
    "valuebias": CHECKOUT / "harness" / "valuebias",
    "pytest_valuebias": CHECKOUT / "pytest_valuebias",
    "valuebias_suites": CHECKOUT / "suites" / "valuebias_suites",
    "valuebias_fixtures": CHECKOUT / "fixtures" / "valuebias_fixtures",
}
PACKAGES = {
    "cli", "declarations", "lexicons", "measurement", "models", "organisms", "prompts", "records",
    "report", "scorers", "search", "stats", "store", "training",
}  # fmt: skip
MOST_MODULES = 13
MOST_LINES = 350
LONG = {
    "benchmarks/calibration.py": "one simulation with its tables; a part alone proves nothing",
    "benchmarks/drift.py": "one simulation with its tables",
    "benchmarks/inheritance.py": "one simulation with its tables",
    "benchmarks/inherited_taste.py": "one study from training to its table",
    "benchmarks/panel.py": "one prediction with its margins and tables",
    "benchmarks/search.py": "one comparison of four architectures",
    "docs/generate.py": "six pages of one reference, which share their helpers",
    "tests/docs/test_architecture.py": "one page, and all of its changes in one copy",
    "tests/examples/test_examples.py": "the steps of all examples, which share one workshop",
    "tests/pytest_valuebias/test_paper_profile.py": "one profile, told and asserted",
    "tests/pytest_valuebias/test_yaml_suites.py": "all forms of one file format, right and wrong",
    "tests/valuebias/cli/test_compare.py": "one command",
    "tests/valuebias/cli/test_main.py": "commands that share one toy model",
    "tests/valuebias/models/test_language.py": "one class against naive forwards",
    "tests/valuebias/models/test_loading.py": "all that can be wrong with a model's files",
    "tests/valuebias/report/test_figures.py": "figures that share one document",
    "tests/valuebias/report/test_html.py": "one page that is parsed once",
    "tests/valuebias/scorers/test_baseline.py": "one file format and what is compared with it",
    "tests/valuebias/scorers/test_bench.py": "the bench, and several processes on one store",
    "tests/valuebias/scorers/test_implicit.py": "eight measures and their properties",
    "tests/valuebias/search/test_search.py": "rungs that share their models",
    "tests/valuebias/search/test_words.py": "rungs that share their models",
    "tests/valuebias/stats/test_inheritance.py": "one estimator, its golden values and simulations",
    "tests/valuebias/stats/test_paper.py": "the paper's tests against one reference run",
    "tests/valuebias/store/test_store.py": "one store under several processes",
}
"""Files over 350 lines, each with its reason."""


def modules() -> dict[str, Path]:
    found = {}
    for package, folder in ROOTS.items():
        for path in folder.rglob("*.py"):
            parts = [package, *path.relative_to(folder).with_suffix("").parts]
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(text: str, known: Mapping[str, object]) -> set[str]:
    """The modules that a source imports, also inside functions and under TYPE_CHECKING."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                names.add(inner if inner in known else node.module)
    return names & set(known)


def circles(graph: Mapping[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach one another (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    result: list[list[str]] = []

    def visit(module: str) -> None:
        index[module] = low[module] = len(index)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in index:
                visit(other)
                low[module] = min(low[module], low[other])
            elif other in stack:
                low[module] = min(low[module], index[other])
        if low[module] == index[module]:
            at = stack.index(module)
            group = stack[at:]
            del stack[at:]
            if len(group) > 1 or module in graph[module]:
                result.append(sorted(group))

    for module in sorted(graph):
        if module not in index:
            visit(module)
    return result


def test_no_modules_import_each_other() -> None:
    known = modules()
    graph = {name: imports(path.read_text("utf-8"), known) for name, path in known.items()}
    assert len(graph) > 200
    assert circles(graph) == []


def test_a_circle_is_found_wherever_its_imports_stand() -> None:
    known = dict.fromkeys(("p.a", "p.b", "p.c", "p"))
    sources = {
        "p": "",
        "p.a": "def f():\n    from p import b\n",
        "p.b": "if TYPE_CHECKING:\n    from p.c import X\n",
        "p.c": "import p.a\n",
    }
    graph = {name: imports(text, known) for name, text in sources.items()}
    assert circles(graph) == [["p.a", "p.b", "p.c"]]


def test_the_engines_root_holds_its_packages_and_few_modules() -> None:
    root = ROOTS["valuebias"]
    folders = {path.parent.name for path in root.glob("*/__init__.py")}
    assert folders == PACKAGES
    assert len(list(root.glob("*.py"))) <= MOST_MODULES


def sources() -> Iterator[str]:
    for folder in (*ROOTS.values(), *(CHECKOUT / n for n in ("tests", "docs", "benchmarks"))):
        for path in folder.rglob("*.py"):
            yield path.relative_to(CHECKOUT).as_posix()


def test_a_file_is_short_or_says_why_not() -> None:
    lengths = {name: len((CHECKOUT / name).read_text("utf-8").splitlines()) for name in sources()}
    long = {name for name, lines in lengths.items() if lines > MOST_LINES}
    assert long - set(LONG) == set(), "split it, or give its reason here"
    assert set(LONG) - long == set(), "no longer long: take it off the list"
    assert not [name for name in LONG if not name.startswith(("tests", "docs", "benchmarks"))]


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_tests_mirror_the_packages(package: str) -> None:
    assert list((CHECKOUT / "tests" / "valuebias" / package).glob("test_*.py"))
