"""Exhaustive search: rewards of every candidate of a prompt, at the hardware's limit."""

from valuebias.search.searcher import RUNGS, Searcher, TooSlow

__all__ = ["RUNGS", "Searcher", "TooSlow"]
