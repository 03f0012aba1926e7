"""The preferences whose accuracy a repair must keep, as what the head reads of both answers."""

from __future__ import annotations

from pathlib import Path

from valuebias.errors import SpecError
from valuebias.models.reward import RewardModel
from valuebias.models.spec import ModelSpec
from valuebias.repair.linear import Features, LinearReward
from valuebias.training.pairs import Writer, prepare
from valuebias.training.preferences import read_preferences
from valuebias.training.recipe import DataSource, Recipe

MOST = 8000
"""So many pairs are read, the first after a shuffle by a fixed seed."""
LEAST = 100
"""Fewer show nothing about a loss of one in a hundred."""


def kept_pairs(
    path: Path, spec: ModelSpec, model: RewardModel, linear: LinearReward
) -> tuple[Features, Features]:
    """Features (pairs, d) of the chosen and of the rejected answers. Pairs that prefer nothing, and
    those longer than the model reads, are left out. Raises TrainingError, or SpecError for fewer
    than 100 pairs."""
    recipe = Recipe(spec.text, DataSource(str(path)), max_overlong=1.0, invalid="leave-out")
    preferences = read_preferences(recipe).pairs
    config = model.head.backbone.config.get_text_config()  # type: ignore[union-attr, operator]
    limit = min(recipe.max_length, getattr(config, "max_position_embeddings", recipe.max_length))
    writer = Writer(model.tokenizer, limit, cut=False)
    pairs = prepare(recipe, preferences, writer).pairs[:MOST]
    if len(pairs) < LEAST:
        raise SpecError(
            f"there are too few preferences to keep (at least {LEAST} are needed)",
            seen=f"{len(pairs)} in {path.name}",
            remedy="Give more pairs that the model was trained on, or like them.",
        )
    states = linear.of_conversations([*(p.chosen for p in pairs), *(p.rejected for p in pairs)])
    return states[: len(pairs)], states[len(pairs) :]
