"""Recorded scores with a known lean, made from the starter lexicons."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from valuebias.lexicons.files import starter
from valuebias.prompts import PAPER_PROMPTS, Prompt


def write_scores(
    path: Path,
    *,
    shift: float = 0.0,
    spread: float = 1.0,
    seed: int = 0,
    extra: dict[str, float] | None = None,
    lexicons: tuple[str, ...] = ("big_two", "mfd2"),
    level: float = 0.0,
    noise: int | None = None,
    prompts: Sequence[Prompt] = PAPER_PROMPTS,
) -> Path:
    """Scores of the starter lexicons' words on the prompts; ``shift`` raises agency's words.

    ``seed`` decides the taste in words, ``noise`` the rest where it is given; a ``level`` well
    below zero makes log-probabilities of them.
    """
    rng = np.random.default_rng(seed)
    words = list(dict.fromkeys(w for name in lexicons for w in starter(name).words()))
    agency = set(starter("big_two").categories["agency"])
    taste = rng.normal(size=len(words)) * spread + np.array([shift * (w in agency) for w in words])
    if noise is not None:
        rng = np.random.default_rng(noise)
    values = level + taste[:, None] + 0.3 * rng.normal(size=(len(words), len(prompts)))
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["response", *(p.id for p in prompts)])
        for word, row in zip(words, values, strict=True):
            out.writerow([word, *(f"{x:.6f}" for x in row)])
        for word, value in (extra or {}).items():
            out.writerow([word, *[value] * len(prompts)])
    return path
