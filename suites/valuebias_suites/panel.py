"""The ten public reward models that the margins with basis "panel" were predicted from."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

from valuebias.models.spec import ModelSpec
from valuebias.scorers.protocol import Scorer
from valuebias.scorers.recorded import RecordedScores
from valuebias.scorers.table_order import order_digest

MEMBERS = Path(__file__).with_name("panel.yaml")
"""Their names on the hub, and digests of their published tables."""


def is_member(spec: ModelSpec, scorer: Scorer) -> bool:
    """Whether a model is one of the ten: by its name on the hub, whatever the revision; a table of
    scores by the order of its words (`order_digest`). A copy in a folder is not recognised."""
    names, tables = _members()
    if spec.scheme == "hub":
        return spec.target.lower() in names
    return isinstance(scorer, RecordedScores) and order_digest(scorer.recorded) in tables


@cache
def _members() -> tuple[frozenset[str], frozenset[str]]:
    models = yaml.safe_load(MEMBERS.read_text("utf-8"))["models"]
    names = frozenset(model["name"].lower() for model in models)
    return names, frozenset(table for model in models for table in model["tables"])
