"""Effects with honest intervals, and verdicts against a declared margin."""

from valuebias.stats.effect import Effect, pair, single
from valuebias.stats.margins import Margins, load_margins
from valuebias.stats.verdict import Margin, Outcome, Verdict, judge

__all__ = [
    "Effect",
    "Margin",
    "Margins",
    "Outcome",
    "Verdict",
    "judge",
    "load_margins",
    "pair",
    "single",
]
