"""Runs of the plugin on recorded scores, plain and under xdist."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet  # noqa: F401
import pytest
import rich.table  # noqa: F401
import scipy.stats  # noqa: F401

# In-process runs forget what they imported, and extension modules cannot be imported twice: what
# a run needs is imported here once.
import valuebias.measure
import valuebias.recorded  # noqa: F401
from support.scores import write_scores

Run = Callable[..., pytest.RunResult]


@pytest.fixture(autouse=True)
def own_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    models = ("VALUEBIAS_RM", "VALUEBIAS_LLM", "VALUEBIAS_BASE", "VALUEBIAS_REFERENCE")
    # On a build server pytest repeats a failure's whole text in its closing lines.
    for name in (*models, "CI", "BUILD_NUMBER", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("VALUEBIAS_CACHE_DIR", str(tmp_path / "store"))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture(params=["plain", "xdist"])
def run(request: pytest.FixtureRequest, pytester: pytest.Pytester) -> Run:
    """Run pytest in an empty project, warnings as errors: once plain, once with two workers."""
    extra = ["-n", "2"] if request.param == "xdist" else ["-p", "no:xdist"]

    def run(*args: object) -> pytest.RunResult:
        return pytester.runpytest("-W", "error", *extra, *map(str, args))

    return run


@pytest.fixture
def leaning(tmp_path: Path) -> Path:
    """Recorded scores that lean strongly to agency."""
    return write_scores(tmp_path / "leaning.csv", shift=1.5)


@pytest.fixture
def even(tmp_path: Path) -> Path:
    """Recorded scores with no lean."""
    return write_scores(tmp_path / "even.csv")
