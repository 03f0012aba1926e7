"""The question of whole answers: which of two answers that differ in a word is preferred?"""

from __future__ import annotations

from dataclasses import astuple, replace
from functools import partial

import numpy as np

from valuebias.errors import StatisticsError
from valuebias.format import bracketed, signed
from valuebias.lexicons.frequencies import Frequencies
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast import Measurement, measure
from valuebias.measurement.contrast_scores import ContrastScores
from valuebias.prompts import ANSWERS, PAPER, PromptSet, Valence
from valuebias.prompts.answers import DESIGNS, LEVELS
from valuebias.scorers.protocol import Scorer
from valuebias.stats.kendall import rank_agreement
from valuebias.stats.tastes import tastes


def measure_answers(
    scorer: Scorer,
    lexicon: Lexicon,
    contrast: str,
    valence: Valence,
    *,
    frames: PromptSet = ANSWERS,
    alone: PromptSet = PAPER,
    frequencies: Frequencies | None = None,
    alpha: float = 0.05,
    seed: int = 0,
) -> Measurement:
    """Measure one contrast of one reward model in whole answers: the words of ``lexicon`` (see
    `lexicons.whole_answers`) in every frame. Positive: answers that hold a word of the first side
    are preferred.

    Frames are sampled as prompts are, words by family. The detail says what the same words come to
    alone, on the prompts of ``alone``, and what the model prefers in answers beside their words.
    Raises as `contrast.measure` does, and ScoresError for a language model.
    """
    asked = (scorer, lexicon, contrast, valence)
    of_words = partial(measure, *asked, vocabulary=False, alpha=alpha, seed=seed)
    found = of_words(prompts=frames, frequencies=frequencies)
    words = of_words(prompts=alone)
    told = [_beside(found, words), _tastes(ContrastScores.of(*asked, frames))]
    return replace(found, role="answers", detail=" ".join(filter(None, told)))


def _beside(found: Measurement, words: Measurement) -> str:
    """Both effects side by side, and whether they disagree."""
    alone = words.effect
    text = f"The same words alone: {signed(alone.estimate)} {bracketed(alone.low, alone.high)}"
    if alone.estimate * found.effect.estimate < 0:
        text += ", of the opposite sign"
    return text + "."


def _tastes(scored: ContrastScores) -> str:
    """What the model prefers beside words; empty where the frames are no shipped ones."""
    ((valence, values),) = scored.values.items()
    frames = [prompt.id for prompt in scored.prompts[valence]]
    design = [astuple(DESIGNS[name]) for name in frames if name in DESIGNS]
    _, families = scored.sides
    lengths = np.array([len(word) for word in scored.selection.words], float)
    try:
        longer = rank_agreement(values, lengths, families)
        found = [f"longer words {signed(longer.estimate)} {bracketed(longer.low, longer.high)}"]
        if len(design) == len(frames):
            found += map(str, tastes(values, design, LEVELS))
    except StatisticsError:  # six frames of the quick profile, or a head that says one thing
        return ""
    return f"Beside words it prefers (no part of the effect): {'; '.join(found)}."
