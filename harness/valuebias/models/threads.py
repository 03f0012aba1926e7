"""How many threads of the processor a model is computed on: as many as its work can use.

A small model's matrix products are over before a second thread has begun, and the threads wait for
each other by spinning: the same work takes several times the processor time
(benchmarks/threads.py), which is another process's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

import torch

SMALL = 10_000_000
"""A model with fewer parameters than this beside its embeddings is computed on one thread. A second
one saves it a fifth of the time at most, and beside other work costs it as much again and more."""

_GIVEN = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


def fitting(module: Any, wanted: int) -> int | None:
    """The number of threads for a model: ``wanted`` if it is not 0; one for a small model on a CPU
    where the environment (OMP_NUM_THREADS) does not say otherwise; else None, torch's own."""
    if wanted:
        return wanted
    if any(os.environ.get(name) for name in _GIVEN) or torch.get_num_threads() == 1:
        return None
    if next(module.parameters()).device.type != "cpu":
        return None
    embeddings = {id(p) for p in module.get_input_embeddings().parameters()}
    size = sum(p.numel() for p in module.parameters() if id(p) not in embeddings)
    return 1 if size < SMALL else None


@contextlib.contextmanager
def used(threads: int | None) -> Iterator[None]:
    """Compute on so many threads (None: on as many as now); afterwards on as many as before."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        yield
    finally:
        torch.set_num_threads(before)
