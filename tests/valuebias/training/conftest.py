"""A tiny base and tiny preferences; one thread."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from support.models import save_language_model
from support.preferences import rows, write_rows
from valuebias.training import DataSource, Recipe


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny random Llama with a chat template."""
    return save_language_model(tmp_path_factory.mktemp("base") / "tiny-llama")


@pytest.fixture(scope="session")
def pairs_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty pairs."""
    return write_rows(tmp_path_factory.mktemp("data") / "pairs.jsonl", rows(40))


@pytest.fixture(scope="session")
def recipe(base: Path, pairs_file: Path) -> Recipe:
    """A short run: 40 pairs, 2 epochs of 5 steps, dropout, a checkpoint every 3 steps."""
    return Recipe(
        str(base),
        DataSource(str(pairs_file)),
        batch_size=4,
        accumulation=2,
        lora_rank=4,
        learning_rate=1e-2,
        lora_dropout=0.1,
        checkpoint_every=3,
        log_every=2,
    )
