"""The engine behind pytest-valuebias, usable without pytest."""
