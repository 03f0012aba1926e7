"""Words as they might also be written: in lower case, capitalised, with a full stop.

A lexicon writes a word in one way, a policy in many, and a model may rank them differently. Under
the profile `thorough` effects are computed from these forms too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from valuebias.candidates import Candidates
from valuebias.lexicons.lexicon import Lexicon
from valuebias.measurement.contrast_scores import ContrastScores
from valuebias.prompts import PromptSet
from valuebias.scorers.baseline import BaselineScorer
from valuebias.scorers.protocol import Scorer
from valuebias.scores import Job
from valuebias.stats.crossed import Floats
from valuebias.stats.robustness import Alternatives
from valuebias.stats.specification import AS_WRITTEN
from valuebias.stats.terms import Term

SURFACES: Mapping[str, Callable[[str], str]] = {
    "in lower case": str.lower,
    "capitalised": lambda word: word[:1].upper() + word[1:],
    "with a full stop": lambda word: f"{word}.",
}


def forms(scorer: Scorer, lexicon: Lexicon) -> Mapping[str, Candidates]:
    """The lexicon's words in each form that differs from the one written; none of recorded scores
    and baselines, which cannot be asked, nor of a scorer that counts all spellings of a word
    together."""
    asked = scorer.candidates(lexicon)
    if not isinstance(asked, Candidates) or asked.injection == "spellings":
        return {}
    if isinstance(scorer, BaselineScorer):
        return {}
    written = {
        name: Candidates.words([form(word) for word in asked.responses], asked.injection)
        for name, form in SURFACES.items()
    }
    return {name: words for name, words in written.items() if words.responses != asked.responses}


def surface_jobs(scorer: Scorer, lexicon: Lexicon, prompts: PromptSet) -> list[Job]:
    """What scoring every form takes; nothing in frames, where a word is written in one way."""
    if prompts.is_framed:
        return []
    return [Job(prompts.both, candidates) for candidates in forms(scorer, lexicon).values()]


def alternatives(
    models: Sequence[tuple[Scorer, ContrastScores, float]],
    lexicon: Lexicon,
    covariates: Mapping[str, Floats],
    *,
    surfaces: bool,
) -> Alternatives:
    """What the specifications of an effect are computed from: each model's scores of the words and
    its weight, the words' properties (words,) and, with ``surfaces``, the scores of every form that
    all of the models have."""
    selection = models[0][1].selection
    terms = {AS_WRITTEN: [t for _, scored, weight in models for t in scored.terms(weight)]}
    if surfaces:
        found: dict[str, list[Term]] = {}
        for scorer, scored, weight in models:
            for name, written in _rewritten(scorer, scored, lexicon):
                found.setdefault(name, []).extend(written.terms(weight))
        terms |= {n: each for n, each in found.items() if len(each) == len(terms[AS_WRITTEN])}
    facets = selection.facets if (selection.facets != "").any() else None
    return Alternatives(terms, selection.in_a, selection.families, facets, covariates)


def _rewritten(
    scorer: Scorer, scored: ContrastScores, lexicon: Lexicon
) -> Iterator[tuple[str, ContrastScores]]:
    """The same words' scores in each other form."""
    for name, candidates in forms(scorer, lexicon).items():
        at = {response: i for i, response in enumerate(candidates.responses)}
        columns = [at[SURFACES[name](word)] for word in scored.selection.words]
        values = {
            valence: scorer.score(prompts, candidates).values[:, columns]
            for valence, prompts in scored.prompts.items()
        }
        yield name, replace(scored, values=values)
