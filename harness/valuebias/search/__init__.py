"""Exhaustive search: the rewards of every candidate of a prompt, as fast as the hardware allows."""

from valuebias.search.clock import TooSlow
from valuebias.search.ladder import RUNGS
from valuebias.search.searcher import Searcher

__all__ = ["RUNGS", "Searcher", "TooSlow"]
