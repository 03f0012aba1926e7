"""pytest-valuebias: see and test which human values a reward model prefers."""

__version__ = "0.1.0"
