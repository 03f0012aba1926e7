"""Tables of scores whose right verdict is known: of the starter lexicons' words on the 54 prompts.

Garbage knows nothing of the questions, or gives answers to others: every table of it must be
refused. A virtuous table reads the questions and has no taste in the Big Two.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from valuebias.candidates import Candidates
from valuebias.lexicons.files import starter
from valuebias.measurement.instrument import control_lexicon
from valuebias.prompts import PAPER_PROMPTS
from valuebias.scorers.recorded_file import write_scores
from valuebias.scores import Scores

Floats = npt.NDArray[Any]
_LEXICONS = (starter("big_two"), starter("mfd2"), control_lexicon())
WORDS = tuple(dict.fromkeys(word for lexicon in _LEXICONS for word in lexicon.words()))
"""All that the shipped suites and the instrument check read."""
NEGATIVE = np.array([prompt.valence == "negative" for prompt in PAPER_PROMPTS])
KINDS = (
    "noise", "alphabetical order", "word length", "one order for all questions",
    "negative columns copied", "columns joined wrongly", "rows joined wrongly", "flipped sign",
)  # fmt: skip
_GOOD = {
    word: 1 if category.endswith("virtue") else -1
    for category, words in starter("mfd2").categories.items()
    for word in words
    if word not in starter("big_two").words()
}
GOOD = np.array([_GOOD.get(word, 0) for word in WORDS])
"""Of a word of virtue 1, of vice -1, of others and of the Big Two 0."""
_LASTING = 0.9  # of a word's variance, the share it keeps over the prompts of a valence


def virtuous(seed: int) -> Floats:
    """Scores (words, prompts) in which words of virtue are two standard deviations up where the
    best is asked for and down where the worst is, words of vice the other way; the rest is chance,
    drawn anew for each valence, the same for agency and communion."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(len(WORDS), len(PAPER_PROMPTS))) * np.sqrt(1 - _LASTING)
    for columns in (NEGATIVE, ~NEGATIVE):
        values[:, columns] += rng.normal(size=(len(WORDS), 1)) * np.sqrt(_LASTING)
    return values + 2 * np.where(NEGATIVE, -1, 1) * GOOD[:, None]


def garbage(kind: str, seed: int) -> Floats:
    """Scores (words, prompts) of one of KINDS."""
    rng = np.random.default_rng((seed, 1))
    noise = rng.normal(size=(len(WORDS), len(PAPER_PROMPTS)))
    values = virtuous(seed)
    match kind:
        case "noise":
            return noise
        case "alphabetical order":
            return np.argsort(np.argsort(WORDS))[:, None] + 3 * noise
        case "word length":
            return np.array([len(word) for word in WORDS])[:, None] + 0.3 * noise
        case "one order for all questions":
            return rng.normal(size=(len(WORDS), 1)) + 0.3 * noise
        case "negative columns copied":
            values[:, NEGATIVE] = values[:, ~NEGATIVE]
            return values
        case "columns joined wrongly":
            return rng.permutation(values, axis=1)
        case "rows joined wrongly":
            return rng.permutation(values, axis=0)
        case "flipped sign":
            return -values
    raise ValueError(kind)


def write(path: Path, values: Floats, words: tuple[str, ...] = WORDS) -> Path:
    """Write scores (words, prompts) as a file for ``--rm=scores:FILE``."""
    scores = Scores(values.T.astype(np.float32), PAPER_PROMPTS, Candidates.words(words), {})
    write_scores(scores, path)
    return path
