"""Effects with honest intervals, and verdicts against a declared margin."""

from valuebias.stats.assignment import Assignment, assignment_test
from valuebias.stats.composition import Composition, composition, composition_over, shared_words
from valuebias.stats.confounds import controlled
from valuebias.stats.effect import Effect, Term, contrast, pair, single
from valuebias.stats.family import Family, family
from valuebias.stats.inheritance import Inheritance, inheritance
from valuebias.stats.margins import Margins, load_margins
from valuebias.stats.regression import Regression, regression
from valuebias.stats.similarity import Similarity, similarity
from valuebias.stats.sizes import Sizes, d_equiv, hedges_g, prob_superiority, rank_biserial, sizes
from valuebias.stats.verdict import Margin, Outcome, Verdict, judge

__all__ = [
    "Assignment",
    "Composition",
    "Effect",
    "Family",
    "Inheritance",
    "Margin",
    "Margins",
    "Outcome",
    "Regression",
    "Similarity",
    "Sizes",
    "Term",
    "Verdict",
    "assignment_test",
    "composition",
    "composition_over",
    "contrast",
    "controlled",
    "d_equiv",
    "family",
    "hedges_g",
    "inheritance",
    "judge",
    "load_margins",
    "pair",
    "prob_superiority",
    "rank_biserial",
    "regression",
    "shared_words",
    "similarity",
    "single",
    "sizes",
]
