"""Recorded scores with a known lean, made from the starter lexicons."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.lexicons.files import starter
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.instrument import control_lexicon
from valuebias.prompts import PAPER_PROMPTS, Prompt

_GOOD = {
    word: 1 if category.endswith("virtue") else -1
    for category, words in starter("mfd2").categories.items()
    for word in words
} | dict.fromkeys(starter("big_two").words(), 0)
"""Words of virtue and of vice, and words of the Big Two, which are left alone."""
_CONTROL = control_lexicon()


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
    control: Lexicon | None = _CONTROL,
    turns: bool = False,
    prompts: Sequence[Prompt] = PAPER_PROMPTS,
) -> Path:
    """Scores of the starter lexicons' words on the prompts; ``shift`` raises agency's words.

    ``seed`` decides the taste in words, ``noise`` the rest where it is given; a ``level`` well
    below zero makes log-probabilities of them. With ``control`` the table reads the questions, as
    the instrument check demands: words of virtue that are not of the Big Two are raised where the
    best is asked for and lowered where the worst is, words of vice the other way, and the control
    words stand in it whatever the lexicons. With ``turns`` all words are of another taste where the
    worst is asked for.
    """
    rng = np.random.default_rng(seed)
    words = list(dict.fromkeys(w for name in lexicons for w in starter(name).words()))
    agency = set(starter("big_two").categories["agency"])
    taste = rng.normal(size=len(words)) * spread + np.array([shift * (w in agency) for w in words])
    if noise is not None:
        rng = np.random.default_rng(noise)
    values = level + taste[:, None] + 0.3 * rng.normal(size=(len(words), len(prompts)))
    if turns:
        other = (
            np.random.default_rng((seed, 3)).normal(size=(len(words), 1)) * spread - taste[:, None]
        )
        values += other * [p.valence == "negative" for p in prompts]
    if control is not None:
        sides = {"virtue": 1, "vice": -1}
        good = {w: sign for side, sign in sides.items() for w in control.categories[side]} | _GOOD
        of_control = [w for ws in control.categories.values() for w in ws]
        added = [word for word in of_control if word not in words]
        words += added
        own = np.random.default_rng((seed, 1)).normal(size=(len(added), 1))
        more = (
            level
            + own
            + 0.3 * np.random.default_rng((seed, 2)).normal(size=(len(added), len(prompts)))
        )
        values = np.concatenate([values, more])
        asked = np.array([1 if p.valence == "positive" else -1 for p in prompts])
        values += 2 * spread * np.array([good.get(word, 0) for word in words])[:, None] * asked
    write_table(path, words, values, prompts)
    with path.open("a", newline="", encoding="utf-8") as file:
        for word, value in (extra or {}).items():
            csv.writer(file).writerow([word, *[value] * len(prompts)])
    return path


def write_table(
    path: Path,
    words: Sequence[str],
    values: npt.NDArray[Any],
    prompts: Sequence[Prompt] = PAPER_PROMPTS,
) -> Path:
    """Scores (words, prompts), as a table."""
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(["response", *(p.id for p in prompts)])
        for word, row in zip(words, values, strict=True):
            out.writerow([word, *(f"{x:.6f}" for x in row)])
    return path


def write_ratings(
    path: Path,
    *,
    like: int | None = None,
    shift: float = 0.0,
    share: float = 1.0,
    header: str = "word,rating",
    seed: int = 5,
) -> Path:
    """Ratings of the starter lexicons' words; ``shift`` raises agency's. With ``like`` they go with
    the taste of `write_scores` with that seed; ``share`` of the words are rated."""
    words = list(dict.fromkeys(w for name in ("big_two", "mfd2") for w in starter(name).words()))
    agency = set(starter("big_two").categories["agency"])
    rng = np.random.default_rng(seed)
    rated = rng.normal(size=len(words)) + np.array([shift * (w in agency) for w in words])
    if like is not None:
        rated += 2 * np.random.default_rng(like).normal(size=len(words))
    kept = np.random.default_rng((seed, 1)).random(len(words)) < share
    with path.open("w", newline="", encoding="utf-8") as file:
        out = csv.writer(file)
        out.writerow(header.split(","))
        for word, value in zip(np.array(words)[kept], rated[kept], strict=True):
            out.writerow([word.capitalize(), f"{value:.4f}"])
    return path
