"""The best and worst tokens of a reward model in half precision, scored again in float32.

Half precision decides which tokens come first and last: there, thousands of rewards lie within its
rounding or are equal. Effects and ranks are of the precision that was asked for; only a list of the
best and worst is by these scores.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from valuebias.candidates import Candidates
from valuebias.errors import first_line
from valuebias.models.device import resolve
from valuebias.models.settings import Settings
from valuebias.models.spec import ModelSpec
from valuebias.prompts import Prompt
from valuebias.scores import LISTED, FloatArray

if TYPE_CHECKING:
    from valuebias.models.reward import RewardModel

SHORTLIST = 4 * LISTED
"""Candidates at each end that are scored again, so that the listed ones are among them."""

HALF = ("bfloat16", "float16")


def are_wanted(spec: ModelSpec, settings: Settings) -> bool:
    """Whether the ends are scored again: those of a reward model that is loaded in half
    precision."""
    return spec.has_files and spec.load_as == "rm" and resolve(settings)[1] in HALF


def score_again(
    model: RewardModel, prompt: Prompt, candidates: Candidates, values: FloatArray
) -> dict[int, float] | str:
    """Rewards in float32 of the candidates at both ends of ``values`` (n,), by their index; or why
    there are none."""
    if model.provenance["dtype"] not in HALF:  # a quantised one's says so
        return "the model is quantised"
    order = np.argsort(-values, kind="stable")
    ends = sorted({*order[:SHORTLIST].tolist(), *order[-SHORTLIST:].tolist()})
    ids = candidates.token_ids
    shortlist = Candidates(
        tuple(candidates.responses[i] for i in ends),
        None if ids is None else tuple(ids[i] for i in ends),
        candidates.injection,
    )
    try:
        again = model.score_in_float32(prompt, shortlist)
    except Exception as error:  # a model class may raise anything in another precision
        return first_line(error) or type(error).__name__
    if not np.isfinite(again).all():
        return "rewards are not finite"
    return dict(zip(ends, map(float, again), strict=True))
