"""Everything that is checked, each in an environment of its own: ``nox --list`` says what there is.

What follows ``--`` goes to pytest or, for the benchmarks, names those to run.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import nox

nox.needs_version = ">=2025.2"
nox.options.sessions = ["lint", "types", "tests"]

PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))
"""Those of the classifiers."""
BENCHMARKS = Path("benchmarks")
SLOW = {"inheritance"}
"""Benchmarks without ``--quick``: they take hours."""
ON_PUBLISHED_DATA = {"instrument", "panel", "panel_spreads", "published", "relabelled"}
"""Benchmarks of the paper's scores, whose folder is VALUEBIAS_PUBLISHED_DATA."""
ON_VLLM = {"served"}
"""Benchmarks against a vLLM in an environment of its own, whose command is VALUEBIAS_VLLM."""

ON_REAL_MODELS = {"real"}
"""Benchmarks of the models in VALUEBIAS_REAL_MODELS, with preferences in VALUEBIAS_TEST_DATA."""


def _install(session: nox.Session, *extras: str) -> None:
    session.install("-c", "constraints.txt", "-e", f".[{','.join(extras)}]")


@nox.session
def lint(session: nox.Session) -> None:
    """Check style, format and which package may import which."""
    session.install("-c", "constraints.txt", "ruff", "import-linter")
    session.install("--no-deps", "-e", ".")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("lint-imports")


@nox.session
def types(session: nox.Session) -> None:
    """Check types with mypy."""
    _install(session, "lint", "test")
    session.run("mypy", *session.posargs)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the tests, on all cores unless told otherwise."""
    _install(session, "test")
    arguments = session.posargs or ["-n", "auto"]
    session.run("pytest", *arguments, env={"OMP_NUM_THREADS": "1"})


@nox.session
def docs(session: nox.Session) -> None:
    """Run every block of the documents; compare the reference with the code."""
    _install(session, "test")
    session.run("pytest", "tests/docs", *session.posargs, env={"OMP_NUM_THREADS": "1"})


@nox.session
def benchmarks(session: nox.Session) -> None:
    """Run the benchmarks quickly: that they work, not their figures."""
    names = session.posargs or sorted(
        path.stem for path in BENCHMARKS.glob("*.py") if path.stem not in SLOW
    )
    _install(session, "test", "train")
    data = os.environ.get("VALUEBIAS_PUBLISHED_DATA")
    for name in names:
        arguments = [] if name in SLOW else ["--quick"]
        if name in ON_PUBLISHED_DATA:
            if data is None:
                session.warn(f"{name}: left out, VALUEBIAS_PUBLISHED_DATA is not set")
                continue
            arguments += ["--data", data]
        if name in ON_VLLM and "VALUEBIAS_VLLM" not in os.environ:
            session.warn(f"{name}: left out, VALUEBIAS_VLLM is not set")
            continue
        if name in ON_REAL_MODELS:
            models, more = (os.environ.get(f"VALUEBIAS_{n}") for n in ("REAL_MODELS", "TEST_DATA"))
            if models is None or more is None:
                session.warn(f"{name}: left out, VALUEBIAS_REAL_MODELS and _TEST_DATA are not set")
                continue
            preferences = Path(more) / "preferences" / "harmless-base_test.jsonl.gz"
            arguments += ["--models", models, "--preferences", str(preferences)]
            arguments += ["--work", session.create_tmp()]
        environment = {"PYTHONPATH": "tests"} if name in ON_VLLM else None
        session.run("python", str(BENCHMARKS / f"{name}.py"), *arguments, env=environment)


@nox.session
def package(session: nox.Session) -> None:
    """Build the package and check what an index will show of it."""
    session.install("-c", "constraints.txt", "build", "twine")
    folder = Path(session.create_tmp()) / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(folder))
    session.run("twine", "check", "--strict", *map(str, sorted(folder.iterdir())))


@nox.session
def real(session: nox.Session) -> None:
    """Run the tests of the real models that VALUEBIAS_REAL_MODELS names, the long ones too."""
    _install(session, "test", "train")
    session.run("pytest", "tests/real/test_real_models.py", "tests/real/whole.py", *session.posargs)
