"""Effects with valid intervals, and verdicts against a margin."""

from valuebias.stats.assignment import Assignment, assignment_test
from valuebias.stats.composition import Composition, composition, composition_over, shared_words
from valuebias.stats.confounds import controlled
from valuebias.stats.drift import Drift, drift
from valuebias.stats.effect import Effect, contrast, pair, single
from valuebias.stats.facet_effects import facet_effects, facet_outside
from valuebias.stats.facets import FacetComponent, Facets, facet_component
from valuebias.stats.family import Family, family
from valuebias.stats.gap import Area, Gap, closed, gap, not_closed
from valuebias.stats.inheritance import Inheritance, inheritance
from valuebias.stats.movement import Movers, agreement, movers
from valuebias.stats.outside import Outside, outside
from valuebias.stats.quantities import Quantities, Trend, quantities
from valuebias.stats.regression import Regression, regression
from valuebias.stats.similarity import Similarity, similarity
from valuebias.stats.sizes import Sizes, d_equiv, hedges_g, prob_superiority, rank_biserial, sizes
from valuebias.stats.terms import Term
from valuebias.stats.top import TopShare, top
from valuebias.stats.trajectory import Trajectory, trajectory
from valuebias.stats.verdict import Answer, Cause, Margin, Outcome, Verdict, judge

__all__ = [
    "Answer",
    "Area",
    "Assignment",
    "Cause",
    "Composition",
    "Drift",
    "Effect",
    "FacetComponent",
    "Facets",
    "Family",
    "Gap",
    "Inheritance",
    "Margin",
    "Movers",
    "Outcome",
    "Outside",
    "Quantities",
    "Regression",
    "Similarity",
    "Sizes",
    "Term",
    "TopShare",
    "Trajectory",
    "Trend",
    "Verdict",
    "agreement",
    "assignment_test",
    "closed",
    "composition",
    "composition_over",
    "contrast",
    "controlled",
    "d_equiv",
    "drift",
    "facet_component",
    "facet_effects",
    "facet_outside",
    "family",
    "gap",
    "hedges_g",
    "inheritance",
    "judge",
    "movers",
    "not_closed",
    "outside",
    "pair",
    "prob_superiority",
    "quantities",
    "rank_biserial",
    "regression",
    "shared_words",
    "similarity",
    "single",
    "sizes",
    "top",
    "trajectory",
]
