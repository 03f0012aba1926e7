"""Runs of the plugin on recorded scores, plain and under xdist."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import matplotlib.backends.backend_svg
import matplotlib.figure  # noqa: F401
import pyarrow.parquet  # noqa: F401
import pytest
import rich.table  # noqa: F401
import scipy.stats  # noqa: F401

# In-process runs forget what they imported, and extension modules cannot be imported twice: what
# a run needs is imported here once.
import valuebias.measurement.contrast
import valuebias.scorers.recorded  # noqa: F401
from support import warm_workers
from support.scores import write_scores
from support.warm import WarmPython

Run = Callable[..., pytest.RunResult]

LIBRARIES = ("pyarrow.parquet", "pytest", "rich.table", "scipy.stats", "yaml")
OF_MODELS = (
    *LIBRARIES,
    "peft",
    "tokenizers",
    "torch",
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
)


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models = ("VALUEBIAS_RM", "VALUEBIAS_LLM", "VALUEBIAS_BASE", "VALUEBIAS_REFERENCE")
    # On a build server pytest repeats a failure's whole text in its closing lines, and a run adds
    # to the summary of its step.
    for name in (*models, "CI", "BUILD_NUMBER", "PYTEST_ADDOPTS", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def demo_store(demo_scores: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The scores of the embedded models are those of other tests."""
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(demo_scores))


# Plugins that the projects of these tests do not use, and every worker would import.
OTHERS_OFF = ("-p", "no:hypothesispytest", "-p", "no:anyio")
HTML_OFF = ("-p", "no:html", "-p", "no:html_fixtures", "-p", "no:metadata")


def switched_off(args: tuple[str, ...]) -> tuple[str, ...]:
    """The options that do so; pytest-html stays where its page is asked for."""
    return OTHERS_OFF if any(arg.startswith("--html=") for arg in args) else OTHERS_OFF + HTML_OFF


@pytest.fixture(scope="session")
def warm() -> Iterator[list[WarmPython]]:
    """Two, so that the hash seeds of two workers differ: they must collect in one order."""
    servers = [WarmPython(*LIBRARIES), WarmPython(*LIBRARIES)]
    yield servers
    for server in servers:
        server.close()


@pytest.fixture(scope="session")
def warm_with_torch() -> Iterator[WarmPython]:
    server = WarmPython(*OF_MODELS)
    yield server
    server.close()


@pytest.fixture
def in_process(
    pytester: pytest.Pytester, warm: list[WarmPython], monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run pytest in this process; workers that ``-n`` asks for are warm."""
    monkeypatch.setenv("WARM_PYTHON", json.dumps([server.command for server in warm]))

    def run(*args: object) -> pytest.RunResult:
        given = tuple(map(str, args))
        return pytester.runpytest(*switched_off(given), *given, plugins=[warm_workers])

    return run


@pytest.fixture
def own_process(
    pytester: pytest.Pytester, warm_with_torch: WarmPython, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """Run pytest in a process of its own that has torch imported, as its workers have; warnings
    are errors."""
    command = warm_with_torch.command
    monkeypatch.setenv("WARM_PYTHON", json.dumps([command]))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]), prepend=os.pathsep)
    folder = f"--basetemp={pytester.path / 'runpytest'}"
    # torch brings a library that is a plugin as well, and pytest warns that it comes too early.
    early = "ignore:Module already imported:pytest.PytestAssertRewriteWarning"
    first = (
        "-p",
        warm_workers.__name__,
        *OTHERS_OFF,
        *HTML_OFF,
        folder,
        "-W",
        "error",
        "-W",
        early,
    )

    def run(*args: object) -> pytest.RunResult:
        return pytester.run(*command, "-mpytest", *first, *map(str, args))

    return run


@pytest.fixture(params=["plain", "xdist"])
def run(request: pytest.FixtureRequest, in_process: Run) -> Run:
    """Run pytest in an empty project, warnings as errors: once plain, once with two workers."""
    extra = ["-n", "2"] if request.param == "xdist" else ["-p", "no:xdist"]

    def run(*args: object) -> pytest.RunResult:
        return in_process("-W", "error", *extra, *args)

    return run


@pytest.fixture
def leaning(tmp_path: Path) -> Path:
    """Recorded scores that lean strongly to agency."""
    return write_scores(tmp_path / "leaning.csv", shift=1.5)


@pytest.fixture
def even(tmp_path: Path) -> Path:
    """Recorded scores with no lean."""
    return write_scores(tmp_path / "even.csv")
