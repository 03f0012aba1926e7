"""The real models, a project that tests them, and reward models trained from them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.real import FOLDER, MODELS, WORDS, run


@pytest.fixture(scope="session")
def real() -> Path:
    assert FOLDER is not None
    return Path(FOLDER)


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sixty words as a lexicon and a few preferences."""
    folder = tmp_path_factory.mktemp("real")
    rows = [f"{w},{'agency' if i < 30 else 'communion'}" for i, w in enumerate(WORDS)]
    (folder / "words.csv").write_text("\n".join(["word,category", *rows]) + "\n")
    pairs = [
        {"prompt": f"Say something about {w}.", "chosen": f"It is {w}.", "rejected": "No."}
        for w in WORDS[:16]
    ]
    (folder / "pairs.jsonl").write_text("\n".join(map(json.dumps, pairs)) + "\n")
    return folder


@pytest.fixture(scope="session", params=MODELS)
def trained(request: pytest.FixtureRequest, real: Path, project: Path) -> tuple[Path, Path]:
    """A reward model after two steps of training, and its base."""
    base = real / request.param
    recipe = project / f"{base.name}.yaml"
    recipe.write_text(
        f"base: {base}\ndata: pairs.jsonl\npairs: 8\nepochs: 1\nbatch_size: 4\naccumulation: 1\n"
        "checkpoint_every: 2\nlearning_rate: 0.001\nlora_rank: 4\nlora_alpha: 8\n"
    )
    done = run("valuebias", "train", recipe.name, "--cpu", "--unwatched", cwd=project)
    assert done.returncode == 0, done.stderr
    return project / "runs" / base.name / "checkpoint-2", base
