"""How much of a contrast was not scored, for the worst that its missing words could do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

from valuebias.lexicons.lexicon import Lexicon, Selection

NEARLY_ALL = 0.95
"""From this share of every category's entries on, missing words are not asked about: they can move
an effect near zero by .1 at most, half the width of a shipped contrast's interval. Fixed on 28
November 2026."""


def unseen(lexicon: Lexicon, selection: Selection) -> float:
    """The share of a contrast's pairs of words, one of either side, with a word that has no score;
    0 where every category has at least 95% of its entries scored.

    Of words and of word families the larger share is taken: an estimate may count either. A missing
    entry counts as one word, a wildcard too; those that are missing on both sides are of neither.
    """
    if all(part.fraction >= NEARLY_ALL for part in selection.coverage):
        return 0.0
    contrast = selection.contrast
    missing = [
        {w for part in selection.coverage if part.category in side for w in part.missing}
        for side in (contrast.a, contrast.b)
    ]
    words = list(zip(selection.words, selection.in_a, strict=True))
    first = _seen(lexicon, [w for w, in_a in words if in_a], missing[0] - missing[1])
    if not contrast.b:  # all words of a lexicon, in pairs with one another
        return 1 - first**2
    second = _seen(lexicon, [w for w, in_a in words if not in_a], missing[1] - missing[0])
    return 1 - first * second


def _seen(lexicon: Lexicon, scored: Sequence[str], missing: Collection[str]) -> float:
    """The share of a side that was scored, of its words or of its families."""
    of_words = len(scored) / (len(scored) + len(missing))
    present = Counter(map(lexicon.family, scored))
    lost = Counter(lexicon.family(entry.removesuffix("*")) for entry in missing)
    families = present | lost
    shares = (present[name] / (present[name] + lost[name]) for name in families)
    return min(of_words, sum(shares) / len(families))
