"""Effects with honest intervals, and verdicts against a declared margin."""

from valuebias.stats.composition import Composition, composition, composition_over, shared_words
from valuebias.stats.effect import Effect, pair, single
from valuebias.stats.margins import Margins, load_margins
from valuebias.stats.similarity import Similarity, similarity
from valuebias.stats.sizes import Sizes, d_equiv, hedges_g, prob_superiority, rank_biserial, sizes
from valuebias.stats.verdict import Margin, Outcome, Verdict, judge

__all__ = [
    "Composition",
    "Effect",
    "Margin",
    "Margins",
    "Outcome",
    "Similarity",
    "Sizes",
    "Verdict",
    "composition",
    "composition_over",
    "d_equiv",
    "hedges_g",
    "judge",
    "load_margins",
    "pair",
    "prob_superiority",
    "rank_biserial",
    "shared_words",
    "similarity",
    "single",
    "sizes",
]
