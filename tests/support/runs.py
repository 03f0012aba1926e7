"""Training runs whose scores are drawn: what tests of drift and of gaps look at."""

from __future__ import annotations

import math

import numpy as np

FACTORS = [{"adjective": str(i // 4)} for i in range(12)]


def run(seed=0, *, shifts=(0.8, 0.5, 0.2), words=60, prompts=12, lag=0.9, noise=0.5, step=0.0):
    """A run's checkpoints, with so much added to the words of A at each; sides; families of one or
    two words."""
    rng = np.random.default_rng(seed)
    names = np.repeat(np.arange(words), rng.integers(1, 3, words))[:words]
    in_a = names % 2 == 0
    found, kept = [], None
    for t, shift in enumerate(shifts):
        fresh = rng.normal(size=(prompts + 1, words))
        kept = fresh if kept is None else lag * kept + math.sqrt(1 - lag**2) * fresh
        values = kept[0] + noise * kept[1:] + shift * in_a
        found.append((1000.0 * t, np.round(values / step) * step if step else values))
    return found, in_a, names


def two_runs(seed=0, first=(1.5, 0.9, 0.4), second=(-0.5, -0.3, 0.2), **options):
    one, in_a, names = run(seed, shifts=first, **options)
    other, _, _ = run(seed + 1, shifts=second, **options)
    return one, other, in_a, names


def numbers(found):
    """All figures of a trajectory."""
    return np.array([found.estimates, found.low, found.high])
