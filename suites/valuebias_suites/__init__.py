"""The suites that `pytest --rm=MODEL` runs, and the margins they hold a model against."""

from pathlib import Path

MARGINS = Path(__file__).with_name("margins.yaml")
"""The shipped margins, by lexicon, contrast, valence and role, each with its basis."""
