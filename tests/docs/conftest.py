"""What the documents take for granted: programs, models, scores, preferences, training runs.

Everything is made once a run, whichever worker comes first; every page has a folder of its own.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from support import warm_workers
from support.documents import CHECKOUT
from support.scores import write_ratings, write_table
from support.warm import WarmPython

LIBRARIES = (
    *("pyarrow.parquet", "pytest", "rich.table", "scipy.stats", "yaml"),
    *("jinja2", "matplotlib.figure", "matplotlib.backends.backend_svg"),
    *("accelerate", "peft", "tokenizers", "torch", "transformers.trainer"),
    "transformers.models.auto.modeling_auto",
    "transformers.models.llama.modeling_llama",
)
REWARD_MODELS = {
    "org/model": 0,
    "out/checkpoint-1000": 0,
    "org/last-release": 1,
    "org/next-model": 1,
}
"""Two models that nearly agree and read the questions, under the names the documents use."""
LANGUAGE_MODELS = ("org/base-a", "org/policy", "org/base-b", "org/reference")
RECIPE = """\
base: {base}
data: preferences.jsonl
seed: {seed}
epochs: 1
batch_size: 16
accumulation: 1
lora_rank: 4
learning_rate: 1e-2
max_length: 256
checkpoint_every: 5
"""
PAIRS = 160
NOISE_SEED, NOISE_SHARE = 1, 0.1

# pytest as users start it, but for plugins of the tests' own environment that cost time.
_PYTEST = (
    *("-p", warm_workers.__name__, "-p", "no:hypothesispytest", "-p", "no:anyio"),
    *("-p", "no:playwright", "-p", "no:cacheprovider"),
    *("-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"),
)
_OURS = ("VALUEBIAS_", "GITHUB_", "PYTEST_")


@dataclass(frozen=True)
class Workshop:
    """Where commands run: ``things`` is what pages' folders are filled from."""

    things: Path
    environment: Mapping[str, str]

    def run(self, command: str, folder: Path, **extra: str) -> subprocess.CompletedProcess[str]:
        """Run a command through bash; both streams of its output are in ``stdout``."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=folder,
            env={**self.environment, **extra},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            timeout=300,
        )

    def fill(self, folder: Path) -> None:
        """Put everything that documents name into a page's folder."""
        for path in self.things.iterdir():
            if path.is_dir():
                shutil.copytree(path, folder / path.name, symlinks=True)
            else:
                shutil.copy(path, folder)


@pytest.fixture(scope="session")
def warm_documents() -> Iterator[WarmPython]:
    server = WarmPython(*LIBRARIES)
    yield server
    server.close()


@pytest.fixture(scope="session")
def workshop(
    tmp_path_factory: pytest.TempPathFactory, warm_documents: WarmPython, worker_root: Path
) -> Workshop:
    programs = _programs(tmp_path_factory.mktemp("bin"), warm_documents.command)
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(_OURS) and name not in ("CI", "BUILD_NUMBER", "FORCE_COLOR")
    }
    environment = {
        **kept,
        "COLUMNS": "80",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT / "tests"),
        "WARM_PYTHON": json.dumps([warm_documents.command]),
        "XDG_CACHE_HOME": str(worker_root / "cache"),
    }
    shop = Workshop(worker_root / "things", environment)
    with FileLock(worker_root / "lock"):
        if not (worker_root / "made").exists():
            shutil.rmtree(shop.things, ignore_errors=True)
            _make(shop.things, shop)
            (worker_root / "made").touch()
    return shop


@pytest.fixture(scope="session")
def worker_root(shared_folder: Path) -> Path:
    """One folder for all workers of this run."""
    root = shared_folder / "documents"
    root.mkdir(exist_ok=True)
    return root


def _programs(folder: Path, warm: list[str]) -> Path:
    """python, pytest and valuebias, each started warm."""
    start, first = shlex.join(warm), shlex.join(_PYTEST)
    python = f"""case "$1" in
-m) shift; module=$1; shift; exec {start} "-m$module" "$@";;
-c) exec {start} "$@";;
*) exec {start} -c "import runpy, sys; sys.argv.pop(0); sys.path[0] = ''
runpy.run_path(sys.argv[0], run_name='__main__')" "$@";;
esac"""
    scripts = {
        "python": python,
        "pytest": f'exec {start} -mpytest {first} "$@"',
        "valuebias": f'exec {start} -mvaluebias "$@"',
    }
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)
    return folder


