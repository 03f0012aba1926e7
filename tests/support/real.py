"""The real pretrained models that VALUEBIAS_REAL_MODELS names, and a project that tests them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from valuebias.lexicons.files import starter

FOLDER = os.environ.get("VALUEBIAS_REAL_MODELS")
CUE = "\nAnswer:"
MODELS = {"smollm2": "", "gemma3": CUE}
WORDS = tuple(
    word
    for category in ("agency", "communion")
    for word in list(starter("big_two").categories[category])[:60:2]
)


def run(*command: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"VALUEBIAS_CACHE_DIR": str(cwd / "store"), "COLUMNS": "80"}
    return subprocess.run(
        [sys.executable, "-m", *map(str, command)],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def inheritance(model: Path, base: Path, project: Path) -> list[dict[str, Any]]:
    """The verdicts of `inheritance` on the project's words and six prompts a valence."""
    run(
        "pytest", "-q", f"--rm=rm={model}", f"--base={base}", f"--valuebias-answer-cue={CUE}",
        "--valuebias-profile=quick", "--valuebias-suite=inheritance",
        "--valuebias-instrument=report", "--valuebias-lexicon=big_two=words.csv",
        "--valuebias-json=taste.json", "-k", "big_two and positive", cwd=project,
    )  # fmt: skip
    verdicts: list[dict[str, Any]] = json.loads((project / "taste.json").read_text())["verdicts"]
    return verdicts
