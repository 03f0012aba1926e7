"""A small model is computed on one thread, unless somebody says otherwise."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import torch

from valuebias.models import threads
from valuebias.models.settings import parse_threads


@pytest.fixture(autouse=True)
def four(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


def module(beside: int, embeddings: int = 100_000_000) -> SimpleNamespace:
    """Something with so many parameters beside its embeddings, none of which is there."""
    own = torch.empty(beside, device="meta")
    words = torch.empty(embeddings, device="meta")
    own_cpu = SimpleNamespace(numel=own.numel, device=torch.device("cpu"))
    return SimpleNamespace(
        parameters=lambda: iter([own_cpu, words]),
        get_input_embeddings=lambda: SimpleNamespace(parameters=lambda: iter([words])),
    )


def test_the_work_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    assert threads.fitting(module(threads.SMALL - 1), 0) == 1
    assert threads.fitting(module(threads.SMALL), 0) is None
    assert threads.fitting(module(1), 3) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert threads.fitting(module(1), 0) is None


def test_the_number_is_given_back() -> None:
    seen = []

    def fail() -> None:
        with threads.used(1):
            seen.append(torch.get_num_threads())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert seen == [1]
    assert torch.get_num_threads() == 4
    with threads.used(None):
        assert torch.get_num_threads() == 4


def test_a_number_of_threads_is_auto_or_at_least_one() -> None:
    assert (parse_threads("auto"), parse_threads("12")) == (0, 12)
    for text in ("0", "-1", "two", "1.5", ""):
        with pytest.raises(ValueError, match="must be auto or an integer >= 1"):
            parse_threads(text)
