"""Tables that read the questions and have a taste which a mean hides: none may be a robust PASS.

Each has one rule that must find it. The kinds are those of an adversarial audit of the verdicts;
"whole", "open" and "unmasked" are the same tastes before anything hides them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from parts.score_tables import GOOD, NEGATIVE, WORDS, Floats, virtuous

from valuebias.lexicons.files import starter
from valuebias.prompts import PAPER_PROMPTS

BIG_TWO, MFD2 = starter("big_two"), starter("mfd2")
AGENCY, COMMUNION = (np.isin(WORDS, BIG_TWO.categories[c]) for c in ("agency", "communion"))
POSITIVE = ~NEGATIVE

# Two meanings within agency, by hand: rule over others, and work.
_RULE = """power dominance control supremacy conquest superiority force might sovereignty victory
    triumph status prestige fame glory wealth profit influence reputation eminence leadership
    champion winning success potency assertion boldness audacity cunning impact"""
_WORK = """diligence effort perseverance persistence endurance training rigor discipline
    concentration focus readiness completion productivity efficiency willpower determination grit
    stamina tenacity striving hardiness firmness fortitude toughness hustle industry craft
    technique proficiency fitness"""

KINDS: Mapping[str, tuple[str, str]] = {
    "tail": ("top", "FAIL or INCONCLUSIVE of the ends of the ranking"),
    "facets": ("facet", "a facet shown outside"),
    "scattered": ("facet", "the same, of words that lie in many facets"),
    "latin": ("prompts", "prompts that cancel"),
    "adjectives": ("prompts", "adjectives that disagree"),
    "holes": ("missing", "words without a score"),
    "saturated": ("tied", "ties at a cap"),
    "masked": ("confounded", "frequency"),
}
"""The kinds, each with the cause that its verdict must have ("top": of the other test), and in
words the rule that is made for it."""

Table = tuple[Floats, tuple[str, ...]]


def hidden(kind: str, seed: int) -> Table:
    """Scores (words, prompts) of one of KINDS, or of what it hides, and their words."""
    rng = np.random.default_rng((seed, 2))
    values = virtuous(seed)
    rule, work = (np.isin(WORDS, words.split()) & AGENCY for words in (_RULE, _WORK))
    match kind:
        case "tail":
            values[np.ix_(rule, POSITIVE)] += 6
            values[np.ix_(work, POSITIVE)] -= 6
        case "scattered":
            values[np.ix_(rule, POSITIVE)] += 1.6
            values[np.ix_(work, POSITIVE)] -= 1.6
        case "facets":  # two declared groups of agency's of 15 words or more, next in size
            groups = sorted((group for group in _groups() if len(group) >= 15), key=len)
            first = rng.integers(len(groups) - 1)
            up, down = (groups[i] for i in rng.permutation([first, first + 1]))
            values[np.ix_(np.isin(WORDS, up), POSITIVE)] += 1.6
            values[np.ix_(np.isin(WORDS, down), POSITIVE)] -= 1.6
        case "latin":
            # A third of the prompts up, a third down, so that every level of a factor cancels.
            sums = np.zeros(len(PAPER_PROMPTS), dtype=int)
            for factor in ("adjective", "scope", "style"):
                levels = [p.factors[factor] for p in PAPER_PROMPTS]
                for columns in (NEGATIVE, POSITIVE):
                    found = [levels[i] for i in np.flatnonzero(columns)]
                    sums[columns] += np.unique(found, return_inverse=True)[1]
            values += np.array([0.9, -0.9, 0.0])[sums % 3] * AGENCY[:, None]
        case "adjectives":
            lean = {"greatest": 0.45, "good": -0.45}
            values += [lean.get(p.factors["adjective"], 0) for p in PAPER_PROMPTS] * AGENCY[:, None]
        case "whole" | "holes":
            values[np.ix_(AGENCY, POSITIVE)] += 0.8
        case "open" | "saturated":
            values[np.ix_(AGENCY, POSITIVE)] += 1.0
        case "masked" | "unmasked":
            values = _against_authority(rng, frequent=kind == "masked")
        case _:
            raise ValueError(kind)
    if kind == "saturated":  # 92% of the words of the Big Two lie at the cap
        cap = np.quantile(values[AGENCY | COMMUNION], 0.08, axis=0)
        values = np.minimum(values, cap)
    if kind != "holes":
        return values, WORDS
    mean = values[:, POSITIVE].mean(axis=1)
    gone = [*_ends(mean, AGENCY, -1), *_ends(mean, COMMUNION, 1)]  # the telling fifth of each
    kept = np.setdiff1d(np.arange(len(WORDS)), gone)
    return values[kept], tuple(WORDS[i] for i in kept)


def _groups() -> list[list[str]]:
    """Agency's words by the group of facets that each lies in."""
    groups: dict[str, list[str]] = {}
    for word in BIG_TWO.categories["agency"]:
        group, separator, _ = BIG_TWO.facet(word).partition("/")
        if separator:
            groups.setdefault(group, []).append(word)
    return list(groups.values())


def _ends(mean: Floats, side: Floats, turn: int) -> list[int]:
    at = np.flatnonzero(side)
    order = at[np.argsort(turn * mean[at])]
    return [int(i) for i in order[: int(0.2 * len(at))]]


def _against_authority(rng: np.random.Generator, *, frequent: bool) -> Floats:
    """A taste against authority's words of virtue, and one for frequent words that hides it."""
    from wordfreq import zipf_frequency

    taste = rng.normal(size=len(WORDS)) - 2.4 * np.isin(WORDS, MFD2.categories["authority.virtue"])
    if frequent:
        zipf = np.array([zipf_frequency(word, "en") for word in WORDS])
        taste += 1.6 * (zipf - zipf.mean()) / zipf.std()
    reads = 2 * np.outer(GOOD, np.where(NEGATIVE, -1, 1))
    return taste[:, None] + reads + 0.3 * rng.normal(size=reads.shape)


def releases(seed: int) -> list[Floats]:
    """Nine releases, each a quarter of a standard deviation further to agency than the last."""
    start = virtuous(seed)
    found = []
    for k in range(9):
        rng = np.random.default_rng((seed, 3, k))
        found.append(start + 0.25 * k * np.outer(AGENCY, POSITIVE))
        found[-1] += 0.02 * rng.normal(size=start.shape)
    return found
