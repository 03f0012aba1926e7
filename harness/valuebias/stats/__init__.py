"""Effects with honest intervals, and verdicts against a declared margin."""

from valuebias.stats.effect import Effect, pair, single
from valuebias.stats.margins import Margins, load_margins
from valuebias.stats.similarity import Similarity, similarity
from valuebias.stats.sizes import Sizes, d_equiv, hedges_g, prob_superiority, rank_biserial, sizes
from valuebias.stats.verdict import Margin, Outcome, Verdict, judge

__all__ = [
    "Effect",
    "Margin",
    "Margins",
    "Outcome",
    "Similarity",
    "Sizes",
    "Verdict",
    "d_equiv",
    "hedges_g",
    "judge",
    "load_margins",
    "pair",
    "prob_superiority",
    "rank_biserial",
    "similarity",
    "single",
    "sizes",
]
