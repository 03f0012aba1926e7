"""One thread for tiny models; the folder of real material, or a skip."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from support.models import test_data


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = test_data()
    if folder is None:
        pytest.skip("VALUEBIAS_TEST_DATA is not set")
    return folder