def _make(root: Path, shop: Workshop) -> None:
    from valuebias.organisms.reward import preferences, write_preferences

    for name in (*REWARD_MODELS, *LANGUAGE_MODELS):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
    for name, seed in REWARD_MODELS.items():
        _save_reward_model(root / name, seed=seed)
    for name in LANGUAGE_MODELS:
        _save_language_model(root / name, root / "org/model")
    _record(root / "org/model", root / "rewards.csv")
    write_ratings(root / "norms.csv")
    write_preferences(preferences(PAIRS, "documents", flipped=0.0), root / "preferences.jsonl")
    (root / "recipe.yaml").write_text(RECIPE.format(base="org/base-a", seed=0))
    for name, base, seed in (("a", "org/base-a", 0), ("b", "org/base-b", 1)):
        recipe = root / f"{name}.yaml"
        recipe.write_text(RECIPE.format(base=base, seed=seed))
        ended = shop.run(f"valuebias train {recipe.name} --out runs/{name} --unwatched", root)
        assert ended.returncode == 0, ended.stdout
        recipe.unlink()
    _install_lexicons(Path(shop.environment["XDG_CACHE_HOME"]) / "valuebias")


def _save_reward_model(path: Path, *, seed: int) -> None:
    """The reward model of the organism without a planted preference, in one folder with noise in
    its weights, and for another seed the same one slightly changed. The noise was drawn so that the
    model passes what the documents assert of a healthy one."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    from valuebias.organisms.paths import base_model, reward_model

    base = AutoModelForSequenceClassification.from_pretrained(
        base_model("neutral"), num_labels=1, dtype=torch.float32
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*is_gradient_checkpointing", FutureWarning)  # PEFT's
        model: Any = PeftModel.from_pretrained(base, reward_model("neutral"))
    model = model.merge_and_unload()
    for drawn, share in ((NOISE_SEED, NOISE_SHARE), *([(seed, 0.001)] if seed else [])):
        torch.manual_seed(drawn)
        with torch.no_grad():
            for weights in model.parameters():
                weights.add_(share * weights.std() * torch.randn_like(weights))
    model.save_pretrained(path)
    AutoTokenizer.from_pretrained(base_model("neutral")).save_pretrained(path)


def _save_language_model(path: Path, reward_model: Path) -> None:
    """``base-a`` has the layers of a reward model, so that a few steps of training make one of it
    that reads the questions; ``base-b`` is the same slightly changed; ``policy`` tells best from
    worst, and its ``reference`` does not."""
    import torch
    from transformers import AutoModel, AutoModelForCausalLM, AutoTokenizer

    from valuebias.organisms.paths import base_model
    from valuebias.prompts import SHIPPED

    tokenizer = AutoTokenizer.from_pretrained(base_model("neutral"))
    model: Any = AutoModelForCausalLM.from_pretrained(base_model("neutral"), dtype=torch.float32)
    with torch.no_grad():
        if path.name.startswith("base"):
            layers = AutoModel.from_pretrained(reward_model, dtype=torch.float32)
            model.model.load_state_dict(layers.state_dict())
        if path.name == "base-b":
            torch.manual_seed(1)
            for weights in model.parameters():
                weights.add_(0.02 * weights.std() * torch.randn_like(weights))
        if path.name == "reference":
            tokens: dict[str, set[int]] = {"positive": set(), "negative": set()}
            for prompt in chain(*(each.prompts for each in SHIPPED.values())):
                tokens[str(prompt.valence)].update(tokenizer(prompt.text)["input_ids"])
            telling = sorted(tokens["positive"] ^ tokens["negative"])
            embeddings = model.get_input_embeddings().weight
            embeddings[telling] = embeddings[telling].mean(0)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)


def _record(model: Path, table: Path) -> None:
    """Write a reward model's scores of the starter lexicons' words as a table."""
    import valuebias as vb
    from valuebias.lexicons.files import starter

    words = list(dict.fromkeys(w for name in ("big_two", "mfd2") for w in starter(name).words()))
    scores = vb.load(str(model), cache_dir=table.parent / "recording").score(words, "paper")
    write_table(table, words, scores.values.T)
    shutil.rmtree(table.parent / "recording")


def _install_lexicons(cache: Path) -> None:
    """The published lexicons where they would be installed, if this machine has them: their
    licences do not allow us to pass them on, and tests use no network."""
    from valuebias.lexicons.install import PUBLISHED, lexicon_folder

    if data := os.environ.get("VALUEBIAS_PUBLISHED_DATA"):
        folder = lexicon_folder(cache)
        folder.mkdir(parents=True, exist_ok=True)
        for lexicon in PUBLISHED.values():
            if not lexicon.columns:  # ratings are not among them
                shutil.copy(Path(data) / "data" / "corpora" / lexicon.file, folder)
