"""Exhaustive search: rewards of every candidate of a prompt, at the hardware's limit."""

from valuebias.search.clock import TooSlow
from valuebias.search.ladder import RUNGS
from valuebias.search.searcher import Searcher

__all__ = ["RUNGS", "Searcher", "TooSlow"]
