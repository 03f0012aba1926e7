"""How much the suite of whole answers will compute, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from valuebias.candidates import Candidates
from valuebias.lexicons.lexicon import Lexicon
from valuebias.lexicons.whole_answers import for_whole_answers
from valuebias.measurement.instrument import control_lexicon
from valuebias.measurement.workload import left_of
from valuebias.prompts import ANSWERS, Prompt, PromptSet
from valuebias.prompts.answers import DESIGNS
from valuebias.scorers.protocol import Scorer
from valuebias.scorers.stored_model import StoredModel
from valuebias.scores import Job
from valuebias.store.database import Store
from valuebias.store.model_scores import ModelScores


@dataclass(frozen=True)
class AnswersWork:
    """``answers`` are forwards, one a word and frame. With a model also: ``left``, those that are
    not stored, ``rate``, how many of them it makes in a second, and ``seconds``, how long they
    take. These are None where they are not known."""

    answers: int
    frames: int
    left: int | None = None
    rate: float | None = None
    seconds: float | None = None


def answers_work(
    lexicons: Sequence[Lexicon], store: Store, scorer: Scorer | None = None, *, quick: bool = False
) -> AnswersWork:
    """Of the words of these lexicons that stand in frames, and the control words. With ``scorer``
    one frame of each place is scored by the clock, after one to warm up, and kept: the run will
    find them. Recorded scores take nothing.

    Raises LexiconError for a lexicon with too few such words, and what loading or scoring the model
    raises.
    """
    frames = ANSWERS.quick if quick else ANSWERS
    asked = [*map(for_whole_answers, lexicons), control_lexicon(frames)]
    count = len(frames.both) * sum(len(lexicon.words()) for lexicon in asked)
    if not isinstance(scorer, StoredModel):
        none = None if scorer is None else 0
        return AnswersWork(count, len(frames.both), none, None, none)
    stored = ModelScores(store, scorer.fingerprint)
    words = [scorer.candidates(lexicon) for lexicon in asked]
    rate = _rate(scorer, stored, max(words, key=len), frames)
    left = sum(left_of(stored, Job(frames.both, each)) for each in words)
    seconds = 0.0 if not left else None if rate is None else left / rate
    return AnswersWork(count, len(frames.both), left, rate, seconds)


def _rate(
    model: StoredModel, stored: ModelScores, words: Candidates, frames: PromptSet
) -> float | None:
    """Answers a second, over one frame of each place: what stands before the word is computed once,
    and what follows it with every word. None where no place has a frame left."""
    missing = stored.missing(Job(frames.both, words), words)
    left = [prompt for prompt, done in missing.items() if not done.any()]
    by_place: dict[str, Prompt] = {}
    for prompt in left:
        by_place.setdefault(DESIGNS[prompt.id].place, prompt)
    others = [prompt for prompt in left if prompt not in by_place.values()]
    if not others or len(by_place) < 3:
        return None
    model.score([others[0]], words)
    begin = time.perf_counter()
    model.score(list(by_place.values()), words)
    return len(words) * len(by_place) / (time.perf_counter() - begin)
