"""The family of a word that no lexicon declares: its root, by rules for English.

Words of a family are inflections and derivational relatives: a base and what suffixes make of it
("altruism" and "altruist", "cruel" and "cruelty"). Prefixes and the suffix -less make another
family, as most of them reverse the meaning: "loyal" and "disloyal" are two draws, and so are
"mercy" and "merciless". Compounds ("warmhearted") are families of their own.

The rules: British spellings made American; Snowball's English stem; then suffixes taken from it one
after another, the longest first, while a root with a vowel is left. What no rule finds is in
`word_tables`. Precision and recall on pairs of words are measured by
tests/valuebias/lexicons/test_families.py.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import snowballstemmer  # type: ignore[import-untyped]

from valuebias.lexicons.word_tables import CHANGED, OWN_ROOT, WHOLE

_LEAST = {
    3: "abl anc ant ari dom eri er etic ful fulli hood ibl ic ical ier if ific ifi "
    "ish ism ist istic iti eti iv iz ise or ous ment ness ship some",
    4: "aci ag al at ate ativ ator atori ent enc enti en eous ial ienc ient ious itiv itori itud "
    "ori ual uous",
    5: "ac ion li",
}
_SUFFIXES = sorted(
    ((suffix, least) for least, suffixes in _LEAST.items() for suffix in suffixes.split()),
    key=lambda row: (-len(row[0]), row),
)
"""Suffixes of Snowball's stems, each with the fewest letters that it may leave."""

_ISE = re.compile("(?<=[cdghlmnrt])is(?=(?:e|es|ed|er|ers|ing|ation|ations|ement|ements)$)")
_OUR = re.compile(
    "(arm|behavi|cand|clam|col|endeav|fav|ferv|harb|hon|hum|lab|neighb|od|ranc|rig|rum|sav|savi"
    "|splend|tum|val|vap|vig)our"
)
_OWN_ROOT = [(re.compile(pattern), root) for root, pattern in OWN_ROOT.items()]


@cache
def family_by_rules(folded: str) -> str:
    """The name of a folded word's family: its root (of a phrase, the root of every word)."""
    return " ".join(_root(word) for word in folded.split())


def _root(word: str) -> str:
    word = _OUR.sub(r"\1or", word)
    if len(word) > 7:
        word = _ISE.sub("iz", word)
    for pattern, root in _OWN_ROOT:
        if pattern.match(word):
            return root
    stem = CHANGED.get(word) or _undoubled(_stemmer().stemWord(word))
    while stem not in WHOLE and stem not in CHANGED:
        shorter = _without_suffix(stem)
        if shorter is None:
            break
        stem = shorter
    stem = CHANGED.get(stem, stem)
    shorter = re.sub("(?<![aeo])[aiuy]+$", "", stem)  # mercy as merciful, virtue as virtuous
    if stem not in WHOLE and shorter != stem and len(shorter) > 3:
        stem = _as_before(shorter)
    return CHANGED.get(stem, stem)


def _without_suffix(stem: str) -> str | None:
    """The stem without its longest suffix that leaves a root; None if it has none."""
    if stem.endswith(("alti", "elti", "alri")):
        return stem[:-2]  # loyalty, cruelty, rivalry; not honesty
    for suffix, least in _SUFFIXES:
        root = stem.removesuffix(suffix)
        if root != stem and len(root) >= least and re.search("[aeiouy]", root):
            return _as_before(root) if suffix[0] in "aeio" else str(_stemmer().stemWord(root))
    return None


def _as_before(root: str) -> str:
    """A root as it was before a suffix with a vowel: robb(er) was rob, brav(ery) was brave."""
    short = re.fullmatch("[^aeiouy]+[aeiouy][^aeiouywx]", root)
    return f"{root}e" if short else _undoubled(root)


def _undoubled(stem: str) -> str:
    double = re.search(r"([bdgmnprt])\1$|[aeiouy].*[aeiouy]ll$", stem)
    return stem[:-1] if double and len(stem) > 3 else stem


@cache
def _stemmer() -> Any:
    return snowballstemmer.stemmer("english")
