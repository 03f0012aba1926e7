"""How much a run will compute, and how long that takes."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from valuebias.candidates import VOCABULARY, Candidates, Vocabulary
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.first_tokens import token_job
from valuebias.measurement.instrument import control_lexicon
from valuebias.measurement.paper import WHOLE_VOCABULARY
from valuebias.measurement.surfaces import SURFACES, surface_jobs
from valuebias.measurement.tokens import VOCABULARY_LIMIT
from valuebias.prompts import PAPER_PROMPTS, Prompt, PromptSet
from valuebias.scorers.bench import Bench
from valuebias.scorers.protocol import Scorer
from valuebias.scorers.stored_model import StoredModel
from valuebias.scores import Job
from valuebias.store.model_scores import ModelScores


@dataclass(frozen=True)
class Workload:
    """``words`` are forwards, one a word and prompt; ``prompts`` those of the lexicons' words,
    ``vocabulary_prompts`` those on which the whole vocabulary is scored too, ``policy_tokens``
    forwards of policies' tokens as answers. With a model also: ``tokens`` of those words,
    ``vocabulary`` its size, ``left`` all the forwards that are not stored, ``rate`` how many of
    them it makes in a second and ``seconds`` how long they take. These are None where they are not
    known."""

    words: int
    prompts: int
    vocabulary_prompts: int
    tokens: int | None = None
    vocabulary: int | None = None
    left: int | None = None
    rate: float | None = None
    seconds: float | None = None
    policy_tokens: int = 0


def workload(lexicons: Sequence[Lexicon], prompts: PromptSet, profile: str) -> Workload:
    """Of any model, which scores the words as they stand."""
    words = [len(lexicon.words()) for lexicon in lexicons]
    asked = len(prompts.both)
    forwards = asked * (sum(words) + len(control_lexicon(prompts).words()))
    if profile == "paper" and not prompts.is_paper:
        forwards += len(PAPER_PROMPTS) * sum(words)
    if profile == "thorough":
        written = (lexicon.words() for lexicon in lexicons)
        forwards += asked * sum(len(ws) * _forms(ws) for ws in written)
    on = {prompts.lead.text}
    if profile == "paper":
        on |= {prompt.text for prompt in PAPER_PROMPTS}
    return Workload(forwards, asked, len(on))


def _forms(words: Sequence[str]) -> int:
    """In how many other ways the words are written."""
    return sum(any(form(word) != word for word in words) for form in SURFACES.values())


def timed(
    scorer: Scorer,
    bench: Bench,
    lexicons: Sequence[Lexicon],
    prompts: PromptSet,
    profile: str,
    policies: Sequence[Scorer] = (),
) -> Workload:
    """Of this model, and of forecasts of ``policies`` over their whole vocabularies. Two prompts
    that are not stored are scored, the second by the clock, and kept: the run will find them.
    Recorded scores take nothing.

    Raises what loading or scoring the model raises.
    """
    models = [each for each in (scorer.parts or (scorer,)) if isinstance(each, StoredModel)]
    known = workload(lexicons, prompts, profile)
    if not models:
        return Workload(known.words, known.prompts, 0, left=0, seconds=0.0)
    answers = [token_job(scorer, policy, prompts).candidates for policy in policies]
    bench.release()
    words = vocabulary = left = of_policies = 0
    tokens: int | None = 0
    seconds: float | None = 0.0
    rate = None
    for model in models:
        jobs = _jobs(model, lexicons, prompts, profile)
        asked = [job for job in jobs if isinstance(job.candidates, Candidates)]
        for job in asked:
            assert isinstance(job.candidates, Candidates)
            words += len(job.prompts) * len(job.candidates)
            counts = model.token_counts(job.candidates.responses)
            if tokens is not None:
                tokens = None if counts is None else tokens + len(job.prompts) * sum(counts)
        if model.has_vocabulary:
            vocabulary = max(vocabulary, len(model.vocabulary()))
        texts = [_as_asked(each, scorer) for each in answers]
        of_policies += len(prompts.both) * sum(map(len, texts))
        begun = [Job(prompts.both, each) for each in texts]
        jobs, asked = [*jobs, *begun], [*asked, *begun]
        stored = ModelScores(bench.store, model.fingerprint)
        rate = _rate(model, stored, asked) or rate
        for job in jobs:
            n = left_of(stored, job)
            left += n
            if n and rate is None:
                seconds = None
            elif seconds is not None and rate is not None:
                limit = job.time_limit
                took = n / rate
                seconds += took if limit is None else min(took, limit)
        bench.release()
    searched = known.vocabulary_prompts if vocabulary else 0
    size = vocabulary or None
    return Workload(words, known.prompts, searched, tokens, size, left, rate, seconds, of_policies)


def _as_asked(answers: Candidates | Vocabulary, scorer: Scorer) -> Candidates:
    """Texts as a model is given them; the two models of an implicit reward to the end of a turn."""
    assert isinstance(answers, Candidates)
    return replace(answers, injection="turn") if scorer.parts else answers


def _jobs(
    model: StoredModel, lexicons: Sequence[Lexicon], prompts: PromptSet, profile: str
) -> list[Job]:
    """What a run asks of a model under test."""
    jobs = [Job(prompts.both, model.candidates(lexicon)) for lexicon in lexicons]
    jobs.append(Job(prompts.both, model.candidates(control_lexicon(prompts))))
    jobs.append(Job((prompts.lead,), VOCABULARY, time_limit=VOCABULARY_LIMIT))
    if profile == "thorough":
        jobs += [job for lexicon in lexicons for job in surface_jobs(model, lexicon, prompts)]
    if profile == "paper":
        jobs.append(WHOLE_VOCABULARY)
        if not prompts.is_paper:
            jobs += [Job(PAPER_PROMPTS, model.candidates(lexicon)) for lexicon in lexicons]
    if not model.has_vocabulary:
        return [job for job in jobs if isinstance(job.candidates, Candidates)]
    return jobs


def left_of(stored: ModelScores, job: Job) -> int:
    """The forwards of a job that are not stored."""
    candidates = stored.candidates(job.candidates)
    assert candidates is not None  # the vocabulary has been read
    return sum(int((~done).sum()) for done in stored.missing(job, candidates).values())


def _rate(model: StoredModel, stored: ModelScores, jobs: Sequence[Job]) -> float | None:
    """Scores a second, from the second of two prompts on the most words: the first one warms up.
    None where fewer are left of every job."""
    untouched: dict[Candidates, list[Prompt]] = {}
    for job in jobs:
        assert isinstance(job.candidates, Candidates)
        missing = stored.missing(job, job.candidates)
        left = [prompt for prompt, done in missing.items() if not done.any()]
        if len(left) > 1:
            untouched[job.candidates] = left
    if not untouched:
        return None
    candidates = max(untouched, key=len)
    first, second, *_ = untouched[candidates]
    model.score([first], candidates)
    begin = time.perf_counter()
    model.score([second], candidates)
    return len(candidates) / (time.perf_counter() - begin)
