"""A model's ranks of a lexicon's words, prompt by prompt, as reports draw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast_scores import lexicon_scores
from valuebias.prompts import PAPER, Prompt, PromptSet, Valence
from valuebias.scorers.protocol import Scorer


@dataclass(frozen=True)
class WordRanks:
    """A model's ranks of all of a lexicon's words among one another.

    ``values`` (prompts, words) are midranks from 1, the most preferred, as in the paper's figure 1;
    ``families`` (words,) each word's family, ``members`` the columns of each category's words.
    """

    prompts: tuple[Prompt, ...]
    words: tuple[str, ...]
    families: tuple[str, ...]
    members: Mapping[str, npt.NDArray[np.intp]]
    values: npt.NDArray[np.float64]

    @property
    def medians(self) -> npt.NDArray[np.float64]:
        """(prompts, categories): the median rank of each category's words."""
        columns = self.members.values()
        return np.stack([np.median(self.values[:, at], axis=1) for at in columns], axis=1)

    def mean(self, valence: Valence) -> npt.NDArray[np.float64]:
        """(words,): each word's mean rank over the prompts of one valence."""
        asked = [prompt.valence == valence for prompt in self.prompts]
        means: npt.NDArray[np.float64] = self.values[asked].mean(axis=0)
        return means


def word_ranks(scorer: Scorer, lexicon: Lexicon, *, prompts: PromptSet = PAPER) -> WordRanks:
    """Rank a lexicon's words by a model's scores, on the prompts of both valences.

    Scores what is missing from the store. Raises what loading or scoring the model raises, and
    LexiconError if too little of a category is covered.
    """
    scores = lexicon_scores(scorer, lexicon, prompts.both)
    selection = lexicon.select_all(scores.candidates.responses)
    place = {word: i for i, word in enumerate(selection.words)}
    members = {
        category: np.array([place[word] for word in words], dtype=np.intp)
        for category, words in lexicon.expand(selection.words).items()
    }
    return WordRanks(
        prompts.both,
        selection.words,
        tuple(selection.families.tolist()),
        members,
        rankdata(-scores.values[:, selection.columns].astype(np.float64), axis=1),
    )
